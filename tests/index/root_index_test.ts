import assert from "node:assert/strict";
import fc from "fast-check";
import type { DirPath } from "../../src/base/paths.ts";
import {
  applyPatches,
  buried,
  type DirLookup,
  type DirPatch,
  type DirRecord,
  EMPTY_RECORD,
  type EntryRecord,
  IndexError,
  PENDING_BYTES_MAX,
  type RootIndex,
  type Tombstone,
} from "../../src/index/mod.ts";
import { EDIT_STEP, EMPTY_VECTOR, type VersionVector } from "../../src/base/version_vector.ts";
import { Database } from "../../src/index/database.ts";
import { patches, records } from "./arbitraries.ts";
import { digestOf, dirRecord, fileRecord, PEER, ROOT, TempIndex } from "./temp_index.ts";

const paths = fc.constantFrom(
  "",
  "a",
  "a/b",
  "a/b/c",
  "a0",
  "a-b",
  "ab",
  "\u{1f5a5}",
  "\u{1f5a5}/\u{1f5a5}",
  "\u{10ffff}z",
) as fc.Arbitrary<DirPath>;

type Step =
  | { readonly do: "put"; readonly path: DirPath; readonly record: DirRecord }
  | { readonly do: "patch" | "revise"; readonly path: DirPath; readonly patch: DirPatch }
  | { readonly do: "learn"; readonly path: DirPath; readonly patch: DirPatch }
  | { readonly do: "bury"; readonly path: DirPath }
  | { readonly do: "rename"; readonly from: DirPath; readonly to: DirPath }
  | { readonly do: "view" | "fold"; readonly path: DirPath }
  | { readonly do: "commit" | "fold-next" | "preload" | "reopen" | "fail" };

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("put" as const), path: paths, record: records }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom("patch" as const, "revise" as const),
      path: paths,
      patch: patches,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("learn" as const),
      path: fc.constantFrom("" as DirPath, "a" as DirPath, "a/b" as DirPath),
      patch: patches.filter(({ entries }) => entries.length > 0),
    }),
  },
  fc.record({
    do: fc.constantFrom("bury" as const, "view" as const, "fold" as const),
    path: paths,
  }),
  fc.record({ do: fc.constant("rename" as const), from: paths, to: paths })
    .filter(({ from, to }) => from !== "" && to !== from && !to.startsWith(`${from}/`)),
  fc.record({
    do: fc.constantFrom(
      "commit" as const,
      "fold-next" as const,
      "preload" as const,
      "reopen" as const,
      "fail" as const,
    ),
  }),
);

/** The plainest index there is. */
class Model {
  dirs = new Map<string, DirRecord>();

  apply(step: Step): void {
    switch (step.do) {
      case "put":
        this.dirs.set(step.path, step.record);
        break;
      case "patch":
      case "revise":
        this.dirs.set(
          step.path,
          applyPatches(this.dirs.get(step.path) ?? EMPTY_RECORD, [step.patch]),
        );
        break;
      case "learn": {
        const patch = { ...step.patch, tombstones: [], removed: [] };
        this.dirs.set(step.path, applyPatches(this.dirs.get(step.path) ?? EMPTY_RECORD, [patch]));
        break;
      }
      case "bury":
        for (const [path, record] of this.dirs) {
          if (!isBeneath(path, step.path) || record.entries.length === 0) continue;
          this.dirs.set(path, buried(record, bury));
        }
        break;
      case "rename": {
        this.#remove(step.to);
        const moved = [...this.dirs].filter(([path]) => isBeneath(path, step.from));
        for (const [path, record] of moved) {
          this.dirs.delete(path);
          this.dirs.set(step.to + path.slice(step.from.length), record);
        }
        break;
      }
    }
  }

  #remove(under: string): void {
    for (const path of [...this.dirs.keys()]) if (isBeneath(path, under)) this.dirs.delete(path);
  }
}

function bury({ name, kind, vector }: EntryRecord): Tombstone {
  return { name, kind, vector: vector ?? EMPTY_VECTOR, deletedAtMs: 7 };
}

function isBeneath(path: string, dir: string): boolean {
  return dir === "" || path === dir || path.startsWith(`${dir}/`);
}

function apply(root: RootIndex, step: Step): void {
  switch (step.do) {
    case "put":
      return root.putDir(step.path, step.record);
    case "patch":
      return root.patchDir(step.path, step.patch);
    case "revise":
      return root.reviseDir(step.path, step.patch);
    case "learn":
      for (const entry of step.patch.entries) root.patchEntry(step.path, entry, step.patch);
      return;
    case "bury":
      return root.buryDir(step.path, bury);
    case "rename":
      return root.renameDir(step.from, step.to);
    case "view":
      return void root.viewDir(step.path);
    case "fold":
      return void root.foldDir(step.path);
    case "fold-next":
      return void root.foldNext();
    case "preload":
      return root.preload();
    default:
      return root.commit();
  }
}

