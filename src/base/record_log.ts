import { Uint32List } from "./uint32_list.ts";
import { varintLength, writeVarint } from "./varint.ts";

/** Bytes of a block; a longer record gets one of its own. */
const BLOCK_BYTES = 256 * 1024;

/**
 * Byte strings that are only ever appended, by number: each costs its own bytes and 6 to 8 more, and no
 * object. Each has its length in front (a QUIC varint), as it would travel.
 */
export class RecordLog {
  readonly #blocks: Uint8Array[] = [];
  /** For each record its block, and where it begins in it. */
  readonly #places = new Uint32List();
  #used = BLOCK_BYTES;
  #bytes = 0;

  /** Records in the log. */
  get length(): number {
    return this.#places.length >>> 1;
  }

  /** Bytes that are kept of all of them. */
  get bytes(): number {
    return this.#bytes + this.#places.length * 4;
  }

  /** Copies a record in. @returns Its number. */
  append(record: Uint8Array): number {
    const length = varintLength(record.length) + record.length;
    if (this.#used + length > BLOCK_BYTES) {
      this.#blocks.push(new Uint8Array(Math.max(BLOCK_BYTES, length)));
      this.#used = 0;
    }
    const block = this.#blocks.at(-1)!;
    block.set(record, writeVarint(block, this.#used, record.length));
    this.#places.push(this.#blocks.length - 1);
    const at = this.#places.push(this.#used);
    this.#used += length;
    this.#bytes += length;
    return at >>> 1;
  }

  /** A record, as a view. @throws {RangeError} where there is none. */
  at(index: number): Uint8Array {
    return this.#view(index, false);
  }

  /** A record with its length in front, as a view. @throws {RangeError} where there is none. */
  framed(index: number): Uint8Array {
    return this.#view(index, true);
  }

  #view(index: number, isFramed: boolean): Uint8Array {
    const block = this.#blocks[this.#places.at(index * 2)]!;
    const start = this.#places.at(index * 2 + 1);
    const lengthBytes = 1 << (block[start]! >>> 6);
    let length = block[start]! & 0x3f;
    for (let i = 1; i < lengthBytes; i++) length = length * 256 + block[start + i]!;
    const from = start + lengthBytes;
    return block.subarray(isFramed ? start : from, from + length);
  }
}
