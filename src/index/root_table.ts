import { toHex } from "../base/bytes.ts";
import type { Database } from "./database.ts";

/** Which folder is being opened, and how it is told from a copy of itself. */
export interface RootIdentity {
  /** Absolute path with symbolic links resolved. */
  readonly path: string;
  /** The id in the folder's marker file, or {@linkcode UNMARKED}. */
  readonly folderId: string;
  /** The folder had no marker file until now: what is known of it without one is known of this folder. */
  readonly isNewlyMarked?: boolean;
  /**
   * Anything that stays the same as long as this is the same folder on the same disk, and changes when it is
   * copied or restored from a backup: the marker file's inode, say, and behind a space when that was made,
   * where it can be told. Left out where there is nothing to rely on.
   */
  readonly marker?: string;
  /** Whether this very folder is still found at another path, too. Left out, a moved folder is a new one. */
  readonly isStillAt?: (path: string) => boolean;
}

/** The id of a folder without a marker file: it was only ever read, and nothing was agreed on. */
export const UNMARKED = "0".repeat(32);

/** What the database says of a root. */
export interface RootRow {
  readonly id: number;
  readonly path: string;
  readonly folderId: string;
  /** 32 random hex digits; another one whenever what was remembered has been thrown away. */
  readonly epoch: string;
  readonly createdAtMs: number;
}

/** Why nothing is remembered of a root that was opened. */
export type VoidReason = "new" | "folder_replaced" | "folder_copied";

/** Rows deleted in one transaction while a root is forgotten. */
const FORGET_ROWS_MAX = 2000;

/** Tables with rows that belong to a root. */
const TABLES_OF_ROOT = [
  "ancestors",
  "dirs",
  "dir_patches",
  "groups",
  "recipes",
  "earlier",
] as const;

type TableOfRoot = typeof TABLES_OF_ROOT[number];

/**
 * Finds the row of a root, or makes a fresh one. Unchanged, it writes nothing.
 *
 * @returns With `voided` where nothing is remembered, and why.
 */
export function openRootRow(
  database: Database,
  identity: RootIdentity,
  nowMs: number,
): RootRow & { readonly voided: VoidReason | undefined } {
  let found = readRow(database, identity.path);
  if (faultOf(found, identity) !== undefined) {
    found = followMoved(database, identity);
    if (found === undefined) return replaceRow(database, identity, nowMs);
  }
  return { ...takeUp(database, found!, identity), voided: undefined };
}

/** Finds what is known of a folder under the path that it had before it was moved, mark and all. */
function followMoved(
  database: Database,
  { path, folderId, marker, isStillAt }: RootIdentity,
): FoundRow | undefined {
  if (marker === undefined || isStillAt === undefined) return undefined;
  const sql = "SELECT path, marker FROM roots WHERE folder_id = ? AND path <> ?";
  const from = database.all<[string, string | null]>(sql, folderId, path)
    .find(([path, known]) => known && isSameMarker(known, marker) && !isStillAt(path))?.[0];
  if (from === undefined) return undefined;
  // What was at the new path before is another folder, or a copy.
  forgetRootRow(database, path);
  database.transaction(true, () => {
    database.run(
      "UPDATE roots SET path = ? WHERE path = ? AND folder_id = ?",
      path,
      from,
      folderId,
    );
  });
  return readRow(database, path);
}

/** Notes what is learnt of the folder itself later than the rest. */
function takeUp(
  database: Database,
  { row, marker }: FoundRow,
  identity: RootIdentity,
): RootRow {
  const { folderId } = identity;
  const known = marker ?? "";
  const { marker: told = "" } = identity;
  if (row.folderId === folderId && told.length <= known.length) return row;
  database.transaction(false, () => {
    const sql = "UPDATE roots SET folder_id = ?, marker = ? WHERE id = ?";
    database.run(sql, folderId, told.length > known.length ? told : marker, row.id);
  });
  return { ...row, folderId };
}