function vectorAt({ vector }: EntryRecord): VersionVector | undefined {
  return vector;
}

function check(root: RootIndex, model: Model): void {
  for (const [path, record] of model.dirs) checkLookup(root.lookInto(path as DirPath)!, record);
  for (const [path, record] of model.dirs) {
    assert.deepEqual(root.getDir(path as DirPath), record, path);
    assert.deepEqual(root.viewDir(path as DirPath)?.decode(), { ...record, removed: [] }, path);
    const view = root.viewDir(path as DirPath)!;
    assert.deepEqual(record.entries.map(({ name }) => view.find(name)), record.entries);
    assert.deepEqual(record.entries.map((_, i) => view.vector(i)), record.entries.map(vectorAt));
    assert.equal(view.find("never there"), undefined);
  }
  assert.equal(root.getDir("never there" as DirPath), undefined);
  assert.deepEqual(
    new Map<string, DirRecord>(root.dirs()),
    new Map([...model.dirs].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))),
  );
  for (const under of ["a", "a/b", "\u{1f5a5}"]) {
    assert.deepEqual(
      new Set([...root.dirs(under as DirPath)].map(([path]) => path)),
      new Set([...model.dirs.keys()].filter((path) => isBeneath(path, under))),
    );
  }
}

function checkLookup(
  lookup: DirLookup,
  { scannedAtMs, shape, entries, tombstones }: DirRecord,
): void {
  assert.deepEqual([lookup.scannedAtMs, lookup.shape], [scannedAtMs, shape]);
  assert.deepEqual(entries.map(({ name }) => lookup.find(name)), entries);
  assert.deepEqual(
    tombstones.map(({ name }) => lookup.find(name)),
    tombstones.map(() => undefined),
  );
  assert.equal(lookup.find("never there"), undefined);
  const seen = new Map(tombstones.map(({ name, vector }) => [name, vector]));
  assert.deepEqual(new Map(lookup.tombstones), seen);
}

Deno.test("a root index does what a map of records would, whatever the order of steps", async () => {
  using temp = new TempIndex();
  let index = await temp.open();
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ step: steps, inTransaction: fc.boolean() }), { maxLength: 12 }),
      async (run) => {
        const identity = { ...ROOT, path: `/run ${++runs}` };
        let root = index.openRoot(identity);
        const model = new Model();
        for (const { step, inTransaction } of run) {
          if (step.do === "reopen") {
            root.commit();
            index.close();
            index = await temp.open();
            root = index.openRoot(identity);
          } else if (step.do === "fail") {
            assert.throws(() =>
              root.transaction(() => {
                root.putDir("a" as DirPath, EMPTY_RECORD);
                root.buryDir("a/b" as DirPath, bury);
                root.putDir("ab" as DirPath, EMPTY_RECORD);
                throw new Error("undo");
              }), /undo/);
          } else if (inTransaction) {
            root.transaction(() => apply(root, step));
          } else {
            apply(root, step);
          }
          model.apply(step);
        }
        check(root, model);
      },
    ),
    { numRuns: 60 },
  );
  index.close();
});

Deno.test("patchDir() folds patches in before they outgrow the record", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  using raw = new Database(await import("node:sqlite"), temp.path, { busyTimeoutMs: 0 });
  const names = Array.from({ length: 3000 }, (_, i) => `file${String(i).padStart(4, "0")}`);
  let folds = 0;
  let patchBytesBefore = 0;
  for (let turn = 0; turn < 30; turn++) {
    // In an order that hits the whole range at every turn.
    const entries = names.filter((_, i) => i % 30 === turn)
      .map((name) => fileRecord(name, { digest: digestOf(name) }));
    root.patchDir("", { scannedAtMs: turn, entries, tombstones: [], removed: [] });
    root.commit();
    const [patchBytes, recordBytes] = raw.get<[number, number]>(
      "SELECT (SELECT coalesce(sum(length(patch)), 0) FROM dir_patches), length(record) FROM dirs",
    )!;
    assert.ok(patchBytes <= Math.max(64 * 1024, recordBytes));
    if (patchBytes < patchBytesBefore) folds++;
    patchBytesBefore = patchBytes;
  }
  assert.ok(folds >= 2 && folds <= 5, `${folds} folds`);
  const record = root.getDir("")!;
  assert.deepEqual(record.entries.map((entry) => entry.name), names);
  assert.equal(record.scannedAtMs, 29);
  assert.equal(index.stats().roots[0]?.entries, 3000);
});

