import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, fromHex } from "../../src/base/bytes.ts";
import type { VectorMember } from "../../src/base/version_vector.ts";
import { checksum32, digest32 } from "../../src/index/checksum.ts";
import { countsOf, decodeDir, digestsOf, encodeDir, mergeDir } from "../../src/index/dir_codec.ts";
import { DirView, type EntryStat } from "../../src/index/dir_view.ts";
import {
  applyPatches,
  type DirPatch,
  EMPTY_RECORD,
  type EntryRecord,
  joinPatches,
} from "../../src/index/dir_record.ts";
import { patches, records } from "./arbitraries.ts";

const FILE: EntryRecord = {
  name: "a",
  kind: "file",
  mode: 0o644,
  size: 3,
  mtimeMs: 1000,
  mtimeNs: 1,
  ctimeMs: -1,
  ctimeNs: 2,
  ino: 7,
  racy: true,
  digest: undefined,
  target: undefined,
  vector: undefined,
};

Deno.test("decodeDir() gives back every patch that encodeDir() wrote", () => {
  fc.assert(fc.property(patches, (patch) => {
    assert.deepEqual(decodeDir(encodeDir(patch)), patch);
  }));
});

Deno.test("decodeDir() gives back every record, with nothing removed", () => {
  fc.assert(fc.property(records, (record) => {
    assert.deepEqual(decodeDir(encodeDir(record)), { ...record, removed: [] });
  }));
  assert.deepEqual(decodeDir(encodeDir(EMPTY_RECORD)).entries, []);
});

Deno.test("mergeDir() makes the very bytes of the record after the patch", () => {
  fc.assert(fc.property(records, patches, (record, patch) => {
    const merged = mergeDir(new DirView(encodeDir(record)), patch);
    assert.deepEqual(merged, encodeDir(applyPatches(record, [patch])));
  }));
});

Deno.test("joinPatches() makes one patch that does what several do", () => {
  fc.assert(fc.property(records, fc.array(patches, { minLength: 1 }), (record, several) => {
    const inTurn = several.reduce((so, patch) => applyPatches(so, [patch]), record);
    assert.deepEqual(applyPatches(record, [joinPatches(several)]), inTurn);
  }));
});

Deno.test("mergeDir() refuses names out of order and rows that point nowhere", () => {
  const base = new DirView(encodeDir({ scannedAtMs: 0, entries: [FILE], tombstones: [] }));
  const patch = { scannedAtMs: 1, entries: [FILE, FILE], tombstones: [], removed: [] };
  assert.throws(() => mergeDir(base, patch), RangeError);
  const withDigest = { ...FILE, digest: new Uint8Array(32) };
  const bytes = encodeDir({ scannedAtMs: 0, entries: [withDigest], tombstones: [] });
  const { entriesFrom } = new DirView(bytes).encoded;
  new DataView(bytes.buffer).setUint32(entriesFrom + 15, 2);
  new DataView(bytes.buffer).setUint32(0, digest32(bytes, 4));
  assert.throws(() => mergeDir(new DirView(bytes), { ...patch, entries: [] }), RangeError);
});

Deno.test("encodeDir() has the documented bytes", () => {
  const vector = [{ member: "0011223344556677" as VectorMember, counter: 2 }];
  const patch: DirPatch = {
    scannedAtMs: 5,
    entries: [
      { ...FILE, digest: new Uint8Array(32).fill(0xdd) },
      { ...FILE, name: "l", kind: "link", racy: false, target: "x/y", vector },
    ],
    tombstones: [{ name: "t", kind: "dir", vector, deletedAtMs: 9 }],
    removed: ["z"],
  };
  const body = concat([
    fromHex("02 00"), // format, flags
    fromHex("02 01 01 01 05"), // entries, tombstones, removed, digests, scannedAtMs
    fromHex("01 01 0011223344556677 02"), // one vector of one item
    fromHex("07 61 2f 6c 2f 74 2f 7a"), // "a/l/t/z"
    fromHex("01 03 782f79"), // one link target, "x/y"
    // kind file, racy | mode | mtimeNs | ctimeNs | no vector | digest 1
    fromHex("05 01a4 00000001 00000002 00000000 00000001"),
    // size | mtimeMs | ctimeMs | ino
    fromHex("4008000000000000 408f400000000000 bff0000000000000 401c000000000000"),
    // kind link | mode | mtimeNs | ctimeNs | vector 1 | target 1
    fromHex("03 01a4 00000001 00000002 00000001 00000001"),
    fromHex("4008000000000000 408f400000000000 bff0000000000000 401c000000000000"),
    fromHex("02 00000001 4022000000000000"), // tombstone: dir, vector 1, deletedAtMs
    new Uint8Array(32).fill(0xdd),
  ]);
  const bytes = encodeDir(patch);
  assert.deepEqual(bytes.subarray(4), body);
  assert.equal(new DataView(bytes.buffer).getUint32(0), digest32(body));
});

