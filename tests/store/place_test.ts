import assert from "node:assert/strict";
import { overlapOf, placesOf } from "../../src/store/mod.ts";
import { temporaryFolder } from "../support/tree.ts";

Deno.test("overlapOf() tells how two folders lie to each other, by whatever paths", () => {
  using folder = temporaryFolder();
  const [a, b, c] = [`${folder.path}/a`, `${folder.path}/a/b`, `${folder.path}/c`];
  Deno.mkdirSync(b, { recursive: true });
  Deno.mkdirSync(c);
  Deno.symlinkSync(a, `${folder.path}/alias`);
  const overlap = (own: string, other: string) => overlapOf(placesOf(own), placesOf(other));
  assert.equal(overlap(a, a), "same");
  assert.equal(overlap(`${folder.path}/alias`, a), "same");
  assert.equal(overlap(b, a), "inside");
  assert.equal(overlap(a, b), "around");
  assert.equal(overlap(a, c), undefined);
  assert.equal(overlap("/", c), "around");
});

Deno.test("placesOf() leaves out what is missing, and nothing overlaps with nothing", () => {
  using folder = temporaryFolder();
  assert.deepEqual(placesOf(`${folder.path}/a/b`), placesOf(folder.path));
  assert.equal(overlapOf(new Uint8Array(), placesOf(folder.path)), undefined);
  assert.equal(overlapOf(placesOf(folder.path), new Uint8Array()), undefined);
});