Deno.test("foldDir() works patches in once, and keeps the result", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  root.putDir("", dirRecord(fileRecord("a"), fileRecord("b")));
  root.commit();
  root.patchDir("", { ...dirRecord(fileRecord("b", { size: 9 })), removed: [] });
  root.commit();
  assert.equal(root.foldDir("")!.find("b")!.size, 9);
  root.commit();
  using database = new Database(await import("node:sqlite"), temp.path, { busyTimeoutMs: 0 });
  assert.deepEqual(database.all("SELECT count(*) FROM dir_patches"), [[0]]);
  assert.equal(root.getDir("")!.entries.length, 2);
});

Deno.test("what a scan and then others say of a few names becomes one patch, or none once it is folded", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  const paths = ["a", "b", "c"] as DirPath[];
  const names = Array.from({ length: 100 }, (_, i) => `f${String(i).padStart(2, "0")}`);
  for (const path of paths) root.putDir(path, dirRecord(...names.map((name) => fileRecord(name))));
  root.commit();
  using database = new Database(await import("node:sqlite"), temp.path, { busyTimeoutMs: 0 });
  const inDatabase = () =>
    database.get<[number, number]>(
      "SELECT count(DISTINCT record), (SELECT count(*) FROM dir_patches) FROM dirs",
    );
  assert.deepEqual(inDatabase(), [1, 0]);
  const change = (path: DirPath) => {
    root.foldDir(path);
    const changed = fileRecord("f50", { size: 9 });
    root.reviseDir(path, { ...dirRecord(changed), shape: digestOf(path), removed: [] });
    const known = root.lookInto(path)!;
    assert.deepEqual(known.find("f50"), changed);
    root.patchEntry(path, { ...changed, digest: digestOf("read") }, known);
  };
  const check = () => {
    for (const path of paths) {
      assert.deepEqual(root.lookInto(path)!.find("f50")!.digest, digestOf("read"));
      const record = root.getDir(path)!;
      assert.deepEqual([record.entries.length, record.shape], [100, digestOf(path)]);
      assert.deepEqual(record.entries[50]!.digest, digestOf("read"));
    }
  };
  paths.forEach(change);
  check();
  root.commit();
  assert.deepEqual(inDatabase(), [1, 3]);
  check();

  paths.forEach(change);
  let folds = 0;
  while (root.foldNext()) folds++;
  assert.equal(folds, 3);
  check();
  root.commit();
  assert.deepEqual(inDatabase(), [3, 0]);
  check();
});

Deno.test("foldNext() leaves alone what another process has written to", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  await using other = await temp.open();
  const names = Array.from({ length: 20 }, (_, i) => `f${String(i).padStart(2, "0")}`);
  const root = index.openRoot(ROOT);
  root.putDir("", dirRecord(...names.map((name) => fileRecord(name))));
  root.commit();
  const theirs = other.openRoot(ROOT);
  root.reviseDir("", { ...dirRecord(fileRecord("f01", { size: 1 })), removed: [] });
  theirs.patchDir("", { ...dirRecord(fileRecord("f02", { size: 2 })), removed: [] });
  theirs.commit();
  temp.clock.ms += 1000;
  assert.equal(root.foldNext(), false);
  root.commit();
  const sizes = ["f01", "f02", "f03"].map((name) => root.viewDir("")!.find(name)!.size);
  assert.deepEqual(sizes, [1, 2, 8]);
});

Deno.test("viewDir() and look-ups of digests write nothing, also where there are patches", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  const digest = digestOf("b");
  root.putDir("", dirRecord(fileRecord("a"), fileRecord("b")));
  root.commit();
  root.patchDir("", { ...dirRecord(fileRecord("b", { size: 9, digest })), removed: [] });
  root.commit();
  using database = new Database(await import("node:sqlite"), temp.path, { busyTimeoutMs: 0 });
  const before = database.all("SELECT record FROM dirs UNION ALL SELECT patch FROM dir_patches");
  assert.equal(before.length, 2);
  assert.equal(root.viewDir("")!.find("b")!.size, 9);
  assert.equal(root.pathsOfDigest(digest).length, 1);
  root.commit();
  assert.deepEqual(
    database.all("SELECT record FROM dirs UNION ALL SELECT patch FROM dir_patches"),
    before,
  );
});

