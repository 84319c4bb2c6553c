import { equalBytes } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import type { Digest } from "../../base/digest.ts";
import { compareNames, type DirPath, sortByName } from "../../base/paths.ts";
import { type Entry, writeEntry } from "../../base/tree.ts";
import type { ByteWriter } from "../../base/varint.ts";
import {
  editedVector,
  EMPTY_VECTOR,
  type VectorMember,
  type VersionVector,
} from "../../base/version_vector.ts";
import {
  type DirPatch,
  type DirView,
  type EntryRecord,
  isRacy,
  type Tombstone,
  vectorOf,
} from "../../index/mod.ts";
import type { FileStat, KnownEntries, ListedEntry } from "../../store/mod.ts";
import { IGNORE_FILE } from "../filter/mod.ts";

/** What a {@linkcode DirWalk} asks for. */
export interface DirWalkOptions {
  readonly memory: { nextEditCounter(): number };
  /** Stands for this device in version vectors. */
  readonly member: VectorMember;
  readonly clock: Clock;
}

/** A directory under the path that it had when it was seen last. */
export interface FormerDir {
  readonly path: DirPath;
  readonly view: DirView;
}

/**
 * What became of a row of what was remembered. `same`: nothing has changed, so the page is made from the
 * row; in the other cases `entries` has what the page is to say.
 */
const ROW = { missing: 0, kept: 1, replaced: 2, same: 3 } as const;

/** One directory under way: what the page will hold, and what will be remembered. */
export class DirWalk implements KnownEntries {
  /** What the page says of entries other than unchanged files; sorted by name. */
  readonly entries: Entry[] = [];
  readonly opaque: string[] = [];
  readonly goneDirs: string[] = [];
  isIncomplete = false;
  /** Something in it could not be judged for good. */
  isUnsettled = false;
  /** Regular files but those that are as they were, and bytes in them. */
  files = 0;
  bytes = 0;
  readonly #known: DirView | undefined;
  readonly #rows: Uint8Array;
  #sameFiles = 0;
  #sameBytes = 0;
  readonly #records: EntryRecord[] = [];
  readonly #scannedAtMs: number;
  #isChanged: boolean;
  #editCounter: number | undefined;
  #firstVector: VersionVector | undefined;

  /**
   * @param known What is remembered of the path.
   * @param former What is remembered of the same directory under the path that it had.
   */
  constructor(
    readonly path: DirPath,
    known: DirView | undefined,
    readonly options: DirWalkOptions,
    readonly former?: FormerDir,
  ) {
    this.#known = known;
    this.#rows = new Uint8Array(known?.length ?? 0);
    this.#scannedAtMs = Math.floor(options.clock.wallMs());
    this.#isChanged = known === undefined;
  }

  /** What its page hashed to at the last scan. */
  get knownShape(): Digest | undefined {
    return this.#known?.shape;
  }

  /** Files that are as they were. */
  get sameFiles(): number {
    return this.#sameFiles;
  }

  /** Bytes in them. */
  get sameBytes(): number {
    return this.#sameBytes;
  }

  /** Of hundreds of thousands of files nearly all are as they were: those cost no object. */
  takeAsKnown(names: Uint8Array, start: number, end: number, stat: FileStat): boolean {
    const known = this.#known;
    if (known === undefined || stat.kind !== "file") return false;
    // Whoever asks for that one looks for it in the listing.
    if (end - start === IGNORE_FILE.length && names[start] === DOT) return false;
    return this.#keepIfUnchanged(known.rowOfBytes(names, start, end), stat);
  }

  /** As {@linkcode takeAsKnown} for an entry that was listed. */
  keepIfUnchanged(stat: ListedEntry): boolean {
    return stat.kind === "file" && this.#keepIfUnchanged(this.#rowOf(stat.name!), stat);
  }

  /** Takes unchanged files back that are not to be in the page: they exist and are out of sight. */
  hide(isHidden: (name: string) => boolean): void {
    this.#rows.forEach((row, i) => {
      if (row !== ROW.same || !isHidden(this.#known!.name(i))) return;
      this.#mark(i, ROW.missing);
      this.opaque.push(this.#known!.name(i));
    });
  }

  /** Directories found in it. */
  *dirNames(): Generator<string> {
    for (const { kind, name } of this.entries) if (kind === "dir") yield name;
  }

  /** What is known of an entry. */
  recordOf(name: string): EntryRecord | undefined {
    const row = this.#rowOf(name);
    return row < 0 ? undefined : this.#known!.entry(row);
  }

  /**
   * The digest of a file that came with its directory: moving that leaves the file's own times alone, so
   * that they tell as much as under the old path.
   */
  formerDigest(stat: ListedEntry): Digest | undefined {
    const view = this.former?.view;
    const row = view === undefined ? -1 : view.rowOf(stat.name!);
    return row >= 0 && view!.isUnchanged(row, stat) ? view!.entry(row).digest : undefined;
  }

  /** What is known of the entry still holds. */
  keep({ name }: EntryRecord): void {
    this.#mark(this.#rowOf(name), ROW.kept);
  }

  /** As {@linkcode keep}, with something learned that is to be remembered. */
  change(record: EntryRecord): void {
    this.#mark(this.#rowOf(record.name), ROW.replaced);
    this.#records.push(record);
    this.#isChanged = true;
  }

  /** The entry is new or changed. */
  note(stat: ListedEntry, more: Partial<Pick<EntryRecord, "digest" | "target" | "vector">>): void {
    this.#mark(this.#rowOf(stat.name!), ROW.replaced);
    this.#isChanged = true;
    this.#records.push({
      name: stat.name!,
      kind: stat.kind as EntryRecord["kind"],
      mode: stat.mode,
      size: stat.size,
      mtimeMs: stat.mtimeMs,
      mtimeNs: stat.mtimeNs,
      ctimeMs: stat.ctimeMs,
      ctimeNs: stat.ctimeNs,
      ino: stat.ino,
      racy: stat.kind === "file" && isRacy(stat.mtimeMs, this.#scannedAtMs),
      ...more,
    });
  }

