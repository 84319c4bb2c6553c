import { type Digest, DIGEST_BYTES } from "../base/digest.ts";
import { compareNames, type DirPath, parentOf, type RelPath } from "../base/paths.ts";
import type { Database } from "./database.ts";

/** A version of a file that was replaced since. */
export interface EarlierVersion {
  readonly size: number;
  /** Whole milliseconds since the Unix epoch. */
  readonly mtimeMs: number;
  readonly digest: Digest;
}

/** Age at which a version that nobody asked for is forgotten. */
export const EARLIER_AGE_MS = 90 * 86_400_000;
/** Rows read at once where one path follows the other. */
const READ_AHEAD_ROWS = 128;
/** Of one version in memory, as key and objects. */
const PENDING_ROW_BYTES = 512;

/**
 * Digests of versions that were edited on this device: they tell later whether somebody else's copy of the
 * old version really changed. Kept by path, size and time; losing them costs a conflict copy.
 *
 * Writes are collected in memory and go to the database with {@linkcode flush}; reads see them at once.
 */
export class EarlierTable {
  readonly #database: Database;
  readonly #root: number;
  readonly #pending = new Map<string, EarlierVersion & { readonly path: RelPath }>();
  #ahead = NOTHING_READ;
  /** That of the last path asked for by itself. */
  #lastDir: DirPath | undefined;

  constructor(database: Database, root: number) {
    this.#database = database;
    this.#root = root;
  }

  /** Bytes collected and not yet in the database, roughly. */
  get pendingBytes(): number {
    return this.#pending.size * PENDING_ROW_BYTES;
  }

  note(path: RelPath, { size, mtimeMs, digest }: EarlierVersion): void {
    this.#pending.set(keyOf(path, size, mtimeMs), { path, size, mtimeMs, digest });
  }

  /** 15 µs, and a tenth of that for one path of a directory after the other in their order. */
  get(path: RelPath, size: number, mtimeMs: number): Digest | undefined {
    const key = keyOf(path, size, mtimeMs);
    const pending = this.#pending.get(key);
    if (pending !== undefined) return pending.digest;
    if (!this.#ahead.covers(path)) {
      const dir = parentOf(path);
      if (this.#lastDir === dir) this.#ahead = this.#readFrom(path);
      this.#lastDir = dir;
    }
    if (this.#ahead.covers(path)) return this.#ahead.digests.get(key);
    const row = this.#database.get<[Digest]>(
      "SELECT digest FROM earlier WHERE root = ? AND path = ? AND size = ? AND mtime_ms = ?",
      this.#root,
      path,
      size,
      mtimeMs,
    );
    return row?.[0].length === DIGEST_BYTES ? row[0] : undefined;
  }

  #readFrom(path: RelPath): ReadAhead {
    const rows = this.#database.all<[RelPath, number, number, Digest]>(
      "SELECT path, size, mtime_ms, digest FROM earlier WHERE root = ? AND path >= ? ORDER BY path LIMIT ?",
      this.#root,
      path,
      READ_AHEAD_ROWS,
    );
    const digests = new Map<string, Digest>();
    for (const [at, size, mtimeMs, digest] of rows) {
      if (digest.length === DIGEST_BYTES) digests.set(keyOf(at, size, mtimeMs), digest);
    }
    // Of the last path there may be more.
    const end = rows.length < READ_AHEAD_ROWS ? undefined : rows.at(-1)![0];
    const covers = (other: RelPath) =>
      compareNames(other, path) >= 0 && (end === undefined || compareNames(other, end) < 0);
    return { digests, covers };
  }

  /** Writes what was collected into the open transaction; {@linkcode clear} when that is committed. */
  flush(nowMs: number): void {
    if (this.#pending.size === 0) return;
    const now = Math.floor(nowMs);
    const insert = this.#database.prepare(
      `INSERT INTO earlier (root, path, size, mtime_ms, digest, noted_ms) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (root, path, size, mtime_ms) DO UPDATE SET
          digest = excluded.digest, noted_ms = excluded.noted_ms`,
    );
    for (const { path, size, mtimeMs, digest } of this.#pending.values()) {
      insert.run(this.#root, path, size, mtimeMs, digest, now);
    }
    this.#database.run(
      "DELETE FROM earlier WHERE root = ? AND noted_ms < ?",
      this.#root,
      now - EARLIER_AGE_MS,
    );
  }

  clear(): void {
    this.#pending.clear();
    this.#ahead = NOTHING_READ;
  }
}

/** Rows that were read together. */
interface ReadAhead {
  readonly digests: ReadonlyMap<string, Digest>;
  /** True for a path of which all rows are among them. */
  covers(path: RelPath): boolean;
}

const NOTHING_READ: ReadAhead = { digests: new Map(), covers: () => false };

function keyOf(path: RelPath, size: number, mtimeMs: number): string {
  return `${size} ${mtimeMs} ${path}`;
}
