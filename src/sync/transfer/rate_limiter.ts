import { type Clock, delay } from "../../base/clock.ts";
import type { WriteBytes } from "../../protocol/mod.ts";

/** What a bucket holds at most, in time at its rate: how long a stall may last without costing speed. */
const BURST_MS = 250;
/** A slice is what flows in this time, so that streams take turns often. */
const SLICE_MS = 20;
const SLICE_BYTES_MIN = 512;
const SLICE_BYTES_MAX = 64 * 1024;

/**
 * A token bucket that may go into debt: what is taken is paid for by waiting. Since each taker's wait
 * covers the debts of those before it, takers are served in the order they came, and timers that ring
 * late cost nothing in the long run.
 */
export class TokenBucket {
  readonly #rate: number;
  #tokens = 0;
  #atMs: number;

  /** @param rate Tokens a second, over 0. The bucket begins empty. */
  constructor(rate: number, nowMs: number) {
    this.#rate = rate;
    this.#atMs = nowMs;
  }

  /** Takes tokens. @returns How many milliseconds to wait before using them; 0 for at once. */
  take(count: number, nowMs: number): number {
    const earned = (nowMs - this.#atMs) / 1000 * this.#rate;
    this.#atMs = nowMs;
    this.#tokens = Math.min(this.#rate * BURST_MS / 1000, this.#tokens + earned) - count;
    return this.#tokens < 0 ? -this.#tokens / this.#rate * 1000 : 0;
  }
}

/** What a {@linkcode RateLimiter} works with. */
export interface RateLimiterOptions {
  readonly clock: Clock;
  /** Ends every wait. */
  readonly signal: AbortSignal;
  /** For tests. */
  readonly wait?: typeof delay;
}

/**
 * Holds what many streams send together to a rate. Over 10 s it is at most 2.5 % above: the burst after
 * a pause. Streams that send at the same time get equal shares.
 */
export class RateLimiter {
  readonly #bucket: TokenBucket;
  readonly #sliceBytes: number;
  readonly #options: RateLimiterOptions;
  readonly #wait: typeof delay;

  /** @param rate Bytes a second, over 0. */
  constructor(rate: number, options: RateLimiterOptions) {
    this.#bucket = new TokenBucket(rate, options.clock.nowMs());
    const slice = Math.floor(rate * SLICE_MS / 1000);
    this.#sliceBytes = Math.min(SLICE_BYTES_MAX, Math.max(SLICE_BYTES_MIN, slice));
    this.#options = options;
    this.#wait = options.wait ?? delay;
  }

  /** Makes a writer of another one, which waits its turn for each slice. */
  limit(write: WriteBytes): WriteBytes {
    return async (bytes) => {
      for (let from = 0; from < bytes.length; from += this.#sliceBytes) {
        const slice = bytes.subarray(from, from + this.#sliceBytes);
        const waitMs = this.#bucket.take(slice.length, this.#options.clock.nowMs());
        if (waitMs > 0) await this.#wait(waitMs, this.#options.signal);
        await write(slice);
      }
    };
  }
}
