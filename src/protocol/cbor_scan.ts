import { ProtocolError } from "./errors.ts";

/** Arrays and maps inside each other. */
export const CBOR_DEPTH_MAX = 12;
/** Data items in one message, keys included. */
export const CBOR_ITEMS_MAX = 20_000;

/**
 * Walks one CBOR item (RFC 8949) without building anything and refuses what a decoder could be stalled
 * or surprised with: tags (a 256 KiB bignum takes cbor-x 39 s), indefinite lengths, simple values other
 * than false, true, null and undefined, depth and item count over the limits, lengths past the end,
 * trailing bytes. Linear in the input: under a millisecond for the largest frame.
 *
 * @throws {ProtocolError} naming the offset.
 */
export function scanCbor(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Items still owed at each open level.
  const owed: number[] = [1];
  let offset = 0;
  let items = 0;
  while (owed.length > 0) {
    if (owed[owed.length - 1] === 0) {
      owed.pop();
      continue;
    }
    owed[owed.length - 1]!--;
    if (++items > CBOR_ITEMS_MAX) throw refused(offset, `over ${CBOR_ITEMS_MAX} items`);
    if (offset >= bytes.length) throw refused(offset, "input ends early");
    const initial = bytes[offset]!;
    const major = initial >>> 5;
    const info = initial & 0x1f;
    if (info > 27) throw refused(offset, "indefinite length or reserved form");
    const argumentBytes = info < 24 ? 0 : 1 << (info - 24);
    if (bytes.length - offset - 1 < argumentBytes) throw refused(offset, "input ends early");
    const argument = readArgument(view, offset + 1, info);
    const start = offset;
    offset += 1 + argumentBytes;
    switch (major) {
      case 0: // unsigned
      case 1: // negative
        if (argument > Number.MAX_SAFE_INTEGER) throw refused(start, "integer above 2^53 - 1");
        break;
      case 2: // byte string
      case 3: // text string
        if (argument > bytes.length - offset) throw refused(start, "string past the end");
        offset += argument;
        break;
      case 4: // array
      case 5: // map
        // Each item takes a byte at least, so a count over what is left can't be honest.
        if (argument > bytes.length - offset) throw refused(start, "count past the end");
        if (owed.length > CBOR_DEPTH_MAX) throw refused(start, `nested over ${CBOR_DEPTH_MAX}`);
        owed.push(major === 4 ? argument : argument * 2);
        break;
      case 6:
        throw refused(start, "tags are not used");
      default: { // simple values and floats
        const isSimple = info >= 20 && info <= 23;
        if (!isSimple && info < 25) throw refused(start, "unknown simple value");
      }
    }
  }
  if (offset !== bytes.length) throw refused(offset, "bytes behind the item");
}

function readArgument(view: DataView, offset: number, info: number): number {
  switch (info) {
    case 24:
      return view.getUint8(offset);
    case 25:
      return view.getUint16(offset);
    case 26:
      return view.getUint32(offset);
    case 27:
      return view.getUint32(offset) * 0x1_0000_0000 + view.getUint32(offset + 4);
    default:
      return info;
  }
}

function refused(offset: number, why: string): ProtocolError {
  return new ProtocolError(`CBOR refused at byte ${offset}: ${why}`);
}
