import assert from "node:assert/strict";
import fc from "fast-check";
import { DigestTable } from "../../../src/store/chunks/digest_table.ts";

/** Digests of which many share a slot, and some the first words. */
const digests = fc.array(
  fc.tuple(fc.nat(3), fc.constantFrom(0, 1, 512, 1024)).map(([high, low]) => {
    const bytes = new Uint8Array(32);
    new DataView(bytes.buffer).setUint32(0, high);
    new DataView(bytes.buffer).setUint32(4, low);
    return bytes;
  }),
  { maxLength: 60 },
);

Deno.test("DigestTable finds the first number of every digest and no other digest", () => {
  fc.assert(fc.property(digests, digests, (added, others) => {
    const table = new DigestTable();
    const first = new Map<string, number>();
    added.forEach((digest, number) => {
      table.add(digest, 0);
      if (!first.has(String(digest))) first.set(String(digest), number);
      assert.ok(table.has(number, digest, 0));
    });
    for (const digest of [...added, ...others]) {
      assert.equal(table.find(digest, 0), first.get(String(digest)) ?? -1);
    }
    assert.equal(table.count, added.length);
  }));
});

Deno.test("DigestTable keeps its numbers when it grows", () => {
  const table = new DigestTable();
  const bytes = new Uint8Array(8 * 5000);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < 5000; i++) {
    view.setUint32(i * 8, i);
    view.setUint32(i * 8 + 4, Math.imul(i, 0x9e3779b1));
  }
  for (let i = 0; i < 2500; i++) table.add(bytes, i * 8);
  table.reserve(100_000);
  for (let i = 2500; i < 5000; i++) table.add(bytes, i * 8);
  for (let i = 0; i < 5000; i++) assert.equal(table.find(bytes, i * 8), i);
  assert.equal(table.has(5000, bytes, 0), false);
});
