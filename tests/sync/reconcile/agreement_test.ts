import assert from "node:assert/strict";
import { sha256 } from "../../../src/base/digest.ts";
import { utf8 } from "../../../src/base/bytes.ts";
import type { FileEntry, LinkEntry } from "../../../src/base/tree.ts";
import {
  changeOf,
  compareLeaves,
  type Leaf,
  likeness,
} from "../../../src/sync/reconcile/agreement.ts";

const one = sha256(utf8("one"));
const two = sha256(utf8("two"));
const file = (size: number, mtimeMs: number, more: Partial<FileEntry> = {}): FileEntry => ({
  kind: "file",
  name: "f",
  mode: 0o644,
  size,
  mtimeMs,
  ...more,
});
const link = (target: string, mtimeMs = 0): LinkEntry => ({
  kind: "link",
  name: "f",
  target,
  mtimeMs,
});

const LIKENESS: readonly [what: string, a: Leaf, b: Leaf, windowMs: number, expected: string][] = [
  ["equal size and time", file(1, 5), file(1, 5), 1, "same"],
  ["another mode", file(1, 5), file(1, 5, { mode: 0o600 }), 1, "same"],
  ["another size", file(1, 5), file(2, 5), 1, "different"],
  ["another time", file(1, 5), file(1, 6), 1, "unsure"],
  ["another time within the window", file(1, 5), file(1, 2004), 2000, "same"],
  ["another time at the window", file(1, 5), file(1, 2005), 2000, "unsure"],
  ["no bytes at any time", file(0, 5), file(0, 9), 1, "same"],
  ["a digest on one side", file(1, 5, { digest: one }), file(1, 5), 1, "unsure"],
  ["equal digests", file(1, 5, { digest: one }), file(1, 9, { digest: one }), 1, "same"],
  ["other digests", file(1, 5, { digest: one }), file(1, 5, { digest: two }), 1, "different"],
  ["a link of another time", link("a", 1), link("a", 2), 1, "same"],
  ["a link elsewhere", link("a"), link("b"), 1, "different"],
  ["a link and a file", link("a", 5), file(1, 5), 1, "different"],
];
for (const [what, a, b, windowMs, expected] of LIKENESS) {
  Deno.test(`likeness() of ${what} is ${expected}`, () => {
    assert.equal(likeness(a, b, windowMs), expected);
    assert.equal(likeness(b, a, windowMs), expected);
  });
}

const CHANGE: readonly [string, Leaf, Leaf | undefined, string][] = [
  ["nothing", file(1, 5), file(1, 5), "none"],
  ["the mode", file(1, 5, { mode: 0o600 }), file(1, 5), "metadata"],
  ["the time", file(1, 6), file(1, 5), "contents"],
  ["the size", file(2, 5), file(1, 5), "contents"],
  ["the digest", file(1, 5, { digest: one }), file(1, 5, { digest: two }), "contents"],
  [
    "the time under an equal digest",
    file(1, 6, { digest: one }),
    file(1, 5, { digest: one }),
    "metadata",
  ],
  ["a new digest", file(1, 5, { digest: one }), file(1, 5), "unsure"],
  ["a digest no longer told", file(1, 5), file(1, 5, { digest: one }), "none"],
  ["the kind", link("a"), file(1, 5), "contents"],
  ["everything", file(1, 5), undefined, "contents"],
  ["a link's time", link("a", 1), link("a", 2), "metadata"],
  ["a link's target", link("a"), link("b"), "contents"],
];
for (const [what, entry, ancestor, expected] of CHANGE) {
  Deno.test(`changeOf() takes ${what} for ${expected}`, () => {
    assert.equal(changeOf(entry, ancestor, 1), expected);
  });
}

Deno.test("compareLeaves() orders any two versions the same from both sides", () => {
  const leaves = [file(1, 5), file(2, 5), file(1, 6), link("a", 5), link("b", 5), link("a", 6)];
  for (const a of leaves) {
    for (const b of leaves) {
      if (a === b) continue;
      assert.equal(Math.sign(compareLeaves(a, b)), -Math.sign(compareLeaves(b, a)));
      assert.notEqual(compareLeaves(a, b), 0);
    }
  }
  assert.ok(compareLeaves(file(1, 6), file(9, 5)) > 0, "the later time first");
});
