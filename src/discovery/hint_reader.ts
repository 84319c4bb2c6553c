import { decodeUtf8 } from "../base/bytes.ts";
import { formatIpAddress, isLinkLocal, parseIpAddress } from "../base/ip_address.ts";
import { isIdPrefix, isPort, isSlot, type PeerAddress, type PeerHint } from "./discovery.ts";
import type { DnsPacket, DnsRecord } from "./dns_codec.ts";
import { SERVICE_TYPE, TXT_VERSION } from "./service_records.ts";

/** Services read from one message. */
const SERVICES_PER_PACKET_MAX = 4;
/** Addresses that one host may claim in one message. */
const ADDRESSES_CLAIMED_MAX = 16;
/** Text of a record that is looked at. */
const TXT_STRINGS_MAX = 16;

/** Where a message came from. */
export interface PacketSource {
  /** The sender's IP address. */
  readonly address: string;
  /** Zones that a link-local address in the message may belong to, likeliest first. */
  readonly zones: readonly string[];
}

/**
 * Reads what a response claims. Everything in it is a stranger's: names must have exactly the form
 * that landropic gives them, numbers their range, addresses must be ones that a peer can have.
 * Whatever is not so is left out.
 *
 * @param packet Already bounded in bytes and records.
 */
export function readHints(packet: DnsPacket, source: PacketSource): PeerHint[] {
  const records = [...packet.answers, ...packet.additionals]
    .filter((record) => record.class === "IN" && (record.ttl ?? 0) > 0);
  const instances = new Set<string>();
  for (const record of records) {
    if (record.type !== "PTR" || !sameName(record.name, SERVICE_TYPE)) continue;
    const instance = instanceLabel(record.data);
    if (instance !== undefined && instances.size < SERVICES_PER_PACKET_MAX) instances.add(instance);
  }
  return [...instances].flatMap((instance) => readHint(instance, records, source) ?? []);
}

function readHint(
  instance: string,
  records: readonly DnsRecord[],
  source: PacketSource,
): PeerHint | undefined {
  const name = `${instance}.${SERVICE_TYPE}`;
  const find = (type: string) =>
    records.find((record) => record.type === type && sameName(record.name, name))?.data;
  const server = readServer(find("SRV"));
  const text = readText(find("TXT"));
  if (!server || !text || !instance.startsWith(text.idPrefix.toLowerCase())) return undefined;
  const claimed = records
    .filter(({ type, name }) => (type === "A" || type === "AAAA") && sameName(name, server.target))
    .slice(0, ADDRESSES_CLAIMED_MAX)
    .map(({ data }) => data);
  const addresses = readAddresses([source.address, ...claimed], source.zones, server.port);
  return addresses.length > 0 ? { instance, ...text, addresses } : undefined;
}

/** The label of an instance name, if landropic could have made it. */
function instanceLabel(name: unknown): string | undefined {
  if (typeof name !== "string") return undefined;
  const lower = name.toLowerCase();
  const label = lower.slice(0, -SERVICE_TYPE.length - 1);
  const fits = /^[a-z2-7]{8}-[0-9a-f]{6}$/.test(label);
  return fits && lower === `${label}.${SERVICE_TYPE}` ? label : undefined;
}

function readServer(data: unknown): { port: number; target: string } | undefined {
  const { port, target } = (data ?? {}) as { port?: unknown; target?: unknown };
  return isPort(port) && typeof target === "string" ? { port, target } : undefined;
}

/** Reads `key=value` strings (RFC 6763 section 6); of equal keys the first counts. */
function readText(data: unknown): { idPrefix: string; slot?: number } | undefined {
  const strings = Array.isArray(data) ? data.slice(0, TXT_STRINGS_MAX) : [];
  const values = new Map<string, string>();
  for (const bytes of strings) {
    const text = bytes instanceof Uint8Array ? decodeUtf8(bytes) : undefined;
    const match = /^([a-z]{1,9})=([A-Za-z0-9]{1,16})$/.exec(text ?? "");
    if (match && !values.has(match[1]!)) values.set(match[1]!, match[2]!);
  }
  const idPrefix = values.get("id") ?? "";
  if (values.get("v") !== TXT_VERSION || !isIdPrefix(idPrefix)) return undefined;
  const slot = /^[1-9]\d*$/.test(values.get("slot") ?? "") ? Number(values.get("slot")) : undefined;
  return { idPrefix: idPrefix.toUpperCase(), ...(isSlot(slot) && { slot }) };
}

/** Keeps the addresses that a peer on a link can have, once each; link-local ones go last. */
function readAddresses(
  claimed: readonly unknown[],
  zones: readonly string[],
  port: number,
): PeerAddress[] {
  const near = new Set<string>();
  const linkLocal = new Set<string>();
  for (const text of claimed) {
    const address = typeof text === "string" ? parseIpAddress(text.split("%")[0]!) : undefined;
    if (!address || !isUnicastElsewhere(address.bytes)) continue;
    if (address.family === 6 && isLinkLocal(address)) {
      for (const zone of zones) linkLocal.add(formatIpAddress({ ...address, zone }));
    } else {
      near.add(formatIpAddress(address));
    }
  }
  return [...near, ...linkLocal].map((host) => ({ host, port }));
}

/** False for loopback, unspecified, multicast, broadcast and IPv4 spelled inside IPv6. */
function isUnicastElsewhere(bytes: Uint8Array): boolean {
  if (bytes.length === 4) return bytes[0] !== 0 && bytes[0] !== 127 && bytes[0]! < 224;
  const startsWithZeros = bytes.subarray(0, 10).every((byte) => byte === 0);
  return !startsWithZeros && bytes[0] !== 0xff;
}

function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
