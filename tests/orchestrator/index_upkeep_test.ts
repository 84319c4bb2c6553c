import assert from "node:assert/strict";
import type { GarbageOptions } from "../../src/index/mod.ts";
import { IndexUpkeep, UPKEEP_INTERVAL_MS } from "../../src/orchestrator/index_upkeep.ts";

/** An upkeep at some time on a clock set by hand, of an index that answers as it is told. */
function fixture() {
  const clock = { ms: 5_000, nowMs: () => clock.ms, wallMs: () => clock.ms };
  const calls: GarbageOptions[] = [];
  const warnings: string[] = [];
  const index = {
    answer: (_: GarbageOptions) => Promise.resolve({ complete: true }),
    collectGarbage: async (options: GarbageOptions = {}) => {
      calls.push(options);
      return { ran: true, kept: 0, deleted: 0, ...await index.answer(options) };
    },
  };
  const logger = { log: (_: string, message: string) => void warnings.push(message) };
  const upkeep = new IndexUpkeep(() => Promise.resolve(index), { clock, logger });
  const pause = new AbortController();
  return { clock, calls, warnings, index, upkeep, pause };
}

Deno.test("IndexUpkeep collects garbage now and then, and not in each pause", async () => {
  const { clock, calls, upkeep, pause } = fixture();
  const counts: number[] = [];
  for (const ms of [0, UPKEEP_INTERVAL_MS - 1, 1, 1_000, UPKEEP_INTERVAL_MS - 1_000]) {
    clock.ms += ms;
    await upkeep.handlePause(pause.signal);
    counts.push(calls.length);
  }
  assert.deepEqual(counts, [0, 0, 1, 1, 2]);
});

Deno.test("IndexUpkeep goes on in the next pause where one was too short", async () => {
  const { clock, calls, index, upkeep, pause, warnings } = fixture();
  clock.ms += UPKEEP_INTERVAL_MS;
  const begun = Promise.withResolvers<void>();
  index.answer = async ({ signal }) => {
    begun.resolve();
    await new Promise((resolve) => signal!.addEventListener("abort", resolve));
    throw signal!.reason;
  };
  const short = upkeep.handlePause(pause.signal);
  await begun.promise;
  pause.abort(new Error("a file has changed"));
  await short;
  index.answer = () => Promise.resolve({ complete: false });
  const { signal } = new AbortController();
  await upkeep.handlePause(signal);
  index.answer = () => Promise.resolve({ complete: true });
  await upkeep.handlePause(signal);
  await upkeep.handlePause(signal);
  assert.equal(calls.length, 3);
  assert.deepEqual(warnings, []);
});

Deno.test("IndexUpkeep outlives an index that can't be tidied up, and says so once in a while", async () => {
  const { clock, calls, index, upkeep, pause, warnings } = fixture();
  clock.ms += UPKEEP_INTERVAL_MS;
  index.answer = () => Promise.reject(new Error("disk full"));
  await upkeep.handlePause(pause.signal);
  await upkeep.handlePause(pause.signal);
  assert.deepEqual(warnings, ["the index was not tidied up: disk full"]);
  clock.ms += UPKEEP_INTERVAL_MS;
  index.answer = () => Promise.resolve({ complete: true });
  await upkeep.handlePause(pause.signal);
  assert.equal(calls.length, 2);
});

Deno.test("IndexUpkeep collects garbage at the end of a command, due or not, and not for ever", async () => {
  const { calls, index, upkeep, pause, warnings } = fixture();
  await upkeep.handleEnd(pause.signal);
  assert.equal(calls.length, 1);
  let begun = Promise.withResolvers<void>();
  index.answer = async ({ signal }) => {
    begun.resolve();
    await new Promise((resolve) => signal!.addEventListener("abort", resolve));
    throw signal!.reason;
  };
  await upkeep.handleEnd(pause.signal, 1);
  begun = Promise.withResolvers<void>();
  const stopped = upkeep.handleEnd(pause.signal);
  await begun.promise;
  pause.abort(new Error("the user has pressed Ctrl-C"));
  await stopped;
  assert.equal(calls.length, 3);
  assert.deepEqual(warnings, []);
});
