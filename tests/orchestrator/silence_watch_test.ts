import assert from "node:assert/strict";
import { silentLogger } from "../../src/base/log.ts";
import { SilenceWatch } from "../../src/orchestrator/silence_watch.ts";
import type { QuicConnection } from "../../src/quic/mod.ts";

/** A watch over a connection that is heard of when the test says so. */
function watchOver({ heardMsAgo = 0 } = {}) {
  const seen = { pings: 0, dials: 0, replaced: 0, closed: 0 };
  const clock = { now: 1_000_000, nowMs: () => clock.now, wallMs: () => 0 };
  const connection = { heardAtMs: clock.now - heardMsAgo, ping: () => void seen.pings++ };
  let answer = Promise.withResolvers<QuicConnection>();
  const fresh = { close: () => Promise.resolve(void seen.closed++) } as unknown as QuicConnection;
  const watch = new SilenceWatch({
    connection,
    dial: (signal) => {
      seen.dials++;
      answer = Promise.withResolvers();
      signal.addEventListener("abort", () => answer.reject(signal.reason));
      return answer.promise;
    },
    onReplaced: (connection) => {
      assert.equal(connection, fresh);
      seen.replaced++;
    },
    clock,
    logger: silentLogger,
    lookMs: 1,
  });
  return {
    seen,
    connection,
    watch,
    pass: (ms: number) => clock.now += ms,
    hear: () => connection.heardAtMs = clock.now,
    answer: () => answer.resolve(fresh),
    fail: () => answer.reject(new Error("no answer")),
  };
}

/** Time for some looks. */
const looks = () => new Promise((resolve) => setTimeout(resolve, 20));

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    assert.ok(tries < 2000, "it did not come to that");
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

Deno.test("SilenceWatch asks nothing of a peer that is heard", async () => {
  const { seen, watch, pass, hear } = watchOver();
  using _ = watch;
  for (let i = 0; i < 10; i++) {
    pass(900);
    await looks();
    hear();
  }
  assert.deepEqual(seen, { pings: 0, dials: 0, replaced: 0, closed: 0 });
});

Deno.test("SilenceWatch does not hold it against a peer that nobody spoke with before", async () => {
  const { seen, watch, pass } = watchOver({ heardMsAgo: 30_000 });
  using _ = watch;
  pass(900);
  await looks();
  assert.deepEqual(seen, { pings: 0, dials: 0, replaced: 0, closed: 0 });
  pass(2_100);
  await until(() => seen.dials === 1);
});

Deno.test("SilenceWatch pings a silent peer, then dials it, and again when that fails", async () => {
  const { seen, watch, pass, fail } = watchOver();
  using _ = watch;
  pass(1_000);
  await until(() => seen.pings > 0);
  assert.equal(seen.dials, 0);
  pass(2_000);
  await until(() => seen.dials === 1);
  await looks();
  assert.equal(seen.dials, 1, "one at a time");
  fail();
  await until(() => seen.dials === 2);
});

Deno.test("SilenceWatch replaces a connection once another is answered, and is done then", async () => {
  const { seen, watch, pass, answer } = watchOver();
  using _ = watch;
  pass(3_000);
  await until(() => seen.dials === 1);
  answer();
  await until(() => seen.replaced === 1);
  pass(60_000);
  await looks();
  assert.deepEqual([seen.dials, seen.replaced, seen.closed], [1, 1, 0]);
});

Deno.test("SilenceWatch keeps a connection that is heard of again, and drops the other", async () => {
  const { seen, watch, pass, hear, answer } = watchOver();
  using _ = watch;
  pass(3_000);
  await until(() => seen.dials === 1);
  // A peer that was busy answers both at once, before the next look.
  hear();
  answer();
  await until(() => seen.closed === 1);
  pass(3_000);
  await until(() => seen.dials === 2);
  hear();
  await looks();
  pass(3_000);
  await until(() => seen.dials === 3);
  assert.equal(seen.replaced, 0);
});

Deno.test("SilenceWatch gives up dialling when it is disposed", async () => {
  const { seen, watch, pass, answer } = watchOver();
  pass(3_000);
  await until(() => seen.dials === 1);
  answer();
  watch[Symbol.dispose]();
  await until(() => seen.closed === 1);
  assert.equal(seen.replaced, 0);
});
