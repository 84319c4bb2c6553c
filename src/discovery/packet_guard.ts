import { type IpAddress, isLinkLocal, parseIpAddress } from "../base/ip_address.ts";

/** Largest multicast DNS message (RFC 6762 section 17). */
export const PACKET_BYTES_MAX = 9000;
/** The one port that multicast DNS is spoken from (RFC 6762 section 6). */
export const MDNS_PORT = 5353;

const QUESTIONS_MAX = 32;
const RECORDS_MAX = 64;
/** Messages that mention landropic: this many at once, and as many a second, are decoded. */
const PACKETS_PER_SECOND_MAX = 100;
const HEADER_BYTES = 12;
/** The first label of the service type, behind its length byte. */
const LABEL = "_landropic";

/**
 * Decides by a look at the raw bytes which messages of the group are worth decoding. All hosts of
 * the network talk there, and decoding costs up to 8 ms a message: one that does not mention this
 * service, claims more records than any landropic sends, or comes from no neighbour is left unread.
 */
export class PacketGuard {
  readonly #subnets: readonly Subnet[];
  #credit = PACKETS_PER_SECOND_MAX;
  #creditAtMs = 0;

  /** @param subnets CIDR texts of the interface, such as `192.168.1.20/24`. */
  constructor(subnets: readonly string[]) {
    this.#subnets = subnets.flatMap((cidr) => parseSubnet(cidr) ?? []);
  }

  /** Whether to decode; takes one from the rate where so. */
  admits(bytes: Uint8Array, source: { address: string; port: number }, nowMs: number): boolean {
    return source.port === MDNS_PORT && bytes.length <= PACKET_BYTES_MAX &&
      hasModestCounts(bytes) && mentionsService(bytes) && this.isNeighbour(source.address) &&
      this.#takeCredit(nowMs);
  }

  /** True for addresses of this link: its subnets, and link-local ones (RFC 6762 section 11). */
  isNeighbour(text: string): boolean {
    const address = parseIpAddress(text);
    return address !== undefined && (isLinkLocal(address) || isInSubnets(address, this.#subnets));
  }

  #takeCredit(nowMs: number): boolean {
    const earned = (Math.max(0, nowMs - this.#creditAtMs) / 1000) * PACKETS_PER_SECOND_MAX;
    this.#credit = Math.min(PACKETS_PER_SECOND_MAX, this.#credit + earned);
    this.#creditAtMs = nowMs;
    if (this.#credit < 1) return false;
    this.#credit--;
    return true;
  }
}

/** True where an address lies in one of the CIDR texts. */
export function isInSubnet(text: string, subnets: readonly string[]): boolean {
  const address = parseIpAddress(text);
  return address !== undefined &&
    isInSubnets(address, subnets.flatMap((cidr) => parseSubnet(cidr) ?? []));
}

interface Subnet {
  readonly bytes: Uint8Array;
  readonly bits: number;
}

/** Bytes 4 to 11 count questions, answers, authority and additional records (RFC 1035 section 4.1.1). */
function hasModestCounts(bytes: Uint8Array): boolean {
  if (bytes.length < HEADER_BYTES) return false;
  const at = (offset: number) => (bytes[offset]! << 8) | bytes[offset + 1]!;
  return at(4) <= QUESTIONS_MAX && at(6) + at(8) + at(10) <= RECORDS_MAX;
}

/** Names may compress their ends away, but the first mention of a label is always spelled out. */
function mentionsService(bytes: Uint8Array): boolean {
  const last = bytes.length - LABEL.length;
  for (let start = HEADER_BYTES + 1; start <= last; start++) {
    if (bytes[start - 1] !== LABEL.length) continue;
    let matched = 0;
    while (
      matched < LABEL.length && lowerCase(bytes[start + matched]!) === LABEL.charCodeAt(matched)
    ) matched++;
    if (matched === LABEL.length) return true;
  }
  return false;
}

function lowerCase(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

function parseSubnet(cidr: string): Subnet | undefined {
  const [text = "", bits = ""] = cidr.split("/");
  const address = parseIpAddress(text);
  const isLength = /^\d{1,3}$/.test(bits) && Number(bits) <= (address?.bytes.length ?? 0) * 8;
  return address && isLength ? { bytes: address.bytes, bits: Number(bits) } : undefined;
}

function isInSubnets(address: IpAddress, subnets: readonly Subnet[]): boolean {
  return subnets.some(({ bytes, bits }) =>
    bytes.length === address.bytes.length && samePrefix(bytes, address.bytes, bits)
  );
}

function samePrefix(a: Uint8Array, b: Uint8Array, bits: number): boolean {
  const whole = bits >>> 3;
  for (let i = 0; i < whole; i++) if (a[i] !== b[i]) return false;
  const rest = bits & 7;
  return rest === 0 || (a[whole]! ^ b[whole]!) >>> (8 - rest) === 0;
}