function replaceRow(
  database: Database,
  identity: RootIdentity,
  nowMs: number,
): RootRow & { readonly voided: VoidReason | undefined } {
  const { path, folderId, marker } = identity;
  const { before, found, voided } = database.transaction(true, () => {
    // Asked again now that nobody else writes: another process may have been quicker.
    const before = readRow(database, path);
    const voided = faultOf(before, identity);
    if (voided === undefined) return { before, found: before!, voided };
    database.run("DELETE FROM roots WHERE path = ?", path);
    database.run(
      "INSERT INTO roots (path, folder_id, marker, epoch, created_ms) VALUES (?, ?, ?, ?, ?)",
      path,
      folderId,
      marker ?? null,
      toHex(crypto.getRandomValues(new Uint8Array(16))),
      nowMs,
    );
    return { before, found: readRow(database, path)!, voided };
  });
  if (voided !== undefined && before !== undefined) sweepForgotten(database);
  return { ...takeUp(database, found, identity), voided };
}

/** Forgets a root and all that belongs to it. @returns False if it was not known. */
export function forgetRootRow(database: Database, path: string): boolean {
  const known = database.transaction(
    true,
    () => database.run("DELETE FROM roots WHERE path = ?", path) > 0,
  );
  sweepForgotten(database);
  return known;
}

/** Forgets every root: none of it holds for another device. */
export function forgetAllRoots(database: Database): void {
  database.transaction(true, () => database.run("DELETE FROM roots"));
  sweepForgotten(database);
}

/** All roots, by path. */
export function listRootRows(database: Database): RootRow[] {
  return database.all<StoredRoot>(`${SELECT} ORDER BY path`).map(rowOf);
}

/**
 * Deletes rows of roots that are gone, in short transactions that let other processes in between.
 * They are out of reach already, so it is no harm if a crash leaves some for the next time.
 */
export function sweepForgotten(database: Database): void {
  // In this order: ids only grow, so a root that another process opens meanwhile lies above.
  const [newest] = database.get<[number]>(
    "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'roots'",
  )!;
  const known = new Set(database.all<[number]>("SELECT id FROM roots").map(([id]) => id));
  for (const table of TABLES_OF_ROOT) {
    const next = database.prepare(
      `SELECT root FROM ${table} WHERE root > ? AND root <= ? ORDER BY root LIMIT 1`,
    );
    let root = 0;
    for (let row = next.get<[number]>(0, newest); row; row = next.get<[number]>(root, newest)) {
      root = row[0];
      if (!known.has(root)) deleteRows(database, table, root);
    }
  }
}

function deleteRows(database: Database, table: TableOfRoot, root: number): void {
  const sql = deleteSome(table);
  let deleted: number;
  do {
    deleted = database.transaction(false, () => database.run(sql, root, FORGET_ROWS_MAX));
  } while (deleted === FORGET_ROWS_MAX);
}

function deleteSome(table: TableOfRoot): string {
  switch (table) {
    case "ancestors":
      return "DELETE FROM ancestors WHERE (root, peer, share) IN " +
        "(SELECT root, peer, share FROM ancestors WHERE root = ? LIMIT ?)";
    case "groups":
      return "DELETE FROM groups WHERE (root, prefix, recipe) IN " +
        "(SELECT root, prefix, recipe FROM groups WHERE root = ? LIMIT ?)";
    default:
      return `DELETE FROM ${table} WHERE id IN (SELECT id FROM ${table} WHERE root = ? LIMIT ?)`;
  }
}

type StoredRoot = [
  id: number,
  path: string,
  folderId: string,
  epoch: string,
  createdMs: number,
  marker: string | null,
];

const SELECT = "SELECT id, path, folder_id, epoch, created_ms, marker FROM roots";

interface FoundRow {
  readonly row: RootRow;
  readonly marker: string | null;
}

function readRow(database: Database, path: string): FoundRow | undefined {
  const found = database.get<StoredRoot>(`${SELECT} WHERE path = ?`, path);
  return found && { row: rowOf(found), marker: found[5] };
}

function rowOf([id, path, folderId, epoch, createdAtMs]: StoredRoot): RootRow {
  return { id, path, folderId, epoch, createdAtMs };
}

function faultOf(
  found: FoundRow | undefined,
  { folderId, isNewlyMarked, marker }: RootIdentity,
): VoidReason | undefined {
  if (found === undefined) return "new";
  if (found.row.folderId !== folderId) {
    if (found.row.folderId !== UNMARKED) return "folder_replaced";
    return isNewlyMarked ? undefined : "new";
  }
  if (marker === undefined || found.marker === null) return undefined;
  return isSameMarker(found.marker, marker) ? undefined : "folder_copied";
}

/** One of them may be without what the system could not tell. */
function isSameMarker(a: string, b: string): boolean {
  return a === b || a.startsWith(`${b} `) || b.startsWith(`${a} `);
}
