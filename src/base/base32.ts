import type { Bytes } from "./bytes.ts";

/** The alphabet of RFC 4648 section 6, which is also inside the alphanumeric set of QR codes. */
export const BASE32_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** Encodes as upper-case RFC 4648 base32 without padding. */
export function encodeBase32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += BASE32_ALPHABET[(held >>> bits) & 31]!;
    }
  }
  if (bits > 0) text += BASE32_ALPHABET[(held << (5 - bits)) & 31]!;
  return text;
}

/**
 * Decodes unpadded RFC 4648 base32; either case is read, nothing else is skipped.
 *
 * @returns `undefined` for a character outside the alphabet, a length no encoder makes, or unused
 * low bits that are not zero: every byte string has exactly one spelling per letter case.
 */
export function decodeBase32(text: string): Bytes | undefined {
  // Checked before toUpperCase(), which would turn U+017F into "S".
  if (!/^[A-Za-z2-7]*$/.test(text)) return undefined;
  const bytes = new Uint8Array(Math.floor((text.length * 5) / 8));
  let length = 0;
  let bits = 0;
  let held = 0;
  for (const character of text.toUpperCase()) {
    held = ((held << 5) | BASE32_ALPHABET.indexOf(character)) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[length++] = (held >>> bits) & 0xff;
    }
  }
  const unusedBitsAreZero = (held & ((1 << bits) - 1)) === 0;
  return length === bytes.length && bits < 5 && unusedBitsAreZero ? bytes : undefined;
}
