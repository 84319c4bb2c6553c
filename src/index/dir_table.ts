import type { DirPath } from "../base/paths.ts";
import { WeightedCache } from "../base/weighted_cache.ts";
import type { Database } from "./database.ts";
import { countsOf, decodeDir, encodeDir, mergeDir } from "./dir_codec.ts";
import {
  applyPatches,
  type DirPatch,
  type DirRecord,
  EMPTY_RECORD,
  joinPatches,
  nameCount,
} from "./dir_record.ts";
import { DirLookup } from "./dir_lookup.ts";
import { DirView } from "./dir_view.ts";
import { PendingDir } from "./pending_dir.ts";

/** An encoded directory as it lies in the database: a record, then patches to apply in order. */
export interface StoredDir {
  readonly path: DirPath;
  readonly record: Uint8Array;
  readonly patches: readonly Uint8Array[];
}

/** Patches of one directory are folded into its record when they outgrow it and this many bytes. */
const PATCH_BYTES_MIN = 64 * 1024;

/** Bytes of records kept as views: a sync of few changes looks into each of them several times. */
const VIEW_BYTES_MAX = 4 * 1024 * 1024;

/** A patch is worked into a record at once unless this many times as many names are to be copied. */
const COPIED_NAMES_MIN = 8;

/** What one read of many directories aims at, in bytes. */
const READ_BYTES = 1024 * 1024;
const READ_ROWS_MAX = 512;

/**
 * The directory records of one root. Writes are collected in memory and go to the database
 * with {@linkcode flush}; reads see them at once.
 */
export class DirTable {
  readonly #database: Database;
  readonly #root: number;
  readonly #pending = new Map<DirPath, PendingDir>();
  /** Those that {@linkcode foldNext} can work in. */
  readonly #loose = new Set<DirPath>();
  readonly #preloaded = new Map<DirPath, StoredDir>();
  readonly #views = new WeightedCache<DirPath, DirView>({ weightMax: VIEW_BYTES_MAX });
  #pendingBytes = 0;

  constructor(database: Database, root: number) {
    this.#database = database;
    this.#root = root;
  }

  /** Bytes collected and not yet in the database, with what keeping them takes. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /**
   * What is remembered of a directory. 10 µs and half a microsecond an entry.
   *
   * @throws {IndexError} `corrupt`
   */
  get(path: DirPath): DirRecord | undefined {
    const stored = this.stored(path);
    return stored && this.decode(stored);
  }

  /**
   * The same without decoding the entries: 0.1 µs an entry, and nothing where it was looked at lately.
   *
   * @throws {IndexError} `corrupt`
   */
  view(path: DirPath): DirView | undefined {
    const known = this.#views.get(path);
    if (known !== undefined) return known;
    const view = this.#loosened(path) ?? this.#read(path);
    if (view !== undefined) this.#views.put(path, view, view.encoded.bytes.length);
    return view;
  }

  /**
   * The same for a few names: a small patch that was collected is not worked in for it.
   *
   * @throws {IndexError} `corrupt`
   */
  lookup(path: DirPath): DirLookup | undefined {
    const loose = this.#pending.get(path)?.loose;
    if (loose !== undefined) return new DirLookup(loose.base, loose.patch);
    const view = this.view(path);
    return view && new DirLookup(view);
  }

  /** True if {@linkcode view} would answer without asking the database. */
  isAtHand(path: DirPath): boolean {
    return this.#views.has(path) || this.#loose.has(path);
  }

