import { parentOf, type RelPath } from "../base/paths.ts";
import { type Expected, type ExpectedState, type FileStat, isAsExpected } from "./file_stat.ts";
import type { Root, StagedFile, TouchedDirs } from "./root.ts";
import { actionOn, asStoreError, reasonOf, StoreError } from "./store_error.ts";
import { type Keep, Keeper, pruneVersions } from "./trash.ts";
import { WritableDirs } from "./writable_dirs.ts";

/** Changes in one batch. */
export const BATCH_CHANGES_MAX = 256;
/** Bytes of staged files in one batch. */
export const BATCH_BYTES_MAX = 64 * 1024 * 1024;
/**
 * Longest time a batch is kept open for more. What is lost when the process dies is the files of up to
 * 64 KiB in it.
 */
export const BATCH_TIME_MS = 250;

/** One change to one path of a share. */
export type Change =
  /** Puts a finished staged file in place. The batch owns `staged` from now on. */
  | {
    readonly kind: "file";
    readonly path: RelPath;
    readonly staged: StagedFile;
    readonly expected: Expected;
    /** Where the old version goes; `trash` if left out. */
    readonly keep?: Keep;
  }
  /** Creates a directory; one that is there already is as good. Its mode is set at once. */
  | {
    readonly kind: "dir";
    readonly path: RelPath;
    readonly mode: number;
    readonly expected: Expected;
    readonly keep?: Keep;
  }
  /** Creates a symbolic link. */
  | {
    readonly kind: "link";
    readonly path: RelPath;
    readonly target: string;
    readonly mtimeMs: number;
    readonly expected: Expected;
    readonly keep?: Keep;
  }
  /** Deletes a file or link, or a directory if it is empty. */
  | {
    readonly kind: "remove";
    readonly path: RelPath;
    readonly expected: ExpectedState;
    readonly keep?: Keep;
  }
  /** Sets mode or time of what stays otherwise. */
  | {
    readonly kind: "attributes";
    readonly path: RelPath;
    readonly expected: ExpectedState;
    readonly mode?: number;
    readonly mtimeMs?: number;
  }
  /** Moves a file, a link or a whole directory to a path where nothing is. */
  | {
    readonly kind: "move";
    readonly path: RelPath;
    readonly from: RelPath;
    readonly expected: ExpectedState;
  };

/** What became of one change. */
export type ChangeResult =
  /** In place and, unless the batch runs without fsync, durable. */
  | {
    readonly outcome: "done";
    readonly change: Change;
    /** The state now on the disk, for the index; absent for what was removed. */
    readonly stat?: FileStat;
    /** Where the old version is now. */
    readonly keptAt?: RelPath;
  }
  /** The path was not as expected and is as it was: plan it anew. */
  | { readonly outcome: "changed"; readonly change: Change; readonly error: StoreError }
  /** Nothing was done, or it is not known to be durable. */
  | { readonly outcome: "failed"; readonly change: Change; readonly error: StoreError };

/** The numbered steps of a commit (docs/protocol.md, receiver durability). */
export type CommitStep =
  /** 1, 2: a file is complete, with mode and time. */
  | "staged"
  /** 2: the bytes of all files of the batch are on the disk. */
  | "flushed"
  /** 3: the path is what was expected. */
  | "checked"
  /** 4: the old version has its place in the trash, or that place is ready for the swap. */
  | "old_moved"
  /** 4: the change is visible under its name. */
  | "renamed"
  /** 5: the names are on the disk. */
  | "dirs_flushed";

/** What a batch takes. */
export interface CommitOptions {
  /** False for scratch data only: after a power cut, names may lead to files without content. */
  readonly fsync?: boolean;
  /** Older versions of a path that stay with `keep: "versions"`; 5 if left out. */
  readonly versionsMax?: number;
  /** Finds places for old versions; share one among the batches of a run. */
  readonly keeper?: Keeper;
  /** Called at each step. Meant for tests, which end the process there. */
  readonly onStep?: (step: CommitStep, path?: RelPath) => void;
}

