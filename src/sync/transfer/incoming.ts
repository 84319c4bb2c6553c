import type { ByteRange } from "../../protocol/mod.ts";

/** How far the answers to one request have come, over all the connections it took. */
export class Incoming {
  /** The item under way. */
  index = 0;
  /** Bytes of it that came. */
  bytes = 0;
  /** Its sink was told that it begins. */
  isBegun = false;
  readonly #items: number;
  #total = 0;

  /** @param items Files, or 1 for the ranges of one. */
  constructor(items: number) {
    this.#items = items;
  }

  /** Everything asked for came, or never will; perhaps not yet the end of the answer. */
  get isComplete(): boolean {
    return this.index === this.#items;
  }

  /** Grows with everything that comes. */
  get total(): number {
    return this.#total;
  }

  take(bytes: number): void {
    this.bytes += bytes;
    this.#total += bytes;
  }

  /** The item is through, one way or another. */
  next(): void {
    this.index++;
    this.bytes = 0;
    this.isBegun = false;
    this.#total++;
  }
}

/** What is left of ranges when so many bytes of them are there. */
export function rangesFrom(ranges: readonly ByteRange[], bytes: number): ByteRange[] {
  const rest: ByteRange[] = [];
  for (const { offset, length } of ranges) {
    const skip = Math.min(bytes, length);
    bytes -= skip;
    if (skip < length) rest.push({ offset: offset + skip, length: length - skip });
  }
  return rest;
}
