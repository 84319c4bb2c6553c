import type { Digest } from "../../base/digest.ts";
import { nameOf, parentOf, type RelPath } from "../../base/paths.ts";
import type { FileEntry } from "../../base/tree.ts";
import { WeightedCache } from "../../base/weighted_cache.ts";
import type { EntryRecord, RootIndex } from "../../index/mod.ts";
import { type DigestAnswer, type FileVersion, STATUS, type Status } from "../../protocol/mod.ts";
import {
  decodeRecipe,
  encodeChunkLists,
  encodeRecipe,
  type FileStat,
  HASH_BUFFER_BYTES,
  hashFile,
  reasonOf,
  type Recipe,
  RecipeError,
  recipeOf,
  type Root,
  SMALL_FILE_BYTES,
} from "../../store/mod.ts";
import { untilSent } from "../link/sent.ts";
import { KnownDir } from "./known_dir.ts";

/**
 * Bytes of recipes kept at hand, the last one whatever its size: a getter asks for the groups of one
 * file in a few requests, with several files under way. A GiB of files takes one MiB.
 */
const RECIPE_BYTES_AT_HAND = 40 * 1024 * 1024;
/** What a recipe takes besides its bytes: those of a million small files are hardly anything else. */
const RECIPE_OBJECT_BYTES = 64 * 1024;

/** Bytes read before other work gets a turn: about 4 ms. */
const TURN_BYTES = 4 * 1024 * 1024;
/** What opening a file costs, in bytes that could have been read meanwhile. */
const FILE_COST_BYTES = 64 * 1024;

/**
 * Knows what a share's files are made of: from the index where size, times and inode say that it still
 * holds, else by reading them. What was read is remembered.
 */
