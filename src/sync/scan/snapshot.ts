import type { Bytes } from "../../base/bytes.ts";
import type { PackedBytes } from "../../base/packed_bytes.ts";
import type { Digest } from "../../base/digest.ts";
import { type DirPath, findByName, nameOf, parentOf, type RelPath } from "../../base/paths.ts";
import { PageRows } from "../../base/page_rows.ts";
import { decodePage, EMPTY_SHAPE, type Entry } from "../../base/tree.ts";
import { varintAt } from "../../base/varint.ts";
import { WeightedCache } from "../../base/weighted_cache.ts";
import type { FileVersion } from "../../protocol/mod.ts";
import type { DirMap } from "./dir_map.ts";

/**
 * Decoded pages that a snapshot keeps at hand, as far as they have few entries: a sync of few changes in
 * many directories looks into each several times, to plan and to serve.
 */
const DECODED_DIRS_MAX = 512;
/** Entries in all of them but the last few: 4 MB. */
const DECODED_ENTRIES_MAX = 24 * 1024;

/** Where there are so many files, those at hand are never the ones that are looked at next. */
const FILES_MANY = 4 * DECODED_ENTRIES_MAX;
/** Those stay in any case. */
const LAST_DIRS = 8;

const NO_NAMES: ReadonlySet<string> = new Set();

/** One directory at the moment of the scan. */
export interface SnapshotDir {
  readonly path: DirPath;
  /** The canonical page; the entries are decoded from it when they are asked for. */
  readonly page: PackedBytes;
  readonly shape: Digest;
  /** Of the directory itself; not part of the page, since every change inside moves it. */
  readonly mtimeMs: number;
  /** Some of it could not be read: nothing missing from the page counts as absent. */
  readonly isIncomplete: boolean;
  /** Names that exist and are not in the page: unreadable, ignored, of a kind that is not synced. */
  readonly opaque: readonly string[];
  /** Regular files in it, and bytes in them. */
  readonly files: number;
  readonly bytes: number;
}

/** Something that the scan could not take in. */
export interface ScanProblem {
  readonly path: string;
  /** The directory that was read when it was found. */
  readonly dir: DirPath;
  /** The bytes of a path that is not valid UTF-8. */
  readonly pathBytes?: Uint8Array;
  /** Stable word for scripts. */
  readonly code: string;
  readonly message: string;
  /** Left out on purpose (a fifo, a socket, a device) and no failure. */
  readonly isHarmless: boolean;
}

/** A share at one moment: canonical pages, not objects; packed where there are many. */
export class Snapshot {
  readonly #decoded: WeightedCache<DirPath, DecodedDir>;
  readonly #opaque = new Map<SnapshotDir, ReadonlySet<string>>();
  /** Directories that are not in the snapshot, as far as somebody asked. */
  readonly #hidden = new Map<DirPath, boolean>();

  constructor(
    readonly dirs: DirMap,
    readonly problems: readonly ScanProblem[],
    /** Regular files. */
    readonly files: number,
    /** Bytes in them. */
    readonly bytes: number,
    /** Directories that have to be read again though nothing happens in them. */
    readonly unsettled: ReadonlySet<DirPath>,
    /** What directories were the last time of which the pages have changed since. */
    readonly formerShapes: ReadonlyMap<DirPath, Digest>,
    /** Files that have changed since, or were only touched: their size is the same, their contents unknown. */
    readonly sameSize: readonly RelPath[],
  ) {
    this.#decoded = new WeightedCache({
      weightMax: files > FILES_MANY ? 0 : DECODED_ENTRIES_MAX,
      countMax: DECODED_DIRS_MAX,
      countMin: LAST_DIRS,
    });
  }

  /** Digest of the whole tree. */
  get shape(): Digest {
    return this.dirs.get("")?.shape ?? EMPTY_SHAPE;
  }

  /** True if nothing is there: neither an entry nor something that could not be judged. */
  isGone(path: DirPath): boolean {
    if (path === "" || this.isHidden(path as RelPath)) return false;
    let at = path as RelPath;
    while (!this.dirs.has(parentOf(at))) at = parentOf(at) as RelPath;
    return !this.dirs.get(parentOf(at))!.isIncomplete && this.entry(at)?.kind !== "dir";
  }

  /** True for what exists and is out of sight, ignored for example, and for everything beneath it. */
  isHidden(path: RelPath): boolean {
    const parent = parentOf(path);
    const dir = this.dirs.get(parent);
    if (dir !== undefined) return this.#opaqueIn(dir).has(nameOf(path));
    let isHidden = this.#hidden.get(parent);
    if (isHidden === undefined) {
      isHidden = this.isHidden(parent as RelPath);
      this.#hidden.set(parent, isHidden);
    }
    return isHidden;
  }

  /** The entry at a path, or `undefined` where the snapshot has none. */
  entry(path: RelPath): Entry | undefined {
    const dir = this.#decode(parentOf(path));
    if (dir === undefined) return undefined;
    // Of a few entries out of many no others are made.
    if (dir.entries !== undefined) return findByName(dir.entries, nameOf(path));
    const rows = rowsOf(dir);
    const row = rows.find(nameOf(path));
    return row < 0 ? undefined : rows.entry(row);
  }

  /** Size and time of a file, or `undefined` where the snapshot has none: cheaper than its entry. */
  file(path: RelPath): FileVersion | undefined {
    const dir = this.#decode(parentOf(path));
    if (dir === undefined) return undefined;
    const rows = rowsOf(dir);
    const row = rows.find(nameOf(path));
    if (row < 0 || !rows.isFile(row)) return undefined;
    return { size: rows.size(row), mtimeMs: rows.mtimeMs(row) };
  }

  /** The entries of a directory in the order of its page; none where the snapshot has no directory. */
  list(path: DirPath): readonly Entry[] {
    const dir = this.#decode(path);
    return dir === undefined ? [] : dir.entries ??= decodePage(dir.page);
  }

  /** The names in a directory, each made when it is asked for. */
  *names(path: DirPath): Generator<string> {
    const rows = this.rows(path);
    for (let row = 0; row < (rows?.count ?? 0); row++) yield rows!.name(row);
  }

  /** The page of a directory. */
  page(path: DirPath): Bytes | undefined {
    return this.#decode(path)?.page;
  }

  /** The same as rows of its page. */
  rows(path: DirPath): PageRows | undefined {
    const dir = this.#decode(path);
    return dir && rowsOf(dir);
  }

  #opaqueIn(dir: SnapshotDir): ReadonlySet<string> {
    if (dir.opaque.length === 0) return NO_NAMES;
    let names = this.#opaque.get(dir);
    if (names === undefined) this.#opaque.set(dir, names = new Set(dir.opaque));
    return names;
  }

  #decode(path: DirPath): DecodedDir | undefined {
    const known = this.#decoded.get(path);
    if (known !== undefined) return known;
    const dir = this.dirs.get(path);
    if (dir === undefined) return undefined;
    const page = dir.page.unpack();
    const decoded = { page, entries: undefined, rows: undefined };
    this.#decoded.put(path, decoded, varintAt(page, 0));
    return decoded;
  }
}

/** A page, and what was made of it so far. */
interface DecodedDir {
  readonly page: Bytes;
  entries: readonly Entry[] | undefined;
  rows: PageRows | undefined;
}

function rowsOf(dir: DecodedDir): PageRows {
  return dir.rows ??= new PageRows(dir.page);
}
