import type { Database } from "./database.ts";
import { IndexError } from "./index_error.ts";

/** "LDRI": tells our files from any other SQLite database. */
const APPLICATION_ID = 0x4c445249;

/**
 * One step for each version of the schema; the file says in `user_version` how many it has had. Steps
 * that were released are never edited: add one. A step only adds, so that an older process which has
 * the file open goes on unharmed.
 */
const MIGRATIONS: readonly (readonly string[])[] = [
  [
    `CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID`,
    `CREATE TABLE roots (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      path TEXT NOT NULL UNIQUE,
      folder_id TEXT NOT NULL,
      marker TEXT,
      epoch TEXT NOT NULL,
      created_ms INTEGER NOT NULL,
      dir_writes INTEGER NOT NULL DEFAULT 0,
      edit_counter INTEGER NOT NULL DEFAULT 0
    )`,
    // Records are up to megabytes, so these are tables with a rowid: rows that long in the tree of a
    // WITHOUT ROWID table made inserts three times slower and reads two times.
    `CREATE TABLE dirs (
      id INTEGER PRIMARY KEY,
      root INTEGER NOT NULL,
      path TEXT NOT NULL,
      record BLOB NOT NULL,
      UNIQUE (root, path)
    )`,
    `CREATE TABLE pages (
      id INTEGER PRIMARY KEY,
      shape BLOB NOT NULL UNIQUE,
      raw_bytes INTEGER NOT NULL,
      page BLOB NOT NULL
    )`,
    `CREATE TABLE ancestors (
      root INTEGER NOT NULL,
      peer TEXT NOT NULL,
      share TEXT NOT NULL,
      device TEXT NOT NULL,
      epoch TEXT NOT NULL,
      peer_folder TEXT NOT NULL,
      peer_epoch TEXT NOT NULL,
      shape BLOB NOT NULL,
      at_ms INTEGER NOT NULL,
      unsafe INTEGER NOT NULL,
      PRIMARY KEY (root, peer, share)
    ) WITHOUT ROWID`,
    `CREATE TABLE recipes (
      id INTEGER PRIMARY KEY,
      root INTEGER NOT NULL,
      digest BLOB NOT NULL,
      added_ms INTEGER NOT NULL,
      groups BLOB NOT NULL,
      recipe BLOB NOT NULL,
      UNIQUE (root, digest)
    )`,
    `CREATE TABLE groups (
      root INTEGER NOT NULL,
      prefix BLOB NOT NULL,
      recipe INTEGER NOT NULL,
      PRIMARY KEY (root, prefix, recipe)
    ) WITHOUT ROWID`,
  ],
  [
    // Changes to a few entries of a large directory, not yet folded into its record. Nothing in the row
    // of the record tells of them, because SQLite would write the whole row to note it.
    `CREATE TABLE dir_patches (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      root INTEGER NOT NULL,
      path TEXT NOT NULL,
      patch BLOB NOT NULL
    )`,
    `CREATE INDEX dir_patches_by_path ON dir_patches (root, path)`,
  ],
  [
    // Digests of versions that were edited here.
    `CREATE TABLE earlier (
      id INTEGER PRIMARY KEY,
      root INTEGER NOT NULL,
      path TEXT NOT NULL,
      size INTEGER NOT NULL,
      mtime_ms INTEGER NOT NULL,
      digest BLOB NOT NULL,
      noted_ms INTEGER NOT NULL,
      UNIQUE (root, path, size, mtime_ms)
    )`,
  ],
  [
    // What was agreed on before the last time.
    `ALTER TABLE ancestors ADD COLUMN previous BLOB`,
  ],
  // Directory records have a second form (dir_layout.ts), which earlier programs would take for damage.
  [],
];

/** The version of the schema that this program reads and writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/**
 * Brings the file to the schema of this program.
 *
 * @param version Where to stop, for tests of the steps that follow.
 * @throws {IndexError} `newer` if a later program wrote it, `corrupt` if it is not ours at all.
 */
export function migrate(database: Database, version = SCHEMA_VERSION): void {
  const found = versionOf(database);
  if (found === version) return;
  database.transaction(true, () => {
    for (const step of MIGRATIONS.slice(found, version)) {
      for (const statement of step) database.run(statement);
    }
    database.all(`PRAGMA application_id = ${APPLICATION_ID}`);
    database.all(`PRAGMA user_version = ${version}`);
  });
}

function versionOf(database: Database): number {
  const [version] = database.get<[number]>("PRAGMA user_version")!;
  const [application] = database.get<[number]>("PRAGMA application_id")!;
  const [tables] = database.get<[number]>("SELECT count(*) FROM sqlite_schema")!;
  const ours = application === APPLICATION_ID ? version > 0 : version === 0 && tables === 0;
  if (!ours) {
    throw new IndexError(
      "corrupt",
      `Cannot use index ${database.path}: it is some other database`,
    );
  }
  if (version > SCHEMA_VERSION) {
    throw new IndexError(
      "newer",
      `Cannot use index ${database.path}: it has version ${version}, this landropic knows ${SCHEMA_VERSION}`,
    );
  }
  return version;
}
