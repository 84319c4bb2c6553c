import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { EMPTY_PAGE, EMPTY_SHAPE } from "../../src/base/tree.ts";
import type { DirPath } from "../../src/base/paths.ts";
import { Database } from "../../src/index/database.ts";
import { type Index, IndexError } from "../../src/index/mod.ts";
import { DAMAGED_KEPT_MAX } from "../../src/index/open_database.ts";
import { migrate, SCHEMA_VERSION } from "../../src/index/schema.ts";
import { encodeDir } from "../../src/index/dir_codec.ts";
import { digestOf, dirRecord, fileRecord, PEER, ROOT, TempIndex } from "./temp_index.ts";

const DAMAGE = "The index was damaged and is made anew; nothing will be deleted for it";

/** Fills the index with something of every kind. */
function fill(index: Index): void {
  const root = index.openRoot(ROOT);
  for (let i = 0; i < 40; i++) {
    root.putDir(
      `dir${i}` as DirPath,
      dirRecord(...Array.from(
        { length: 30 },
        (_, k) =>
          fileRecord(`file${String(k).padStart(2, "0")}`, { digest: digestOf(i * 100 + k) }),
      )),
    );
  }
  root.putRecipe(digestOf("big"), new Uint8Array(5000), [digestOf("group")]);
  root.transaction(() => {
    root.putPages([{ shape: EMPTY_SHAPE, page: EMPTY_PAGE }]);
    root.setAncestor(PEER, { shape: EMPTY_SHAPE });
  });
}

Deno.test("openIndex() makes a file that only its owner may read, in WAL mode", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  fill(index);
  for (const name of ["index.db", "index.db-wal", "index.db-shm", "index.db.lock"]) {
    const { mode } = Deno.statSync(`${temp.folder}/${name}`);
    if (Deno.build.os !== "windows") assert.equal(mode! & 0o777, 0o600, name);
  }
});

Deno.test("openIndex() finds everything again", async () => {
  using temp = new TempIndex();
  let epoch: string;
  {
    await using index = await temp.open();
    fill(index);
    epoch = index.openRoot(ROOT).epoch;
  }
  assert.deepEqual(temp.files(), ["index.db", "index.db.lock"]);
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  assert.equal(root.voided, undefined);
  assert.equal(root.epoch, epoch);
  assert.equal([...root.files()].length, 1200);
  assert.deepEqual(root.ancestor(PEER)?.shape, EMPTY_SHAPE);
  assert.deepEqual(temp.logger.lines, []);
});

Deno.test("openIndex() sets a file aside that is no database, and says so", async () => {
  using temp = new TempIndex();
  const garbage = new Uint8Array(9000).fill(7);
  Deno.writeFileSync(temp.path, garbage);
  Deno.writeFileSync(`${temp.path}-wal`, garbage);
  await using index = await temp.open();
  assert.deepEqual(index.roots(), []);
  fill(index);

  const kept = `${temp.path}.corrupt-20231114T221320Z`;
  assert.deepEqual(Deno.readFileSync(kept), garbage);
  assert.deepEqual(temp.logger.lines, [{
    level: "warn",
    message: DAMAGE,
    fields: { reason: "file is not a database", kept },
  }]);
});

Deno.test("openIndex() after a marked damage takes nothing over from the old log", async () => {
  using temp = new TempIndex();
  const copy = `${temp.folder}/copy.db`;
  {
    await using index = await temp.open();
    fill(index);
    Deno.copyFileSync(temp.path, copy);
    Deno.copyFileSync(`${temp.path}-wal`, `${copy}-wal`);
  }
  Deno.writeFileSync(`${copy}.damaged`, new Uint8Array());
  await using index = await temp.open({ path: copy });
  assert.deepEqual(index.roots(), []);
  const kept = `${copy}.corrupt-20231114T221320Z`;
  assert.ok(Deno.statSync(kept).size + Deno.statSync(`${kept}-wal`).size > 100_000);
  assert.ok(!temp.files().includes("copy.db.damaged"));
});

Deno.test("openIndex() of a file cut to nothing starts afresh", async () => {
  for (const bytes of [0, 1]) {
    using temp = new TempIndex();
    {
      await using index = await temp.open();
      fill(index);
    }
    Deno.truncateSync(temp.path, bytes);
    await using index = await temp.open();
    assert.equal(index.openRoot(ROOT).voided, "new");
  }
});

