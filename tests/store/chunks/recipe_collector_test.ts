import assert from "node:assert/strict";
import fc from "fast-check";
import { concat } from "../../../src/base/bytes.ts";
import {
  CHUNKERS,
  decodeGroupList,
  decodeRecipe,
  encodeChunkLists,
  RecipeCollector,
  RecipeError,
  recipeOf,
} from "../../../src/store/chunks/mod.ts";
import { madeUpChunk, noise, plainRecipe } from "./reference.ts";

const MIN = CHUNKERS[0]!.minBytes;
const OLD = noise(6_000_000);
const NEW = concat([OLD.subarray(0, 2_000_000), Uint8Array.of(1), OLD.subarray(2_000_000)]);

function groupsOf(bytes: Uint8Array) {
  return decodeGroupList(recipeOf(bytes).groups.bytes);
}

Deno.test("RecipeCollector needs the lists of changed groups only", () => {
  const wanted = recipeOf(NEW);
  const collector = new RecipeCollector(groupsOf(NEW));
  const before = collector.missingGroups().length;
  const filled = collector.addRecipe(recipeOf(OLD));
  const missing = collector.missingGroups();
  assert.equal(filled, before - missing.length);
  assert.ok(missing.length >= 1 && missing.length <= 3, `${missing.length} groups missing`);
  collector.addChunkLists(missing, encodeChunkLists(wanted, missing));
  assert.deepStrictEqual(collector.finish().bytes, wanted.bytes);
});

Deno.test("RecipeCollector completes any recipe from lists in any order and portion", () => {
  const wanted = recipeOf(NEW);
  const { groupCount } = wanted.groups;
  const orders = fc.shuffledSubarray(Array.from({ length: groupCount }, (_, g) => g), {
    minLength: groupCount,
  });
  fc.assert(
    fc.property(orders, fc.nat(groupCount), (order, at) => {
      const collector = new RecipeCollector(groupsOf(NEW));
      for (const part of [order.slice(0, at), order.slice(at), order.slice(0, 1)]) {
        collector.addChunkLists(part, encodeChunkLists(wanted, part));
      }
      assert.deepStrictEqual(collector.missingGroups(), []);
      assert.deepStrictEqual(
        decodeRecipe(collector.finish().bytes, wanted.digest).size,
        NEW.length,
      );
    }),
    { numRuns: 20 },
  );
});

Deno.test("RecipeCollector needs no list for a file of one chunk, nor for an empty one", () => {
  for (const bytes of [noise(3000), new Uint8Array(0)]) {
    const collector = new RecipeCollector(groupsOf(bytes));
    assert.deepStrictEqual(collector.missingGroups(), []);
    assert.deepStrictEqual(collector.finish().bytes, recipeOf(bytes).bytes);
  }
});

Deno.test("addChunkLists() takes nothing of an answer in which one bit is wrong", () => {
  const wanted = recipeOf(NEW);
  const groups = [1, 0];
  const lists = encodeChunkLists(wanted, groups).slice();
  fc.assert(fc.property(fc.nat(lists.length * 8 - 1), (bit) => {
    const collector = new RecipeCollector(groupsOf(NEW));
    lists[bit >>> 3]! ^= 1 << (bit & 7);
    assert.throws(() => collector.addChunkLists(groups, lists), RecipeError);
    lists[bit >>> 3]! ^= 1 << (bit & 7);
    assert.ok(collector.missingGroups().includes(1));
  }));
});

Deno.test("addChunkLists() refuses wrong lengths, wrong order and groups that don't exist", () => {
  const wanted = recipeOf(NEW);
  const lists = encodeChunkLists(wanted, [0, 1]);
  const collector = new RecipeCollector(groupsOf(NEW));
  assert.throws(() => collector.addChunkLists([0, 1], lists.subarray(1)), RecipeError);
  assert.throws(() => collector.addChunkLists([0], lists), RecipeError);
  assert.throws(() => collector.addChunkLists([1, 0], lists), RecipeError);
  for (const group of [-1, 1.5, NaN, wanted.groups.groupCount]) {
    assert.throws(() => collector.addChunkLists([group], lists), RecipeError);
    assert.throws(() => encodeChunkLists(wanted, [group]), RecipeError);
  }
  assert.throws(() => collector.finish(), /missing/);
});

Deno.test("addRecipe() refuses a group that stands where none like it can end", () => {
  const chunks = Array.from({ length: 120 }, (_, i) => madeUpChunk(i, MIN));
  const front = decodeRecipe(plainRecipe(chunks.slice(0, 8)).bytes);
  const back = decodeRecipe(plainRecipe(chunks.slice(8)).bytes);
  // A hostile list: the front's group, which only the end of a file may close, in first place.
  const list = concat([front.groups.bytes, back.groups.bytes.subarray(23)]);
  const view = new DataView(list.buffer);
  view.setBigUint64(11, BigInt(120 * MIN));
  view.setUint32(19, 1 + back.groups.groupCount);
  const collector = new RecipeCollector(decodeGroupList(list));
  assert.throws(() => collector.addRecipe(front), RecipeError);
});
