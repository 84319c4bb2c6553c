import { parseIpAddress } from "../base/ip_address.ts";
import { type HostPort, isLoopback, isMappedIpv4 } from "./address.ts";
import { DATAGRAM_BYTES_MAX, DATAGRAM_BYTES_MIN } from "./profile.ts";
import type { UdpSocket } from "./udp.ts";

/**
 * On loopback, as large as the native core allows, but so that four fit one send: the cost is per
 * datagram, not per byte.
 */
export const LOOPBACK_DATAGRAM_BYTES = 16_368;
/** Where the system does not say what the path carries: passes Ethernet with a tunnel or two. */
const UNKNOWN_PATH_DATAGRAM_BYTES = 1350;

/** The UDP payload to send on the path to `remote`: as much as it is believed to carry. */
export function datagramBytesFor(socket: UdpSocket, remote: HostPort): number {
  if (isLoopback(remote.host)) return LOOPBACK_DATAGRAM_BYTES;
  const payloadBytes = socket.pathPayloadBytes(remote) ?? UNKNOWN_PATH_DATAGRAM_BYTES;
  if (payloadBytes > LOOPBACK_DATAGRAM_BYTES) return LOOPBACK_DATAGRAM_BYTES;
  return Math.max(DATAGRAM_BYTES_MIN, Math.min(DATAGRAM_BYTES_MAX, payloadBytes));
}

/** True if `host` is IPv6 and not IPv4 in disguise. */
export function isIpv6Host(host: string): boolean {
  const address = parseIpAddress(host);
  return address?.family === 6 && !isMappedIpv4(address.bytes);
}
