import { decodeUtf8 } from "../base/bytes.ts";

/**
 * The names of a record as they are stored, joined by "/", and the rows they belong to. Rows are found by
 * the bytes of a name, as directories are read, in any order: 0.05 µs a name and no objects.
 *
 * File systems mostly list names in some order of their own, often that of making them or its reverse, so
 * the row next to the last one found is tried first, and a table of hashes only after that.
 */
export class NameRows {
  readonly #joined: Uint8Array;
  readonly #rows: number;
  /** Where each name ends; it starts one behind the end of the one before. */
  readonly #ends: Uint32Array;
  /** Rows counted from 1 by the hash of their name, with linear probing. Made when guesses fail. */
  #table: Uint32Array | undefined;
  #last = -1;
  /** Way to the row that comes next: 1 or -1. */
  #step = 1;

  /**
   * @param joined The names; must not change afterwards.
   * @param counts How many names there must be, and how many of them, the first ones, have rows.
   * @throws {RangeError} if there are not so many, or they are not valid UTF-8.
   */
  constructor(joined: Uint8Array, counts: { readonly names: number; readonly rows: number }) {
    this.#joined = joined;
    this.#rows = counts.rows;
    const ends = new Uint32Array(counts.names);
    let found = 0;
    let seen = 0;
    for (let at = 0; at < joined.length; at++) {
      const byte = joined[at]!;
      seen |= byte;
      // Behind the last place the write is without effect.
      if (byte === SLASH) ends[found++] = at;
    }
    if (joined.length > 0) ends[found++] = joined.length;
    if (found !== counts.names) {
      throw new RangeError(`${found} names for ${counts.names} entries`);
    }
    if (seen > 0x7f && decodeUtf8(joined) === undefined) {
      throw new RangeError("names are not valid UTF-8");
    }
    this.#ends = ends;
  }

  /** Name `i`, also of what has no row. */
  name(i: number): string {
    return decodeUtf8(this.#joined.subarray(this.startOf(i), this.endOf(i)))!;
  }

  /** All names, for who needs all. */
  all(): string[] {
    return this.#joined.length === 0 ? [] : decodeUtf8(this.#joined)!.split("/");
  }

  /** Where the bytes of name `i` start. */
  startOf(i: number): number {
    return i === 0 ? 0 : this.#ends[i - 1]! + 1;
  }

  /** Where they end. */
  endOf(i: number): number {
    return this.#ends[i]!;
  }

  /** The row of the name in those bytes, or -1. */
  find(bytes: Uint8Array, start: number, end: number): number {
    let row = this.#last + this.#step;
    if (!this.#isAt(row, bytes, start, end)) {
      row = this.#last < 0 ? this.#rows - 1 : this.#last - this.#step;
      if (!this.#isAt(row, bytes, start, end)) {
        row = this.#lookUp(bytes, start, end);
        if (row < 0) return -1;
      } else {
        this.#step = -this.#step;
      }
    }
    this.#last = row;
    return row;
  }

  #isAt(row: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (row < 0 || row >= this.#rows) return false;
    const joined = this.#joined;
    const ownStart = this.startOf(row);
    const ownEnd = this.endOf(row);
    if (ownEnd - ownStart !== end - start) return false;
    // Backwards: neighbours mostly begin alike.
    for (let at = ownEnd - 1, other = end - 1; at >= ownStart; at--, other--) {
      if (joined[at] !== bytes[other]) return false;
    }
    return true;
  }

  #lookUp(bytes: Uint8Array, start: number, end: number): number {
    const table = this.#table ??= this.#makeTable();
    const mask = table.length - 1;
    for (let at = hashOf(bytes, start, end) & mask;; at = (at + 1) & mask) {
      const row = table[at]! - 1;
      if (row < 0 || this.#isAt(row, bytes, start, end)) return row;
    }
  }

  #makeTable(): Uint32Array {
    let slots = 16;
    while (slots < 2 * this.#rows) slots *= 2;
    const table = new Uint32Array(slots);
    for (let row = 0; row < this.#rows; row++) {
      let at = hashOf(this.#joined, this.startOf(row), this.endOf(row)) & (slots - 1);
      while (table[at] !== 0) at = (at + 1) & (slots - 1);
      table[at] = row + 1;
    }
    return table;
  }
}

const SLASH = 0x2f;

/** FNV-1a, 32 bits, with the high half folded in: only low bits are used. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  return hash ^ (hash >>> 16);
}
