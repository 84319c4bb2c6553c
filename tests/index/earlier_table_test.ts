import assert from "node:assert/strict";
import fc from "fast-check";
import type { RelPath } from "../../src/base/paths.ts";
import { digestOf, ROOT, TempIndex } from "./temp_index.ts";

const paths = fc.constantFrom(
  "a",
  "b",
  "d/a",
  "d/b",
  "d/c",
  "d-x",
  "d/\u{ffff}",
  "d/\u{10000}",
  "e/f/g",
);
const version = fc.record({ path: paths, size: fc.nat(2), mtimeMs: fc.nat(2) });

Deno.test("earlierDigest() finds what was noted, in whatever order it is asked", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  let runs = 0;
  fc.assert(fc.property(
    fc.array(fc.record({ note: version, commits: fc.boolean(), asked: fc.array(version) }), {
      maxLength: 8,
    }),
    (steps) => {
      const root = index.openRoot({ ...ROOT, path: `/run ${++runs}` });
      const noted = new Map<string, string>();
      for (const [i, { note, commits, asked }] of steps.entries()) {
        const { path, ...of } = note;
        root.noteEarlier(path as RelPath, { ...of, digest: digestOf(i) });
        noted.set(JSON.stringify(note), JSON.stringify(digestOf(i)));
        if (commits) root.commit();
        for (const { path, ...of } of asked) {
          const digest = root.earlierDigest(path as RelPath, of);
          const expected = noted.get(JSON.stringify({ path, ...of }));
          assert.equal(digest && JSON.stringify(digest), expected);
        }
      }
    },
  ));
});

Deno.test("earlierDigest() finds everything in directories larger than what it reads at once", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  const name = (i: number) => `d/f${String(i).padStart(3, "0")}` as RelPath;
  const versions = [...Array(500).keys()].filter((i) => i % 3 !== 0);
  for (const i of versions) {
    root.noteEarlier(name(i), { size: i, mtimeMs: 5, digest: digestOf(i) });
  }
  // Of one path more than are read at once.
  for (let size = 1000; size < 1300; size++) {
    root.noteEarlier(name(7), { size, mtimeMs: 5, digest: digestOf(size) });
  }
  root.commit();
  const check = (i: number, size: number) => {
    const expected = versions.includes(i) ? digestOf(size) : undefined;
    assert.deepEqual(root.earlierDigest(name(i), { size, mtimeMs: 5 }), expected, `${i} ${size}`);
  };
  for (let i = 0; i < 500; i++) check(i, i);
  for (let i = 499; i >= 0; i--) check(i, i);
  for (let size = 1000; size < 1300; size++) check(7, size);
});
