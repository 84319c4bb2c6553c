import { type DirPath, sortByName } from "../base/paths.ts";
import type { DirPatch, EntryRecord } from "./dir_record.ts";

/** Entries that are collected before they become a patch in any case. */
const ENTRIES_MAX = 1024;

/**
 * Entries of one directory that are learnt one after the other, until they become one patch: each for
 * itself would take 600 bytes of memory, a row in the database, and its time at every later look.
 */
export class OpenPatch {
  #path: DirPath | undefined;
  #scannedAtMs = 0;
  #shape: DirPatch["shape"];
  readonly #entries = new Map<string, EntryRecord>();

  /** The directory that entries are collected for; `undefined` while there are none. */
  get path(): DirPath | undefined {
    return this.#path;
  }

  /** True if an entry of that directory can be added as things are. */
  takes(path: DirPath): boolean {
    return this.#path === undefined || (this.#path === path && this.#entries.size < ENTRIES_MAX);
  }

  /** Adds an entry, in place of any other of its name. */
  add(path: DirPath, entry: EntryRecord, of: Pick<DirPatch, "scannedAtMs" | "shape">): void {
    this.#path = path;
    this.#scannedAtMs = of.scannedAtMs;
    this.#shape = of.shape;
    this.#entries.set(entry.name, entry);
  }

  /** What was collected, which then is no longer here. */
  take(): DirPatch {
    const entries = sortByName([...this.#entries.values()]);
    this.clear();
    return {
      scannedAtMs: this.#scannedAtMs,
      shape: this.#shape,
      entries,
      tombstones: [],
      removed: [],
    };
  }

  /** Forgets what was collected. */
  clear(): void {
    this.#path = undefined;
    this.#entries.clear();
  }
}
