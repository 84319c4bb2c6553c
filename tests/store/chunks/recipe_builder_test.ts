import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, toHex } from "../../../src/base/bytes.ts";
import { sha256 } from "../../../src/base/digest.ts";
import {
  CHUNKERS,
  FILE_BYTES_MAX,
  GROUP_CHUNKS_MIN,
  type Recipe,
  RecipeBuilder,
  recipeOf,
} from "../../../src/store/chunks/mod.ts";
import { noise, plainChunks, plainRecipe } from "./reference.ts";

const MIN = CHUNKERS[0]!.minBytes;
const MAX = CHUNKERS[0]!.maxBytes;
const ZEROS_THEN_TAIL = new Uint8Array([...new Uint8Array(2 * MAX), ...noise(100)]);
/** Data, zeros over several chunks, data, zeros up to the end. */
const MIXED = new Uint8Array([
  ...noise(700_000),
  ...new Uint8Array(5 * MAX),
  ...noise(400_000, "b"),
  ...new Uint8Array(3 * MAX),
]);

function build(pieces: readonly Uint8Array[]): Recipe {
  const builder = new RecipeBuilder(pieces.reduce((sum, piece) => sum + piece.length, 0));
  for (const piece of pieces) {
    const reused = piece.slice();
    builder.update(reused);
    reused.fill(0xaa);
  }
  return builder.finish();
}

Deno.test("RecipeBuilder makes the recipe that the layout describes", () => {
  for (
    const bytes of [noise(1), noise(MIN), noise(200_000), noise(3_000_000), ZEROS_THEN_TAIL, MIXED]
  ) {
    const expected = plainRecipe(plainChunks(bytes));
    const recipe = build([bytes]);
    assert.deepStrictEqual(recipe.bytes, expected.bytes);
    assert.deepStrictEqual(toHex(recipe.digest), toHex(expected.digest));
  }
});

Deno.test("RecipeBuilder makes the same recipe with zeros in any place", () => {
  const length = fc.constantFrom(1, 100, MIN - 1, MIN, MIN + 9, MAX - 1, MAX, MAX + 1, 2 * MAX);
  const segment = fc.tuple(fc.boolean(), length).map(([isZeros, length]) =>
    isZeros ? new Uint8Array(length) : noise(length)
  );
  fc.assert(
    fc.property(fc.array(segment, { maxLength: 5 }), fc.nat(), (segments, at) => {
      const bytes = concat(segments);
      const recipe = build([bytes.subarray(0, at % 300_000), bytes.subarray(at % 300_000)]);
      assert.deepStrictEqual(recipe.bytes, plainRecipe(plainChunks(bytes)).bytes);
    }),
    { numRuns: 60 },
  );
});

Deno.test("RecipeBuilder gives the same recipe however the file is split, in reused buffers", () => {
  const expected = build([MIXED]).bytes;
  const places = fc.array(fc.nat(MIXED.length), { maxLength: 12 });
  fc.assert(
    fc.property(places, (at) => {
      const bounds = [0, ...at.sort((a, b) => a - b), MIXED.length];
      const pieces = bounds.slice(1).map((bound, i) => MIXED.subarray(bounds[i]!, bound));
      assert.deepStrictEqual(build(pieces).bytes, expected);
    }),
    { numRuns: 15 },
  );
  const small = Array.from(
    { length: Math.ceil(MIXED.length / 999) },
    (_, i) => MIXED.subarray(i * 999, (i + 1) * 999),
  );
  assert.deepStrictEqual(build(small).bytes, expected);
});

Deno.test("recipeOf() and RecipeBuilder agree at every size that a rule begins at", () => {
  const bytes = noise(3 * MAX);
  for (const size of [0, 1, MIN - 1, MIN, MIN + 1, MAX - 1, MAX, MAX + 1, 3 * MAX]) {
    const contents = bytes.subarray(0, size);
    const recipe = recipeOf(contents);
    assert.deepStrictEqual(recipe.bytes, build([contents]).bytes);
    assert.equal(recipe.size, size);
    assert.equal(recipe.chunkCount > 0, size > 0);
  }
});

