import assert from "node:assert/strict";
import fc from "fast-check";
import { concat } from "../../../src/base/bytes.ts";
import { sha256 } from "../../../src/base/digest.ts";
import {
  CHUNK_BYTES_MAX,
  CHUNKERS,
  decodeGroupList,
  decodeRecipe,
  encodeRecipe,
  FILE_BYTES_MAX,
  GROUP_CHUNKS_MAX,
  GROUP_CHUNKS_MIN,
  GROUP_LIST_BYTES_MAX,
  RecipeError,
  recipeOf,
} from "../../../src/store/chunks/mod.ts";
import { madeUpChunk, noise, plainRecipe } from "./reference.ts";

const { minBytes: MIN, maxBytes: MAX } = CHUNKERS[0]!;
/** Three groups, the last one with a short chunk at its end. */
const RECIPE = recipeOf(noise(4_000_000));
const SINGLE = recipeOf(noise(3000));
const HEAD_BYTES = 10 + 1 + 8 + 4;
const GROUP_BYTES = 37;

/** A copy with one group's fields overwritten. */
function withGroup(group: number, fields: { chunks?: number; bytes?: number }): Uint8Array {
  const list = RECIPE.groups.bytes.slice();
  const at = HEAD_BYTES + group * GROUP_BYTES + 32;
  if (fields.chunks !== undefined) list[at] = fields.chunks;
  if (fields.bytes !== undefined) new DataView(list.buffer).setUint32(at + 1, fields.bytes);
  return list;
}

Deno.test("decodeRecipe() reads back what encodeRecipe() gave, down to the last field", () => {
  for (const recipe of [RECIPE, SINGLE, recipeOf(new Uint8Array(0))]) {
    const read = decodeRecipe(encodeRecipe(recipe).slice(), recipe.digest);
    assert.deepStrictEqual(read.digest, recipe.digest);
    assert.deepStrictEqual(read.chunks, recipe.chunks);
    assert.equal(read.size, recipe.size);
    assert.equal(read.chunker, recipe.chunker);
    assert.equal(read.chunkCount, recipe.chunkCount);
  }
});

Deno.test("the lengths and lists that a Recipe hands out add up to the file", () => {
  let bytes = 0;
  for (let i = 0; i < RECIPE.chunkCount; i++) bytes += RECIPE.chunkBytes(i);
  assert.equal(bytes, 4_000_000);
  const lists = Array.from({ length: RECIPE.groups.groupCount }, (_, g) => RECIPE.chunkList(g));
  assert.deepStrictEqual(concat(lists), RECIPE.chunks.slice());
  assert.equal(RECIPE.groups.firstChunk(0), 0);
  assert.equal(RECIPE.groups.chunkCount, RECIPE.chunkCount);
  assert.deepStrictEqual(RECIPE.groups.listedGroups()[1], RECIPE.groups.groupHash(1).slice());
  assert.equal(RECIPE.groups.listedGroups().length, RECIPE.groups.groupCount);
  assert.deepStrictEqual(SINGLE.groups.listedGroups(), []);
});

Deno.test("isChunk() is true for the chunk's own bytes and no others", () => {
  const bytes = noise(4_000_000);
  const length = RECIPE.chunkBytes(0);
  assert.equal(RECIPE.isChunk(0, bytes.subarray(0, length)), true);
  assert.equal(RECIPE.isChunk(0, bytes.subarray(0, length - 1)), false);
  assert.equal(RECIPE.isChunk(1, bytes.subarray(0, length)), false);
  const changed = bytes.slice(0, length);
  changed[length - 1]! ^= 1;
  assert.equal(RECIPE.isChunk(0, changed), false);
});

Deno.test("decodeRecipe() refuses a recipe with any one bit flipped", () => {
  const bytes = RECIPE.bytes.slice();
  fc.assert(fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
    bytes[bit >>> 3]! ^= 1 << (bit & 7);
    assert.throws(() => decodeRecipe(bytes, RECIPE.digest), RecipeError);
    bytes[bit >>> 3]! ^= 1 << (bit & 7);
  }));
  decodeRecipe(bytes, RECIPE.digest);
});

Deno.test("decodeRecipe() refuses a recipe cut off or drawn out anywhere", () => {
  fc.assert(fc.property(fc.nat(RECIPE.bytes.length - 1), (length) => {
    assert.throws(() => decodeRecipe(RECIPE.bytes.subarray(0, length)), RecipeError);
  }));
  assert.throws(() => decodeRecipe(concat([RECIPE.bytes, Uint8Array.of(0)])), RecipeError);
});

Deno.test("decodeRecipe() and decodeGroupList() answer any bytes with a RecipeError", () => {
  const head = RECIPE.bytes.slice(0, HEAD_BYTES);
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }).map((rest) => concat([head, rest])),
    fc.uint8Array({ maxLength: 300 }).map((rest) => concat([head.subarray(0, 11), rest])),
  );
  fc.assert(fc.property(bytes, (input) => {
    assert.throws(() => decodeRecipe(input), RecipeError);
    assert.throws(() => decodeGroupList(input), RecipeError);
  }));
});

Deno.test("decodeRecipe() refuses another file's recipe", () => {
  assert.throws(() => decodeRecipe(SINGLE.bytes, RECIPE.digest), RecipeError);
  assert.throws(() => decodeGroupList(SINGLE.groups.bytes, RECIPE.digest), RecipeError);
});

