import { Buffer } from "node:buffer";

/** One question of a DNS message. */
export interface DnsQuestion {
  readonly name: string;
  readonly type: string;
}

/** One resource record; `data` is checked by whoever reads it, since peers write it. */
export interface DnsRecord {
  readonly name: string;
  readonly type: string;
  /** Seconds; 0 says goodbye. */
  readonly ttl?: number;
  readonly class?: string;
  /** Multicast DNS: this record replaces what was known (RFC 6762 section 10.2). */
  readonly flush?: boolean;
  readonly data?: unknown;
}

/** A DNS message, as far as multicast DNS uses it. */
export interface DnsPacket {
  readonly type: "query" | "response";
  readonly questions: readonly DnsQuestion[];
  readonly answers: readonly DnsRecord[];
  readonly additionals: readonly DnsRecord[];
}

/** Between DNS messages and bytes (RFC 1035 section 4). */
export interface DnsCodec {
  encode(packet: DnsPacket): Uint8Array;
  /** @returns `undefined` for bytes that are no DNS message. */
  decode(bytes: Uint8Array): DnsPacket | undefined;
}

/** Loads the codec on first use, 30 ms that most commands never pay. */
export async function loadDnsCodec(): Promise<DnsCodec> {
  const { default: library } = await import("dns-packet") as unknown as { default: Library };
  return {
    encode: (packet) =>
      library.encode(
        packet.type === "response"
          ? { ...packet, flags: library.AUTHORITATIVE_ANSWER }
          : { ...packet },
      ),
    decode: (bytes) => {
      try {
        return library.decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
      } catch {
        return undefined;
      }
    },
  };
}

/** The part of dns-packet used here; it comes without types. */
interface Library {
  readonly AUTHORITATIVE_ANSWER: number;
  encode(packet: DnsPacket & { flags?: number }): Uint8Array;
  decode(bytes: Buffer): DnsPacket;
}