/**
 * Changes that become visible and durable together, in the order that survives a power cut at any
 * moment: data, then names, then directories, then (by the caller) the index.
 *
 * A path is never absent in between, where the file system can swap two names: the new file is put
 * where the old one shall be kept, the two are swapped, and only then is the old one looked at again;
 * if it is not the one expected, they are swapped back. A change made by somebody else in the last
 * moment is thus never lost.
 *
 * Changes are made in the order added: parents before what lies in them, deletions children first.
 */
export class CommitBatch implements Disposable {
  readonly #root: Root;
  readonly #options: CommitOptions;
  readonly #keeper: Keeper;
  readonly #changes: Change[] = [];
  #bytes = 0;
  readonly #writable: WritableDirs;
  #flushError: StoreError | undefined;

  constructor(root: Root, options: CommitOptions = {}) {
    this.#root = root;
    this.#options = options;
    this.#keeper = options.keeper ?? new Keeper(root, Date.now);
    this.#writable = new WritableDirs(root);
  }

  /** Changes so far. */
  get size(): number {
    return this.#changes.length;
  }

  /** Bytes staged so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** True once no more should be added. */
  get isFull(): boolean {
    return this.size >= BATCH_CHANGES_MAX || this.#bytes >= BATCH_BYTES_MAX;
  }

  /** Adds a change. Staged files must be finished. */
  add(change: Change): void {
    this.#changes.push(change);
    if (change.kind !== "file") return;
    this.#bytes += change.staged.size;
    this.#step("staged", change.path);
  }

  /** Does it all: {@linkcode CommitBatch.flushData}, then {@linkcode CommitBatch.apply}. */
  async commit(): Promise<ChangeResult[]> {
    await this.flushData();
    return await this.apply();
  }

