import assert from "node:assert/strict";
import fc from "fast-check";
import { utf8 } from "../../../src/base/bytes.ts";
import { NAME_BYTES_MAX, nameFault } from "../../../src/base/paths.ts";
import {
  conflictName,
  isConflictName,
  originalName,
} from "../../../src/sync/reconcile/conflict_name.ts";

const mark = { device: "ABCDEFG", mtimeMs: Date.UTC(2026, 0, 31, 12, 5, 9, 999) };
const MARKED = "conflict-ABCDEFG-20260131-120509";

const TABLE: readonly [name: string, expected: string][] = [
  ["report.txt", `report.${MARKED}.txt`],
  ["archive.tar.gz", `archive.tar.${MARKED}.gz`],
  ["Makefile", `Makefile.${MARKED}`],
  [".bashrc", `.bashrc.${MARKED}`],
  ["a.", `a.${MARKED}.`],
  [`report.conflict-HIJKLMN-20200101-000000.txt`, `report.${MARKED}.txt`],
  [`report.conflict-HIJKLMN-20200101-000000-0a1b2c3d.txt`, `report.${MARKED}.txt`],
  [`Makefile.conflict-HIJKLMN-20200101-000000`, `Makefile.${MARKED}`],
  ["report.conflict-of-interest.txt", `report.conflict-of-interest.${MARKED}.txt`],
];
for (const [name, expected] of TABLE) {
  Deno.test(`conflictName() makes ${expected} of ${name}`, () => {
    assert.equal(conflictName(name, mark), expected);
  });
}

Deno.test("conflictName() tells versions apart by a variant", () => {
  assert.equal(conflictName("a.b", { ...mark, variant: "00ff" }), `a.${MARKED}-00ff.b`);
});

Deno.test("conflictName() takes times that no calendar has", () => {
  for (const mtimeMs of [-1, -(2 ** 52), 2 ** 52, 8.64e15]) {
    assert.match(
      conflictName("a", { device: "AAAAAAA", mtimeMs }),
      /^a\.conflict-A{7}-\d{8}-\d{6}$/,
    );
  }
});

const goodName = fc.string({ unit: "grapheme", minLength: 1, maxLength: 260 })
  .filter((name) => nameFault(name) === undefined);

Deno.test("conflictName() gives a good name for every good name, and knows it again", () => {
  fc.assert(fc.property(goodName, fc.integer(), (name, mtimeMs) => {
    const copy = conflictName(name, { device: "ABCDEFG", mtimeMs });
    assert.equal(nameFault(copy), undefined);
    assert.ok(utf8(copy).length <= NAME_BYTES_MAX);
    assert.ok(isConflictName(copy));
  }));
});

Deno.test("conflictName() of a conflict copy is no longer than that of the original", () => {
  fc.assert(fc.property(goodName, fc.integer(), fc.integer(), (name, first, second) => {
    const copy = conflictName(name, { device: "ABCDEFG", mtimeMs: first });
    const again = { device: "HIJKLMN", mtimeMs: second };
    assert.equal(conflictName(copy, again), conflictName(originalName(copy), again));
    assert.equal(utf8(conflictName(copy, again)).length, utf8(copy).length);
  }));
});
