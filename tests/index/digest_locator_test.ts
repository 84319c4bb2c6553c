import assert from "node:assert/strict";
import fc from "fast-check";
import { concat } from "../../src/base/bytes.ts";
import { digestKey } from "../../src/base/digest.ts";
import { type DirPath, joinPath } from "../../src/base/paths.ts";
import { EMPTY_VECTOR } from "../../src/base/version_vector.ts";
import { DigestMap, printOf } from "../../src/index/digest_map.ts";
import { LOCATIONS_MAX } from "../../src/index/mod.ts";
import { digestOf, dirRecord, fileRecord, ROOT, TempIndex } from "./temp_index.ts";

Deno.test("pathsOfDigest() finds exactly the files that have it, through every change", async () => {
  const dirs = ["", "a", "a/b", "c"] as DirPath[];
  const contents = fc.uniqueArray(
    fc.record({ name: fc.constantFrom("f", "g", "h"), digest: fc.option(fc.nat(4)) }),
    { selector: ({ name }) => name },
  ).map((files) => files.sort((a, b) => (a.name < b.name ? -1 : 1)));
  const steps = fc.array(
    fc.record({
      dir: fc.constantFrom(...dirs),
      files: contents,
      how: fc.constantFrom(
        "put",
        "patch",
        "patch-knowing",
        "revise",
        "prepare",
        "bury",
        "rename",
        "other",
        "undone",
      ),
      look: fc.boolean(),
    }),
    { maxLength: 10 },
  );
  using temp = new TempIndex();
  await using index = await temp.open();
  await using other = await temp.open();
  let runs = 0;
  fc.assert(
    fc.property(steps, (run) => {
      const identity = { ...ROOT, path: `/run ${++runs}` };
      const root = index.openRoot(identity);
      const check = () => {
        const expected = new Map<string, string[]>();
        for (const [dir, record] of root.dirs()) {
          for (const entry of record.entries) {
            if (entry.digest === undefined) continue;
            const key = digestKey(entry.digest);
            expected.set(key, [...expected.get(key) ?? [], joinPath(dir, entry.name)]);
          }
        }
        const all = root.pathsOfDigests([0, 1, 2, 3, 4, "none"].map(digestOf));
        assert.equal(all.size, expected.size);
        for (const [key, locations] of all) {
          assert.deepEqual(locations.map(({ path }) => path).sort(), expected.get(key)!.sort());
        }
        for (const n of [0, 1, 2, 3, 4]) {
          assert.deepEqual(
            root.pathsOfDigest(digestOf(n)).map(({ path }) => path).sort(),
            expected.get(digestKey(digestOf(n)))?.sort() ?? [],
          );
        }
      };
      for (const { dir, files, how, look } of run) {
        const record = dirRecord(
          ...files.map(({ name, digest }) =>
            fileRecord(name, { digest: digest === null ? undefined : digestOf(digest) })
          ),
        );
        if (how === "put") root.putDir(dir, record);
        else if (how === "patch") root.patchDir(dir, { ...record, removed: [] });
        else if (how === "patch-knowing") {
          const known = new Set(root.getDir(dir)?.entries.map(({ name }) => name));
          const fresh = new Set(files.map(({ name }) => name).filter((name) => !known.has(name)));
          root.patchDir(dir, { ...record, removed: [] }, fresh);
        } else if (how === "revise") root.reviseDir(dir, { ...record, removed: [] });
        else if (how === "prepare") root.prepareLocating();
        else if (how === "bury") {
          root.buryDir(dir, ({ name }) => ({
            name,
            kind: "file",
            vector: EMPTY_VECTOR,
            deletedAtMs: 7,
          }));
        } else if (how === "rename" && dir !== "") root.renameDir(dir, "moved" as DirPath);
        else if (how === "other") {
          root.commit();
          const theirs = other.openRoot(identity);
          theirs.putDir(dir, record);
          theirs.commit();
        } else if (how === "undone") {
          assert.throws(() =>
            root.transaction(() => {
              root.putDir(dir, record);
              root.pathsOfDigest(digestOf(1));
              throw new Error("undo");
            }), /undo/);
        }
        if (look) check();
      }
      check();
    }),
    { numRuns: 50 },
  );
});

Deno.test("pathsOfDigest() names no more than its limit, in one directory or in many", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  const digest = digestOf("the empty file");
  const many = Array.from(
    { length: 40 },
    (_, i) => fileRecord(String(i).padStart(2, "0"), { digest }),
  );
  for (let i = 0; i < 40; i++) root.putDir(`d${i}` as DirPath, dirRecord(...many));
  assert.equal(root.pathsOfDigest(digest).length, LOCATIONS_MAX);
});

