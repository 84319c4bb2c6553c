import { equalBytes } from "../../base/bytes.ts";
import { type Digest, DIGEST_BYTES, isHashOf } from "../../base/digest.ts";
import { RecipeError } from "./errors.ts";
import { groupHashInto, isGroupEnd } from "./group.ts";
import { checkGroups, decodeGroupListHead, GroupList } from "./group_list.ts";
import { CHUNK_ENTRY_BYTES, readU32 } from "./layout.ts";
import type { ChunkerParameters } from "./parameters.ts";
import { hashOfZeros } from "./zeros.ts";

/**
 * How a file is made of chunks, in one buffer: 37 MB for a million chunks.
 *
 * Made by the recipe builder, the recipe collector and {@linkcode decodeRecipe}, which see to it that
 * it is valid. Layout in layout.ts.
 */
export class Recipe {
  /** A view of the chunk list of the whole file. */
  readonly chunks: Uint8Array;
  readonly chunkCount: number;

  /**
   * @param groups A view of the front of `bytes`.
   * @param bytes The encoded recipe; kept, not copied.
   */
  constructor(readonly groups: GroupList, readonly bytes: Uint8Array) {
    this.chunks = bytes.subarray(groups.bytes.length);
    this.chunkCount = this.chunks.length / CHUNK_ENTRY_BYTES;
  }

  /** The file digest. */
  get digest(): Digest {
    return this.groups.digest;
  }

  /** Bytes in the file. */
  get size(): number {
    return this.groups.size;
  }

  /** How the file was cut. */
  get chunker(): ChunkerParameters {
    return this.groups.chunker;
  }

  /** A view of the hash of one chunk. */
  chunkHash(index: number): Uint8Array {
    const at = index * CHUNK_ENTRY_BYTES;
    return this.chunks.subarray(at, at + DIGEST_BYTES);
  }

  /** Bytes in one chunk. */
  chunkBytes(index: number): number {
    return readU32(this.chunks, index * CHUNK_ENTRY_BYTES + DIGEST_BYTES);
  }

  /** A view of the chunk list of one group. */
  chunkList(group: number): Uint8Array {
    const first = this.groups.firstChunk(group);
    const count = this.groups.groupChunks(group);
    return this.chunks.subarray(first * CHUNK_ENTRY_BYTES, (first + count) * CHUNK_ENTRY_BYTES);
  }

  /** How many chunks at the front are those of `chunkList`, which may be longer or shorter. */
  commonChunks(chunkList: Uint8Array): number {
    const length = Math.min(chunkList.length, this.chunks.length);
    let at = 0;
    while (at < length && chunkList[at] === this.chunks[at]) at++;
    return Math.floor(at / CHUNK_ENTRY_BYTES);
  }

  /** True if `bytes` are what the recipe has as chunk `index`. Costs a SHA-256. */
  isChunk(index: number, bytes: Uint8Array): boolean {
    return bytes.length === this.chunkBytes(index) && isHashOf(this.chunkHash(index), bytes);
  }

  /** Bytes in the longest chunk there can be. */
  get chunkBytesMax(): number {
    return this.chunker.maxBytes;
  }

  /** True if chunk `index` is a whole chunk of zeros: a hole in a sparse file. */
  isZeros(index: number): boolean {
    const { maxBytes } = this.chunker;
    return this.chunkBytes(index) === maxBytes &&
      equalBytes(this.chunkHash(index), hashOfZeros(maxBytes));
  }
}

/** The recipe as bytes, for the index. A view of the recipe, not a copy. */
export function encodeRecipe(recipe: Recipe): Uint8Array {
  return recipe.bytes;
}

/**
 * Reads a recipe, strictly: lengths, sums, limits and every hash above the chunks are checked. 0.1 µs
 * a chunk.
 *
 * @param bytes Kept, not copied; must not change afterwards.
 * @param expected The file digest it must have, where known.
 * @throws {RecipeError}
 */
export function decodeRecipe(bytes: Uint8Array, expected?: Digest): Recipe {
  const groups = decodeGroupListHead(bytes);
  checkGroups(groups);
  if (expected !== undefined && !equalBytes(groups.digest, expected)) {
    throw new RecipeError("recipe is not that of the file asked for");
  }
  if (bytes.length !== groups.bytes.length + groups.chunkCount * CHUNK_ENTRY_BYTES) {
    throw new RecipeError("chunk list has a wrong length");
  }
  const recipe = new Recipe(groups, bytes);
  for (let g = 0; g < groups.groupCount; g++) checkChunkList(groups, g, recipe.chunkList(g));
  return recipe;
}

const groupHash = new Uint8Array(DIGEST_BYTES);

/**
 * Checks the chunk list of one group against the group list: its hash, the sum and the bounds of the
 * lengths, and that the group ends where groups end.
 *
 * @throws {RecipeError}
 */
export function checkChunkList(groups: GroupList, group: number, chunkList: Uint8Array): void {
  const { minBytes, maxBytes } = groups.chunker;
  const count = groups.groupChunks(group);
  const isLast = group === groups.groupCount - 1;
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const at = i * CHUNK_ENTRY_BYTES;
    const bytes = readU32(chunkList, at + DIGEST_BYTES);
    const isFilesLast = isLast && i === count - 1;
    if (bytes > maxBytes || bytes < (isFilesLast ? 1 : minBytes)) {
      throw new RecipeError(`group ${group} has a chunk of ${bytes} bytes`);
    }
    if (!isFilesLast && isGroupEnd(chunkList, at, i + 1) !== (i === count - 1)) {
      throw new RecipeError(`group ${group} ends at a wrong chunk`);
    }
    sum += bytes;
  }
  if (sum !== groups.groupBytes(group)) {
    throw new RecipeError(`group ${group} has ${sum} bytes, not ${groups.groupBytes(group)}`);
  }
  groupHashInto(groupHash, 0, chunkList);
  if (!equalBytes(groupHash, groups.groupHash(group))) {
    throw new RecipeError(`group ${group} has another hash than its chunks`);
  }
}