Deno.test("dirChanges grows with whatever changes a directory", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  const grows = (change: () => void) => {
    const before = root.dirChanges;
    change();
    assert.ok(root.dirChanges > before);
  };
  grows(() => root.putDir("a" as DirPath, dirRecord(fileRecord("f"))));
  grows(() => root.patchDir("a" as DirPath, { ...dirRecord(fileRecord("g")), removed: [] }));
  grows(() => root.renameDir("a" as DirPath, "b" as DirPath));
  grows(() => root.buryDir("b" as DirPath, bury));
  grows(() =>
    assert.throws(() =>
      root.transaction(() => {
        throw new Error("undo");
      })
    )
  );
  const before = root.dirChanges;
  root.viewDir("" as DirPath);
  root.commit();
  assert.equal(root.dirChanges, before);
});

Deno.test("patchDir() of one name in a large directory writes little", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  const entries = Array.from({ length: 5000 }, (_, i) => fileRecord(String(i).padStart(4, "0")));
  root.putDir("", dirRecord(...entries));
  root.commit();
  const before = Deno.statSync(`${temp.path}-wal`).size;
  assert.ok(before > 250_000);
  root.patchDir("", { ...dirRecord(fileRecord("0001", { size: 9 })), removed: [] });
  root.commit();
  assert.ok(Deno.statSync(`${temp.path}-wal`).size - before < 50_000);
  assert.equal(root.getDir("")?.entries[1]?.size, 9);
});

Deno.test("patchEntry() writes the entries of a directory together, and those of another by themselves", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  const known = { scannedAtMs: 1, shape: undefined };
  const bytes = Array.from({ length: 400 }, (_, i) => {
    root.patchEntry(`d${Math.floor(i / 100)}` as DirPath, fileRecord(`${i}`), known);
    return root.pendingBytes;
  });
  // Nothing of a directory is encoded before the next one's turn.
  assert.deepEqual(new Set(bytes).size, 4);
  assert.ok(bytes.at(-1)! < 300 * 200, `${bytes.at(-1)} bytes for 300 entries`);
  assert.equal(root.viewDir("d1" as DirPath)!.length, 100);
  assert.equal(root.viewDir("d3" as DirPath)!.find("399")?.name, "399");
});

Deno.test("what is put is seen at once and, uncommitted, gone with the process", async () => {
  using temp = new TempIndex();
  {
    await using index = await temp.open();
    const root = index.openRoot(ROOT);
    root.putDir("kept" as DirPath, dirRecord(fileRecord("a")));
    root.commit();
    root.putDir("lost" as DirPath, dirRecord(fileRecord("b")));
    assert.equal(root.getDir("lost" as DirPath)?.entries.length, 1);
  }
  await using index = await temp.open();
  assert.deepEqual([...index.openRoot(ROOT).dirs()].map(([path]) => path), ["kept"]);
});

Deno.test("viewDir() sees what another process wrote some time ago", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  await using other = await temp.open();
  const root = index.openRoot(ROOT);
  root.putDir("a" as DirPath, dirRecord(fileRecord("old")));
  root.commit();
  assert.equal(root.viewDir("a" as DirPath)?.name(0), "old");
  const theirs = other.openRoot(ROOT);
  theirs.putDir("a" as DirPath, dirRecord(fileRecord("new")));
  theirs.commit();
  temp.clock.ms += 50;
  assert.equal(root.viewDir("a" as DirPath)?.name(0), "new");
  theirs.putDir("a" as DirPath, dirRecord(fileRecord("newer")));
  theirs.commit();
  temp.clock.ms += 50;
  root.reviseDir("a" as DirPath, { ...dirRecord(fileRecord("own")), removed: [] });
  assert.deepEqual(root.viewDir("a" as DirPath)?.names(), ["newer", "own"]);
});

Deno.test("viewDir() forgets what a transaction has undone", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  root.putDir("" as DirPath, dirRecord(fileRecord("before")));
  assert.throws(() =>
    root.transaction(() => {
      root.putDir("" as DirPath, dirRecord(fileRecord("undone")));
      assert.equal(root.viewDir("")?.name(0), "undone");
      throw new Error("undo");
    }), /undo/);
  assert.equal(root.viewDir("")?.name(0), "before");
});

Deno.test("writes that would take too much memory are committed by themselves", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  await using other = await temp.open();
  const root = index.openRoot(ROOT);
  root.putRecipe(digestOf("a"), new Uint8Array(PENDING_BYTES_MAX));
  assert.equal(other.openRoot(ROOT).getRecipe(digestOf("a")), undefined);
  root.putDir("" as DirPath, dirRecord(fileRecord("a")));
  assert.equal(other.openRoot(ROOT).getRecipe(digestOf("a"))?.length, PENDING_BYTES_MAX);
});

