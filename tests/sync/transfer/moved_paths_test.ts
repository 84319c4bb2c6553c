import assert from "node:assert/strict";
import fc from "fast-check";
import { isWithin, type RelPath } from "../../../src/base/paths.ts";
import { MovedPaths } from "../../../src/sync/transfer/moved_paths.ts";

const path = fc.array(fc.constantFrom("a", "b", "ab"), { minLength: 1, maxLength: 4 })
  .map((names) => names.join("/") as RelPath);

Deno.test("MovedPaths follows a path through all moves in their order", () => {
  fc.assert(fc.property(fc.array(fc.tuple(path, path), { maxLength: 12 }), path, (moves, start) => {
    const paths = new MovedPaths();
    for (const [from, to] of moves) paths.add(from, to);
    let at: string = start;
    for (const [from, to] of moves) if (isWithin(at, from)) at = to + at.slice(from.length);
    assert.equal(paths.find(start), at);
  }));
});
