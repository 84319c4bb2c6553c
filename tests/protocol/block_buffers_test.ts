import assert from "node:assert/strict";
import { BlockBuffers } from "../../src/protocol/block_buffers.ts";

Deno.test("BlockBuffers give a buffer to one user at a time, and again to the next", () => {
  const buffers = new BlockBuffers(16);
  const first = buffers.take();
  const second = buffers.take();
  assert.equal(first.length, 16);
  assert.notEqual(first, second);
  buffers.giveBack(first);
  assert.equal(buffers.take(), first);
  assert.notEqual(buffers.take(), second);
});

Deno.test("BlockBuffers keep a few free buffers and no more", () => {
  const buffers = new BlockBuffers(16);
  const taken = new Set(Array.from({ length: 100 }, () => buffers.take()));
  for (const buffer of taken) buffers.giveBack(buffer);
  const again = Array.from({ length: 100 }, () => buffers.take());
  assert.equal(again.filter((buffer) => taken.has(buffer)).length, 8);
});
