import { DIGEST_BYTES } from "../../base/digest.ts";
import { DigestTable } from "./digest_table.ts";
import { CHUNK_ENTRY_BYTES, readU32 } from "./layout.ts";
import type { Recipe } from "./recipe.ts";

/** Chunks in one index unless told otherwise: 72 GiB of files, 44 MB of memory. */
export const CHUNK_INDEX_CHUNKS_MAX = 2 ** 21;

/** Every so many chunks the offset is written down; in between lengths are added up. */
const MARK_EVERY = 16;
const FIRST_CHUNKS = 512;

/** Where a chunk is said to be. */
export interface ChunkPlace {
  /** What {@linkcode ChunkIndex.addSource} returned. */
  readonly source: number;
  /** Bytes into the source. */
  readonly offset: number;
  /** Bytes in the chunk. */
  readonly length: number;
}

/** Options of {@linkcode ChunkIndex}. */
export interface ChunkIndexOptions {
  /** Sources that would bring the number of chunks above this are refused. */
  readonly chunksMax?: number;
  /** Chunks to make room for at once. */
  readonly chunksExpected?: number;
}

/**
 * Which chunks the files of a share hold, and where. 21 bytes a chunk.
 *
 * Chunks go by the first 8 bytes of their hash and nothing is verified: whoever copies bytes on the
 * index's word hashes them. Where a chunk is in several places, the one added first counts.
 */
export class ChunkIndex {
  readonly chunksMax: number;
  readonly #chunks: DigestTable;
  /** Bytes in each chunk, by its number in `#chunks`. */
  #lengths: Uint32Array;
  /** Bytes in all chunks before every sixteenth. */
  #marks: Float64Array;
  /** By source: the number of its first chunk. */
  readonly #firstChunks: number[] = [];
  /** By source: bytes in all sources before it. */
  readonly #starts: number[] = [];
  #totalBytes = 0;
  #refusedSources = 0;
  #refusedChunks = 0;

  constructor(options: ChunkIndexOptions = {}) {
    this.chunksMax = options.chunksMax ?? CHUNK_INDEX_CHUNKS_MAX;
    const expected = Math.min(this.chunksMax, Math.max(options.chunksExpected ?? 0, FIRST_CHUNKS));
    this.#chunks = new DigestTable(expected);
    this.#lengths = new Uint32Array(expected);
    this.#marks = new Float64Array(Math.ceil(expected / MARK_EVERY));
  }

  /** Sources in the index. */
  get sourceCount(): number {
    return this.#firstChunks.length;
  }

  /** Chunks in the index, counted as often as they occur. */
  get chunkCount(): number {
    return this.#chunks.count;
  }

  /** What {@linkcode addSource} turned away, for the log. */
  get refused(): { readonly sources: number; readonly chunks: number } {
    return { sources: this.#refusedSources, chunks: this.#refusedChunks };
  }

  /** Bytes of memory held, to within the arrays that have an entry a source. */
  get memoryBytes(): number {
    return this.#chunks.bytes + this.#lengths.byteLength + this.#marks.byteLength;
  }

  /**
   * Adds the chunks of a file. 40 ns a chunk.
   *
   * @returns The source's number, counted from 0; `undefined` if it would not fit under `chunksMax`,
   * in which case nothing is added and later, smaller sources may still fit.
   */
  addSource(recipe: Recipe): number | undefined {
    const { chunkCount, chunks } = recipe;
    if (this.#chunks.count + chunkCount > this.chunksMax) {
      this.#refusedSources++;
      this.#refusedChunks += chunkCount;
      return undefined;
    }
    const source = this.#firstChunks.length;
    this.#firstChunks.push(this.#chunks.count);
    this.#starts.push(this.#totalBytes);
    this.#reserve(chunkCount);
    for (let at = 0; at < chunks.length; at += CHUNK_ENTRY_BYTES) {
      this.#addChunk(chunks, at);
    }
    return source;
  }

  /** The number of a chunk that chunk `index` of `recipe` may be a copy of; -1 if there is none. */
  find(recipe: Recipe, index: number): number {
    const at = index * CHUNK_ENTRY_BYTES;
    const number = this.#chunks.find(recipe.chunks, at);
    return number >= 0 && this.#isAsLong(number, recipe.chunks, at) ? number : -1;
  }

  /**
   * As {@linkcode find}, but the chunk behind chunk `previous` in the same source is preferred, which
   * makes for longer copies and costs less.
   */
  findAfter(previous: number, recipe: Recipe, index: number): number {
    const at = index * CHUNK_ENTRY_BYTES;
    const next = previous + 1;
    if (
      previous >= 0 && this.#chunks.has(next, recipe.chunks, at) &&
      this.#isAsLong(next, recipe.chunks, at) && this.#sourceOf(next) === this.#sourceOf(previous)
    ) return next;
    return this.find(recipe, index);
  }

  /** Where the chunk of that number is. */
  locate(number: number): ChunkPlace {
    const source = this.#sourceOf(number);
    const mark = Math.floor(number / MARK_EVERY);
    let offset = this.#marks[mark]! - this.#starts[source]!;
    for (let i = mark * MARK_EVERY; i < number; i++) offset += this.#lengths[i]!;
    return { source, offset, length: this.#lengths[number]! };
  }

  #addChunk(chunks: Uint8Array, at: number): void {
    const number = this.#chunks.count;
    const length = readU32(chunks, at + DIGEST_BYTES);
    this.#chunks.add(chunks, at);
    if (number % MARK_EVERY === 0) this.#marks[number / MARK_EVERY] = this.#totalBytes;
    this.#lengths[number] = length;
    this.#totalBytes += length;
  }

  #isAsLong(number: number, chunks: Uint8Array, at: number): boolean {
    return this.#lengths[number] === readU32(chunks, at + DIGEST_BYTES);
  }

  #sourceOf(number: number): number {
    return lastAtMost(this.#firstChunks, number);
  }

  #reserve(more: number): void {
    this.#chunks.reserve(more);
    const needed = this.#chunks.count + more;
    if (needed <= this.#lengths.length) return;
    const capacity = Math.min(this.chunksMax, Math.max(needed, this.#lengths.length * 2));
    const lengths = new Uint32Array(capacity);
    lengths.set(this.#lengths);
    this.#lengths = lengths;
    const marks = new Float64Array(Math.ceil(capacity / MARK_EVERY));
    marks.set(this.#marks);
    this.#marks = marks;
  }
}

/** The last index whose value is at most `value`, in ascending values of which the first is 0. */
function lastAtMost(ascending: readonly number[], value: number): number {
  let low = 0;
  let high = ascending.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (ascending[middle]! <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}
