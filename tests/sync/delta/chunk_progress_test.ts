import assert from "node:assert/strict";
import fc from "fast-check";
import { recipeOf } from "../../../src/store/mod.ts";
import { ChunkProgress } from "../../../src/sync/delta/chunk_progress.ts";
import { noise } from "./support.ts";

const RECIPE = recipeOf(noise(1_500_000, "progress"));
const COUNT = RECIPE.chunkCount;
const OFFSETS = [0];
for (let i = 0; i < COUNT; i++) OFFSETS.push(OFFSETS[i]! + RECIPE.chunkBytes(i));

Deno.test("ChunkProgress tells what is missing and how far the front is complete, in any order", () => {
  const action = fc.record({ mark: fc.boolean(), chunk: fc.nat(COUNT - 1), count: fc.nat(6) });
  fc.assert(fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
    const progress = new ChunkProgress(RECIPE);
    const done = new Array<boolean>(COUNT).fill(false);
    for (const { mark, chunk, count } of actions) {
      if (mark) {
        const within = Math.min(count, COUNT - chunk);
        progress.mark(chunk, within);
        done.fill(true, chunk, chunk + within);
      } else {
        progress.unmark(chunk);
        done[chunk] = false;
      }
    }
    const first = done.indexOf(false);
    assert.equal(progress.prefixBytes, OFFSETS[first < 0 ? COUNT : first]);
    assert.equal(progress.isComplete, first < 0);
    const missing = [...progress.missing()];
    const named = missing.flatMap((run) =>
      Array.from({ length: run.chunkCount }, (_, i) => run.firstChunk + i)
    );
    assert.deepEqual(named, done.flatMap((isDone, i) => isDone ? [] : [i]));
    for (const { offset, length, firstChunk, chunkCount } of missing) {
      assert.equal(offset, OFFSETS[firstChunk]);
      assert.equal(offset + length, OFFSETS[firstChunk + chunkCount]);
      assert.ok(firstChunk === 0 || done[firstChunk - 1], "runs are as long as they can be");
    }
  }));
});

Deno.test("ChunkProgress.missing() keeps within a run", () => {
  const progress = new ChunkProgress(RECIPE);
  progress.mark(3);
  const run = {
    firstChunk: 2,
    chunkCount: 4,
    offset: OFFSETS[2]!,
    length: OFFSETS[6]! - OFFSETS[2]!,
  };
  assert.deepEqual([...progress.missing(run)].map((r) => [r.firstChunk, r.chunkCount]), [[2, 1], [
    4,
    2,
  ]]);
});

Deno.test("ChunkProgress.markPrefix() counts chunks that end within the bytes", () => {
  for (
    const [bytes, count] of [
      [0, 0],
      [OFFSETS[1]! - 1, 0],
      [OFFSETS[1]!, 1],
      [OFFSETS[4]! + 1, 4],
      [RECIPE.size, COUNT],
      [RECIPE.size * 2, COUNT],
    ] as const
  ) {
    const progress = new ChunkProgress(RECIPE);
    progress.markPrefix(bytes);
    assert.equal(progress.prefixBytes, OFFSETS[count]);
  }
});