Deno.test("encodeDir() keeps equal vectors once, whoever made them", () => {
  const item = { member: "0011223344556677" as VectorMember, counter: 2 };
  const many = Array.from({ length: 100 }, (_, i) => ({
    ...FILE,
    name: String(i).padStart(3, "0"),
    vector: [{ ...item }],
  }));
  const none = many.map((entry) => ({ ...entry, vector: undefined }));
  const bytes = encodeDir({ scannedAtMs: 0, entries: many, tombstones: [] });
  const bytesWithout = encodeDir({ scannedAtMs: 0, entries: none, tombstones: [] });
  assert.equal(bytes.length, bytesWithout.length + 10);
  const decoded = decodeDir(bytes).entries;
  assert.equal(decoded[0]!.vector, decoded[99]!.vector);
});

Deno.test("encodeDir() refuses disorder, doubles and numbers out of range", () => {
  const refused: Partial<EntryRecord>[] = [
    { mode: 0o10000 },
    { mode: -1 },
    { mtimeNs: 1_000_000 },
    { ctimeNs: -1 },
    { ctimeNs: NaN },
  ];
  for (const wrong of refused) {
    const entries = [{ ...FILE, ...wrong }];
    assert.throws(() => encodeDir({ scannedAtMs: 0, entries, tombstones: [] }), RangeError);
  }
  for (const pair of [["b", "a"], ["a", "a"]]) {
    const entries = pair.map((name) => ({ ...FILE, name }));
    assert.throws(() => encodeDir({ scannedAtMs: 0, entries, tombstones: [] }), RangeError);
  }
});

Deno.test("decodeDir() notices every single flipped byte", () => {
  fc.assert(fc.property(records, fc.nat(), fc.integer({ min: 1, max: 255 }), (record, at, flip) => {
    const bytes = encodeDir(record);
    bytes[at % bytes.length]! ^= flip;
    assert.throws(() => decodeDir(bytes), RangeError);
  }));
});

Deno.test("decodeDir() refuses every shorter or longer form", () => {
  fc.assert(fc.property(records, fc.nat(), (record, cut) => {
    const bytes = encodeDir(record);
    assert.throws(() => decodeDir(bytes.subarray(0, cut % bytes.length)), RangeError);
    assert.throws(() => decodeDir(concat([bytes, fromHex("00")])), RangeError);
  }));
});

Deno.test("decodeDir() of hostile bytes behind a right checksum refuses without reserving memory", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (tail) => {
    const bytes = concat([fromHex("00000000 02 00"), tail]);
    new DataView(bytes.buffer).setUint32(0, digest32(bytes, 4));
    try {
      assert.ok(decodeDir(bytes).entries.length <= tail.length);
    } catch (error) {
      assert.ok(error instanceof RangeError, String(error));
    }
  }));
  const bomb = fromHex("00000000 02 00 c00fffffffffffff 00 00 00 00");
  new DataView(bomb.buffer).setUint32(0, digest32(bomb, 4));
  assert.throws(() => decodeDir(bomb), RangeError);
});

