import assert from "node:assert/strict";
import fc from "fast-check";
import {
  applyPatches,
  checkNames,
  type DirRecord,
  EMPTY_RECORD,
  findEntry,
  findTombstone,
  isRacy,
  RACY_WINDOW_MS,
  vectorOf,
} from "../../src/index/dir_record.ts";
import { patches, records } from "./arbitraries.ts";

/** What a record says of each name, as the plainest model there is. */
function modelOf(record: DirRecord): Map<string, unknown> {
  const model = new Map<string, unknown>();
  for (const entry of record.entries) model.set(entry.name, entry);
  for (const tombstone of record.tombstones) model.set(tombstone.name, tombstone);
  return model;
}

Deno.test("applyPatches() replaces exactly the names in the patches and keeps the order", () => {
  const some = fc.array(patches, { minLength: 1, maxLength: 4 });
  fc.assert(fc.property(records, some, (record, patches) => {
    const expected = modelOf(record);
    for (const patch of patches) {
      for (const name of patch.removed) expected.delete(name);
      for (const [name, value] of modelOf(patch)) expected.set(name, value);
    }
    const patched = applyPatches(record, patches);
    checkNames(patched.entries);
    checkNames(patched.tombstones);
    assert.deepEqual(modelOf(patched), expected);
    assert.equal(patched.entries.length + patched.tombstones.length, expected.size);
    assert.equal(patched.shape, patches.at(-1)!.shape);
    assert.equal(patched.scannedAtMs, patches.at(-1)!.scannedAtMs);
  }));
});

Deno.test("applyPatches() without patches is the record itself", () => {
  assert.equal(applyPatches(EMPTY_RECORD, []), EMPTY_RECORD);
});

Deno.test("findEntry() and findTombstone() find each name and no other", () => {
  fc.assert(fc.property(records, (record) => {
    for (const entry of record.entries) {
      assert.equal(findEntry(record, entry.name), entry);
      assert.equal(findTombstone(record, entry.name), undefined);
    }
    for (const tombstone of record.tombstones) {
      assert.equal(findTombstone(record, tombstone.name), tombstone);
      assert.equal(findEntry(record, tombstone.name), undefined);
    }
    assert.equal(findEntry(record, "not there"), undefined);
  }));
});

Deno.test("checkNames() orders by UTF-8 bytes and refuses doubles and what is no name", () => {
  checkNames([{ name: "a" }, { name: "\uffff" }, { name: "\u{10000}" }]);
  assert.throws(() => checkNames([{ name: "\u{10000}" }, { name: "\uffff" }]), RangeError);
  assert.throws(() => checkNames([{ name: "a" }, { name: "a" }]), RangeError);
  assert.throws(() => checkNames([{ name: "" }]), RangeError);
  assert.throws(() => checkNames([{ name: "a/b" }]), RangeError);
});

Deno.test("isRacy() holds on both sides of the scan, inside the window only", () => {
  const scan = 1_700_000_000_000;
  for (const distance of [0, 1, RACY_WINDOW_MS - 1]) {
    assert.equal(isRacy(scan - distance, scan), true);
    assert.equal(isRacy(scan + distance, scan), true);
  }
  for (const distance of [RACY_WINDOW_MS, RACY_WINDOW_MS + 1, 1e12]) {
    assert.equal(isRacy(scan - distance, scan), false);
    assert.equal(isRacy(scan + distance, scan), false);
  }
});

Deno.test("vectorOf() of nothing is the empty vector", () => {
  assert.deepEqual(vectorOf(undefined), []);
  assert.deepEqual(vectorOf(findEntry(EMPTY_RECORD, "a")), []);
});
