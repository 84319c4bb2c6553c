import assert from "node:assert/strict";
import * as sqlite from "node:sqlite";
import { Database } from "../../src/index/database.ts";
import { asIndexError, IndexError } from "../../src/index/index_error.ts";
import { TempIndex } from "./temp_index.ts";

const OPTIONS = { busyTimeoutMs: 0 };

Deno.test("transaction() flushes to the disk when it is durable, and only then", () => {
  using temp = new TempIndex();
  using database = new Database(sqlite, temp.path, OPTIONS);
  // 1 is NORMAL: the log is not flushed at a commit. 2 is FULL: it is.
  const level = () => database.get<[number]>("PRAGMA synchronous")![0];
  assert.deepEqual(
    [true, false, true, false].map((durable) => database.transaction(durable, level)),
    [2, 1, 2, 1],
  );
  assert.equal(database.get<[number]>("PRAGMA fullfsync")![0], 1);
  assert.equal(database.get<[string]>("PRAGMA journal_mode")![0], "wal");
});

Deno.test("transaction() undoes everything that its body did before it threw", () => {
  using temp = new TempIndex();
  using database = new Database(sqlite, temp.path, OPTIONS);
  database.run("CREATE TABLE t (a UNIQUE)");
  assert.throws(() =>
    database.transaction(false, () => {
      database.run("INSERT INTO t VALUES (1)");
      database.run("INSERT INTO t VALUES (1)");
    }), /UNIQUE/);
  assert.equal(database.inTransaction, false);
  assert.equal(
    database.transaction(false, () => database.run("INSERT INTO t VALUES (1), (2)")),
    2,
  );
  assert.deepEqual(database.all("SELECT a FROM t"), [[1], [2]]);
});

Deno.test("transaction() that finds the disk full undoes everything and can be tried again", () => {
  using temp = new TempIndex();
  using database = new Database(sqlite, temp.path, OPTIONS);
  database.run("CREATE TABLE t (a)");
  database.all("PRAGMA max_page_count = 10");
  const fill = (bytes: number) =>
    database.transaction(true, () => database.run("INSERT INTO t VALUES (zeroblob(?))", bytes));
  assert.throws(
    () => fill(100_000),
    (error) => error instanceof IndexError && error.reason === "full" && error.code === "storage",
  );
  fill(100);
  assert.deepEqual(database.all("SELECT count(*) FROM t"), [[1]]);
});

Deno.test("a reader goes on with what it saw while another process writes", () => {
  using temp = new TempIndex();
  using writer = new Database(sqlite, temp.path, OPTIONS);
  using reader = new Database(sqlite, temp.path, OPTIONS);
  writer.run("CREATE TABLE t (a)");
  writer.transaction(true, () => {
    writer.run("INSERT INTO t VALUES (1)");
    assert.deepEqual(reader.all("SELECT a FROM t"), []);
  });
  assert.deepEqual(reader.all("SELECT a FROM t"), [[1]]);
});

Deno.test("asIndexError() names what lies outside this program and leaves our own bugs alone", () => {
  const thrown = (errcode: number | undefined, message: string) =>
    Object.assign(new Error(message), { code: "ERR_SQLITE_ERROR", errcode });
  const cases: [Error, string | undefined][] = [
    [thrown(5, "database is locked"), "busy"],
    [thrown(5 | 2 << 8, "database is locked"), "busy"],
    [thrown(undefined, "database is locked"), "busy"],
    [thrown(11 | 3 << 8, "database disk image is malformed"), "corrupt"],
    [thrown(undefined, "file is not a database"), "corrupt"],
    [thrown(13, "database or disk is full"), "full"],
    [thrown(undefined, "unable to open database file: /x"), "unusable"],
    [thrown(10 | 4 << 8, "disk I/O error"), "unusable"],
    [thrown(19, "UNIQUE constraint failed: t.a"), undefined],
    [thrown(undefined, "no such table: t"), undefined],
    [new TypeError("database is locked"), undefined],
  ];
  for (const [error, reason] of cases) {
    const mapped = asIndexError(error, "/x/index.db");
    if (reason === undefined) {
      assert.equal(mapped, error);
    } else {
      assert.ok(mapped instanceof IndexError);
      assert.equal(mapped.reason, reason, error.message);
      assert.equal(mapped.message, `Cannot use index /x/index.db: ${error.message}`);
      assert.equal(mapped.cause, error);
      assert.ok(mapped.hint);
      assert.equal(asIndexError(mapped, "/x/index.db"), mapped);
    }
  }
});

Deno.test("close() may be called again", () => {
  using temp = new TempIndex();
  const database = new Database(sqlite, temp.path, OPTIONS);
  database.close();
  database.close();
  assert.throws(() => database.run("SELECT 1"));
});