Deno.test("DirView tells an unchanged entry from one that differs in anything", () => {
  fc.assert(fc.property(records, (record) => {
    const view = new DirView(encodeDir(record));
    assert.equal(view.length, record.entries.length);
    assert.equal(view.tombstoneCount, record.tombstones.length);
    assert.equal(view.scannedAtMs, record.scannedAtMs);
    assert.deepEqual(view.shape, record.shape);
    record.tombstones.forEach((tombstone, i) => assert.deepEqual(view.tombstone(i), tombstone));
    record.entries.forEach((entry, i) => {
      assert.equal(view.name(i), entry.name);
      assert.deepEqual(view.entry(i), entry);
      assert.equal(view.isUnchanged(i, entry), !entry.racy);
      const { kind, mode, size, mtimeMs, mtimeNs, ctimeMs, ctimeNs, ino } = entry;
      const changes: Partial<EntryStat>[] = [
        { kind: "other" },
        { kind: kind === "file" ? "dir" : "file" },
        { mode: mode ^ 1 },
        { size: size ^ 1 },
        { mtimeMs: mtimeMs === 0 ? 1 : 0 },
        { mtimeNs: mtimeNs ^ 1 },
        { ctimeMs: ctimeMs === 0 ? 1 : 0 },
        { ctimeNs: ctimeNs ^ 1 },
        { ino: ino === 0 ? 1 : 0 },
      ];
      for (const change of changes) {
        assert.equal(view.isUnchanged(i, { ...entry, ...change }), false, JSON.stringify(change));
      }
    });
  }));
});

Deno.test("DirView finds exactly the first files with a digest, in order", () => {
  const files = fc.array(fc.option(fc.nat(3)), { maxLength: 20 });
  fc.assert(fc.property(files, (digests) => {
    const entries = digests.map((n, i): EntryRecord => ({
      ...FILE,
      name: String(i).padStart(2, "0"),
      kind: i % 5 === 4 ? "dir" : "file",
      // Two pairs of digests that begin alike.
      digest: n === null ? undefined : new Uint8Array(32).fill(n % 2).fill(n, 20),
    }));
    const view = new DirView(encodeDir({ scannedAtMs: 0, entries, tombstones: [] }));
    for (const n of [0, 1, 2, 3, 4]) {
      const digest = new Uint8Array(32).fill(n % 2).fill(n, 20);
      assert.deepEqual(
        view.entriesWithDigest(digest, 3).map((entry) => entry.name),
        entries.filter((entry, i) => entry.kind === "file" && digests[i] === n)
          .slice(0, 3).map((entry) => entry.name),
      );
    }
  }));
});

Deno.test("digestsOf() and countsOf() agree with decodeDir()", () => {
  fc.assert(fc.property(records, (record) => {
    const bytes = encodeDir(record);
    const digests = record.entries.flatMap((entry) => entry.digest ? [entry.digest] : []);
    assert.deepEqual(new Uint8Array(digestsOf(bytes)), concat(digests));
    assert.deepEqual(countsOf(bytes), {
      entries: record.entries.length,
      tombstones: record.tombstones.length,
    });
  }));
});

for (const checksum of [checksum32, digest32]) {
  Deno.test(`${checksum.name}() differs for any one changed word and for other lengths`, () => {
    fc.assert(fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (bytes, at, flip) => {
        const before = checksum(bytes);
        assert.equal(checksum(concat([fromHex("ffff"), bytes]), 2), before);
        assert.notEqual(checksum(concat([bytes, fromHex("00")])), before);
        bytes[at % bytes.length]! ^= flip;
        assert.notEqual(checksum(bytes), before);
      },
    ));
  });
}

Deno.test("a record of the first format is read, and becomes one of the second with the next change", () => {
  fc.assert(fc.property(records, (record) => {
    const bytes = encodeDir(record);
    const old = bytes.slice();
    old[4] = 1;
    new DataView(old.buffer).setUint32(0, checksum32(old, 4));
    assert.deepEqual(decodeDir(old), decodeDir(bytes));
    const nothing = { ...record, entries: [], tombstones: [], removed: [] };
    assert.deepEqual(mergeDir(new DirView(old), nothing), bytes);
    new DataView(old.buffer).setUint32(0, digest32(old, 4));
    assert.throws(() => decodeDir(old), /wrong checksum/);
  }));
});
