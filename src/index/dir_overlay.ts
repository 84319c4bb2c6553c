import type { Digest } from "../base/digest.ts";
import { sortByName } from "../base/paths.ts";
import type { DirPatch, EntryRecord } from "./dir_record.ts";
import type { EntryStat } from "./dir_view.ts";

/** Rows of a record for each one that something may lie over: those are objects. */
const ROWS_PER_REPLACED = 16;

/** Entries that stand in place of those in the rows of a record, whose names they have. */
export class DirOverlay {
  /** See `DirRecord`. */
  readonly scannedAtMs: number;
  readonly shape: Digest | undefined;
  readonly rows: ReadonlyMap<number, EntryRecord>;

  private constructor(
    { scannedAtMs, shape }: DirPatch,
    rows: ReadonlyMap<number, EntryRecord>,
  ) {
    this.scannedAtMs = scannedAtMs;
    this.shape = shape;
    this.rows = rows;
  }

  /**
   * Puts a patch over rows, and over what lies over them; `undefined` for a patch that does more than to
   * replace a few entries.
   */
  static of(
    patch: DirPatch,
    under: {
      readonly length: number;
      readonly overlay: DirOverlay | undefined;
      rowOf(name: string): number;
    },
  ): DirOverlay | undefined {
    const { entries, tombstones, removed } = patch;
    if (tombstones.length > 0 || removed.length > 0) return undefined;
    if (entries.length * ROWS_PER_REPLACED > under.length) return undefined;
    const rows = new Map(under.overlay?.rows);
    for (const entry of entries) {
      const row = under.rowOf(entry.name);
      if (row < 0) return undefined;
      rows.set(row, entry);
    }
    if (rows.size * ROWS_PER_REPLACED > under.length) return undefined;
    return new DirOverlay(patch, rows);
  }

  /** The same as one patch. */
  toPatch(): DirPatch {
    const { scannedAtMs, shape, rows } = this;
    const entries = sortByName([...rows.values()]);
    return { scannedAtMs, shape, entries, tombstones: [], removed: [] };
  }
}

/** As `DirView.isUnchanged`, of a decoded entry. */
export function isEntryUnchanged(entry: EntryRecord, stat: EntryStat): boolean {
  return !entry.racy && entry.kind === stat.kind && entry.mtimeMs === stat.mtimeMs &&
    entry.ctimeMs === stat.ctimeMs && entry.size === stat.size && entry.ino === stat.ino &&
    entry.mtimeNs === stat.mtimeNs && entry.ctimeNs === stat.ctimeNs && entry.mode === stat.mode;
}
