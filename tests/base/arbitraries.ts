import fc from "fast-check";
import { compareNames, nameFault } from "../../src/base/paths.ts";
import type { Entry } from "../../src/base/tree.ts";

const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 })
  .filter((name) => nameFault(name) === undefined);
const mtimeMs = fc.integer({ min: -(2 ** 42), max: 2 ** 43 });
const mode = fc.nat(0o777);
const digest = fc.uint8Array({ minLength: 32, maxLength: 32 });
const entry: fc.Arbitrary<Entry> = fc.oneof(
  fc.record({ kind: fc.constant("file"), name, mode, size: fc.nat(2 ** 31), mtimeMs }, {
    noNullPrototype: true,
  }),
  fc.record(
    { kind: fc.constant("file"), name, mode, size: fc.nat(2 ** 31), mtimeMs, digest },
    { noNullPrototype: true },
  ),
  fc.record({ kind: fc.constant("dir"), name, mode, shape: digest }, { noNullPrototype: true }),
  fc.record(
    {
      kind: fc.constant("link"),
      name,
      target: fc.string({ minLength: 1, maxLength: 30 }),
      mtimeMs,
    },
    { noNullPrototype: true },
  ),
) as fc.Arbitrary<Entry>;
/** Entries of one directory, in order. */
export const entries: fc.Arbitrary<Entry[]> = fc.uniqueArray(entry, {
  selector: (e) => e.name,
  maxLength: 30,
})
  .map((list) => list.sort((a, b) => compareNames(a.name, b.name)));