export class ShareContent {
  readonly #root: Root;
  readonly #index: RootIndex;
  readonly #signal: AbortSignal;
  readonly #recent = new WeightedCache<string, Recipe>({
    weightMax: RECIPE_BYTES_AT_HAND,
    countMin: 1,
  });
  #buffer: Uint8Array<ArrayBuffer> | undefined;
  #reading: Promise<unknown> = Promise.resolve();
  #hashedBytes = 0;
  #turnBytes = TURN_BYTES;
  /** Files are asked for in the order of the tree: the next one is mostly in the same directory. */
  #lastDir: KnownDir | undefined;

  constructor(root: Root, index: RootIndex, signal: AbortSignal) {
    this.#root = root;
    this.#index = index;
    this.#signal = signal;
  }

  /** Bytes read for their digests so far. */
  get hashedBytes(): number {
    return this.#hashedBytes;
  }

  /** What is remembered of a path, as far as it is the version given. */
  recordOf(path: RelPath, version: { size: number; mtimeMs: number }): EntryRecord | undefined {
    const record = this.#dirOf(path).find(nameOf(path));
    return record?.kind === "file" && record.size === version.size &&
        record.mtimeMs === version.mtimeMs
      ? record
      : undefined;
  }

  /** The digest of one version of a file; "changed" if it is no longer that version. */
  async digestOf(path: RelPath, version: FileEntry): Promise<DigestAnswer | Status> {
    const { size, mtimeMs } = version;
    const known = version.digest ?? this.#trusted(path, version);
    if (known !== undefined) return { size, mtimeMs, digest: known };
    const recipe = await this.recipe(path, version);
    return typeof recipe === "number" ? recipe : { size, mtimeMs, digest: recipe.digest };
  }

  /** The encoded list of groups, or of the chunks of the groups named by position. */
  async recipeOf(
    path: RelPath,
    version: FileVersion,
    groups: readonly number[],
  ): Promise<Uint8Array | Status> {
    const recipe = await this.recipe(path, version);
    if (typeof recipe === "number") return recipe;
    if (groups.some((group) => group >= recipe.groups.groupCount)) return STATUS.changed;
    return groups.length === 0 ? recipe.groups.bytes : encodeChunkLists(recipe, groups);
  }

  /**
   * How one version of a file is made of chunks.
   *
   * @param signal Ends the reading, which takes 1.1 s a GiB, before the session does.
   */
  async recipe(
    path: RelPath,
    version: { size: number; mtimeMs: number },
    signal?: AbortSignal,
  ): Promise<Recipe | Status> {
    const key = `${version.size} ${version.mtimeMs} ${path}`;
    const recent = this.#recent.peek(key);
    if (recent !== undefined) return recent;
    const digest = this.#trusted(path, version);
    // One file at a time: reading several at once would only make the disk seek.
    const recipe = (digest && this.#stored(digest)) ??
      await this.#inTurn(async () =>
        this.#recent.peek(key) ?? await this.#read(path, version, signal)
      );
    if (typeof recipe !== "number") this.#keepAtHand(key, recipe);
    return recipe;
  }

  /** Reads a file as it is now, whatever the index says; `undefined` if it changed meanwhile. */
  async freshDigest(path: RelPath): Promise<Digest | undefined> {
    const stat = this.#root.lstat(path);
    if (stat?.kind !== "file") return undefined;
    const recipe = await this.#inTurn(() => this.#read(path, stat));
    return typeof recipe === "number" ? undefined : recipe.digest;
  }

  /** Remembers how a file that was just written is made. */
  remember(recipe: Recipe): void {
    storeRecipe(this.#index, recipe);
  }

  /** What the index has for a digest; a damaged recipe is as good as none. */
  #stored(digest: Digest): Recipe | undefined {
    const stored = this.#index.getRecipe(digest);
    if (stored === undefined) return undefined;
    try {
      return decodeRecipe(stored, digest);
    } catch (error) {
      if (error instanceof RecipeError) return undefined;
      throw error;
    }
  }

  #keepAtHand(key: string, recipe: Recipe): void {
    if (this.#recent.has(key)) return;
    this.#recent.put(key, recipe, recipe.bytes.length + RECIPE_OBJECT_BYTES);
  }

  #trusted(path: RelPath, version: { size: number; mtimeMs: number }): Digest | undefined {
    const record = this.recordOf(path, version);
    if (record?.digest === undefined || record.racy) return undefined;
    const stat = this.#root.lstat(path);
    return stat !== undefined && stat.ino === record.ino && stat.ctimeMs === record.ctimeMs &&
        stat.ctimeNs === record.ctimeNs && stat.mtimeNs === record.mtimeNs
      ? record.digest
      : undefined;
  }

  async #read(
    path: RelPath,
    version: { size: number; mtimeMs: number },
    signal?: AbortSignal,
  ): Promise<Recipe | Status> {
    this.#buffer ??= new Uint8Array(HASH_BUFFER_BYTES);
    await this.#breathe(version.size);
    try {
      if (version.size <= SMALL_FILE_BYTES) {
        this.#signal.throwIfAborted();
        signal?.throwIfAborted();
        return this.#readSmall(path, version, this.#buffer);
      }
      using file = this.#root.openFile(path);
      if (file.size !== version.size || file.openedStat.mtimeMs !== version.mtimeMs) {
        return STATUS.changed;
      }
      const recipe = await hashFile((into, at) => file.readAt(into, at), file.size, {
        signal: signal ? AbortSignal.any([this.#signal, signal]) : this.#signal,
        buffer: this.#buffer,
      });
      const stat = file.stat();
      if (stat.mtimeNs !== file.openedStat.mtimeNs || stat.ctimeNs !== file.openedStat.ctimeNs) {
        return STATUS.changed;
      }
      this.#hashedBytes += file.size;
      this.#learn(path, recipe, stat);
      return recipe;
    } catch (error) {
      const reason = reasonOf(error);
      if (reason === undefined) throw error;
      return reason === "not_found" || reason === "changed" ? STATUS.changed : STATUS.io;
    }
  }

  /** As {@linkcode #read}, in two thirds of the time: of many small files the calls are what it takes. */
  #readSmall(
    path: RelPath,
    version: { size: number; mtimeMs: number },
    buffer: Uint8Array<ArrayBuffer>,
  ): Recipe | Status {
    const { length, stat, settled } = this.#root.readSmall(path, buffer);
    const isVersion = stat.size === version.size && stat.mtimeMs === version.mtimeMs;
    if (!settled || !isVersion) return STATUS.changed;
    const recipe = recipeOf(buffer.subarray(0, length));
    this.#hashedBytes += length;
    this.#learn(path, recipe, stat);
    return recipe;
  }

  /**
   * Gives other work a turn, the first time before anything is read: what the peer is asked for at the
   * same time goes out then, and both read side by side.
   */
  async #breathe(bytes: number): Promise<void> {
    this.#turnBytes += FILE_COST_BYTES + bytes;
    if (this.#turnBytes < TURN_BYTES) return;
    this.#turnBytes = 0;
    await untilSent();
  }

  /** @param stat Of the file that was read. */
  #learn(path: RelPath, recipe: Recipe, stat: FileStat): void {
    storeRecipe(this.#index, recipe);
    const dir = this.#dirOf(path);
    const record = dir.find(nameOf(path));
    // Only where the record is of the very file that was read.
    if (
      record === undefined || record.ino !== stat.ino || record.size !== stat.size ||
      record.mtimeMs !== stat.mtimeMs || record.mtimeNs !== stat.mtimeNs ||
      record.ctimeMs !== stat.ctimeMs || record.ctimeNs !== stat.ctimeNs || record.racy
    ) return;
    dir.patch({ ...record, digest: recipe.digest });
  }

  #dirOf(path: RelPath): KnownDir {
    const dir = parentOf(path);
    if (this.#lastDir?.path !== dir || this.#lastDir.isOld) {
      this.#lastDir = new KnownDir(this.#index, dir);
    }
    return this.#lastDir;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#reading.then(work);
    this.#reading = result.catch(() => {});
    return result;
  }
}

/** Puts a recipe into the index, unless the file is a single chunk, which its digest describes. */
export function storeRecipe(index: RootIndex, recipe: Recipe): void {
  if (recipe.groups.chunkCount <= 1) return;
  const groups = Array.from(
    { length: recipe.groups.groupCount },
    (_, g) => recipe.groups.groupHash(g).slice(),
  );
  index.putRecipe(recipe.digest, encodeRecipe(recipe), groups);
}