  /** The vector after an edit on this device. */
  bumped(name: string): VersionVector {
    const row = this.#rowOf(name);
    const seen = row < 0 ? this.#tombstoneOf(name) : this.#known!.entry(row);
    if (seen !== undefined) return this.#bump(vectorOf(seen));
    // One and the same for all that is new here, which keeps what is stored of a directory small.
    return this.#firstVector ??= this.#bump(EMPTY_VECTOR);
  }

  /** What to keep of an entry that is gone, from here or from a directory that is. */
  bury({ name, kind, vector }: EntryRecord): Tombstone {
    const seen = this.#bump(vector ?? EMPTY_VECTOR);
    return { name, kind, vector: seen, deletedAtMs: this.#scannedAtMs };
  }

  /** Writes the directory's page, in the order of names. */
  writePage(writer: ByteWriter): void {
    writer.clear();
    writer.varint(this.entries.length + this.#sameFiles);
    let next = 0;
    for (let row = 0; row < this.#rows.length; row++) {
      if (this.#rows[row] !== ROW.same) continue;
      if (next < this.entries.length) {
        const name = this.#known!.name(row);
        while (next < this.entries.length && compareNames(this.entries[next]!.name, name) < 0) {
          writeEntry(writer, this.entries[next++]!);
        }
      }
      this.#known!.writeFile(writer, row);
    }
    while (next < this.entries.length) writeEntry(writer, this.entries[next++]!);
  }

  /** What to change in what is remembered, or `undefined` where that still holds. */
  finish(shape: Digest | undefined): DirPatch | undefined {
    const gone = this.#takeLeave();
    if (!this.#isChanged && isSameShape(this.knownShape, shape)) return undefined;
    for (const { kind, name } of gone) if (kind === "dir") this.goneDirs.push(name);
    return {
      scannedAtMs: this.#scannedAtMs,
      shape,
      entries: sortByName(this.#records),
      tombstones: sortByName(gone.map((entry) => this.bury(entry))),
      removed: [],
    };
  }

  /** What is no longer there; what may only be out of sight is kept. */
  #takeLeave(): EntryRecord[] {
    const gone: EntryRecord[] = [];
    const outOfSight = new Set(this.opaque);
    for (let row = 0; row < this.#rows.length; row++) {
      if (this.#rows[row] !== ROW.missing) continue;
      if (this.isIncomplete || outOfSight.has(this.#known!.name(row))) {
        this.#rows[row] = ROW.kept;
      } else {
        gone.push(this.#known!.entry(row));
        this.#isChanged = true;
      }
    }
    return gone;
  }

  #keepIfUnchanged(row: number, stat: FileStat): boolean {
    if (row < 0 || !this.#known!.isUnchanged(row, stat)) return false;
    // Twice in a listing, as may be while it changes.
    if (this.#rows[row] === ROW.same) return true;
    this.#rows[row] = ROW.same;
    this.#sameFiles++;
    this.#sameBytes += stat.size;
    return true;
  }

  /** Says what became of a row other than that it is the same, also where it was first taken for that. */
  #mark(row: number, became: number): void {
    if (row < 0) return;
    if (this.#rows[row] === ROW.same) {
      this.#sameFiles--;
      this.#sameBytes -= this.#known!.entry(row).size;
    }
    this.#rows[row] = became;
  }

  /** The row of a name, or -1. */
  #rowOf(name: string): number {
    return this.#known === undefined ? -1 : this.#known.rowOf(name);
  }

  #tombstoneOf(name: string): Tombstone | undefined {
    for (let i = 0; i < (this.#known?.tombstoneCount ?? 0); i++) {
      const tombstone = this.#known!.tombstone(i);
      if (tombstone.name === name) return tombstone;
    }
  }

  #bump(vector: VersionVector): VersionVector {
    // One number will do for a directory: no entry in it is edited twice in one scan.
    this.#editCounter ??= this.options.memory.nextEditCounter();
    return editedVector(vector, this.options.member, this.#editCounter);
  }
}

const DOT = 0x2e;

/** True for equal shapes, and where neither is known. */
export function isSameShape(a: Digest | undefined, b: Digest | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && equalBytes(a, b));
}
