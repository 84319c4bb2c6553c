import { CHUNK_ENTRY_BYTES, readU32 } from "./layout.ts";
import { DIGEST_BYTES, isHashOf } from "../../base/digest.ts";
import type { Recipe } from "./recipe.ts";

/** What is known of chunks of a file: their lengths, and how to tell them from others. */
export interface ChunkTable {
  /** Bytes in one chunk. */
  chunkBytes(index: number): number;
  /** True if `bytes` are chunk `index`. Costs a SHA-256. */
  isChunk(index: number, bytes: Uint8Array): boolean;
  /** Bytes in the longest. */
  readonly chunkBytesMax: number;
}

/** Chunks in a row. */
interface Run {
  readonly firstChunk: number;
  readonly chunkCount: number;
}

/** Copies the entries of some runs out of a recipe, for a {@linkcode ChunkSlice} elsewhere. */
export function cutChunks(recipe: Recipe, runs: readonly Run[]): Uint8Array<ArrayBuffer> {
  const count = runs.reduce((sum, { chunkCount }) => sum + chunkCount, 0);
  const entries = new Uint8Array(count * CHUNK_ENTRY_BYTES);
  let at = 0;
  for (const { firstChunk, chunkCount } of runs) {
    const from = firstChunk * CHUNK_ENTRY_BYTES;
    entries.set(recipe.chunks.subarray(from, from + chunkCount * CHUNK_ENTRY_BYTES), at);
    at += chunkCount * CHUNK_ENTRY_BYTES;
  }
  return entries;
}

/** Some runs of a recipe, by the numbers that the chunks have in it. */
export class ChunkSlice implements ChunkTable {
  readonly #entries: Uint8Array;
  readonly #places = new Map<number, number>();

  /** @param entries From {@linkcode cutChunks} with the same runs. */
  constructor(entries: Uint8Array, runs: readonly Run[], readonly chunkBytesMax: number) {
    this.#entries = entries;
    for (const { firstChunk, chunkCount } of runs) {
      for (let i = 0; i < chunkCount; i++) this.#places.set(firstChunk + i, this.#places.size);
    }
  }

  chunkBytes(index: number): number {
    return readU32(this.#entries, this.#at(index) + DIGEST_BYTES);
  }

  isChunk(index: number, bytes: Uint8Array): boolean {
    const at = this.#at(index);
    return bytes.length === this.chunkBytes(index) &&
      isHashOf(this.#entries.subarray(at, at + DIGEST_BYTES), bytes);
  }

  #at(index: number): number {
    return this.#places.get(index)! * CHUNK_ENTRY_BYTES;
  }
}