Deno.test("openIndex() sets aside a file that was cut short", async () => {
  for (const bytes of [100, 4096, 5000, 20_000]) {
    using temp = new TempIndex();
    {
      await using index = await temp.open();
      fill(index);
    }
    assert.ok(Deno.statSync(temp.path).size > bytes);
    Deno.truncateSync(temp.path, bytes);
    // Where the schema is whole the loss shows only when the rows are read.
    try {
      await using index = await temp.open();
      for (const { path } of index.roots()) [...index.openRoot({ ...ROOT, path }).dirs()];
    } catch (error) {
      assert.ok(error instanceof IndexError && error.reason === "corrupt", String(error));
    }
    await using index = await temp.open();
    assert.deepEqual(index.roots(), [], `${bytes} bytes`);
    assert.deepEqual(temp.logger.lines.map((line) => line.message), [DAMAGE], `${bytes} bytes`);
  }
});

Deno.test("a page of the file that was overwritten ends the run, and the next run starts afresh", async () => {
  using temp = new TempIndex();
  {
    await using index = await temp.open();
    fill(index);
  }
  const file = Deno.openSync(temp.path, { write: true });
  const { size } = file.statSync();
  for (let at = 16 * 4096; at < size; at += 4096) {
    file.seekSync(at, Deno.SeekMode.Start);
    file.writeSync(new Uint8Array(64).fill(0xee));
  }
  file.close();
  {
    await using index = await temp.open();
    const root = index.openRoot(ROOT);
    assert.throws(
      () => [...root.dirs()],
      (error) => error instanceof IndexError && error.reason === "corrupt",
    );
  }
  assert.ok(temp.files().includes("index.db.damaged"));
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  assert.equal(root.voided, "new");
  assert.equal(root.ancestor(PEER), undefined);
  assert.deepEqual(
    temp.files().filter((name) => !name.startsWith("index.db-")),
    ["index.db", "index.db.corrupt-20231114T221320Z", "index.db.lock"],
  );
});

Deno.test("a single flipped bit in a record or a page is found", async () => {
  for (const [table, column] of [["dirs", "record"], ["pages", "page"]]) {
    using temp = new TempIndex();
    {
      await using index = await temp.open();
      fill(index);
    }
    const raw = new DatabaseSync(temp.path);
    const { value } = raw.prepare(`SELECT ${column} AS value FROM ${table}`).get() as {
      value: Uint8Array;
    };
    value[value.length - 1]! ^= 1;
    raw.prepare(`UPDATE ${table} SET ${column} = ? WHERE id = 1`).run(value);
    raw.close();

    await using index = await temp.open();
    const root = index.openRoot(ROOT);
    assert.throws(
      () => table === "dirs" ? root.getDir("dir0" as DirPath) : root.getPage(EMPTY_SHAPE),
      (error) => error instanceof IndexError && error.reason === "corrupt",
    );
    assert.ok(temp.files().includes("index.db.damaged"));
  }
});

Deno.test("of two that find the damage at once, one sets the file aside and both use the fresh one", async () => {
  using temp = new TempIndex();
  Deno.writeFileSync(temp.path, new Uint8Array(9000).fill(7));
  const opened = await Promise.all([temp.open(), temp.open(), temp.open()]);
  const epochs = opened.map((index) => index.openRoot(ROOT).epoch);
  assert.equal(new Set(epochs).size, 1);
  for (const index of opened) index.close();
  assert.equal(temp.logger.lines.length, 1);
  assert.equal(temp.files().filter((name) => name.includes("corrupt")).length, 1);
});

Deno.test("openIndex() touches nothing while another process opens or repairs the file", async () => {
  using temp = new TempIndex();
  Deno.writeFileSync(temp.path, new Uint8Array(9000).fill(7));
  const lock = Deno.openSync(`${temp.path}.lock`, { create: true, write: true });
  lock.lockSync(true);
  let ms = 0;
  const clock = { nowMs: () => ms += 5000, wallMs: () => 0 };
  await assert.rejects(
    temp.open({ clock }),
    (error) => error instanceof IndexError && error.reason === "busy",
  );
  assert.deepEqual(temp.files(), ["index.db", "index.db.lock"]);
  const opened = temp.open();
  lock.close();
  (await opened).close();
  assert.equal(temp.logger.lines.length, 1);
});

Deno.test("openIndex() keeps only the last few damaged files", async () => {
  using temp = new TempIndex();
  for (let i = 0; i < DAMAGED_KEPT_MAX + 3; i++) {
    // Twice in the same second gives another name.
    temp.clock.ms += i % 2 === 0 ? 0 : 1000;
    Deno.writeFileSync(temp.path, new Uint8Array(100).fill(i + 1));
    (await temp.open()).close();
  }
  const kept = temp.files().filter((name) => name.includes("corrupt"));
  assert.equal(kept.length, DAMAGED_KEPT_MAX);
  const newest = Deno.readFileSync(`${temp.folder}/${kept.at(-1)}`);
  assert.deepEqual(newest, new Uint8Array(100).fill(DAMAGED_KEPT_MAX + 3));
});

