import assert from "node:assert/strict";
import fc from "fast-check";
import { compareBytes, concat, fromHex, toHex, utf8 } from "../../src/base/bytes.ts";
import { compareNames } from "../../src/base/paths.ts";
import {
  decodePage,
  EMPTY_PAGE,
  EMPTY_SHAPE,
  encodePage,
  type Entry,
  PageError,
  shapeOf,
} from "../../src/base/tree.ts";
import { entries } from "./arbitraries.ts";

Deno.test("decodePage() reads what encodePage() wrote", () => {
  fc.assert(fc.property(entries, (entries) => {
    assert.deepEqual(decodePage(encodePage(entries)), entries);
  }));
});

Deno.test("encodePage() has these bytes", () => {
  const page = encodePage([
    { kind: "dir", name: "a", mode: 0o755, shape: new Uint8Array(32).fill(0xee) },
    { kind: "file", name: "b", mode: 0o644, size: 100, mtimeMs: 3 },
    { kind: "link", name: "c", target: "b", mtimeMs: -1 },
  ]);
  const expected = `
    03                 # three entries
    02 01 61 41 ed     # directory "a", mode 0o755
    ${"ee ".repeat(32)} # its shape
    01 01 62 41 a4     # file "b", mode 0o644
    40 64 06           # size 100, time 3 ms (zigzag 6)
    03 01 63 01 62 01  # link "c" to "b", time -1 ms (zigzag 1)`;
  assert.equal(toHex(page), toHex(fromHex(expected.replace(/#.*/g, ""))));
});

Deno.test("EMPTY_SHAPE is the digest of the page of an empty directory", () => {
  assert.deepEqual(encodePage([]), EMPTY_PAGE);
  assert.deepEqual(shapeOf(EMPTY_PAGE), EMPTY_SHAPE);
});

Deno.test("decodePage() throws nothing but PageError on noise and on damaged pages", () => {
  fc.assert(fc.property(entries, fc.nat(), fc.nat(255), (entries, at, value) => {
    const page = encodePage(entries);
    page[at % page.length] = value;
    try {
      decodePage(page);
    } catch (error) {
      assert.ok(error instanceof PageError, String(error));
    }
  }));
});

Deno.test("decodePage() refuses disorder, twins, bad names, wide modes, trailing bytes", () => {
  const file = (name: string): Entry => ({ kind: "file", name, mode: 0, size: 0, mtimeMs: 0 });
  const cases: Record<string, Uint8Array> = {
    disorder: encodePage([file("b"), file("a")]),
    twins: encodePage([file("a"), file("a")]),
    slash: encodePage([file("a/b")]),
    "dot dot": encodePage([file("..")]),
    "own folder": encodePage([file(".Landropic")]),
    "wide mode": encodePage([{ ...file("a"), mode: 0o4755 } as Entry]),
    "empty link": encodePage([{ kind: "link", name: "l", target: "", mtimeMs: 0 }]),
    trailing: concat([encodePage([]), new Uint8Array(1)]),
    "count without entries": fromHex("05"),
    "huge count": fromHex("bf ff ff ff"),
  };
  for (const [name, page] of Object.entries(cases)) {
    assert.throws(() => decodePage(page), PageError, name);
  }
});

Deno.test("compareNames() orders as UTF-8 bytes do", () => {
  const text = fc.string({ unit: "binary", maxLength: 8 });
  fc.assert(
    fc.property(text, text, (a, b) => {
      assert.equal(Math.sign(compareNames(a, b)), Math.sign(compareBytes(utf8(a), utf8(b))));
    }),
    { numRuns: 2000 },
  );
  assert.ok(compareNames("\uffff", "\u{10000}") < 0);
});
