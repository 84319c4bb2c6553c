import assert from "node:assert/strict";
import { Arrivals } from "../../src/quic/arrivals.ts";

Deno.test("Arrivals hands out items in order, queued or awaited", async () => {
  const arrivals = new Arrivals<number>();
  arrivals.push(1);
  arrivals.push(2);
  assert.equal(arrivals.length, 2);
  assert.deepEqual(await arrivals.next(), { done: false, value: 1 });
  assert.deepEqual(await arrivals.next(), { done: false, value: 2 });
  const waiting = arrivals.next();
  arrivals.push(3);
  assert.deepEqual(await waiting, { done: false, value: 3 });
});

Deno.test("Arrivals.end() hands out what is queued first, then ends for good", async () => {
  const arrivals = new Arrivals<number>();
  arrivals.push(1);
  arrivals.end();
  const seen: number[] = [];
  for await (const item of arrivals) seen.push(item);
  assert.deepEqual(seen, [1]);
  assert.equal((await arrivals.next()).done, true);
});

Deno.test("Arrivals.end() with an error rejects the waiting reader and later ones", async () => {
  const arrivals = new Arrivals<number>();
  const waiting = arrivals.next();
  arrivals.end(new Error("lost"));
  arrivals.end();
  await assert.rejects(waiting, /lost/);
  await assert.rejects(arrivals.next(), /lost/);
});

Deno.test("Arrivals.next() refuses a second waiting reader", async () => {
  const arrivals = new Arrivals<number>();
  const waiting = arrivals.next();
  await assert.rejects(arrivals.next(), TypeError);
  arrivals.push(7);
  assert.equal((await waiting).value, 7);
});
