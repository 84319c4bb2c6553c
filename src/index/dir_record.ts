import type { Digest } from "../base/digest.ts";
import { compareNames, findByName, sortByName } from "../base/paths.ts";
import { EMPTY_VECTOR, type VersionVector } from "../base/version_vector.ts";

/** What a remembered entry is. */
export type EntryKind = "file" | "dir" | "link";

/**
 * What is remembered of one name in a directory. While size, times and inode on the disk equal these,
 * the contents need no reading ({@linkcode isRacy} aside).
 */
export interface EntryRecord {
  readonly name: string;
  readonly kind: EntryKind;
  /** Permission bits with setuid, setgid and sticky: 0 to 0o7777. */
  readonly mode: number;
  /** Bytes; 0 for a directory. */
  readonly size: number;
  /** Whole milliseconds since the Unix epoch, rounded down; negative before 1970. */
  readonly mtimeMs: number;
  /** Nanoseconds on top of `mtimeMs`, 0 to 999 999. */
  readonly mtimeNs: number;
  /** Time of the last change to the inode, as `mtimeMs`. */
  readonly ctimeMs: number;
  /** Nanoseconds on top of `ctimeMs`. */
  readonly ctimeNs: number;
  /** The inode number, 0 to 2^53 - 1; 0 where there is none. */
  readonly ino: number;
  /** True if the entry must be read again though nothing seems changed; see {@linkcode isRacy}. */
  readonly racy: boolean;
  /** The file digest, once the file has been read or received. Kept for files only. */
  readonly digest?: Digest | undefined;
  /** A link's target. Kept for links only. */
  readonly target?: string | undefined;
  /** Which edits this version has seen; absent is the same as empty. */
  readonly vector?: VersionVector | undefined;
}

/** What is remembered of a name that was deleted, so that an old copy elsewhere can't bring it back. */
export interface Tombstone {
  readonly name: string;
  /** What it was. */
  readonly kind: EntryKind;
  /** Which edits the deletion has seen, itself included. */
  readonly vector: VersionVector;
  /** Whole milliseconds since the Unix epoch, by the clock of whoever deleted. */
  readonly deletedAtMs: number;
}

/** What is remembered of one directory. Lists are sorted by {@linkcode compareNames}. */
export interface DirRecord {
  /** When the directory was last read, in whole milliseconds since the Unix epoch. */
  readonly scannedAtMs: number;
  /** The digest of the directory's page as it follows from `entries`, where known. */
  readonly shape?: Digest | undefined;
  readonly entries: readonly EntryRecord[];
  /** Never a name that is also in `entries`. */
  readonly tombstones: readonly Tombstone[];
}

/** A change to a {@linkcode DirRecord}: every name in it replaces what was known of that name. */
export interface DirPatch extends DirRecord {
  /** Names to forget without a tombstone, sorted. */
  readonly removed: readonly string[];
}

/** A directory nothing is known of. */
export const EMPTY_RECORD: DirRecord = { scannedAtMs: 0, entries: [], tombstones: [] };

/** How close to a scan a modification time is too close to tell two contents apart: FAT counts by 2 s. */
export const RACY_WINDOW_MS = 2000;

/**
 * True if a file may have been written again after it was read without its time showing it.
 *
 * @param scannedAtMs When the file was examined, before its contents were read.
 */
export function isRacy(mtimeMs: number, scannedAtMs: number): boolean {
  // A time well in the future is no cause: the next write would move it back to now.
  return Math.abs(scannedAtMs - mtimeMs) < RACY_WINDOW_MS;
}

/** Finds an entry by binary search. */
export function findEntry(record: DirRecord, name: string): EntryRecord | undefined {
  return findByName(record.entries, name);
}

/** Finds a tombstone by binary search. */
export function findTombstone(record: DirRecord, name: string): Tombstone | undefined {
  return findByName(record.tombstones, name);
}

/** What an entry has seen, also where nothing is noted. */
export function vectorOf(entry: EntryRecord | Tombstone | undefined): VersionVector {
  return entry?.vector ?? EMPTY_VECTOR;
}

/**
 * The record after patches, applied in order. Shape and time are those of the last. Costs one pass over
 * the record, however many patches there are.
 */
export function applyPatches(record: DirRecord, patches: readonly DirPatch[]): DirRecord {
  if (patches.length === 0) return record;
  const { scannedAtMs, shape, entries, tombstones, removed } = joinPatches(patches);
  const replaced = new Set([...removed, ...namesIn(entries), ...namesIn(tombstones)]);
  return {
    scannedAtMs,
    shape,
    entries: merge(record.entries, entries, replaced),
    tombstones: merge(record.tombstones, tombstones, replaced),
  };
}

/** One patch that does what several do one after the other, of which there must be one at least. */
export function joinPatches(patches: readonly DirPatch[]): DirPatch {
  const { scannedAtMs, shape } = patches.at(-1)!;
  if (patches.length === 1) return patches[0]!;
  const entries = new Map<string, EntryRecord>();
  const tombstones = new Map<string, Tombstone>();
  const removed = new Set<string>();
  for (const patch of patches) {
    for (const name of patch.removed) {
      entries.delete(name);
      tombstones.delete(name);
      removed.add(name);
    }
    for (const entry of patch.entries) {
      tombstones.delete(entry.name);
      removed.delete(entry.name);
      entries.set(entry.name, entry);
    }
    for (const tombstone of patch.tombstones) {
      entries.delete(tombstone.name);
      removed.delete(tombstone.name);
      tombstones.set(tombstone.name, tombstone);
    }
  }
  return {
    scannedAtMs,
    shape,
    entries: sortByName([...entries.values()]),
    tombstones: sortByName([...tombstones.values()]),
    removed: [...removed].sort(compareNames),
  };
}

/** How many names a patch is about. */
export function nameCount({ entries, tombstones, removed }: DirPatch): number {
  return entries.length + tombstones.length + removed.length;
}

/** The record of a directory that is gone: tombstones, those it had and one for each entry. */
export function buried(record: DirRecord, bury: (entry: EntryRecord) => Tombstone): DirRecord {
  const tombstones = [...record.tombstones, ...record.entries.map(bury)];
  return {
    scannedAtMs: record.scannedAtMs,
    shape: undefined,
    entries: [],
    tombstones: sortByName(tombstones),
  };
}

/** Throws where names are out of order or double, or no names. @throws {RangeError} */
export function checkNames(named: readonly { readonly name: string }[]): void {
  let previous: string | undefined;
  for (const { name } of named) {
    if (name === "" || name.includes("/")) {
      throw new RangeError(`${JSON.stringify(name)} is no name`);
    }
    if (previous !== undefined && compareNames(previous, name) >= 0) {
      throw new RangeError(`name ${JSON.stringify(name)} is out of order`);
    }
    previous = name;
  }
}

function namesIn(named: readonly { readonly name: string }[]): string[] {
  return named.map(({ name }) => name);
}

function merge<T extends { readonly name: string }>(
  old: readonly T[],
  added: readonly T[],
  replaced: ReadonlySet<string>,
): T[] {
  const merged: T[] = [];
  let next = 0;
  for (const item of old) {
    if (replaced.has(item.name)) continue;
    while (next < added.length && compareNames(added[next]!.name, item.name) < 0) {
      merged.push(added[next++]!);
    }
    merged.push(item);
  }
  while (next < added.length) merged.push(added[next++]!);
  return merged;
}
