import assert from "node:assert/strict";
import * as fs from "node:fs";
import fc from "fast-check";
import { RateLimiter, TokenBucket } from "../../../src/sync/transfer/rate_limiter.ts";
import { runSession } from "../../support/session_pair.ts";
import { twoFolders } from "../../support/two_folders.ts";

/** Time that moves when everybody waits, with timers that ring late as those of a busy machine do. */
class SlowTime {
  #nowMs = 0;
  readonly #sleepers: { atMs: number; wake: () => void }[] = [];
  readonly clock = { nowMs: () => this.#nowMs, wallMs: () => this.#nowMs };

  constructor(readonly lateMs: () => number) {}

  readonly wait = (ms: number): Promise<void> =>
    new Promise((wake) => this.#sleepers.push({ atMs: this.#nowMs + ms + this.lateMs(), wake }));

  async runUntil(endMs: number): Promise<void> {
    for (;;) {
      // Lets everybody who is awake go on until they wait again.
      for (let i = 0; i < 50; i++) await Promise.resolve();
      this.#sleepers.sort((a, b) => a.atMs - b.atMs);
      const next = this.#sleepers[0];
      if (next === undefined || next.atMs > endMs) return;
      this.#sleepers.shift();
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.wake();
    }
  }
}

async function simulate(
  rate: number,
  streams: number,
  options: { lateMs: () => number; seconds: number; blockBytes: number },
): Promise<number[]> {
  const time = new SlowTime(options.lateMs);
  const stop = new AbortController();
  const limiter = new RateLimiter(rate, {
    clock: time.clock,
    signal: stop.signal,
    wait: time.wait,
  });
  const sent = new Array<number>(streams).fill(0);
  for (let i = 0; i < streams; i++) {
    const write = limiter.limit((bytes) => {
      sent[i]! += bytes.length;
      return Promise.resolve();
    });
    void (async () => {
      for (;;) await write(new Uint8Array(options.blockBytes));
    })();
  }
  await time.runUntil(options.seconds * 1000);
  return sent;
}

Deno.test("RateLimiter keeps any rate within 5 % over 10 s, however late its timers ring", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 50_000, max: 5_000_000 }),
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 0, max: 100 }),
      async (rate, streams, lateMsMax) => {
        let calls = 0;
        const lateMs = () => calls++ % 17 === 0 ? lateMsMax : 1;
        const sent = await simulate(rate, streams, { lateMs, seconds: 10, blockBytes: 262_157 });
        const total = sent.reduce((sum, bytes) => sum + bytes, 0);
        assert.ok(Math.abs(total / (10 * rate) - 1) < 0.05, `${total} of ${10 * rate}`);
      },
    ),
    { numRuns: 15 },
  );
});

Deno.test("RateLimiter gives streams that send together equal shares", async () => {
  const sent = await simulate(400_000, 5, { lateMs: () => 1, seconds: 10, blockBytes: 262_157 });
  for (const bytes of sent) assert.ok(Math.abs(bytes / 800_000 - 1) < 0.05, `${sent}`);
});

Deno.test("TokenBucket saves up no more than a quarter of a second", () => {
  const bucket = new TokenBucket(1000, 0);
  assert.equal(bucket.take(100, 0), 100);
  assert.equal(bucket.take(0, 100), 0);
  // After an hour: 250 tokens and not one more.
  assert.equal(bucket.take(250, 3_600_000), 0);
  assert.equal(bucket.take(1, 3_600_000), 1);
});

Deno.test("RateLimiter stops waiting when its session ends", async () => {
  const stop = new AbortController();
  const limiter = new RateLimiter(1, {
    clock: { nowMs: () => 0, wallMs: () => 0 },
    signal: stop.signal,
  });
  const writing = limiter.limit(() => Promise.resolve())(new Uint8Array(512));
  stop.abort(new Error("over"));
  await assert.rejects(writing, /over/);
});

for (const mode of ["push", "pull"] as const) {
  Deno.test(`a session with a rate limit sends no faster by ${mode}`, async () => {
    const { folder, a, b, left, right } = twoFolders();
    using _ = folder;
    const source = mode === "push" ? left : right;
    fs.writeFileSync(`${source}/x`, crypto.getRandomValues(new Uint8Array(60_000)));
    fs.writeFileSync(`${source}/y`, crypto.getRandomValues(new Uint8Array(60_000)));
    const startMs = performance.now();
    const { errors } = await runSession(a, left, b, right, { mode, rateLimit: 200_000 });
    assert.deepEqual(errors, []);
    // 120 kB at 200 kB/s, less what may be saved up while the folders are read.
    assert.ok(performance.now() - startMs >= 1000 * (120_000 / 200_000) - 250);
  });
}
