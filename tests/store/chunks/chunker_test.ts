import assert from "node:assert/strict";
import fc from "fast-check";
import { toHex } from "../../../src/base/bytes.ts";
import { sha256 } from "../../../src/base/digest.ts";
import { Chunker, type ChunkerParameters, CHUNKERS } from "../../../src/store/chunks/mod.ts";
import { GEAR, gearOfZeros } from "../../../src/store/chunks/gear.ts";
import { noise, plainCuts } from "./reference.ts";

/** Small enough for thousands of random inputs; the masks let no run of zeros be cut. */
const SMALL: ChunkerParameters = {
  id: 99,
  minBytes: 50,
  normalBytes: 90,
  maxBytes: 301,
  strictMask: -1 << (32 - 7),
  looseMask: -1 << (32 - 5),
  fileBytesMax: 2 ** 20,
};

/** Feeds the pieces one after the other; returns lengths of chunks, the rest as the last. */
function cutPieces(pieces: readonly Uint8Array[], parameters: ChunkerParameters): number[] {
  const chunker = new Chunker(parameters);
  const lengths: number[] = [];
  for (const piece of pieces) {
    for (let from = 0;;) {
      const before = chunker.pendingBytes;
      const cut = chunker.findCut(piece, from);
      if (cut < 0) break;
      lengths.push(before + cut - from);
      from = cut;
    }
  }
  if (chunker.pendingBytes > 0) lengths.push(chunker.pendingBytes);
  return lengths;
}

function split(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const bounds = [0, ...at.map((x) => x % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return bounds.slice(1).map((bound, i) => bytes.subarray(bounds[i]!, bound));
}

/** Random bytes with runs of zeros and of one other byte in them. */
const runs = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 700 }),
    fc.nat(900).map((length) => new Uint8Array(length)),
    fc.tuple(fc.nat(400), fc.nat(255)).map(([n, byte]) => new Uint8Array(n).fill(byte)),
  ),
  { maxLength: 6 },
).map((parts) => Uint8Array.from(parts.flatMap((part) => [...part])));