Deno.test("transaction() that writes more than is collected still undoes all of it", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  root.putDir("before" as DirPath, EMPTY_RECORD);
  assert.throws(() =>
    root.transaction(() => {
      root.putDir("in it" as DirPath, EMPTY_RECORD);
      root.putRecipe(digestOf("a"), new Uint8Array(PENDING_BYTES_MAX + 1));
      root.setAncestor(PEER, { shape: digestOf("shape") });
      throw new Error("undo");
    }), /undo/);
  assert.deepEqual([...root.dirs()].map(([path]) => path), ["before"]);
  assert.equal(root.getRecipe(digestOf("a")), undefined);
  assert.equal(root.ancestor(PEER), undefined);
});

Deno.test("transaction() takes no function that waits, and none inside another", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  assert.throws(() => root.transaction(() => Promise.resolve()), TypeError);
  assert.throws(() => root.transaction(() => root.transaction(() => {})), /open already/);
  root.transaction(() => root.putDir("", EMPTY_RECORD));
  assert.ok(root.getDir(""));
});

Deno.test("renameDir() moves what lies beneath, also where names are longer in UTF-16", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  const [from, to] = ["\u{1f5a5}\u{1f5a5}", "é"] as [DirPath, DirPath];
  for (const name of ["", "/a", "/\u{1f5a5}", "/a/b", "0", "!"]) {
    root.putDir((from + name) as DirPath, dirRecord(fileRecord("file")));
    root.patchDir((from + name) as DirPath, { ...dirRecord(fileRecord("patched")), removed: [] });
  }
  root.putDir(`${to}/gone` as DirPath, EMPTY_RECORD);
  root.renameDir(from, to);
  assert.deepEqual(
    [...root.dirs()].map(([path, { entries }]) => [path, entries.length]),
    ["é", "é/a", "é/a/b", "é/\u{1f5a5}", `${from}!`, `${from}0`].map((path) => [path, 2]),
  );
});

Deno.test("renameDir() refuses to move a directory into itself", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  for (const [from, to] of [["", "a"], ["a", "a"], ["a", "a/b"]] as [DirPath, DirPath][]) {
    assert.throws(() => root.renameDir(from, to), RangeError);
  }
});

Deno.test("a root whose memory was thrown away by another process can't be written to", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  await using other = await temp.open();
  const root = index.openRoot(ROOT);
  root.putDir("", dirRecord(fileRecord("a")));
  other.openRoot({ ...ROOT, folderId: "another folder" });
  const isVoid = (error: unknown) => error instanceof IndexError && error.reason === "root_void";
  assert.throws(() => root.commit(), isVoid);
  assert.throws(() => root.transaction(() => {}), isVoid);
  assert.deepEqual([...other.openRoot({ ...ROOT, folderId: "another folder" }).dirs()], []);
});

Deno.test("nextEditCounter() never gives a number twice, whatever is committed, undone or lost", async () => {
  using temp = new TempIndex();
  const given = new Set<number>();
  let largest = 0;
  const take = (root: RootIndex, count: number) => {
    for (let last = 0, i = 0; i < count; i++) {
      const next = root.nextEditCounter();
      assert.ok(next > last && !given.has(next), `${next} after ${last}`);
      assert.equal(next % EDIT_STEP, 0, "decisions have numbers in between");
      given.add(last = next);
      largest = Math.max(largest, next);
    }
  };
  for (let run = 0; run < 3; run++) {
    await using index = await temp.open();
    await using other = await temp.open();
    const root = index.openRoot(ROOT);
    const before = largest;
    assert.throws(() =>
      root.transaction(() => {
        take(root, 3);
        throw new Error("undo");
      }), /undo/);
    take(root, 3);
    take(other.openRoot(ROOT), 3);
    take(root, 700);
    assert.ok(largest - before >= 709 * EDIT_STEP, "numbers of later runs are larger");
    root.transaction(() => take(root, 1));
    // Neither is committed, as after a crash.
  }
  await using index = await temp.open();
  assert.equal(index.openRoot({ ...ROOT, path: "/other" }).nextEditCounter(), EDIT_STEP);
});

Deno.test("files() names every file, and only files", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  root.putDir("", dirRecord(fileRecord("a"), fileRecord("d", { kind: "dir" })));
  root.putDir(
    "d" as DirPath,
    dirRecord(fileRecord("b"), fileRecord("l", { kind: "link", target: "b" })),
  );
  assert.deepEqual([...root.files()].map(({ path }) => path), ["a", "d/b"]);
  assert.deepEqual([...root.files("d" as DirPath)].map(({ path, entry }) => [path, entry.size]), [
    ["d/b", 8],
  ]);
});