Deno.test("RecipeBuilder marks whole chunks of zeros as such", () => {
  const recipe = build([new Uint8Array(3 * MAX + 5)]);
  const zeros = Array.from({ length: recipe.chunkCount }, (_, i) => recipe.isZeros(i));
  assert.deepStrictEqual(zeros, [true, true, true, false]);
  assert.deepStrictEqual([...recipe.chunkHash(0)], [...sha256(new Uint8Array(MAX))]);
});

Deno.test("file digests stay what they are", () => {
  const digests: [string, Uint8Array][] = [
    ["14a42160d654e78b4efb530dfce09a03506ab5b25ea80017841261760bb95a4b", new Uint8Array(0)],
    ["4b6d3738b71084b7f6409a203f2d5027d640b2ccc6cf8146eaba5c649f5c79e1", noise(1)],
    ["d8504109dd771b8ba62834ad4e3bb26dd6f4ef3f7691a6d0b840990147101cae", noise(MIN)],
    ["e57dcc6dbab6c5a00e8196e0fc9f0c31f5f508f5862e3e2030c4fd2271da2c7c", noise(1_000_000)],
    ["5fc8218abce2f140eeefc6a8d59ffa118d80575c7463fe3bb3d0c6dd4327241f", new Uint8Array(MAX * 20)],
    ["7113ebf60ba2396e1f6df7cb4942bac374043a0cac5bc4ab17093497408a62cc", MIXED],
  ];
  for (const [hex, bytes] of digests) assert.equal(toHex(recipeOf(bytes).digest), hex);
});

Deno.test("a file of one chunk has the chunk's own hash as its group's", () => {
  const recipe = recipeOf(noise(5000));
  assert.equal(recipe.groups.groupCount, 1);
  assert.deepStrictEqual(recipe.groups.groupHash(0), recipe.chunkHash(0));
});

Deno.test("RecipeBuilder puts at least GROUP_CHUNKS_MIN chunks in every group but the last", () => {
  const { groups } = build([noise(6_000_000)]);
  assert.ok(groups.groupCount > 2);
  for (let g = 0; g < groups.groupCount - 1; g++) {
    assert.ok(groups.groupChunks(g) >= GROUP_CHUNKS_MIN);
  }
});

Deno.test("RecipeBuilder refuses a file that is longer or shorter than announced", () => {
  const builder = new RecipeBuilder(10);
  builder.update(new Uint8Array(6));
  assert.throws(() => builder.update(new Uint8Array(5)), { reason: "changed" });
  const short = new RecipeBuilder(10);
  short.update(new Uint8Array(9));
  assert.throws(() => short.finish(), { reason: "changed" });
  assert.throws(() => new RecipeBuilder(0).update(new Uint8Array(1)), { reason: "changed" });
});

Deno.test("RecipeBuilder takes files up to FILE_BYTES_MAX and makes little room at first", () => {
  new RecipeBuilder(FILE_BYTES_MAX);
  assert.throws(() => new RecipeBuilder(FILE_BYTES_MAX + 1), { reason: "file_too_large" });
});

Deno.test("RecipeBuilder.chunksSoFar() is the front of the finished recipe's chunk list", () => {
  const bytes = noise(1_000_000, "so far");
  const whole = recipeOf(bytes);
  const builder = new RecipeBuilder(bytes.length);
  assert.equal(builder.chunksSoFar().length, 0);
  for (let at = 0; at < bytes.length; at += 99_999) {
    builder.update(bytes.subarray(at, at + 99_999));
    const chunks = builder.chunksSoFar();
    assert.deepEqual(chunks, whole.chunks.slice(0, chunks.length));
    assert.equal(whole.commonChunks(chunks) * 36, chunks.length);
  }
  assert.equal(builder.chunksSoFar().length, whole.chunks.length);
});

Deno.test("Recipe.commonChunks() ends at the first chunk that differs", () => {
  const whole = recipeOf(noise(1_000_000, "common"));
  assert.equal(whole.commonChunks(new Uint8Array(0)), 0);
  const longer = new Uint8Array(whole.chunks.length + 36);
  longer.set(whole.chunks);
  assert.equal(whole.commonChunks(longer), whole.chunkCount);
  for (const chunk of [0, 1, whole.chunkCount - 1]) {
    for (const at of [0, 31, 35]) {
      const other = whole.chunks.slice();
      other[chunk * 36 + at]! ^= 1;
      assert.equal(whole.commonChunks(other), chunk);
    }
  }
});
