/**
 * The parts of QUIC packets that a driver must read before any key is known: the version-independent
 * header (RFC 8999) and the Initial packet of version 1 (RFC 9000 section 17.2). Input is hostile.
 */

import { varintAt, varintLengthAt } from "../base/varint.ts";

/** Bytes of the connection ids that this side hands out; a short header does not carry the length. */
export const CONNECTION_ID_BYTES = 8;
/** The longest connection id of QUIC version 1. */
export const CONNECTION_ID_BYTES_MAX = 20;
/** The shortest destination id in a client's first Initial (RFC 9000 section 7.2). */
export const FIRST_DESTINATION_ID_BYTES_MIN = 8;
/** The smallest datagram that may carry a client's Initial (RFC 9000 section 14.1). */
export const INITIAL_DATAGRAM_BYTES_MIN = 1200;
/** The one version spoken here. */
export const QUIC_VERSION = 1;

/** What the head of a long-header packet says. The arrays are views of the datagram. */
export interface LongHeader {
  readonly version: number;
  readonly isInitial: boolean;
  readonly destinationId: Uint8Array;
  readonly sourceId: Uint8Array;
  /** The address token of an Initial; empty if there is none. */
  readonly token: Uint8Array;
  /** Where an Initial or a Handshake packet says how long the rest of it is. */
  readonly lengthAt: number;
}

/** True if the first packet of the datagram has a long header. */
export function hasLongHeader(datagram: Uint8Array): boolean {
  return (datagram[0]! & 0x80) !== 0;
}

/** Reads the head of a long-header packet; undefined if it is cut short or breaks a length limit. */
export function parseLongHeader(datagram: Uint8Array): LongHeader | undefined {
  if (datagram.length < 7 || !hasLongHeader(datagram)) return undefined;
  const version = (datagram[1]! << 24 | datagram[2]! << 16 | datagram[3]! << 8 | datagram[4]!) >>>
    0;
  const destinationAt = 6;
  const destinationEnd = destinationAt + datagram[5]!;
  if (destinationEnd >= datagram.length) return undefined;
  const sourceAt = destinationEnd + 1;
  const sourceEnd = sourceAt + datagram[destinationEnd]!;
  if (sourceEnd > datagram.length) return undefined;
  const destinationId = datagram.subarray(destinationAt, destinationEnd);
  const sourceId = datagram.subarray(sourceAt, sourceEnd);
  const isInitial = version === QUIC_VERSION && (datagram[0]! & 0x70) === 0x40;
  if (version === QUIC_VERSION) {
    if (destinationId.length > CONNECTION_ID_BYTES_MAX) return undefined;
    if (sourceId.length > CONNECTION_ID_BYTES_MAX) return undefined;
  }
  const head = { version, isInitial, destinationId, sourceId };
  if (!isInitial) return { ...head, token: datagram.subarray(0, 0), lengthAt: sourceEnd };
  const token = spanAt(datagram, sourceEnd);
  return token && { ...head, token: datagram.subarray(...token), lengthAt: token[1] };
}

/**
 * Takes the Initial out of a client's datagram that also has a Handshake packet, and with it the padding that
 * only an Initial calls for (RFC 9000 section 14.1), 700 bytes. All it can hold by then is an
 * acknowledgement nobody needs: both sides drop the Initial keys with this Handshake packet, and what is
 * outstanding under them (RFC 9001 section 4.9.1).
 *
 * @param datagram As the native core wrote it; changed in place.
 * @returns Its length now.
 */
export function dropInitial(datagram: Uint8Array): number {
  const start = parseLongHeader(datagram)?.isInitial ? endOfPacket(datagram) : datagram.length;
  let end = start;
  while (isHandshakePacket(datagram, end)) end += endOfPacket(datagram.subarray(end));
  if (end === start) return datagram.length;
  // Padding behind the packets is zeros; what has a short header has no length and is the last.
  if (end < datagram.length && datagram[end] !== 0) end = datagram.length;
  datagram.copyWithin(0, start, end);
  return end - start;
}

function isHandshakePacket(datagram: Uint8Array, at: number): boolean {
  // Header protection covers the lower half of the byte.
  return at < datagram.length && (datagram[at]! & 0xf0) === 0xe0;
}

/** Where a whole Initial or Handshake packet ends; the end of the datagram if it has none of that kind. */
function endOfPacket(datagram: Uint8Array): number {
  const header = parseLongHeader(datagram);
  return (header && spanAt(datagram, header.lengthAt)?.[1]) ?? datagram.length;
}

/**
 * The answer to a version not spoken here (RFC 8999 section 6): offers `QUIC_VERSION` alone. The native
 * core's own packet also offers drafts, which the driver would then turn down.
 *
 * @param unusedBits Seven random bits: whoever reads them must not care.
 */
export function encodeVersionNegotiation(header: LongHeader, unusedBits: number): Uint8Array {
  const { destinationId, sourceId } = header;
  const packet = new Uint8Array(11 + destinationId.length + sourceId.length);
  packet[0] = 0x80 | unusedBits;
  // The version of a version negotiation packet is 0; ids go back crossed.
  packet[5] = sourceId.length;
  packet.set(sourceId, 6);
  const sourceAt = 6 + sourceId.length;
  packet[sourceAt] = destinationId.length;
  packet.set(destinationId, sourceAt + 1);
  packet[packet.length - 1] = QUIC_VERSION;
  return packet;
}

/** Start and end of bytes that stand behind their length, a varint; undefined if they are cut short. */
function spanAt(datagram: Uint8Array, at: number): [start: number, end: number] | undefined {
  if (at >= datagram.length) return undefined;
  const start = at + varintLengthAt(datagram, at);
  if (start > datagram.length) return undefined;
  const end = start + varintAt(datagram, at);
  return end > datagram.length ? undefined : [start, end];
}
