import type { Recipe } from "../../store/mod.ts";

/** A run of chunks of one file, as the steps of an assembly have it. */
export interface ChunkRun {
  /** Bytes into the file. */
  readonly offset: number;
  /** Bytes; the sum of its chunks. */
  readonly length: number;
  readonly firstChunk: number;
  readonly chunkCount: number;
}

/** Which chunks of a staged file are in place and right. A byte a chunk. */
export class ChunkProgress {
  readonly #recipe: Recipe;
  readonly #done: Uint8Array;
  #left: number;
  /** The first chunk that is not done. */
  #next = 0;
  #prefixBytes = 0;

  constructor(recipe: Recipe) {
    this.#recipe = recipe;
    this.#done = new Uint8Array(recipe.chunkCount);
    this.#left = recipe.chunkCount;
  }

  /** Every chunk is done. */
  get isComplete(): boolean {
    return this.#left === 0;
  }

  /** Bytes from the front up to the first chunk that is not done. */
  get prefixBytes(): number {
    return this.#prefixBytes;
  }

  isDone(chunk: number): boolean {
    return this.#done[chunk] === 1;
  }

  /** Notes that chunks are in place. */
  mark(firstChunk: number, chunkCount = 1): void {
    for (let chunk = firstChunk; chunk < firstChunk + chunkCount; chunk++) {
      if (this.#done[chunk] === 1) continue;
      this.#done[chunk] = 1;
      this.#left--;
    }
    while (this.#next < this.#done.length && this.#done[this.#next] === 1) {
      this.#prefixBytes += this.#recipe.chunkBytes(this.#next++);
    }
  }

  /** Notes that the chunks which lie wholly within the first `bytes` are in place. */
  markPrefix(bytes: number): void {
    let count = 0;
    for (let end = 0; count < this.#done.length; count++) {
      end += this.#recipe.chunkBytes(count);
      if (end > bytes) break;
    }
    this.mark(0, count);
  }

  /** Takes it back for one chunk. Rare, and as slow as that allows. */
  unmark(chunk: number): void {
    if (this.#done[chunk] === 0) return;
    this.#done[chunk] = 0;
    this.#left++;
    while (this.#next > chunk) this.#prefixBytes -= this.#recipe.chunkBytes(--this.#next);
  }

  /** Runs of chunks that are not done, inside a run or in the whole file. */
  *missing(within: ChunkRun = this.#all()): Generator<ChunkRun> {
    const end = within.firstChunk + within.chunkCount;
    let offset = within.offset;
    let firstChunk = within.firstChunk;
    let length = 0;
    for (let chunk = firstChunk; chunk < end; chunk++) {
      const bytes = this.#recipe.chunkBytes(chunk);
      if (this.#done[chunk] === 0) {
        length += bytes;
        continue;
      }
      if (length > 0) yield { offset, length, firstChunk, chunkCount: chunk - firstChunk };
      offset += length + bytes;
      length = 0;
      firstChunk = chunk + 1;
    }
    if (length > 0) yield { offset, length, firstChunk, chunkCount: end - firstChunk };
  }

  #all(): ChunkRun {
    return {
      offset: 0,
      length: this.#recipe.size,
      firstChunk: 0,
      chunkCount: this.#recipe.chunkCount,
    };
  }
}
