/**
 * The control messages of `sendmsg` and `recvmsg` that carry what a plain datagram call cannot: the size
 * of the datagrams in a train, and which of this machine's addresses a datagram was sent to.
 */
import * as c from "./linux_libc.ts";
import { AF_INET } from "./sockaddr.ts";

/** Bytes of the message with a 16-bit segment size, padding included. */
export const SEGMENT_MESSAGE_BYTES = 24;
/** Bytes of the larger message with a local address (`struct in6_pktinfo`), padding included. */
export const LOCAL_MESSAGE_BYTES_MAX = 40;

/** `struct cmsghdr` on 64-bit Linux: a length of 8 bytes, a level and a type of 4. */
const HEADER_BYTES = 16;

/** What the messages of one received datagram, or train of them, said. Reused, to cost no garbage. */
export interface ReceivedControl {
  /** The size at which the kernel glued datagrams together; 0 if it did not. */
  segmentBytes: number;
  /** Where in the buffer the address lies that it was sent to; 0 if it was not told. */
  localAt: number;
}

/** Reads the messages between two offsets; those of other kinds are skipped. */
export function readControl(
  view: DataView,
  start: number,
  end: number,
  into: ReceivedControl,
): void {
  into.segmentBytes = 0;
  into.localAt = 0;
  for (let at = start; at + HEADER_BYTES <= end;) {
    const length = view.getUint32(at, true);
    if (length < HEADER_BYTES || at + length > end) return;
    const level = view.getInt32(at + 8, true);
    const type = view.getInt32(at + 12, true);
    const data = at + HEADER_BYTES;
    if (level === c.SOL_UDP && type === c.UDP_GRO && length >= HEADER_BYTES + 4) {
      into.segmentBytes = view.getInt32(data, true);
    } else if (level === c.IPPROTO_IP && type === c.IP_PKTINFO && length >= HEADER_BYTES + 12) {
      // The index of the interface comes first, then the address to answer from.
      into.localAt = data + 4;
    } else if (
      level === c.IPPROTO_IPV6 && type === c.IPV6_PKTINFO && length >= HEADER_BYTES + 20
    ) {
      into.localAt = data;
    }
    at += (length + 7) & ~7;
  }
}

/** Writes the message that has the kernel cut what is sent into datagrams of that size. */
export function writeSegmentMessage(view: DataView, at: number, segmentBytes: number): void {
  view.setBigUint64(at, BigInt(HEADER_BYTES + 2), true);
  view.setInt32(at + 8, c.SOL_UDP, true);
  view.setInt32(at + 12, c.UDP_SEGMENT, true);
  view.setUint16(at + 16, segmentBytes, true);
}

/**
 * The message that sends from one of this machine's addresses.
 *
 * @param local 4 or 16 bytes, as received.
 * @param interfaceIndex 0 lets the route decide; a link-local address needs one.
 */
export function encodeLocalMessage(local: Uint8Array, interfaceIndex: number): Uint8Array {
  const isIpv4 = local.length === 4;
  const dataBytes = isIpv4 ? 12 : 20;
  const message = new Uint8Array((HEADER_BYTES + dataBytes + 7) & ~7);
  const view = new DataView(message.buffer);
  view.setBigUint64(0, BigInt(HEADER_BYTES + dataBytes), true);
  view.setInt32(8, isIpv4 ? c.IPPROTO_IP : c.IPPROTO_IPV6, true);
  view.setInt32(12, isIpv4 ? c.IP_PKTINFO : c.IPV6_PKTINFO, true);
  message.set(local, HEADER_BYTES + (isIpv4 ? 4 : 0));
  view.setInt32(HEADER_BYTES + (isIpv4 ? 0 : 16), interfaceIndex, true);
  return message;
}

/** Puts the address of an {@linkcode encodeLocalMessage} into a socket address of its family. */
export function writeLocalInto(sockaddr: Uint8Array, message: Uint8Array): void {
  const isIpv4 = new DataView(sockaddr.buffer, sockaddr.byteOffset).getUint16(0, true) === AF_INET;
  if (isIpv4) return sockaddr.set(message.subarray(HEADER_BYTES + 4, HEADER_BYTES + 8), 4);
  sockaddr.set(message.subarray(HEADER_BYTES, HEADER_BYTES + 16), 8);
  // The interface that a link-local address is on.
  sockaddr.set(message.subarray(HEADER_BYTES + 16, HEADER_BYTES + 20), 24);
}
