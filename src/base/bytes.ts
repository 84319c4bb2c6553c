import { Buffer } from "node:buffer";

/** A byte array over a plain (never shared) buffer, which is what files, sockets and hashes take. */
export type Bytes = Uint8Array<ArrayBuffer>;

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Encodes text as UTF-8. Lone surrogates become U+FFFD, as `TextEncoder` does. */
export function utf8(text: string): Bytes {
  const { length } = text;
  // Names and paths mostly are ASCII: 0.1 µs each, where a call of the encoder takes 4.
  if (length > SHORT_BYTES_MAX) return encoder.encode(text);
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return encoder.encode(text);
    bytes[i] = code;
  }
  return bytes;
}

/** Decodes UTF-8, or returns `undefined` where the bytes are not valid UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  if (bytes.length <= SHORT_BYTES_MAX && isAscii(bytes)) return sliceLatin1(bytes);
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Up to here a look at each byte is cheaper than a call of the decoder: 0.4 against 1 µs a path. */
const SHORT_BYTES_MAX = 256;
const { latin1Slice } = Buffer.prototype as unknown as {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
};

function sliceLatin1(bytes: Uint8Array): string {
  return latin1Slice.call(bytes, 0, bytes.length);
}

function isAscii(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i]! > 0x7f) return false;
  return true;
}

/** Joins the parts into one new array. */
export function concat(parts: readonly Uint8Array[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** Orders byte strings as `memcmp` does, a prefix first. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = a[i]! - b[i]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** True for equal contents. Not constant time: never for secrets. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareBytes(a, b) === 0;
}

/** Lower-case hex: in the engine, since in a process that has just started a loop takes 50 µs a digest. */
export function toHex(bytes: Uint8Array): string {
  return bytes.toHex();
}

/**
 * Parses hex; spaces and line breaks are skipped.
 *
 * @throws {RangeError} on an odd number of digits or a character that is no hex digit.
 */
export function fromHex(text: string): Bytes {
  const digits = text.replace(/\s+/g, "");
  if (digits.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(digits)) {
    throw new RangeError("not an even number of hex digits");
  }
  const bytes = new Uint8Array(digits.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(digits.slice(i * 2, i * 2 + 2), 16);
  return bytes;
}