Deno.test("pathsOfDigests() keeps nothing of versions that were replaced", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  const version = (n: number) =>
    dirRecord(
      ...Array.from(
        { length: 100 },
        (_, i) => fileRecord(`f${1000 + i}`, { digest: digestOf(`${n} ${i}`) }),
      ),
    );
  root.putDir("a" as DirPath, version(0));
  root.pathsOfDigest(digestOf("0 0"));
  const bytes = root.digestMapBytes;
  assert.ok(bytes > 0);
  for (let n = 1; n < 40; n++) {
    const record = version(n);
    if (n % 3 === 0) root.putDir("a" as DirPath, record);
    else if (n % 3 === 1) root.patchDir("a" as DirPath, { ...record, removed: [] });
    else {
      for (const entry of record.entries) {
        root.patchEntry("a" as DirPath, entry, { scannedAtMs: 1, shape: undefined });
      }
    }
  }
  assert.equal(root.pathsOfDigest(digestOf("39 7")).length, 1);
  assert.equal(root.pathsOfDigest(digestOf("38 7")).length, 0);
  assert.ok(root.digestMapBytes <= bytes * 2, `${root.digestMapBytes} bytes, ${bytes} before`);
});

Deno.test("DigestMap names every directory of a digest while it grows", () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.nat(3000), { maxLength: 100 }), { maxLength: 40 }), (dirs) => {
      const map = new DigestMap();
      const expected = new Map<number, Set<string>>();
      dirs.forEach((digests, dir) => {
        map.add(concat(digests.map(digestOf)), `d${dir}` as DirPath);
        for (const n of digests) {
          expected.set(n, (expected.get(n) ?? new Set()).add(`d${dir}`));
        }
      });
      for (const [n, at] of expected) {
        const found = new Set<string>(map.dirsOf(digestOf(n)));
        if (at.size <= 16) assert.deepEqual(found, at);
        else assert.ok(found.size === 16 && found.isSubsetOf(at));
      }
      assert.deepEqual(map.dirsOf(digestOf("none")), []);
    }),
    { numRuns: 30 },
  );
});

Deno.test("DigestMap finds what was not taken back, and nothing else", () => {
  const step = fc.record({
    // Prints that crowd at the ends of a part and between.
    print: fc.constantFrom(0, 1, 2, 3, 5e6, 33554432, 67108862, 67108863, 67108864, 4294967295),
    dir: fc.constantFrom("a", "b", "c"),
    isTakenBack: fc.boolean(),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
    const map = new DigestMap();
    const expected = new Map<number, Set<string>>();
    for (const { print, dir, isTakenBack } of steps) {
      const dirs = expected.get(print) ?? new Set();
      expected.set(print, dirs);
      if (isTakenBack) {
        map.remove([print], dir as DirPath);
        dirs.delete(dir);
        // Nothing was added twice, so that one step back takes all of it.
      } else if (!dirs.has(dir)) {
        map.add(digestWith(print), dir as DirPath);
        dirs.add(dir);
      }
      for (const [known, at] of expected) {
        assert.deepEqual(new Set<string>(map.dirsOf(digestWith(known))), at);
      }
    }
  }));
});

Deno.test("DigestMap takes no more for twenty versions of its files than for one", () => {
  const map = new DigestMap();
  const versionOf = (version: number, dir: number) =>
    concat(Array.from({ length: 250 }, (_, i) => digestOf(`${version} ${dir} ${i}`)));
  const fill = (version: number) => {
    for (let dir = 0; dir < 40; dir++) {
      if (version > 0) map.remove(printsIn(versionOf(version - 1, dir)), `d${dir}` as DirPath);
      map.add(versionOf(version, dir), `d${dir}` as DirPath);
    }
  };
  fill(0);
  const { bytes } = map;
  assert.ok(bytes < 10_000 * 20, `${bytes} bytes for 10 000 digests`);
  for (let version = 1; version < 20; version++) fill(version);
  // What comes before it goes may make a part grow once.
  assert.ok(map.bytes <= bytes * 1.5, `${map.bytes} bytes, ${bytes} before`);
});

Deno.test("DigestMap takes a hundred thousand equal digests without slowing down or growing", () => {
  const map = new DigestMap();
  const same = concat(Array.from({ length: 100 }, () => digestOf("same")));
  for (let dir = 0; dir < 1000; dir++) map.add(same, `d${dir}` as DirPath);
  assert.equal(map.dirsOf(digestOf("same")).length, 16);
  map.add(digestOf("other"), "other" as DirPath);
  assert.deepEqual(map.dirsOf(digestOf("other")), ["other"]);
});

function digestWith(print: number): Uint8Array {
  const digest = new Uint8Array(32);
  new DataView(digest.buffer).setUint32(0, print);
  return digest;
}

function printsIn(digests: Uint8Array): number[] {
  return Array.from({ length: digests.length / 32 }, (_, i) => printOf(digests, 32 * i));
}
