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
  Deno.symlinkSync(b, `${folder.path}/c/link`);
  assert.equal(overlap(`${folder.path}/c/link`, a), "inside");
  assert.equal(overlap(`${folder.path}/c/link`, c), undefined);
});

Deno.test("a folder that is missing holds none, and lies where it would be made", () => {
  using folder = temporaryFolder();
  Deno.mkdirSync(`${folder.path}/served`);
  Deno.symlinkSync(`${folder.path}/served`, `${folder.path}/alias`);
  const served = placesOf(`${folder.path}/served`);
  const overlap = (path: string) => overlapOf(placesOf(`${folder.path}/${path}`), served);
  assert.equal(overlap("a"), undefined);
  assert.equal(overlap("a/b"), undefined);
  assert.equal(overlap("served/a"), "inside");
  assert.equal(overlap("served/a/b"), "inside");
  assert.equal(overlap("alias/a"), "inside");
});

Deno.test("nothing overlaps with nothing", () => {
  using folder = temporaryFolder();
  assert.equal(overlapOf(new Uint8Array(), placesOf(folder.path)), undefined);
  assert.equal(overlapOf(placesOf(folder.path), new Uint8Array()), undefined);
});
