import { delay } from "../base/clock.ts";
import type { Digest } from "../base/digest.ts";
import { decodePage } from "../base/tree.ts";
import { ancestorShapes, ancestorWrites } from "./ancestor_table.ts";
import type { Database } from "./database.ts";
import type { PageTable } from "./page_table.ts";

/** What a collection of garbage did. */
export interface GarbageReport {
  /** False if it was not worth the work, and nothing was looked at. */
  readonly ran: boolean;
  /** Pages that ancestors are made of. */
  readonly kept: number;
  readonly deleted: number;
  /** False if there is more to delete, or ancestors changed too often; call again. */
  readonly complete: boolean;
}

/** How far a collection may go. */
export interface GarbageOptions {
  /** Runs even if few pages were added since the last time. */
  readonly force?: boolean;
  /** Pages to delete at most. */
  readonly deleteMax?: number;
  readonly signal?: AbortSignal;
}

const DELETE_MAX = 20_000;
const DELETE_BATCH = 500;
const LIST_ROWS = 2000;
/** Pages read between two turns of the event loop. */
const MARK_BATCH = 128;
/** Times to mark again because another process recorded an ancestor meanwhile. */
const ROUNDS_MAX = 4;
/** Pages that must have been added since the last collection to make one worth the work. */
const ADDED_MIN = 256;

/**
 * Deletes pages that no ancestor is made of, by mark and sweep. It runs by itself only after as many
 * pages were added as were kept the last time, so that its cost is a fixed share of writing them.
 *
 * Other processes may record ancestors at any time: every batch is deleted in a transaction that first
 * makes sure none was recorded since the mark, and otherwise the new ones are marked too.
 */
export async function collectPages(
  database: Database,
  pages: PageTable,
  options: GarbageOptions = {},
): Promise<GarbageReport> {
  const { force = false, deleteMax = DELETE_MAX, signal } = options;
  if (!force && !isWorthwhile(database)) {
    return { ran: false, kept: 0, deleted: 0, complete: true };
  }
  const marks = new Set<number>();
  let deleted = 0;
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const writes = ancestorWrites(database);
    await mark(pages, ancestorShapes(database), marks, signal);
    const dead = await findUnmarked(database, marks, deleteMax - deleted + 1, signal);
    const complete = dead.length <= deleteMax - deleted;
    if (!complete) dead.pop();
    const swept = await sweep(database, dead, writes, signal);
    deleted += swept;
    if (swept < dead.length) continue;
    if (complete) noteCollection(database, marks.size);
    return { ran: true, kept: marks.size, deleted, complete };
  }
  return { ran: true, kept: marks.size, deleted, complete: false };
}

/** Adds every page reachable from `shapes`. A marked page is not looked at again. */
async function mark(
  pages: PageTable,
  shapes: readonly Digest[],
  marks: Set<number>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const found = [...shapes];
  let read = 0;
  for (let shape = found.pop(); shape !== undefined; shape = found.pop()) {
    const key = keyOf(shape);
    if (marks.has(key)) continue;
    const page = pages.get(shape);
    if (page === undefined) continue;
    marks.add(key);
    for (const entry of decodePage(page)) {
      if (entry.kind === "dir" && !marks.has(keyOf(entry.shape))) found.push(entry.shape);
    }
    if (++read % MARK_BATCH === 0) await giveWay(signal);
  }
}

async function findUnmarked(
  database: Database,
  marks: ReadonlySet<number>,
  limit: number,
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const dead: number[] = [];
  let after = 0;
  while (true) {
    const rows = database.all<[number, Digest]>(
      "SELECT id, shape FROM pages WHERE id > ? ORDER BY id LIMIT ?",
      after,
      LIST_ROWS,
    );
    for (const [id, shape] of rows) {
      if (!marks.has(keyOf(shape)) && dead.push(id) === limit) return dead;
    }
    if (rows.length < LIST_ROWS) return dead;
    after = rows.at(-1)![0];
    await giveWay(signal);
  }
}

/** Deletes the pages unless an ancestor was recorded meanwhile. @returns How many. */
async function sweep(
  database: Database,
  dead: readonly number[],
  writes: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  for (let from = 0; from < dead.length; from += DELETE_BATCH) {
    const unchanged = database.transaction(false, () => {
      if (ancestorWrites(database) !== writes) return false;
      for (const id of dead.slice(from, from + DELETE_BATCH)) {
        database.run("DELETE FROM pages WHERE id = ?", id);
      }
      return true;
    });
    if (!unchanged) return from;
    await giveWay(signal);
  }
  return dead.length;
}

function isWorthwhile(database: Database): boolean {
  const [newest] = database.get<[number]>("SELECT coalesce(max(id), 0) FROM pages")!;
  const seen = metaNumber(database, "pages_newest");
  return newest - seen >= Math.max(ADDED_MIN, metaNumber(database, "pages_kept"));
}

function noteCollection(database: Database, kept: number): void {
  database.transaction(false, () => {
    const put = database.prepare(
      "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    );
    const [newest] = database.get<[number]>("SELECT coalesce(max(id), 0) FROM pages")!;
    put.run("pages_newest", newest);
    put.run("pages_kept", kept);
  });
}

function metaNumber(database: Database, key: string): number {
  return database.get<[number]>("SELECT value FROM meta WHERE key = ?", key)?.[0] ?? 0;
}

/**
 * The first 52 bits of a digest: half the memory of a string. Should two pages ever share them, garbage
 * is kept.
 */
function keyOf(shape: Uint8Array): number {
  const view = new DataView(shape.buffer, shape.byteOffset, shape.byteLength);
  return view.getUint32(0) * 0x10_0000 + (view.getUint32(4) >>> 12);
}

async function giveWay(signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  await delay(0);
}