Deno.test("Chunker cuts as the plain description does, however the input is split", () => {
  fc.assert(
    fc.property(runs, fc.array(fc.nat(), { maxLength: 8 }), (bytes, at) => {
      assert.deepStrictEqual(cutPieces(split(bytes, at), SMALL), plainCuts(bytes, SMALL));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("Chunker cuts the same at any alignment of the buffer", () => {
  const bytes = noise(4000);
  const expected = plainCuts(bytes, SMALL);
  for (let shift = 0; shift < 8; shift++) {
    const shifted = new Uint8Array(bytes.length + 16);
    shifted.set(bytes, shift);
    const view = shifted.subarray(shift, shift + bytes.length);
    assert.deepStrictEqual(cutPieces([view], SMALL), expected);
  }
});

Deno.test("Chunker cuts the same when fed one byte at a time", () => {
  const bytes = new Uint8Array([...noise(1500), ...new Uint8Array(700), ...noise(300, "b")]);
  const pieces = Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
  assert.deepStrictEqual(cutPieces(pieces, SMALL), plainCuts(bytes, SMALL));
});

Deno.test("Chunker keeps every chunk but the last between minBytes and maxBytes", () => {
  fc.assert(fc.property(runs, (bytes) => {
    const lengths = cutPieces([bytes], SMALL);
    assert.equal(lengths.reduce((sum, length) => sum + length, 0), bytes.length);
    for (const length of lengths.slice(0, -1)) assert.ok(length > SMALL.minBytes);
    for (const length of lengths) assert.ok(length <= SMALL.maxBytes);
  }));
});

Deno.test("Chunker falls back in step behind an inserted byte", () => {
  const bytes = noise(2 * 2 ** 20);
  const ends = (lengths: number[]) => {
    let end = 0;
    return lengths.map((length) => end += length);
  };
  const [parameters] = CHUNKERS;
  const before = ends(cutPieces([bytes], parameters!));
  const after = ends(cutPieces([Uint8Array.of(7), bytes], parameters!));
  const shifted = new Set(before.map((end) => end + 1));
  const kept = after.filter((end) => shifted.has(end)).length;
  assert.ok(before.length - kept <= 3, `${before.length - kept} of ${before.length} cuts lost`);
});

Deno.test("lastIsZeros marks whole chunks of zeros and nothing else", () => {
  const { maxBytes } = SMALL;
  const bytes = new Uint8Array(3 * maxBytes + 40);
  bytes[2 * maxBytes + 200] = 1;
  for (const pieceBytes of [bytes.length, 64, 7, 1]) {
    const chunker = new Chunker(SMALL);
    const marks: boolean[] = [];
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const piece = bytes.subarray(at, at + pieceBytes);
      for (let from = 0; (from = chunker.findCut(piece, from)) >= 0;) {
        marks.push(chunker.lastIsZeros);
      }
    }
    assert.deepStrictEqual(marks.slice(0, 2), [true, true]);
    assert.ok(!marks.slice(2).includes(true));
    assert.equal(chunker.lastIsZeros, false);
  }
});

Deno.test("findCut() returns -1 at the end of its input and takes nothing in", () => {
  const chunker = new Chunker(SMALL);
  assert.equal(chunker.findCut(new Uint8Array(0), 0), -1);
  assert.equal(chunker.findCut(new Uint8Array(10), 10), -1);
  assert.equal(chunker.pendingBytes, 0);
});

Deno.test("GEAR is the table that its seed gives, for ever", () => {
  const bytes = new Uint8Array(1024);
  GEAR.forEach((value, i) => new DataView(bytes.buffer).setInt32(i * 4, value));
  assert.equal(GEAR.length, 256);
  assert.deepStrictEqual([...GEAR.subarray(0, 4)], [524472891, -122205100, 466339666, -1593116171]);
  assert.equal(
    toHex(sha256(bytes)),
    "7be0775ba9c8e793f083e17bace6d40e277a99cff52f6d03edecb846007be26c",
  );
});

Deno.test("gearOfZeros() is the hash that rolling over zeros gives, and never a cut", () => {
  let hash = 0;
  for (let count = 0; count < 80; count++) {
    assert.equal(gearOfZeros(count), hash);
    for (const p of [...CHUNKERS, SMALL]) {
      const mask = count <= p.normalBytes - p.minBytes ? p.strictMask : p.looseMask;
      if (count > 0) assert.notEqual(hash & mask, 0);
    }
    hash = ((hash << 1) + GEAR[0]!) | 0;
  }
});

Deno.test("a run of any one byte makes chunks of maxBytes, so it stays cheap to name", () => {
  for (const { looseMask, strictMask } of CHUNKERS) {
    for (const value of GEAR) {
      assert.ok((-value & looseMask) !== 0 && (-value & strictMask) !== 0);
    }
  }
});

Deno.test("CHUNKERS cut a fixed input where they always did", () => {
  const cuts = (bytes: Uint8Array, id: number) => cutPieces([bytes], CHUNKERS[id - 1]!);
  assert.deepStrictEqual(cuts(noise(400_000), 1), [
    33378,
    38960,
    37371,
    31692,
    35975,
    37691,
    29134,
    28972,
    39802,
    35322,
    32571,
    19132,
  ]);
  assert.deepStrictEqual(cuts(noise(1_500_000), 2), [244201, 368208, 348974, 254967, 283650]);
  assert.deepStrictEqual(cuts(noise(8_000_000), 3), [2263393, 3819050, 1917557]);
});

Deno.test("CHUNKERS have ids of their own, rising sizes, and bounds that keep recipes small", () => {
  CHUNKERS.forEach((chunker, i) => {
    assert.equal(chunker.id, i + 1);
    assert.ok(chunker.minBytes <= chunker.normalBytes && chunker.normalBytes < chunker.maxBytes);
    assert.ok(Math.ceil(chunker.fileBytesMax / chunker.minBytes) <= 2 ** 20);
    if (i > 0) assert.ok(chunker.fileBytesMax > CHUNKERS[i - 1]!.fileBytesMax);
  });
});
