import { formatIpAddress, type IpAddress, parseIpAddress } from "../base/ip_address.ts";
import { type HostPort, isMappedIpv4 } from "./address.ts";

/** Address families of Linux. */
export const AF_INET = 2;
export const AF_INET6 = 10;

/** Bytes of the larger of the two, `struct sockaddr_in6`. */
export const SOCKADDR_BYTES_MAX = 28;

/** Turns an interface name into its index and back. */
export interface ZoneTable {
  /** 0 if there is no such interface. */
  indexOf(name: string): number;
  nameOf(index: number): string | undefined;
}

/**
 * Writes a Linux `sockaddr_in` or `sockaddr_in6`. On an IPv6 socket an IPv4 address is written as
 * `::ffff:a.b.c.d`.
 *
 * @returns Its length in bytes, or undefined if the address does not suit the family or the zone is unknown.
 */
export function writeSockaddr(
  into: Uint8Array,
  family: 4 | 6,
  { host, port }: HostPort,
  zones: ZoneTable,
): number | undefined {
  const address = parseIpAddress(host);
  if (!address || (family === 4 && address.family === 6)) return undefined;
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  into.fill(0, 0, SOCKADDR_BYTES_MAX);
  view.setUint16(2, port, false);
  if (family === 4) {
    view.setUint16(0, AF_INET, true);
    into.set(address.bytes, 4);
    return 16;
  }
  view.setUint16(0, AF_INET6, true);
  if (address.family === 4) {
    into[18] = 0xff;
    into[19] = 0xff;
    into.set(address.bytes, 20);
    return 28;
  }
  into.set(address.bytes, 8);
  if (address.zone !== undefined) {
    const index = zoneIndex(address.zone, zones);
    if (index === 0) return undefined;
    view.setUint32(24, index, true);
  }
  return 28;
}

/** Reads a Linux socket address; `::ffff:a.b.c.d` comes out as `a.b.c.d`. */
export function readSockaddr(from: Uint8Array, zones: ZoneTable): HostPort {
  const view = new DataView(from.buffer, from.byteOffset, from.byteLength);
  const port = view.getUint16(2, false);
  if (view.getUint16(0, true) === AF_INET) {
    return { host: formatIpAddress({ family: 4, bytes: from.slice(4, 8) }), port };
  }
  const bytes = from.slice(8, 24);
  if (isMappedIpv4(bytes)) {
    return { host: formatIpAddress({ family: 4, bytes: bytes.slice(12) }), port };
  }
  const index = view.getUint32(24, true);
  const address: IpAddress = index === 0
    ? { family: 6, bytes }
    : { family: 6, bytes, zone: zones.nameOf(index) ?? String(index) };
  return { host: formatIpAddress(address), port };
}

function zoneIndex(zone: string, zones: ZoneTable): number {
  return /^\d+$/.test(zone) ? Number(zone) : zones.indexOf(zone);
}
