import assert from "node:assert/strict";
import fc from "fast-check";
import { distance, nearest } from "../../src/cli/suggest.ts";

const WORDS = ["delete", "dry-run", "push", "pull", "exclude", "exclude-from", "id"];

Deno.test("nearest() finds the word behind a typo and nothing behind noise", () => {
  const cases: [string, string | undefined][] = [
    ["detele", "delete"],
    ["DELETE", "delete"],
    ["dryrun", "dry-run"],
    ["pus", "push"],
    ["pul", "pull"],
    ["dele", "delete"],
    ["exclude-form", "exclude-from"],
    ["x", undefined],
    ["", undefined],
    ["something", undefined],
  ];
  for (const [typed, word] of cases) assert.equal(nearest(typed, WORDS), word, typed);
});

Deno.test("distance() is symmetric, zero for equal texts only, and bounded by the longer one", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 8 });
  fc.assert(fc.property(text, text, (a, b) => {
    const mistakes = distance(a, b);
    assert.equal(mistakes, distance(b, a));
    assert.equal(mistakes === 0, a === b);
    assert.ok(mistakes >= Math.abs(a.length - b.length));
    assert.ok(mistakes <= Math.max(a.length, b.length));
  }));
});

Deno.test("distance() counts a swap of neighbours as one mistake", () => {
  assert.equal(distance("detele", "delete"), 2);
  assert.equal(distance("hlep", "help"), 1);
  assert.equal(distance("", "abc"), 3);
});
