import assert from "node:assert/strict";
import fc from "fast-check";
import {
  CHUNK_INDEX_CHUNKS_MAX,
  CHUNKERS,
  ChunkIndex,
  decodeRecipe,
  type Recipe,
} from "../../../src/store/chunks/mod.ts";
import { madeUpChunk, plainRecipe } from "./reference.ts";

const MIN = CHUNKERS[0]!.minBytes;

/** A file whose chunks go by these names; equal names are equal chunks. */
function file(...names: number[]): Recipe {
  return decodeRecipe(plainRecipe(names.map((name) => madeUpChunk(name, MIN + name))).bytes);
}

Deno.test("locate() tells source and offset of whatever find() found", () => {
  const names = fc.array(fc.nat(60), { maxLength: 70 });
  fc.assert(fc.property(fc.array(names, { maxLength: 12 }), (files) => {
    const index = new ChunkIndex();
    const recipes = files.map((list) => file(...list));
    recipes.forEach((recipe, source) => assert.equal(index.addSource(recipe), source));
    const first = new Map<number, string>();
    files.forEach((list, source) => {
      let offset = 0;
      for (const name of list) {
        if (!first.has(name)) first.set(name, `${source}:${offset}:${MIN + name}`);
        offset += MIN + name;
      }
    });
    for (let name = 0; name <= 60; name++) {
      const number = index.find(file(name), 0);
      const place = number < 0 ? undefined : index.locate(number);
      const text = place && `${place.source}:${place.offset}:${place.length}`;
      assert.equal(text, first.get(name));
    }
  }));
});

Deno.test("findAfter() goes on in the same source where it can, and never past its end", () => {
  const index = new ChunkIndex();
  index.addSource(file(1, 2, 3));
  index.addSource(file(7, 2, 8, 9));
  index.addSource(file(1));
  const wanted = file(7, 2, 8, 9, 1);
  const numbers: number[] = [];
  for (let i = 0; i < 5; i++) numbers.push(index.findAfter(numbers.at(-1) ?? -1, wanted, i));
  assert.deepStrictEqual(numbers.map((n) => index.locate(n).source), [1, 1, 1, 1, 0]);
  assert.equal(index.findAfter(-1, wanted, 1), index.find(wanted, 1));
});

Deno.test("find() takes no chunk of another length for the one wanted", () => {
  const index = new ChunkIndex();
  index.addSource(decodeRecipe(plainRecipe([madeUpChunk("x", 500)]).bytes));
  const longer = decodeRecipe(plainRecipe([madeUpChunk("x", 501)]).bytes);
  assert.equal(index.find(longer, 0), -1);
  assert.equal(index.findAfter(-1, longer, 0), -1);
});

Deno.test("addSource() refuses what is over chunksMax, keeps the rest, and says so", () => {
  const index = new ChunkIndex({ chunksMax: 5 });
  assert.equal(index.addSource(file(1, 2, 3)), 0);
  assert.equal(index.addSource(file(4, 5, 6)), undefined);
  assert.equal(index.addSource(file(7, 8)), 1);
  assert.equal(index.addSource(file(9)), undefined);
  assert.deepStrictEqual(index.refused, { sources: 2, chunks: 4 });
  assert.equal(index.chunkCount, 5);
  assert.equal(index.sourceCount, 2);
  assert.equal(index.find(file(4), 0), -1);
  assert.notEqual(index.find(file(8), 0), -1);
});

Deno.test("ChunkIndex holds its limit of chunks in 48 MB", () => {
  const index = new ChunkIndex({ chunksExpected: 2 * CHUNK_INDEX_CHUNKS_MAX });
  assert.ok(index.memoryBytes < 48_000_000, `${index.memoryBytes} bytes`);
});