Deno.test("openIndex() leaves a file of a later version alone", async () => {
  using temp = new TempIndex();
  (await temp.open()).close();
  const raw = new DatabaseSync(temp.path);
  raw.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
  raw.close();
  const before = Deno.readFileSync(temp.path);
  await assert.rejects(temp.open(), (error) => {
    assert.ok(error instanceof IndexError);
    assert.equal(error.reason, "newer");
    assert.equal(error.code, "storage");
    const versions = `has version ${SCHEMA_VERSION + 1}, this landropic knows ${SCHEMA_VERSION}`;
    assert.ok(error.message.includes(versions), error.message);
    return true;
  });
  assert.deepEqual(Deno.readFileSync(temp.path), before);
  assert.deepEqual(temp.logger.lines, []);
});

Deno.test("openIndex() sets aside a database that is somebody else's", async () => {
  using temp = new TempIndex();
  const raw = new DatabaseSync(temp.path);
  raw.exec("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)");
  raw.close();
  await using index = await temp.open();
  assert.deepEqual(index.roots(), []);
  assert.equal(temp.logger.lines.length, 1);
});

Deno.test("openIndex() brings a file of the version before to this one and keeps what is in it", async () => {
  using temp = new TempIndex();
  const record = dirRecord(fileRecord("a", { digest: digestOf("a") }));
  {
    using database = new Database(await import("node:sqlite"), temp.path, { busyTimeoutMs: 0 });
    migrate(database, SCHEMA_VERSION - 1);
    assert.deepEqual(database.get("PRAGMA user_version"), [SCHEMA_VERSION - 1]);
    database.run("INSERT INTO meta VALUES ('device', 'DEVICE-ONE')");
    database.run(
      "INSERT INTO roots (path, folder_id, epoch, created_ms) VALUES (?, ?, 'old epoch', 5)",
      ROOT.path,
      ROOT.folderId,
    );
    database.run("INSERT INTO dirs (root, path, record) VALUES (1, 'd', ?)", encodeDir(record));
  }
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  assert.equal(root.epoch, "old epoch");
  assert.deepEqual(root.getDir("d" as DirPath), record);
  root.patchDir("d" as DirPath, { ...dirRecord(fileRecord("b")), removed: [] });
  root.commit();
  assert.deepEqual(root.getDir("d" as DirPath)?.entries.map((entry) => entry.name), ["a", "b"]);
});

Deno.test("migrate() undoes a step that failed, whole", async () => {
  using temp = new TempIndex();
  using database = new Database(await import("node:sqlite"), temp.path, { busyTimeoutMs: 0 });
  const before = 1;
  migrate(database, before);
  // In the way of the third step, when the one before is done.
  database.run("CREATE TABLE earlier (a)");
  assert.throws(() => migrate(database), /already exists/);
  assert.throws(() => database.get("SELECT * FROM dir_patches"), /no such table/);
  assert.deepEqual(database.get("PRAGMA user_version"), [before]);
  database.run("DROP TABLE earlier");
  migrate(database);
  assert.deepEqual(database.get("PRAGMA user_version"), [SCHEMA_VERSION]);
});

Deno.test("openIndex() names the folder that is missing or may not be written", async () => {
  using temp = new TempIndex();
  await assert.rejects(
    temp.open({ path: `${temp.folder}/not there/index.db` }),
    (error) => error instanceof IndexError && error.reason === "unusable",
  );
  // A failure of the system that has no class of its own.
  await assert.rejects(
    temp.open({ path: `${temp.folder}/${"long".repeat(70)}` }),
    (error) => error instanceof IndexError && error.reason === "unusable",
  );
  Deno.mkdirSync(temp.path);
  await assert.rejects(
    temp.open(),
    (error) => error instanceof IndexError && error.reason === "unusable",
  );
});

Deno.test("a write waits for another connection, and gives up as busy", async () => {
  using temp = new TempIndex();
  await using index = await temp.open({ busyTimeoutMs: 1 });
  const root = index.openRoot(ROOT);
  root.putDir("", dirRecord(fileRecord("a")));
  const other = new DatabaseSync(temp.path);
  other.exec("BEGIN IMMEDIATE");
  assert.throws(
    () => root.commit(),
    (error) => error instanceof IndexError && error.reason === "busy" && error.code === "locked",
  );
  other.exec("COMMIT");
  other.close();
  // Nothing was lost.
  root.commit();
  assert.equal([...root.files()].length, 1);
});
