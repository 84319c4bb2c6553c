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

Deno.test({
  name: "HintQueue leaves neither its timer nor its listener behind when the reader leaves",
  sanitizeOps: true,
  async fn() {
    const queue = new HintQueue();
    queue.push(hint("a"));
    let listeners = 0;
    const { signal } = new AbortController();
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--;
      remove(...args);
    };
    for await (const _ of queue.read(60_000, signal)) break;
    assert.equal(listeners, 0);
  },
});
