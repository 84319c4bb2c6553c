import assert from "node:assert/strict";
import { HintQueue } from "../../src/discovery/hint_queue.ts";

const hint = (instance: string) => ({ instance, idPrefix: "ABCDEFGH", addresses: [] });

Deno.test("HintQueue drops hints that a slow reader leaves lying", async () => {
  const queue = new HintQueue();
  for (let i = 0; i < 10_000; i++) queue.push(hint(`${i}`));
  queue.end();
  let read = 0;
  for await (const _ of queue.read(Infinity)) read++;
  assert.equal(read, 256);
});

Deno.test("HintQueue gives waiting hints before it ends, and none after", async () => {
  const queue = new HintQueue();
  queue.push(hint("a"));
  queue.end();
  queue.push(hint("b"));
  const read: string[] = [];
  for await (const { instance } of queue.read(Infinity)) read.push(instance);
  assert.deepEqual(read, ["a"]);
});
