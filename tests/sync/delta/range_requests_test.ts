import assert from "node:assert/strict";
import fc from "fast-check";
import { recipeOf } from "../../../src/store/mod.ts";
import { ChunkProgress } from "../../../src/sync/delta/chunk_progress.ts";
import { cutRequests, RANGES_BYTES_AIM } from "../../../src/sync/delta/range_requests.ts";
import { noise } from "./support.ts";

const RECIPE = recipeOf(noise(2_000_000, "requests"));
const COUNT = RECIPE.chunkCount;

Deno.test("cutRequests() asks for every missing chunk once, in order, within the limits", () => {
  const property = fc.property(
    fc.uniqueArray(fc.nat(COUNT - 1)),
    fc.integer({ min: 1, max: 5 }),
    fc.integer({ min: 1, max: 400_000 }),
    (done, rangesMax, bytesAim) => {
      const progress = new ChunkProgress(RECIPE);
      for (const chunk of done) progress.mark(chunk);
      const requests = [...cutRequests(RECIPE, progress.missing(), { rangesMax, bytesAim })];
      const chunks: number[] = [];
      for (const { ranges, runs } of requests) {
        assert.ok(ranges.length >= 1 && ranges.length <= rangesMax);
        assert.deepEqual(ranges, runs.map(({ offset, length }) => ({ offset, length })));
        const bytes = runs.reduce((sum, run) => sum + run.length, 0);
        assert.ok(bytes <= bytesAim || runs.reduce((n, run) => n + run.chunkCount, 0) === 1);
        for (const run of runs) {
          for (let i = 0; i < run.chunkCount; i++) chunks.push(run.firstChunk + i);
        }
        for (let i = 1; i < runs.length; i++) {
          const before = runs[i - 1]!;
          assert.ok(before.offset + before.length < runs[i]!.offset, "runs that meet are one");
        }
      }
      const missing = Array.from({ length: COUNT }, (_, i) => i).filter((i) => !done.includes(i));
      assert.deepEqual(chunks, missing);
    },
  );
  fc.assert(property);
});

Deno.test("cutRequests() keeps to what the protocol allows by default", () => {
  const progress = new ChunkProgress(RECIPE);
  assert.equal([...cutRequests(RECIPE, progress.missing())].length, 1);
  assert.ok(RECIPE.size < RANGES_BYTES_AIM);
  progress.mark(0, COUNT);
  assert.deepEqual([...cutRequests(RECIPE, progress.missing())], []);
});
