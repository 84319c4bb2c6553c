import { DIGEST_BYTES, sha256Into } from "../base/digest.ts";

/** What a record begins with, against bits that a disk turned over. Not for anything an attacker may choose. */
export type Checksum = (bytes: Uint8Array, from?: number) => number;

/** The first 32 bits of SHA-256: in a young process a fifth of what {@linkcode checksum32} takes. */
export function digest32(bytes: Uint8Array, from = 0): number {
  sha256Into(digest, 0, bytes.subarray(from));
  return digestView.getUint32(0);
}

const digest = new Uint8Array(DIGEST_BYTES);
const digestView = new DataView(digest.buffer);

/** What records of the first format have: any one word that differs is always found. 1 µs a KiB. */
export function checksum32(bytes: Uint8Array, from = 0): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = bytes.length - from;
  const wordsEnd = from + (length & ~3);
  let sum = length;
  let at = from;
  for (; at < wordsEnd; at += 4) sum = step(sum, view.getUint32(at));
  for (; at < bytes.length; at++) sum = step(sum, bytes[at]!);
  return sum >>> 0;
}

// Every step is a bijection of `sum` for a fixed word and of the word for a fixed `sum`, so one wrong
// word can't be made good by right ones after it.
function step(sum: number, word: number): number {
  const mixed = Math.imul(sum ^ word, ODD);
  return mixed ^ (mixed >>> 15);
}

/** 2^32 divided by the golden ratio, to spread every bit over the word. */
const ODD = 0x9e3779b1;
