import assert from "node:assert/strict";
import fc from "fast-check";
import nodePath from "node:path";
import { basename, dirname, join, resolve } from "../../src/base/system_path.ts";

/** Paths with all that makes them difficult. */
const paths = fc.array(fc.constantFrom("/", "//", "a", "b c", ".", "..", "...", ".x", "ü"), {
  maxLength: 8,
}).map((parts) => parts.join(""));

Deno.test("paths of the system are what node:path makes of them", () => {
  fc.assert(
    fc.property(paths, (path) => {
      assert.equal(basename(path), nodePath.basename(path));
      const plain = nodePath.normalize(path);
      assert.equal(dirname(plain), nodePath.dirname(plain));
    }),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(fc.array(paths, { maxLength: 4 }), (parts) => {
      assert.equal(join(...parts), nodePath.join(...parts));
      assert.equal(resolve(...parts), nodePath.resolve(...parts));
    }),
    { numRuns: 2000 },
  );
});
