import type { PeerHint } from "./discovery.ts";

/** Hints waiting for a slow reader; more are dropped, since each is only a hint. */
const HINTS_WAITING_MAX = 256;

/** Hands hints from callbacks to one `for await` loop. */
export class HintQueue {
  readonly #waiting: PeerHint[] = [];
  #ended = false;
  #failure: { readonly reason: unknown } | undefined;
  #wake: (() => void) | undefined;

  /** Adds a hint, or drops it where the queue is full or over. */
  push(hint: PeerHint): void {
    if (this.#ended || this.#waiting.length >= HINTS_WAITING_MAX) return;
    this.#waiting.push(hint);
    this.#wake?.();
  }

  /** Ends the loop once the waiting hints are read. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** Ends the loop at once, by throwing. */
  fail(reason: unknown): void {
    this.#ended = true;
    this.#failure ??= { reason };
    this.#wake?.();
  }

  /**
   * The hints, until `timeoutMs` have passed, {@linkcode end} is called or the signal fires.
   *
   * @throws The signal's reason.
   */
  async *read(timeoutMs: number, signal?: AbortSignal): AsyncGenerator<PeerHint, void> {
    const onAbort = () => this.fail(signal!.reason);
    if (signal?.aborted) onAbort();
    signal?.addEventListener("abort", onAbort, { once: true });
    const timer = Number.isFinite(timeoutMs)
      ? setTimeout(() => this.end(), Math.min(Math.max(timeoutMs, 0), TIMER_MS_MAX))
      : undefined;
    try {
      for (;;) {
        if (this.#failure) throw this.#failure.reason;
        const hint = this.#waiting.shift();
        if (hint) yield hint;
        else if (this.#ended) return;
        else await new Promise<void>((resolve) => this.#wake = resolve);
      }
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      this.end();
    }
  }
}

/** Timers hold 31 bits. */
const TIMER_MS_MAX = 2 ** 31 - 1;