  /** To be called where another process may have written. */
  forgetViews(): void {
    this.#views.clear();
    for (const path of this.#loose) this.#pending.get(path)!.forgetBase();
    this.#loose.clear();
  }

  /** What {@linkcode list} or {@linkcode stored} gave, as {@linkcode view}. @throws {IndexError} `corrupt` */
  viewOf({ path, record, patches }: StoredDir): DirView {
    return this.#checked(path, () => {
      const view = new DirView(record);
      if (patches.length === 0) return view;
      const patch = joinPatches(patches.map((bytes) => decodeDir(bytes)));
      return new DirView(mergeDir(view, patch), false);
    });
  }

  /**
   * As {@linkcode view}; patches are worked in for good, so that the next look finds none.
   *
   * @throws {IndexError} `corrupt`
   */
  fold(path: DirPath): DirView | undefined {
    const stored = this.stored(path);
    if (stored === undefined) return undefined;
    const view = this.viewOf(stored);
    if (stored.patches.length > 0) this.#put(path, view.encoded.bytes);
    this.#views.put(path, view, view.encoded.bytes.length);
    return view;
  }

  /** The same in encoded form. */
  stored(path: DirPath): StoredDir | undefined {
    const pending = this.#pending.get(path);
    if (pending?.record !== undefined) {
      return { path, record: pending.record, patches: pending.patches };
    }
    const below = this.#load(path);
    if (pending === undefined) return below;
    return {
      path,
      record: below?.record ?? EMPTY_BYTES,
      patches: [...below?.patches ?? [], ...pending.patches],
    };
  }

  /** Replaces what is remembered. @returns The record as it will be stored. */
  put(path: DirPath, record: DirRecord): Uint8Array {
    return this.#put(path, encodeDir(record));
  }

  /**
   * Changes a few names in the record itself: now, or with {@linkcode foldNext} where they are so few that
   * more about them is likely to follow.
   */
  revise(path: DirPath, patch: DirPatch): void {
    const known = this.view(path) ?? EMPTY_VIEW;
    if (!isFew(patch, known) || !PendingDir.keepsLoose(patch)) this.#merge(path, patch, known);
    else this.#patch(path, patch, known);
  }

  /** Changes a few names, at the cost of those alone. */
  patch(path: DirPath, patch: DirPatch): void {
    // Of a directory that is new the patch is all there is; the next scan would make a record of it.
    if (!PendingDir.keepsLoose(patch) && !this.#isKnown(path)) this.#merge(path, patch, EMPTY_VIEW);
    else this.#patch(path, patch, this.#views.get(path));
  }

  /**
   * Works one small patch of those that are collected into its record, which whoever looks at everything
   * would have to do later.
   *
   * @returns False if there is none left.
   */
  foldNext(): boolean {
    for (const path of this.#loose) {
      const { base, patch } = this.#pending.get(path)!.loose!;
      this.#merge(path, patch, base);
      return true;
    }
    return false;
  }

  /** Forgets a directory and all beneath it. Call {@linkcode flush} before, in the same transaction. */
  remove(path: DirPath): void {
    this.#preloaded.clear();
    this.#views.clear();
    const { low, high } = beneath(path);
    for (const table of ["dirs", "dir_patches"]) {
      this.#database.run(
        `DELETE FROM ${table} WHERE root = ? AND path = ?`,
        this.#root,
        path,
      );
      this.#database.run(
        `DELETE FROM ${table} WHERE root = ? AND path > ? AND path < ?`,
        this.#root,
        low,
        high,
      );
    }
  }

  /**
   * Moves what is remembered of a directory and all beneath it; what was remembered at `to` is
   * forgotten. Call {@linkcode flush} before, in the same transaction.
   */
  rename(from: DirPath, to: DirPath): void {
    this.remove(to);
    const { low, high } = beneath(from);
    for (const table of ["dirs", "dir_patches"]) {
      this.#database.run(
        `UPDATE ${table} SET path = ?1 WHERE root = ?2 AND path = ?3`,
        to,
        this.#root,
        from,
      );
      // Characters, not UTF-16 units: that is how SQLite counts.
      this.#database.run(
        `UPDATE ${table} SET path = ?1 || substr(path, ?2) WHERE root = ?3 AND path > ?4 AND path < ?5`,
        to,
        [...from].length + 1,
        this.#root,
        low,
        high,
      );
    }
  }

  /** Reads records ahead, up to `bytesMax`, in 3 µs a directory instead of 10. */
  preload(bytesMax: number): void {
    this.#preloaded.clear();
    let bytes = 0;
    for (const stored of this.list("")) {
      bytes += stored.record.length;
      for (const patch of stored.patches) bytes += patch.length;
      if (bytes > bytesMax) return;
      if (!this.#pending.has(stored.path)) this.#preloaded.set(stored.path, stored);
    }
  }

  /**
   * A directory and all beneath it, in byte order of paths, as far as it is in the database: flush
   * first. Memory is bounded, and writes in between are harmless.
   */
  *list(under: DirPath): Generator<StoredDir> {
    const self = this.#load(under);
    if (self !== undefined) yield self;
    const { low, high } = beneath(under);
    const rows = this.#database.prepare(
      `SELECT path, record, ${HAS_PATCHES} FROM dirs
        WHERE root = ? AND path > ? AND path < ? ORDER BY path LIMIT ?`,
    );
    let after = low;
    let limit = 16;
    while (true) {
      const found = rows.all<[DirPath, Uint8Array, number]>(this.#root, after, high, limit);
      let bytes = 0;
      for (const [path, record, hasPatches] of found) {
        bytes += record.length;
        yield { path, record, patches: hasPatches ? this.#loadPatches(path) : [] };
      }
      if (found.length < limit) return;
      after = found.at(-1)![0];
      limit = Math.max(1, Math.min(READ_ROWS_MAX, Math.floor(limit * READ_BYTES / (bytes + 1))));
    }
  }

  /** Decodes what {@linkcode list} or {@linkcode stored} gave. @throws {IndexError} `corrupt` */
  decode({ path, record, patches }: StoredDir): DirRecord {
    return this.#checked(path, () => {
      const { removed: _none, ...base } = decodeDir(record);
      return applyPatches(base, patches.map((patch) => decodeDir(patch)));
    });
  }

  /** Counts what {@linkcode list} gave, without decoding where that can be helped. */
  count(stored: StoredDir): { entries: number; tombstones: number } {
    if (stored.patches.length === 0) {
      return this.#checked(stored.path, () => countsOf(stored.record));
    }
    const { entries, tombstones } = this.decode(stored);
    return { entries: entries.length, tombstones: tombstones.length };
  }

  /** Writes what was collected into the open transaction; {@linkcode clear} when that is committed. */
  flush(): void {
    for (const [path, { record, patches }] of this.#pending) {
      if (record !== undefined) this.#store(path, record);
      if (patches.length > 0) this.#storePatches(path, patches);
    }
  }

  /** Forgets what was collected, because it is in the database now or must never get there. */
  clear(): void {
    this.#pending.clear();
    this.#loose.clear();
    this.#pendingBytes = 0;
  }

  #put(path: DirPath, bytes: Uint8Array): Uint8Array {
    this.#forget(path);
    this.#pendingBytes -= this.#pending.get(path)?.weight ?? 0;
    this.#loose.delete(path);
    const pending = new PendingDir(bytes);
    this.#pending.set(path, pending);
    this.#pendingBytes += pending.weight;
    return bytes;
  }

  /** @param base What is remembered without the patch, if that is at hand. */
  #patch(path: DirPath, patch: DirPatch, base: DirView | undefined): void {
    this.#forget(path);
    const pending = this.#pending.get(path) ?? new PendingDir();
    this.#pendingBytes -= pending.weight;
    this.#pending.set(path, pending);
    pending.add(patch, base);
    this.#pendingBytes += pending.weight;
    if (pending.loose === undefined) this.#loose.delete(path);
    else this.#loose.add(path);
  }

  /** True if anything is remembered of a directory. */
  #isKnown(path: DirPath): boolean {
    if (this.#pending.has(path)) return true;
    return this.#database.get(
      "SELECT 1 FROM dirs WHERE root = ? AND path = ?",
      this.#root,
      path,
    ) !== undefined;
  }

  #merge(path: DirPath, patch: DirPatch, known: DirView): void {
    const bytes = this.#put(path, this.#checked(path, () => mergeDir(known, patch)));
    // What was just found is what the sync looks at next.
    this.#views.put(path, new DirView(bytes, false), bytes.length);
  }

  #read(path: DirPath): DirView | undefined {
    const stored = this.stored(path);
    return stored && this.viewOf(stored);
  }

  /** A view with a small patch that was collected, if all of it is at hand. */
  #loosened(path: DirPath): DirView | undefined {
    const loose = this.#pending.get(path)?.loose;
    if (loose === undefined) return undefined;
    return this.#checked(path, () => new DirView(mergeDir(loose.base, loose.patch), false));
  }

  #forget(path: DirPath): void {
    this.#preloaded.delete(path);
    this.#views.delete(path);
  }

  #load(path: DirPath): StoredDir | undefined {
    const ahead = this.#preloaded.get(path);
    if (ahead !== undefined) {
      this.#preloaded.delete(path);
      return ahead;
    }
    const row = this.#database.get<[Uint8Array, number]>(
      `SELECT record, ${HAS_PATCHES} FROM dirs WHERE root = ? AND path = ?`,
      this.#root,
      path,
    );
    if (row === undefined) return undefined;
    return { path, record: row[0], patches: row[1] ? this.#loadPatches(path) : [] };
  }

  #loadPatches(path: DirPath): Uint8Array[] {
    return this.#database.all<[Uint8Array]>(
      "SELECT patch FROM dir_patches WHERE root = ? AND path = ? ORDER BY id",
      this.#root,
      path,
    ).map(([patch]) => patch);
  }

  #store(path: DirPath, record: Uint8Array): void {
    this.#database.run(
      `INSERT INTO dirs (root, path, record) VALUES (?, ?, ?)
        ON CONFLICT (root, path) DO UPDATE SET record = excluded.record`,
      this.#root,
      path,
      record,
    );
    this.#database.run(
      "DELETE FROM dir_patches WHERE root = ? AND path = ?",
      this.#root,
      path,
    );
  }

  #storePatches(path: DirPath, patches: readonly Uint8Array[]): void {
    this.#database.run(
      "INSERT INTO dirs (root, path, record) VALUES (?, ?, ?) ON CONFLICT (root, path) DO NOTHING",
      this.#root,
      path,
      EMPTY_BYTES,
    );
    for (const patch of patches) {
      this.#database.run(
        "INSERT INTO dir_patches (root, path, patch) VALUES (?, ?, ?)",
        this.#root,
        path,
        patch,
      );
    }
    const [patchBytes, recordBytes] = this.#database.get<[number, number]>(
      `SELECT (SELECT sum(length(patch)) FROM dir_patches WHERE root = ?1 AND path = ?2),
        length(record) FROM dirs WHERE root = ?1 AND path = ?2`,
      this.#root,
      path,
    )!;
    if (patchBytes > Math.max(PATCH_BYTES_MIN, recordBytes)) {
      this.#store(path, encodeDir(this.decode(this.#load(path)!)));
    }
  }

  #checked<T>(path: DirPath, decode: () => T): T {
    try {
      return decode();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw this.#database.corrupt(`the record of directory ${JSON.stringify(path)}`, error);
    }
  }
}

/** True where a record is mostly names that a patch leaves alone. */
function isFew(patch: DirPatch, known: DirView): boolean {
  return nameCount(patch) * COPIED_NAMES_MIN <= known.length;
}

const HAS_PATCHES =
  "EXISTS (SELECT 1 FROM dir_patches AS p WHERE p.root = dirs.root AND p.path = dirs.path)";

const EMPTY_BYTES = encodeDir(EMPTY_RECORD);
const EMPTY_VIEW = new DirView(EMPTY_BYTES);

/** The range of paths strictly beneath a directory, neither end included. */
function beneath(path: DirPath): { readonly low: string; readonly high: string | Uint8Array } {
  // To SQLite every BLOB is larger than any text. "0" is the character behind "/".
  return path === "" ? { low: "", high: NO_BYTES } : { low: `${path}/`, high: `${path}0` };
}

const NO_BYTES = new Uint8Array(0);
