import { equalBytes } from "../../base/bytes.ts";
import { DIGEST_BYTES } from "../../base/digest.ts";
import { RecipeError } from "./errors.ts";
import { groupHashInto } from "./group.ts";
import type { GroupList } from "./group_list.ts";
import { CHUNK_ENTRY_BYTES, readU32, writeU32 } from "./layout.ts";
import { checkChunkList, Recipe } from "./recipe.ts";

/**
 * Completes a recipe from its group list: chunk lists of groups that a recipe at hand has too are taken
 * from there, the others are asked of the peer. After a byte changed in 1 GiB that is one group of 950.
 */
export class RecipeCollector {
  readonly #bytes: Uint8Array;
  readonly #chunks: Uint8Array;
  readonly #missing = new Set<number>();

  /** Groups of one chunk (small files, ends of files) need no chunk list and are filled in at once. */
  constructor(readonly groups: GroupList) {
    const listBytes = groups.bytes.length;
    this.#bytes = new Uint8Array(listBytes + groups.chunkCount * CHUNK_ENTRY_BYTES);
    this.#bytes.set(groups.bytes);
    this.#chunks = this.#bytes.subarray(listBytes);
    for (let g = 0; g < groups.groupCount; g++) {
      if (groups.groupChunks(g) > 1) this.#missing.add(g);
      else this.#fillSingle(g);
    }
  }

  /** Groups whose chunk lists are missing, ascending; a copy. */
  missingGroups(): number[] {
    return [...this.#missing];
  }

  /**
   * Takes over what `recipe` has of the missing groups. 3 µs a group.
   *
   * @returns How many groups it filled.
   * @throws {RecipeError} if the group list puts a group where it can't be.
   */
  addRecipe(recipe: Recipe): number {
    if (recipe.chunker.id !== this.groups.chunker.id || this.#missing.size === 0) return 0;
    const before = this.#missing.size;
    const known = new Map<number, number>();
    for (let g = 0; g < recipe.groups.groupCount; g++) known.set(keyOf(recipe.groups, g), g);
    for (const group of this.#missing) {
      const at = known.get(keyOf(this.groups, group));
      if (at === undefined || !this.#isSame(group, recipe.groups, at)) continue;
      const list = recipe.chunkList(at);
      checkChunkList(this.groups, group, list);
      this.#fill(group, list);
    }
    return before - this.#missing.size;
  }

  /**
   * Takes over the groups at the front of a chunk list that is good as far as it goes: what is left of
   * an interrupted run, cut and hashed here.
   */
  addPrefix(chunkList: Uint8Array): void {
    const hash = new Uint8Array(DIGEST_BYTES);
    for (let g = 0, at = 0; g < this.groups.groupCount; g++) {
      const end = at + this.groups.groupChunks(g) * CHUNK_ENTRY_BYTES;
      if (end > chunkList.length) return;
      const list = chunkList.subarray(at, end);
      at = end;
      if (!this.#missing.has(g)) continue;
      groupHashInto(hash, 0, list);
      if (!equalBytes(hash, this.groups.groupHash(g))) continue;
      checkChunkList(this.groups, g, list);
      this.#fill(g, list);
    }
  }

  /**
   * Takes the chunk lists of `groups`, joined in that order, from a peer. All or nothing.
   *
   * @throws {RecipeError} if the length doesn't fit, a group doesn't exist, or a list doesn't match
   * its group.
   */
  addChunkLists(groups: readonly number[], bytes: Uint8Array): void {
    const lists: Uint8Array[] = [];
    let at = 0;
    for (const group of groups) {
      if (!Number.isInteger(group) || group < 0 || group >= this.groups.groupCount) {
        throw new RecipeError(`there is no group ${group}`);
      }
      const end = at + this.groups.groupChunks(group) * CHUNK_ENTRY_BYTES;
      if (end > bytes.length) throw new RecipeError("chunk lists end early");
      const list = bytes.subarray(at, end);
      checkChunkList(this.groups, group, list);
      lists.push(list);
      at = end;
    }
    if (at !== bytes.length) throw new RecipeError("bytes behind the chunk lists");
    groups.forEach((group, i) => this.#fill(group, lists[i]!));
  }

  /** The whole recipe. Only when nothing is missing any more. */
  finish(): Recipe {
    if (this.#missing.size > 0) throw new Error(`${this.#missing.size} chunk lists are missing`);
    return new Recipe(this.groups, this.#bytes);
  }

  #isSame(group: number, other: GroupList, at: number): boolean {
    return other.groupChunks(at) === this.groups.groupChunks(group) &&
      equalBytes(other.groupHash(at), this.groups.groupHash(group));
  }

  #fill(group: number, list: Uint8Array): void {
    this.#chunks.set(list, this.groups.firstChunk(group) * CHUNK_ENTRY_BYTES);
    this.#missing.delete(group);
  }

  #fillSingle(group: number): void {
    const entry = new Uint8Array(CHUNK_ENTRY_BYTES);
    entry.set(this.groups.groupHash(group));
    writeU32(entry, CHUNK_ENTRY_BYTES - 4, this.groups.groupBytes(group));
    this.#fill(group, entry);
  }
}

/** The chunk lists of `groups`, joined: what {@linkcode RecipeCollector.addChunkLists} takes. */
export function encodeChunkLists(recipe: Recipe, groups: readonly number[]): Uint8Array {
  let length = 0;
  for (const group of groups) {
    if (!Number.isInteger(group) || group < 0 || group >= recipe.groups.groupCount) {
      throw new RecipeError(`there is no group ${group}`);
    }
    length += recipe.groups.groupChunks(group) * CHUNK_ENTRY_BYTES;
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const group of groups) {
    const list = recipe.chunkList(group);
    bytes.set(list, at);
    at += list.length;
  }
  return bytes;
}

/** 48 bits of a group's hash, enough to find the one group worth comparing. */
function keyOf(groups: GroupList, group: number): number {
  const hash = groups.groupHash(group);
  return readU32(hash, 0) * 2 ** 16 + (hash[4]! << 8 | hash[5]!);
}
