import { readU32 } from "./layout.ts";

const WORDS = 2;
const FIRST_CAPACITY = 512;

/**
 * Numbers digests in the order they are added and finds the number of a digest again, by its first 8
 * bytes: open addressing with linear probing on typed arrays, at most half full. 16 to 32 bytes a
 * digest.
 *
 * A digest may be added any number of times; the first number is found. Two digests that share 8 bytes
 * are one here: what is found is a hint, to be verified.
 */
export class DigestTable {
  /** Two words a number: the digest's first 8 bytes. */
  #keys: Uint32Array;
  /** Number + 1 of what hashes here, or 0. A power of two long, at least twice the numbers. */
  #slots: Uint32Array;
  #count = 0;

  /** @param expected Digests to make room for at once; it grows beyond. */
  constructor(expected = 0) {
    const capacity = Math.max(FIRST_CAPACITY, 2 ** Math.ceil(Math.log2(Math.max(1, expected))));
    this.#keys = new Uint32Array(capacity * WORDS);
    this.#slots = new Uint32Array(capacity * 2);
  }

  /** Numbers given out. */
  get count(): number {
    return this.#count;
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#keys.byteLength + this.#slots.byteLength;
  }

  /** Makes room for `more` digests, so that no single `add` has to. */
  reserve(more: number): void {
    const needed = this.#count + more;
    if (needed * WORDS <= this.#keys.length) return;
    let capacity = this.#keys.length / WORDS;
    while (capacity < needed) capacity *= 2;
    const keys = new Uint32Array(capacity * WORDS);
    keys.set(this.#keys);
    this.#keys = keys;
    this.#slots = new Uint32Array(capacity * 2);
    for (let number = 0; number < this.#count; number++) this.#link(number);
  }

  /** Gives the digest at `bytes[at ..]` the next number. */
  add(bytes: Uint8Array, at: number): void {
    if ((this.#count + 1) * WORDS > this.#keys.length) this.reserve(1);
    const number = this.#count++;
    this.#keys[number * WORDS] = readU32(bytes, at);
    this.#keys[number * WORDS + 1] = readU32(bytes, at + 4);
    this.#link(number);
  }

  /** The first number of the digest at `bytes[at ..]`, or -1. */
  find(bytes: Uint8Array, at: number): number {
    const high = readU32(bytes, at);
    const low = readU32(bytes, at + 4);
    const keys = this.#keys;
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let slot = low & mask;; slot = (slot + 1) & mask) {
      const number = slots[slot]! - 1;
      if (number < 0) return -1;
      if (keys[number * WORDS + 1] === low && keys[number * WORDS] === high) return number;
    }
  }

  /** True if `number` was given to the digest at `bytes[at ..]`. */
  has(number: number, bytes: Uint8Array, at: number): boolean {
    return number < this.#count && this.#keys[number * WORDS] === readU32(bytes, at) &&
      this.#keys[number * WORDS + 1] === readU32(bytes, at + 4);
  }

  /** Puts a number into the first free slot, unless an older one has the same digest. */
  #link(number: number): void {
    const keys = this.#keys;
    const slots = this.#slots;
    const mask = slots.length - 1;
    const high = keys[number * WORDS]!;
    const low = keys[number * WORDS + 1]!;
    for (let slot = low & mask;; slot = (slot + 1) & mask) {
      const other = slots[slot]! - 1;
      if (other < 0) {
        slots[slot] = number + 1;
        return;
      }
      if (keys[other * WORDS + 1] === low && keys[other * WORDS] === high) return;
    }
  }
}
