import type { Logger } from "../../base/log.ts";
import { messageOf } from "../../base/errors.ts";
import {
  type DirPath,
  joinPath,
  nameOf,
  parentOf,
  parseRelPath,
  PathError,
  type RelPath,
} from "../../base/paths.ts";
import { type DirRecord, findEntry, type RootIndex } from "../../index/mod.ts";
import { openRoot, type Root } from "../../store/mod.ts";
import type { Operation } from "../apply/operation.ts";
import { FilterStack, IGNORE_FILE, IGNORE_FILE_BYTES_MAX, PathFilter } from "../filter/mod.ts";
import { isUnchanged } from "../scan/scanner.ts";
import { CHANGED_PATHS_MAX, type ChangedPaths, type FolderWatches } from "./folder_watches.ts";

/** What a {@linkcode ShareWatch} works with. */
export interface ShareWatchOptions {
  readonly watches: Pick<FolderWatches, "watch">;
  /** The folder. */
  readonly path: string;
  /** Ignore rules of the command line. */
  readonly filters: readonly string[];
  readonly logger: Logger;
  /** Something has changed that the last session does not know of. Once between two sessions. */
  readonly onChange: () => void;
}

/**
 * Says when a share needs another session with the same peer. What the session itself wrote is no reason,
 * as long as it is still there just as it was written; nor is what is ignored.
 *
 * Only what *this* session wrote is left out: what came from a third device, or from another process, is
 * news for this peer.
 */
export class ShareWatch implements Disposable {
  readonly #options: ShareWatchOptions;
  readonly #interest: { readonly hasEvents: boolean } & Disposable;
  /** Paths that the last session wrote, and their parents; `undefined` for too many to tell. */
  #written: Set<string> | undefined = new Set();
  #index: RootIndex | undefined;
  #isBusy = false;
  #isTold = false;
  #pending: Set<string> | "unknown" = new Set();

  constructor(options: ShareWatchOptions) {
    this.#options = options;
    this.#interest = options.watches.watch(options.path, (changed) => this.#take(changed));
  }

  /** False where the system does not tell of changes. */
  get hasEvents(): boolean {
    return this.#interest.hasEvents;
  }

  /** A session begins, and will see everything that is there now. */
  sessionStart(): void {
    this.#isBusy = true;
    this.#isTold = false;
    this.#pending = new Set();
    this.#written = new Set();
  }

  /** The session is about to carry this out on the folder. */
  handleOperation(operation: Operation): void {
    this.#noteWritten(operation.path);
    if (operation.op === "move") this.#noteWritten(operation.from);
  }

  /** The session is over, whichever way. @param index What it knows of the folder, if it got that far. */
  sessionEnd(index: RootIndex | undefined): void {
    this.#index = index ?? this.#index;
    this.#isBusy = false;
    const pending = this.#pending;
    this.#pending = new Set();
    if (pending === "unknown" || pending.size > 0) this.#take(pending);
  }

  [Symbol.dispose](): void {
    this.#interest[Symbol.dispose]();
  }

  #take(changed: ChangedPaths): void {
    if (this.#isTold) return;
    if (!this.#isBusy) {
      if (changed !== "unknown" && this.#isKnown(changed)) return;
      this.#isTold = true;
      return this.#options.onChange();
    }
    if (changed === "unknown") this.#pending = "unknown";
    if (this.#pending === "unknown" || changed === "unknown") return;
    for (const path of changed) this.#pending.add(path);
    if (this.#pending.size > CHANGED_PATHS_MAX) this.#pending = "unknown";
  }

  #noteWritten(path: RelPath): void {
    if (this.#written === undefined) return;
    this.#written.add(path);
    // A parent that was read-only is made writable for the moment.
    this.#written.add(parentOf(path));
    if (this.#written.size > 2 * CHANGED_PATHS_MAX) this.#written = undefined;
  }

  /** True if all of it is either ignored, or what the session wrote and nobody has touched since. */
  #isKnown(changed: ReadonlySet<string>): boolean {
    try {
      using look = new FolderLook(this.#options.path, this.#options.filters, this.#index);
      for (const path of changed) {
        if (this.#written?.has(path) ? look.isAsRemembered(path) : look.isIgnored(path)) continue;
        return false;
      }
      return true;
    } catch (error) {
      // A folder that can't be looked at is for the next session to report.
      this.#options.logger.log("info", `Changes not examined: ${messageOf(error)}`);
      return false;
    }
  }
}

/** A folder as it is at the moment, beside what is remembered of it. */
class FolderLook implements Disposable {
  readonly #root: Root;
  readonly #index: RootIndex | undefined;
  readonly #records = new Map<DirPath, DirRecord | undefined>();
  readonly #filter: PathFilter;

  constructor(path: string, filters: readonly string[], index: RootIndex | undefined) {
    this.#root = openRoot(path);
    this.#index = index;
    const text = (dir: DirPath) => this.#ignoreFile(dir);
    this.#filter = new PathFilter(FilterStack.root(filters, text("")), text);
  }

  /** True if what is there is what the index says, by everything the file system tells of it. */
  isAsRemembered(text: string): boolean {
    const path = relPathOf(text);
    if (path === undefined) return false;
    const stat = this.#root.lstat(path);
    const record = this.#record(parentOf(path));
    const known = record && findEntry(record, nameOf(path));
    if (stat === undefined || known === undefined) return stat === known;
    // A directory's times and size change with its contents.
    if (stat.kind === "dir") return known.kind === "dir" && known.mode === stat.mode;
    return isUnchanged(known, stat);
  }

  /** True if the rules leave it out, whatever it was. */
  isIgnored(text: string): boolean {
    const path = relPathOf(text);
    if (path === undefined) return false;
    const kind = this.#root.lstat(path)?.kind;
    if (kind !== undefined) return this.#filter.isIgnored(path, kind === "dir");
    return this.#filter.isIgnored(path, true) && this.#filter.isIgnored(path, false);
  }

  [Symbol.dispose](): void {
    this.#root[Symbol.dispose]();
  }

  #record(dir: DirPath): DirRecord | undefined {
    if (!this.#records.has(dir)) this.#records.set(dir, this.#index?.getDir(dir));
    return this.#records.get(dir);
  }

  #ignoreFile(dir: DirPath): string | undefined {
    const path = joinPath(dir, IGNORE_FILE);
    if (this.#root.lstat(path)?.kind !== "file") return undefined;
    const buffer = new Uint8Array(IGNORE_FILE_BYTES_MAX);
    const { length } = this.#root.readSmall(path, buffer);
    return new TextDecoder().decode(buffer.subarray(0, length));
  }
}

/** `undefined` for a name that no peer could be told; whatever it is, the scan says so. */
function relPathOf(text: string): RelPath | undefined {
  try {
    return parseRelPath(text);
  } catch (error) {
    if (error instanceof PathError) return undefined;
    throw error;
  }
}