Deno.test("decodeGroupList() gives the file digest and keeps the list", () => {
  const list = decodeGroupList(RECIPE.groups.bytes.slice(), RECIPE.digest);
  assert.deepStrictEqual(list.digest, RECIPE.digest);
  assert.deepStrictEqual(list.digest, sha256(RECIPE.groups.bytes));
  assert.equal(list.size, 4_000_000);
});

Deno.test("decodeGroupList() holds counts and lengths of groups to their bounds", () => {
  const { groupCount } = RECIPE.groups;
  const first = RECIPE.groups.groupBytes(0);
  const refused = [
    withGroup(0, { chunks: 0 }),
    withGroup(0, { chunks: GROUP_CHUNKS_MIN - 1 }),
    withGroup(0, { chunks: GROUP_CHUNKS_MAX + 1 }),
    withGroup(0, { chunks: Math.floor(first / MIN) + 1 }),
    withGroup(0, { chunks: Math.ceil(first / MAX) - 1 }),
    withGroup(0, { bytes: first + 1 }),
    withGroup(groupCount - 1, { bytes: 0 }),
    withGroup(groupCount - 1, { chunks: 0 }),
  ];
  for (const list of refused) assert.throws(() => decodeGroupList(list), RecipeError);
  decodeGroupList(withGroup(0, {}));
});

Deno.test("decodeGroupList() refuses a chunker that is not the one for the size", () => {
  const list = RECIPE.groups.bytes.slice();
  for (const id of [0, 2, 255]) {
    list[10] = id;
    assert.throws(() => decodeGroupList(list), /chunker/);
  }
});

Deno.test("decodeGroupList() refuses sizes and counts over the limits before it makes room", () => {
  const list = recipeOf(new Uint8Array(0)).groups.bytes.slice();
  const view = new DataView(list.buffer);
  view.setBigUint64(11, BigInt(FILE_BYTES_MAX) + 1n);
  assert.throws(() => decodeGroupList(list), /over/);
  view.setBigUint64(11, 2n ** 64n - 1n);
  assert.throws(() => decodeGroupList(list), /over/);
  view.setBigUint64(11, 0n);
  view.setUint32(19, 2 ** 32 - 1);
  assert.throws(() => decodeGroupList(list), /over/);
  view.setUint32(19, 1);
  assert.throws(() => decodeGroupList(list), /ends early/);
});

Deno.test("decodeRecipe() refuses chunk lengths out of bounds, though all sums and hashes fit", () => {
  const lengths = (...list: number[]) => list.map((length, i) => madeUpChunk(i, length));
  decodeRecipe(plainRecipe(lengths(MIN, MAX, 1)).bytes);
  for (
    const chunks of [
      lengths(MIN - 1, MAX, MIN + 1),
      lengths(MAX + 1, MIN, 5),
      lengths(MIN, MAX, 0),
      lengths(0),
    ]
  ) {
    assert.throws(() => decodeRecipe(plainRecipe(chunks).bytes), RecipeError);
  }
});

Deno.test("decodeRecipe() refuses groups that end at other chunks than groups end at", () => {
  const chunks = Array.from({ length: 120 }, (_, i) => madeUpChunk(i, MIN));
  const whole = decodeRecipe(plainRecipe(chunks).bytes);
  const first = whole.groups.groupChunks(0);
  assert.ok(whole.groups.groupCount > 1 && first > GROUP_CHUNKS_MIN);
  // Two recipes joined: their groups are fine each, but the first's last group ends too early.
  const front = decodeRecipe(plainRecipe(chunks.slice(0, GROUP_CHUNKS_MIN)).bytes);
  const back = decodeRecipe(plainRecipe(chunks.slice(GROUP_CHUNKS_MIN)).bytes);
  const joined = concat([
    front.groups.bytes,
    back.groups.bytes.subarray(HEAD_BYTES),
    front.chunks,
    back.chunks,
  ]);
  const view = new DataView(joined.buffer);
  view.setBigUint64(11, BigInt(120 * MIN));
  view.setUint32(19, 1 + back.groups.groupCount);
  assert.throws(() => decodeRecipe(joined), /ends at a wrong chunk/);
});

Deno.test("decodeRecipe() reads files over 24 GiB, in the longer chunks they are cut into", () => {
  const [small, large] = CHUNKERS;
  const chunks = Array.from({ length: 24_577 }, (_, i) => madeUpChunk(i, large!.maxBytes));
  const recipe = decodeRecipe(plainRecipe(chunks).bytes);
  assert.equal(recipe.size, 24_577 * 2 ** 20);
  assert.equal(recipe.chunker, large);
  assert.throws(() => decodeRecipe(plainRecipe(chunks.slice(0, 24_576)).bytes), RecipeError);
  assert.equal(small!.fileBytesMax, 24_576 * 2 ** 20);
});

Deno.test("the longest group list and the longest chunk are what the limits say", () => {
  assert.equal(GROUP_LIST_BYTES_MAX, 23 + 37 * 2 ** 17);
  assert.equal(CHUNK_BYTES_MAX, Math.max(...CHUNKERS.map((chunker) => chunker.maxBytes)));
});