  /** Makes the bytes durable. The next batch may be filled, or flushed, meanwhile. */
  async flushData(): Promise<void> {
    if (this.#options.fsync !== false) {
      const files = this.#changes.flatMap((change) =>
        change.kind === "file" ? [change.staged] : []
      );
      try {
        if (files.length > 0) await this.#root.flushFiles(files);
      } catch (error) {
        // What the disk holds of these files is unknown, and asking again would only seem to help.
        this.#flushError = asStoreError(error, "Cannot flush files");
        return;
      }
    }
    this.#step("flushed");
  }

  /**
   * Makes the changes and flushes the directories. Batches that depend on each other: one at a time.
   *
   * @returns One result for each change, in order.
   */
  async apply(): Promise<ChangeResult[]> {
    const { results, touched } = this.#applyAll();
    using _ = touched;
    this[Symbol.dispose]();
    if (this.#options.fsync !== false && touched.count > 0) {
      try {
        await touched.flush();
      } catch (error) {
        const failure = asStoreError(error, "Cannot flush directories");
        return results.map(({ change }) => ({ outcome: "failed", change, error: failure }));
      }
    }
    this.#step("dirs_flushed");
    return results;
  }

  /** Discards staged files that are not in place. */
  [Symbol.dispose](): void {
    for (const change of this.#changes) {
      if (change.kind === "file") change.staged[Symbol.dispose]();
    }
    this.#changes.length = 0;
  }

  #applyAll(): { results: ChangeResult[]; touched: TouchedDirs } {
    const results: ChangeResult[] = [];
    let stopped = this.#flushError;
    this.#keeper.forget();
    let canExchange = false;
    try {
      // Decided before the run, since it tries things out.
      if (this.#changes.some(isReplacement)) canExchange = this.#root.features().exchange;
    } catch (error) {
      stopped ??= asStoreError(error, "Cannot try out the file system");
    }
    this.#root.beginChanges();
    try {
      for (const change of this.#changes) {
        const result: ChangeResult = stopped === undefined
          ? this.#applyOne(change, canExchange)
          : { outcome: "failed", change, error: stopped };
        results.push(result);
        if (result.outcome === "failed" && stopsBatch(result.error)) stopped = result.error;
      }
      this.#writable.restore();
    } catch (bug) {
      this.#root.endChanges();
      throw bug;
    }
    return { results, touched: this.#root.endChanges() };
  }

  #applyOne(change: Change, canExchange: boolean): ChangeResult {
    try {
      // What must not be there is checked by creating it, which never overwrites.
      if (change.expected !== "absent" || change.kind === "dir") {
        const path = change.kind === "move" ? change.from : change.path;
        const found = this.#root.lstat(path);
        if (change.kind === "dir" && found?.kind === "dir") {
          return { outcome: "done", change, stat: found };
        }
        if (!isAsExpected(change.expected, found)) throw changedError(path);
      }
      this.#step("checked", change.path);
      this.#openDirs(change);
      const keptAt = this.#perform(change, canExchange);
      this.#writable.forget(change.path);
      if (change.kind === "move") this.#writable.moved(change.from, change.path);
      this.#step("renamed", change.path);
      if (keptAt !== undefined && keepOf(change) === "versions") {
        pruneVersions(this.#root, change.path, this.#options.versionsMax ?? 5);
      }
      const stat = this.#finalStat(change);
      // What is new, as most is.
      if (keptAt === undefined && stat !== undefined) return { outcome: "done", change, stat };
      return {
        outcome: "done",
        change,
        ...(stat === undefined ? {} : { stat }),
        ...(keptAt === undefined || keepOf(change) === "none" ? {} : { keptAt }),
      };
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      const outcome = error.reason === "changed" ? "changed" : "failed";
      return { outcome, change, error };
    }
  }

  /** Makes sure that modes of our own directories are not in the way. */
  #openDirs(change: Change): void {
    if (change.kind === "attributes") return;
    this.#writable.open(parentOf(change.path));
    const moved = change.kind === "move" ? change.from : change.path;
    if (change.kind === "move") this.#writable.open(parentOf(moved));
    // Moving a directory changes its "..".
    if (change.expected !== "absent" && change.expected.kind === "dir") this.#writable.open(moved);
  }

  /** Makes one change; returns where the old version is. */
  #perform(change: Change, canExchange: boolean): RelPath | undefined {
    switch (change.kind) {
      case "remove":
        return this.#remove(change);
      case "attributes":
        if (change.mode !== undefined) this.#root.chmod(change.path, change.mode);
        if (change.mtimeMs !== undefined) this.#root.setTimes(change.path, change.mtimeMs);
        return undefined;
      case "move":
        expectAbsence(
          change.path,
          () => this.#root.rename(change.from, change.path, { replace: false }),
        );
        return undefined;
      default:
        if (change.expected === "absent") {
          expectAbsence(change.path, () => this.#create(change, change.path));
          return undefined;
        }
        return canExchange
          ? this.#replaceBySwap(change, change.expected)
          : this.#replaceByRename(change, change.expected);
    }
  }

  /** Creates what is new, at its final path or elsewhere. Never overwrites. */
  #create(change: Creation, at: RelPath): void {
    if (change.kind === "file") this.#root.publish(change.staged, at);
    else if (change.kind === "dir") this.#root.makeDir(at, change.mode);
    else this.#root.symlink(change.target, at, change.mtimeMs);
  }

  #replaceBySwap(change: Creation, expected: ExpectedState): RelPath | undefined {
    const root = this.#root;
    const place = this.#placeForOld(change, expected);
    this.#create(change, place);
    this.#step("old_moved", change.path);
    let swapped = false;
    try {
      root.exchange(place, change.path);
      swapped = true;
      if (!isAsExpected(expected, root.lstat(place))) throw changedError(change.path);
      // Only an empty directory makes room: what is in it may not be synced, and stays.
      if (expected.kind === "dir") root.removeDir(place);
      else if (keepOf(change) === "none") root.removeFile(place);
    } catch (error) {
      if (swapped) root.exchange(place, change.path);
      this.#discard(change, place);
      throw reasonOf(error) === "not_found" ? changedError(change.path) : error;
    }
    return expected.kind === "dir" ? undefined : place;
  }

  /**
   * For file systems that can't swap. The old file gets a second name in the trash before the new
   * one takes its place; without hard links, and for links, the path is absent for a moment.
   */
  #replaceByRename(change: Creation, expected: ExpectedState): RelPath | undefined {
    const root = this.#root;
    const place = this.#placeForOld(change, expected);
    const fresh = root.temporaryPath();
    this.#create(change, fresh);
    let moved = false;
    try {
      if (expected.kind === "dir") root.removeDir(change.path);
      else moved = this.#saveOld(change.path, { place, expected, intoDir: change.kind === "dir" });
      this.#step("old_moved", change.path);
      expectAbsence(
        change.path,
        () => root.rename(fresh, change.path, { replace: expected.kind !== "dir" && !moved }),
      );
    } catch (error) {
      this.#discard(change, fresh);
      if (moved) root.rename(place, change.path, { replace: false });
      // Something else is in the way than what was there a moment ago.
      throw isAsExpected(expected, root.lstat(change.path)) ? error : changedError(change.path);
    }
    if (expected.kind === "dir") return undefined;
    if (keepOf(change) === "none") root.removeFile(place);
    return place;
  }

  /** Gives the old file a name in the trash; true if it has left its own. */
  #saveOld(
    path: RelPath,
    to: { place: RelPath; expected: ExpectedState; intoDir: boolean },
  ): boolean {
    const root = this.#root;
    const linked = to.expected.kind === "file" && !to.intoDir && root.features().hardLinks;
    if (linked) root.link(path, to.place);
    else root.rename(path, to.place, { replace: false });
    if (isAsExpected(to.expected, root.lstat(to.place))) return !linked;
    if (linked) root.removeFile(to.place);
    else root.rename(to.place, path, { replace: false });
    throw changedError(path);
  }

  #remove(change: Change & { kind: "remove" }): RelPath | undefined {
    const root = this.#root;
    if (change.expected.kind === "dir") {
      root.removeDir(change.path);
      return undefined;
    }
    const place = this.#keeper.placeFor(change.path, keepOf(change));
    root.rename(change.path, place, { replace: false });
    if (!isAsExpected(change.expected, root.lstat(place))) {
      root.rename(place, change.path, { replace: false });
      throw changedError(change.path);
    }
    this.#step("old_moved", change.path);
    if (keepOf(change) === "none") root.removeFile(place);
    return place;
  }

  #placeForOld(change: Creation, expected: ExpectedState): RelPath {
    return this.#keeper.placeFor(change.path, expected.kind === "dir" ? "none" : keepOf(change));
  }

  #discard(change: Creation, at: RelPath): void {
    try {
      if (change.kind === "dir") this.#root.removeDir(at);
      else this.#root.removeFile(at);
    } catch (error) {
      // It stays in our own folder, where a sweep finds it; the failure that led here matters more.
      if (!(error instanceof StoreError)) throw error;
    }
  }

  #finalStat(change: Change): FileStat | undefined {
    if (change.kind === "remove") return undefined;
    // On Windows the handle had to be closed for the rename.
    return change.kind === "file" && Deno.build.os !== "windows"
      ? change.staged.stat()
      : this.#root.lstat(change.path);
  }

  #step(step: CommitStep, path?: RelPath): void {
    this.#options.onStep?.(step, path);
  }
}

type Creation = Change & { kind: "file" | "dir" | "link" };

function keepOf(change: Change): Keep {
  return ("keep" in change ? change.keep : undefined) ?? "trash";
}

function isReplacement(change: Change): boolean {
  return (change.kind === "file" || change.kind === "dir" || change.kind === "link") &&
    change.expected !== "absent";
}

/** A full or failing disk is not asked again for each of the remaining changes. */
function stopsBatch(error: StoreError): boolean {
  return error.reason === "no_space" || error.reason === "read_only" || error.reason === "io";
}

function changedError(path: RelPath): StoreError {
  return new StoreError("changed", actionOn("change", path));
}

/** Where nothing was expected, something there is a change like any other. */
function expectAbsence(path: RelPath, create: () => void): void {
  try {
    create();
  } catch (error) {
    throw reasonOf(error) === "exists" ? changedError(path) : error;
  }
}
