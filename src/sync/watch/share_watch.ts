import type { Clock } from "../../base/clock.ts";
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
import { isUnchanged } from "../scan/leaf_scan.ts";
import { placeChanges, type Rescan } from "../scan/rescan.ts";
import type { Snapshot } from "../scan/snapshot.ts";
import type { OpenShare } from "../share/open_share.ts";
import { CHANGED_PATHS_MAX, DirtyPaths } from "./dirty_paths.ts";
import type { ChangedPaths, FolderInterest, FolderWatches } from "./folder_watches.ts";

/** After how long a whole share is read again in any case, though nobody asks for it. */
export const WHOLE_SCAN_MS = 120_000;

/** What a {@linkcode ShareWatch} works with. */
export interface ShareWatchOptions {
  readonly watches: Pick<FolderWatches, "watch">;
  /** The folder. */
  readonly path: string;
  /** Ignore rules of the command line. */
  readonly filters: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
  /** Something has changed that the last session does not know of. Once between two sessions. */
  readonly onChange: () => void;
}

/** A share as a session has read it, and what it has to be as long as that counts. */
interface Base {
  readonly snapshot: Snapshot;
  /** Whose memory it was read into, and how often anybody had written to that. */
  readonly epoch: string;
  readonly writes: number;
  /** When all of it was last read. */
  readonly wholeAtMs: number;
}

/** What a session is reading, or has read. */
interface Reading {
  readonly share: OpenShare;
  readonly dirty: DirtyPaths;
  readonly wholeAtMs: number;
  snapshot: Snapshot | undefined;
}

/**
 * Says when a share needs another session with the same peer, and has that one read no more of the share
 * than what something has happened to since the last. What the session itself wrote is no reason,
 * as long as it is still there just as it was written; nor is what is ignored.
 *
 * Only what *this* session wrote is left out: what came from a third device, or from another process, is
 * news for this peer.
 */
export class ShareWatch implements Disposable {
  readonly #options: ShareWatchOptions;
  readonly #interest: FolderInterest;
  /** Paths that the last session wrote, and their parents; `undefined` for too many to tell. */
  #written: Set<string> | undefined = new Set();
  #index: RootIndex | undefined;
  #isBusy = false;
  #isTold = false;
  #pending: Set<string> | "unknown" = new Set();
  readonly #dirty = new DirtyPaths();
  #base: Base | undefined;
  #reading: Reading | undefined;

  constructor(options: ShareWatchOptions) {
    this.#options = options;
    this.#interest = options.watches.watch(options.path, {
      tell: (changed) => this.#take(changed),
      note: (path, isDeep) => {
        if (path === undefined) this.#dirty.addUnknown();
        else this.#dirty.add(path, isDeep);
      },
    });
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

  /**
   * Reads the share for the session that has begun: what something has happened to, and the rest is as the
   * last session has seen it. All of it where that can't be told, and from time to time.
   */
  async scan(share: OpenShare, options: WatchScanOptions): Promise<Snapshot> {
    const { checksum, isWhole } = options;
    const { filters, clock } = this.#options;
    const onList = (dir: DirPath) => this.#interest.add(dir);
    // Of two sessions at once neither is the last one. And what holds contents says nothing of times.
    if (checksum || this.#reading !== undefined) {
      this.#dirty.addUnknown();
      return await share.scan({ checksum, filters, onList });
    }
    const dirty = this.#dirty.take();
    const since = isWhole ? undefined : this.#since(share, dirty);
    const wholeAtMs = since === undefined ? clock.nowMs() : this.#base!.wholeAtMs;
    const reading: Reading = { share, dirty, wholeAtMs, snapshot: undefined };
    this.#reading = reading;
    reading.snapshot = await share.scan({ checksum, filters, onList, since });
    return reading.snapshot;
  }

  /** The session is about to carry this out on the folder. */
  handleOperation(operation: Operation): void {
    // Its events are still to come, perhaps later than the next session.
    this.#dirty.add(operation.path, operation.op !== "set-attributes");
    this.#noteWritten(operation.path);
    if (operation.op !== "move") return;
    this.#dirty.add(operation.from, true);
    this.#noteWritten(operation.from);
  }

  /**
   * The session is over, whichever way.
   *
   * @param index What it knows of the folder, if it got that far.
   * @param isDone True if it went through: what it has read counts for the next one.
   */
  sessionEnd(index: RootIndex | undefined, isDone = false): void {
    this.#index = index ?? this.#index;
    this.#isBusy = false;
    this.#endReading(isDone);
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

  /** What of the last snapshot still holds; `undefined` for nothing. */
  #since({ index }: OpenShare, { happened }: DirtyPaths): Rescan | undefined {
    const base = this.#base;
    if (base === undefined || happened === undefined || !this.#interest.isExact) return undefined;
    if (base.epoch !== index.epoch || base.writes !== index.writes) return undefined;
    if (this.#options.clock.nowMs() - base.wholeAtMs >= WHOLE_SCAN_MS) return undefined;
    return placeChanges(base.snapshot, happened);
  }

  #endReading(isDone: boolean): void {
    const reading = this.#reading;
    this.#reading = undefined;
    if (reading === undefined) return;
    const { share: { index }, snapshot, wholeAtMs } = reading;
    if (!isDone || snapshot === undefined) return this.#dirty.addAll(reading.dirty);
    this.#base = this.#interest.isExact
      ? { snapshot, epoch: index.epoch, writes: index.writes, wholeAtMs }
      : undefined;
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

/** How a session reads its share. */
export interface WatchScanOptions {
  readonly checksum: boolean;
  /** All of it, whatever is known. */
  readonly isWhole: boolean;
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
