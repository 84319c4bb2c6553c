import assert from "node:assert/strict";
import fc from "fast-check";
import * as fs from "node:fs";
import { ChunkIndex, planAssembly, recipeOf } from "../../../src/store/mod.ts";
import { LayeredChunks, ShareChunks } from "../../../src/sync/delta/share_chunks.ts";
import { getterFixture, isSame, joined, noise } from "./support.ts";

const POOL = Array.from({ length: 6 }, (_, i) => noise(400_000, `pool ${i}`));
const RECIPES = POOL.map((bytes) => recipeOf(bytes));

Deno.test("LayeredChunks finds what either index has, at its place", () => {
  const property = fc.property(
    fc.array(fc.nat(5), { maxLength: 4 }),
    fc.array(fc.nat(5), { maxLength: 4 }),
    fc.array(fc.nat(5), { minLength: 1, maxLength: 4 }),
    (inFirst, inSecond, parts) => {
      const [first, second] = [inFirst, inSecond].map((sources) => {
        const index = new ChunkIndex();
        for (const source of sources) index.addSource(RECIPES[source]!);
        return index;
      });
      const sources = [...inFirst, ...inSecond];
      const contents = joined(...parts.map((part) => POOL[part]!));
      const steps = planAssembly(recipeOf(contents), new LayeredChunks(first!, second!));
      let offset = 0;
      for (const step of steps) {
        assert.equal(step.offset, offset);
        offset += step.length;
        if (step.kind !== "copy") continue;
        const source = POOL[sources[step.source]!]!;
        const copied = source.subarray(step.sourceOffset, step.sourceOffset + step.length);
        assert.ok(isSame(copied, contents.subarray(step.offset, step.offset + step.length)));
      }
      assert.equal(offset, contents.length);
      const copied = steps.reduce((n, step) => n + (step.kind === "copy" ? step.chunkCount : 0), 0);
      const both = new ChunkIndex();
      for (const source of sources) both.addSource(RECIPES[source]!);
      const inOne = planAssembly(recipeOf(contents), both)
        .reduce((n, step) => n + (step.kind === "copy" ? step.chunkCount : 0), 0);
      assert.equal(copied, inOne, "as many chunks as one index of all finds");
    },
  );
  fc.assert(property, { numRuns: 40 });
});

Deno.test("ShareChunks holds the chunks of the files that are there, by their digests", async () => {
  const files = Object.fromEntries(POOL.map((bytes, i) => [`file ${i}`, bytes]));
  await using fixture = await getterFixture({ ...files, single: noise(1000, "one chunk") });
  fs.rmSync(`${fixture.folder}/file 2`);
  await fixture.share.scan({ checksum: false, filters: [] });
  const options = { signal: fixture.abort.signal };
  const share = await ShareChunks.build(fixture.share.index, options);
  assert.equal(share.chunks.sourceCount, 5);
  for (const [i, recipe] of RECIPES.entries()) {
    const number = share.chunks.find(recipe, 0);
    if (i === 2) assert.equal(number, -1);
    else assert.deepEqual(share.digestOf(share.chunks.locate(number).source), recipe.digest);
  }
});

Deno.test("ShareChunks leaves out what does not fit", async () => {
  const files = Object.fromEntries(POOL.map((bytes, i) => [`file ${i}`, bytes]));
  await using fixture = await getterFixture(files);
  const chunksMax = RECIPES[0]!.chunkCount * 2 + 3;
  const options = { signal: fixture.abort.signal, chunksMax };
  const share = await ShareChunks.build(fixture.share.index, options);
  assert.ok(share.chunks.sourceCount >= 1 && share.chunks.sourceCount < 4);
  assert.ok(share.chunks.chunkCount <= chunksMax);
  for (let source = 0; source < share.chunks.sourceCount; source++) {
    const digest = share.digestOf(source);
    assert.ok(RECIPES.some((recipe) => isSame(recipe.digest, digest)));
  }
});
