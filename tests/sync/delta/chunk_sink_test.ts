import assert from "node:assert/strict";
import fc from "fast-check";
import { STATUS } from "../../../src/protocol/mod.ts";
import { recipeOf } from "../../../src/store/mod.ts";
import { ChunkProgress, type ChunkRun } from "../../../src/sync/delta/chunk_progress.ts";
import { ChunkSink } from "../../../src/sync/delta/chunk_sink.ts";
import { noise } from "./support.ts";

const BYTES = noise(600_000, "sink");
const RECIPE = recipeOf(BYTES);
const COUNT = RECIPE.chunkCount;

function feed(runs: readonly ChunkRun[], bytes: Uint8Array, pieces: readonly number[]) {
  const got: { chunk: number; offset: number; bytes: Uint8Array }[] = [];
  let arrived = 0;
  const sink = new ChunkSink(RECIPE, runs, {
    onBytes: (count) => arrived += count,
    onChunk: (chunk, offset, bytes) => got.push({ chunk, offset, bytes: bytes.slice() }),
  });
  sink.begin(0);
  let at = 0;
  let base = 0;
  // As the reader does: no piece reaches over the end of a range.
  for (const run of runs) {
    base += run.length;
    for (let i = 0; at < base; i++) {
      const end = Math.min(base, at + pieces[i % pieces.length]!);
      const piece = bytes.slice(at, end);
      sink.bytes(0, piece);
      piece.fill(0);
      at = end;
    }
  }
  return { sink, got, arrived };
}

function bytesOf(runs: readonly ChunkRun[]): Uint8Array {
  const parts = runs.map(({ offset, length }) => BYTES.subarray(offset, offset + length));
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

Deno.test("ChunkSink gives every chunk at its place, however the bytes are cut", () => {
  const property = fc.property(
    fc.uniqueArray(fc.nat(COUNT - 1), { maxLength: COUNT - 1 }),
    fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 5 }),
    (done, pieces) => {
      const progress = new ChunkProgress(RECIPE);
      for (const chunk of done) progress.mark(chunk);
      const runs = [...progress.missing()];
      const bytes = bytesOf(runs);
      const { sink, got, arrived } = feed(runs, bytes, pieces.map((p) => Math.max(p, 500)));
      assert.equal(sink.missing, 0);
      assert.equal(arrived, bytes.length);
      assert.equal(got.length, COUNT - done.length);
      for (const { chunk, offset, bytes } of got) {
        assert.ok(!done.includes(chunk));
        assert.deepEqual(bytes, BYTES.subarray(offset, offset + RECIPE.chunkBytes(chunk)));
      }
    },
  );
  fc.assert(property, { numRuns: 30 });
});

Deno.test("ChunkSink lets no wrong chunk through, and goes on with the next", () => {
  const [run] = new ChunkProgress(RECIPE).missing();
  for (const at of [0, RECIPE.chunkBytes(0), BYTES.length - 1]) {
    const bytes = BYTES.slice();
    bytes[at]! ^= 1;
    const { sink, got } = feed([run!], bytes, [65_536]);
    assert.equal(sink.missing, 1);
    assert.equal(got.length, COUNT - 1);
  }
});

Deno.test("ChunkSink remembers how the answer ended", () => {
  const [run] = new ChunkProgress(RECIPE).missing();
  const { sink } = feed([run!], BYTES, [65_536]);
  sink.end(0);
  assert.equal(sink.failure, undefined);
  sink.fail(0, STATUS.changed);
  assert.equal(sink.failure, STATUS.changed);
});
