import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, utf8 } from "../../src/base/bytes.ts";
import { NameRows } from "../../src/index/name_rows.ts";
import { names } from "./arbitraries.ts";

const lists = fc.uniqueArray(names, { maxLength: 40 });

Deno.test("NameRows finds exactly the names that have rows, asked for in any order", () => {
  fc.assert(fc.property(lists, lists, fc.nat(40), (known, others, rows) => {
    rows = Math.min(rows, known.length);
    const found = new NameRows(utf8(known.join("/")), { names: known.length, rows });
    for (const name of [...others, ...known, ...known.toReversed(), ...others]) {
      // In the middle of something, as names lie in a directory's bytes.
      const bytes = concat([utf8("ab"), utf8(name), utf8("cd")]);
      const row = known.indexOf(name);
      assert.equal(found.find(bytes, 2, bytes.length - 2), row < rows ? row : -1, name);
    }
  }));
});

Deno.test("NameRows gives back every name, those without rows too", () => {
  fc.assert(fc.property(lists, (known) => {
    const rows = new NameRows(utf8(known.join("/")), { names: known.length, rows: 0 });
    assert.deepEqual(rows.all(), known);
    assert.deepEqual(known.map((_, i) => rows.name(i)), known);
  }));
});

Deno.test("NameRows refuses other numbers of names and what is not UTF-8", () => {
  const joined = utf8("a/b/c");
  for (const count of [0, 1, 2, 4, 1000]) {
    assert.throws(() => new NameRows(joined, { names: count, rows: 0 }), RangeError);
  }
  assert.throws(() => new NameRows(utf8(""), { names: 1, rows: 1 }), RangeError);
  assert.throws(() => new NameRows(Uint8Array.of(0x61, 0xff), { names: 1, rows: 1 }), RangeError);
});
