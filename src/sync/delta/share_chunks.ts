import { type Digest, digestKey } from "../../base/digest.ts";
import type { RootIndex, StoredRecipe } from "../../index/mod.ts";
import {
  ChunkIndex,
  type ChunkLookup,
  type ChunkPlace,
  decodeRecipe,
  type Recipe,
  RecipeError,
} from "../../store/mod.ts";
import { Turns } from "./turns.ts";

/** Recipes looked at together, by number and by bytes. */
const BATCH_RECIPES = 256;
const BATCH_BYTES = 4 * 1024 * 1024;
/** After so many files that did not fit, the index is taken to be full. */
const REFUSED_MAX = 16;

/**
 * The chunks of all files of a share, as far as they fit: 2 million, which is 72 GiB of files and 44 MB
 * of memory. Larger shares have the rest searched by groups alone, which the index database finds
 * without any of this.
 *
 * Building it takes 0.3 µs a chunk, 9 ms a GiB of files: done at most once a session, and only when
 * enough bytes could be saved.
 */
export class ShareChunks {
  readonly chunks: ChunkIndex;
  readonly #digests: Digest[] = [];

  private constructor(chunksMax: number | undefined) {
    this.chunks = new ChunkIndex(chunksMax === undefined ? {} : { chunksMax });
  }

  /** Reads all recipes of files that the share still has. */
  static async build(
    index: RootIndex,
    options: { readonly signal: AbortSignal; readonly chunksMax?: number },
  ): Promise<ShareChunks> {
    const share = new ShareChunks(options.chunksMax);
    const turns = new Turns(options.signal);
    let batch: StoredRecipe[] = [];
    let bytes = 0;
    for (const stored of index.recipes()) {
      batch.push(stored);
      bytes += stored.recipe.length;
      if (batch.length < BATCH_RECIPES && bytes < BATCH_BYTES) continue;
      share.#add(index, batch);
      if (share.chunks.refused.sources >= REFUSED_MAX) return share;
      if (turns.spend(bytes)) await turns.pass();
      batch = [];
      bytes = 0;
    }
    share.#add(index, batch);
    return share;
  }

  /** The file that a source of {@linkcode chunks} stands for. */
  digestOf(source: number): Digest {
    return this.#digests[source]!;
  }

  #add(index: RootIndex, batch: readonly StoredRecipe[]): void {
    const held = index.pathsOfDigests(batch.map(({ digest }) => digest));
    for (const { digest, recipe } of batch) {
      if (!held.has(digestKey(digest))) continue;
      const decoded = tryDecode(recipe, digest);
      if (decoded !== undefined && this.chunks.addSource(decoded) !== undefined) {
        this.#digests.push(digest);
      }
    }
  }
}

/** A stored recipe, unless it is damaged: then it is as good as none. */
export function tryDecode(bytes: Uint8Array, digest?: Digest): Recipe | undefined {
  try {
    return decodeRecipe(bytes, digest);
  } catch (error) {
    if (error instanceof RecipeError) return undefined;
    throw error;
  }
}

/** Two chunk indexes as one: what the first has counts, the numbers of the second come behind. */
export class LayeredChunks implements ChunkLookup {
  readonly #first: ChunkIndex;
  readonly #second: ChunkIndex;

  constructor(first: ChunkIndex, second: ChunkIndex) {
    this.#first = first;
    this.#second = second;
  }

  findAfter(previous: number, recipe: Recipe, index: number): number {
    const { chunkCount } = this.#first;
    const isInSecond = previous >= chunkCount;
    const found = this.#first.findAfter(isInSecond ? -1 : previous, recipe, index);
    if (found >= 0) return found;
    const behind = this.#second.findAfter(isInSecond ? previous - chunkCount : -1, recipe, index);
    return behind < 0 ? -1 : behind + chunkCount;
  }

  locate(number: number): ChunkPlace {
    const { chunkCount, sourceCount } = this.#first;
    if (number < chunkCount) return this.#first.locate(number);
    const place = this.#second.locate(number - chunkCount);
    return { ...place, source: place.source + sourceCount };
  }
}
