import assert from "node:assert/strict";
import { sha256 } from "../../../src/base/digest.ts";
import { utf8 } from "../../../src/base/bytes.ts";
import { type PartialFile, StoreError } from "../../../src/store/mod.ts";
import {
  CHECKPOINT_BYTES,
  CHECKPOINT_INTERVAL_MS,
  Checkpoints,
} from "../../../src/sync/delta/checkpoints.ts";

function fixture(options: { isSound?: () => boolean } = {}) {
  const written: number[] = [];
  const ends: PromiseWithResolvers<void>[] = [];
  const partial = {
    bytesFlushed: 0,
    checkpoint: (bytes: number) => {
      written.push(bytes);
      const end = Promise.withResolvers<void>();
      ends.push(end);
      return end.promise;
    },
  } as unknown as PartialFile;
  const clock = { now: 0, nowMs: () => clock.now, wallMs: () => 0 };
  const checkpoints = new Checkpoints(partial, {
    clock,
    digest: sha256(utf8("x")),
    ...options,
  });
  return { written, ends, clock, checkpoints };
}

Deno.test("Checkpoints come after so many bytes or so much time, one at a time", async () => {
  const { written, ends, clock, checkpoints } = fixture();
  checkpoints.note(CHECKPOINT_BYTES - 1);
  assert.deepEqual(written, []);
  checkpoints.note(CHECKPOINT_BYTES);
  assert.deepEqual(written, [CHECKPOINT_BYTES]);
  checkpoints.note(3 * CHECKPOINT_BYTES);
  assert.deepEqual(written, [CHECKPOINT_BYTES], "one is under way");
  ends[0]!.resolve();
  await checkpoints.settle();
  clock.now = CHECKPOINT_INTERVAL_MS;
  checkpoints.note(CHECKPOINT_BYTES);
  assert.equal(written.length, 1, "nothing is new");
  checkpoints.note(CHECKPOINT_BYTES + 1);
  assert.deepEqual(written, [CHECKPOINT_BYTES, CHECKPOINT_BYTES + 1]);
  ends[1]!.resolve();
  await checkpoints.settle();
  assert.equal(checkpoints.hasFailed, false);
});

Deno.test("Checkpoints vouch for nothing that is in doubt", () => {
  let isSound = false;
  const { written, checkpoints } = fixture({ isSound: () => isSound });
  checkpoints.note(CHECKPOINT_BYTES);
  assert.deepEqual(written, []);
  isSound = true;
  checkpoints.note(CHECKPOINT_BYTES);
  assert.equal(written.length, 1);
});

Deno.test("Checkpoints pass a failed flush on to whoever writes next", async () => {
  const { ends, checkpoints } = fixture();
  checkpoints.note(CHECKPOINT_BYTES);
  const failure = new Error("flush");
  ends[0]!.reject(failure);
  await checkpoints.settle();
  assert.equal(checkpoints.hasFailed, true);
  assert.throws(() => checkpoints.note(1), failure);
});

Deno.test("Checkpoints.stop() makes an entry of what there is, unless it is in doubt", async () => {
  for (const isSound of [true, false]) {
    const { written, ends, checkpoints } = fixture({ isSound: () => isSound });
    const stopped = checkpoints.stop(5);
    await Promise.resolve();
    ends[0]?.reject(new StoreError("no_space", "Cannot write"));
    await stopped;
    assert.deepEqual(written, isSound ? [5] : []);
  }
});
