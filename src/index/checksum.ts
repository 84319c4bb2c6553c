/**
 * A 32-bit checksum against bits that a disk turned over: any one word that differs is always found,
 * more of them all but once in 2^32. 1 µs a KiB, which is less than a call into native code costs for
 * records of usual size. Not for anything an attacker may choose.
 */
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
