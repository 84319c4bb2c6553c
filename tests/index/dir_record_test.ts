import assert from "node:assert/strict";
import fc from "fast-check";
import {
  applyPatch,
  checkOrder,
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

Deno.test("applyPatch() replaces exactly the names in the patch and keeps the order", () => {
  fc.assert(fc.property(records, patches, (record, patch) => {
    const expected = modelOf(record);
    for (const name of patch.removed) expected.delete(name);
    for (const [name, value] of modelOf(patch)) expected.set(name, value);

    const patched = applyPatch(record, patch);
    checkOrder(patched.entries);
    checkOrder(patched.tombstones);
    assert.deepEqual(modelOf(patched), expected);
    assert.equal(patched.entries.length + patched.tombstones.length, expected.size);
    assert.equal(patched.shape, patch.shape);
    assert.equal(patched.scannedAtMs, patch.scannedAtMs);
  }));
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

Deno.test("checkOrder() orders by UTF-8 bytes and refuses doubles", () => {
  checkOrder([{ name: "a" }, { name: "\uffff" }, { name: "\u{10000}" }]);
  assert.throws(() => checkOrder([{ name: "\u{10000}" }, { name: "\uffff" }]), RangeError);
  assert.throws(() => checkOrder([{ name: "a" }, { name: "a" }]), RangeError);
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
