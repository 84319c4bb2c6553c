import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import type { DirPath } from "../../src/base/paths.ts";
import { ByteWriter } from "../../src/base/varint.ts";
import { encodeDir, mergeDir } from "../../src/index/dir_codec.ts";
import {
  applyPatches,
  type DirPatch,
  type DirRecord,
  type EntryRecord,
} from "../../src/index/dir_record.ts";
import { DirView } from "../../src/index/dir_view.ts";
import { digests, entries, patches, tombstones } from "./arbitraries.ts";
import { digestOf, dirRecord, fileRecord, ROOT, TempIndex } from "./temp_index.ts";

const ROWS = 48;
const nameOf = (row: number) => String(row).padStart(2, "0");

/** A record with room for a few replaced rows, of which several have the same digest. */
const largeRecords: fc.Arbitrary<DirRecord> = fc.record({
  scannedAtMs: fc.maxSafeNat(),
  shape: fc.option(digests, { nil: undefined }),
  entries: fc.array(entries, { minLength: ROWS, maxLength: ROWS })
    .map((all) => all.map((entry, row) => withDigest({ ...entry, name: nameOf(row) }, row))),
  tombstones: tombstones.map((tombstone) => [{ ...tombstone, name: "gone" }]),
});

const replacements: fc.Arbitrary<DirPatch> = fc.record({
  scannedAtMs: fc.maxSafeNat(),
  shape: fc.option(digests, { nil: undefined }),
  entries: fc.uniqueArray(fc.tuple(fc.nat(ROWS - 1), entries), {
    selector: ([row]) => row,
    maxLength: 2,
  }).map((all) =>
    all.sort(([a], [b]) => a - b)
      .map(([row, entry]) => withDigest({ ...entry, name: nameOf(row) }, row))
  ),
  tombstones: fc.constant([]),
  removed: fc.constant([]),
});

/** As it may lie in a page, too. */
function withDigest(given: EntryRecord, row: number): EntryRecord {
  const entry = { ...given, mtimeMs: given.mtimeMs % 2 ** 48 };
  return entry.kind === "file" && row % 2 === 0 ? { ...entry, digest: digestOf(row % 3) } : entry;
}

Deno.test("DirView.with() shows what a view of the merged record does", () => {
  fc.assert(fc.property(largeRecords, replacements, (record, patch) => {
    const base = new DirView(encodeDir(record));
    const view = base.with(patch);
    assert.ok(view !== undefined);
    const merged = new DirView(encodeDir(applyPatches(record, [patch])));
    assertSameView(view, merged);
    // What it was made from is as it was.
    assert.deepEqual(base.decode().entries, record.entries);
  }));
});

Deno.test("DirView.with() takes patches one after the other, and mergeDir() writes them all", () => {
  const several = fc.tuple(replacements, replacements);
  fc.assert(fc.property(largeRecords, several, patches, (record, [first, second], last) => {
    const view = new DirView(encodeDir(record)).with(first)?.with(second);
    const replaced = new Set([...first.entries, ...second.entries].map(({ name }) => name));
    if (replaced.size > ROWS / 16) return assert.equal(view, undefined);
    assertSameView(view!, new DirView(encodeDir(applyPatches(record, [first, second]))));
    assert.deepEqual(
      mergeDir(view!, last),
      encodeDir(applyPatches(record, [first, second, last])),
    );
  }));
});

Deno.test("DirView.with() leaves alone what is more than a few entries replaced", () => {
  const rows = Array.from({ length: ROWS }, (_, row) => fileRecord(nameOf(row)));
  const view = new DirView(encodeDir(dirRecord(...rows)));
  const patch = { ...dirRecord(fileRecord("05")), removed: [] };
  assert.ok(view.with(patch));
  const gone = { name: "06", kind: "file" as const, vector: [], deletedAtMs: 1 };
  assert.equal(view.with({ ...patch, entries: [fileRecord("new")] }), undefined);
  assert.equal(view.with({ ...patch, removed: ["06"] }), undefined);
  assert.equal(view.with({ ...patch, tombstones: [gone] }), undefined);
  assert.equal(view.with({ ...patch, entries: rows.slice(0, 4) }), undefined);
});

Deno.test("reviseDir() is remembered, however often the same directory is scanned", async () => {
  using temp = new TempIndex();
  const path = "a" as DirPath;
  let expected: DirRecord = dirRecord(
    ...Array.from({ length: ROWS }, (_, row) => fileRecord(nameOf(row))),
  );
  {
    await using index = await temp.open();
    const root = index.openRoot(ROOT);
    root.putDir(path, expected);
    root.commit();
  }
  const counts: number[] = [];
  for (let round = 1; round <= 24; round++) {
    await using index = await temp.open();
    const root = index.openRoot(ROOT);
    root.preload();
    assert.deepEqual(root.foldDir(path)?.decode(), { ...expected, removed: [] });
    const size = 100 + round;
    const patch: DirPatch = {
      scannedAtMs: round,
      shape: digestOf(round),
      entries: [fileRecord(nameOf(round % 3), { size })],
      tombstones: [],
      removed: [],
    };
    root.reviseDir(path, patch);
    expected = applyPatches(expected, [patch]);
    assert.deepEqual(root.viewDir(path)?.decode(), { ...expected, removed: [] });
    root.commit();
    assert.deepEqual(root.viewDir(path)?.find(nameOf(round % 3))?.size, size);
    counts.push(patchesIn(temp.path));
  }
  // Each scan works in the last one's.
  assert.ok(counts.every((count) => count <= 1), `${counts}`);
});

function assertSameView(view: DirView, like: DirView): void {
  assert.equal(view.length, like.length);
  assert.equal(view.scannedAtMs, like.scannedAtMs);
  assert.deepEqual(view.shape, like.shape);
  assert.deepEqual(view.names(), like.names());
  assert.deepEqual(view.decode(), like.decode());
  assert.deepEqual([...view.dirInodes()], [...like.dirInodes()]);
  for (let row = 0; row < like.length; row++) {
    const entry = like.entry(row);
    assert.deepEqual(view.entry(row), entry);
    assert.deepEqual(view.find(entry.name), entry);
    assert.deepEqual(view.vector(row), like.vector(row));
    for (const stat of [entry, { ...entry, ctimeNs: entry.ctimeNs ^ 1 }, { ...entry, mode: 0 }]) {
      assert.equal(view.isUnchanged(row, stat), like.isUnchanged(row, stat));
    }
    if (entry.kind === "file") assert.deepEqual(written(view, row), written(like, row));
  }
  for (const n of [0, 1, 2]) {
    const names = (of: DirView) =>
      of.entriesWithDigest(digestOf(n), ROWS).map(({ name }) => name).sort();
    assert.deepEqual(names(view), names(like));
    assert.ok(view.entriesWithDigest(digestOf(n), 2).length <= 2);
  }
}

function written(view: DirView, row: number): Uint8Array {
  const writer = new ByteWriter(256);
  view.writeFile(writer, row);
  return writer.finish();
}

function patchesIn(path: string): number {
  using database = new DatabaseSync(path, { readOnly: true });
  return Number(database.prepare("SELECT count(*) AS n FROM dir_patches").get()!["n"]);
}
