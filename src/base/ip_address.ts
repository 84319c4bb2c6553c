import type { Bytes } from "./bytes.ts";

/** An IP address as bytes, with the zone of a link-local IPv6 address where one was given. */
export interface IpAddress {
  readonly family: 4 | 6;
  /** 4 or 16 bytes, network order. */
  readonly bytes: Bytes;
  /** Interface name or index, without the `%`. */
  readonly zone?: string;
}

/** True for dotted decimal of four numbers to 255, without leading zeros. */
export function isIpv4(text: string): boolean {
  return IPV4.test(text);
}

/** Reads IPv4 dotted decimal or IPv6 text (RFC 4291 section 2.2), with a zone for IPv6 only. */
export function parseIpAddress(text: string): IpAddress | undefined {
  if (isIpv4(text)) return { family: 4, bytes: new Uint8Array(text.split(".").map(Number)) };
  const percent = text.indexOf("%");
  const address = percent < 0 ? text : text.slice(0, percent);
  const bytes = parseIpv6(address);
  if (bytes === undefined) return undefined;
  if (percent < 0) return { family: 6, bytes };
  const zone = text.slice(percent + 1);
  return /^[\w.:-]{1,32}$/.test(zone) ? { family: 6, bytes, zone } : undefined;
}

/** Writes the one canonical text of an address (RFC 5952 for IPv6, with the zone behind a `%`). */
export function formatIpAddress({ family, bytes, zone }: IpAddress): string {
  if (family === 4) return bytes.join(".");
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i]! << 8) | bytes[i + 1]!).toString(16));
  return compress(groups) + (zone === undefined ? "" : `%${zone}`);
}

/** True for fe80::/10 and 169.254.0.0/16: reachable on one link only. */
export function isLinkLocal({ family, bytes }: IpAddress): boolean {
  return family === 4
    ? bytes[0] === 169 && bytes[1] === 254
    : bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80;
}

/**
 * The key under which limits for one host are counted: the IPv4 address, or the /64 that one IPv6
 * host can fill at will. An IPv4 address inside IPv6 (`::ffff:0:0/96`) counts as itself.
 */
export function hostLimitKey(text: string): string {
  const address = parseIpAddress(text);
  if (!address) return text;
  const { family, bytes } = address;
  if (family === 4) return formatIpAddress(address);
  const isMapped = bytes.subarray(0, 10).every((byte) => byte === 0) &&
    bytes[10] === 0xff && bytes[11] === 0xff;
  if (isMapped) return bytes.subarray(12).join(".");
  const network = new Uint8Array(16);
  network.set(bytes.subarray(0, 8));
  return `${formatIpAddress({ family: 6, bytes: network })}/64`;
}

/** Without a zone. Not by `isIPv6()` of node:net, which loads that module: 5 ms of a short run. */
function parseIpv6(text: string): Bytes | undefined {
  const [head = "", tail, ...more] = text.split("::");
  if (more.length > 0 || !text.includes(":")) return undefined;
  const front = bytesOf(head, tail === undefined);
  const back = tail === undefined ? [] : bytesOf(tail, true);
  if (front === undefined || back === undefined) return undefined;
  const count = front.length + back.length;
  if (tail === undefined ? count !== 16 : count > 14) return undefined;
  const bytes = new Uint8Array(16);
  bytes.set(front);
  bytes.set(back, 16 - back.length);
  return bytes;
}

/** The bytes of colon-separated groups, of which the last may be dotted decimal. */
function bytesOf(text: string, mayEndInIpv4: boolean): number[] | undefined {
  if (text === "") return [];
  const groups = text.split(":");
  const bytes: number[] = [];
  for (const [i, group] of groups.entries()) {
    if (GROUP.test(group)) {
      const value = parseInt(group, 16);
      bytes.push(value >>> 8, value & 0xff);
    } else if (mayEndInIpv4 && i === groups.length - 1 && isIpv4(group)) {
      bytes.push(...group.split(".").map(Number));
    } else return undefined;
  }
  return bytes;
}

/** Replaces the longest run of two or more zero groups, the first of equals, by `::`. */
function compress(groups: readonly string[]): string {
  let bestStart = -1;
  let bestLength = 1;
  for (let start = 0; start < groups.length; start++) {
    let end = start;
    while (groups[end] === "0") end++;
    if (end - start > bestLength) [bestStart, bestLength] = [start, end - start];
  }
  if (bestStart < 0) return groups.join(":");
  const front = groups.slice(0, bestStart).join(":");
  return `${front}::${groups.slice(bestStart + bestLength).join(":")}`;
}

const NUMBER = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const GROUP = /^[0-9a-f]{1,4}$/i;
const IPV4 = new RegExp(`^${NUMBER}(?:\\.${NUMBER}){3}$`);
