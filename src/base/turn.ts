import { setImmediate } from "node:timers";
import type { Clock } from "./clock.ts";

/** How long a loop keeps the event loop to itself. */
const SLICE_MS = 10;

/** Lets everything that is due run once: for work that would keep the event loop to itself for long. */
export function nextTurn(): Promise<void> {
  return new Promise<void>((resolve) => setImmediate(resolve));
}

/** Shares the thread during long loops, by time, and ends them when the work is called off. */
export class TimeSlices {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #startMs: number;

  constructor({ clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal }) {
    this.#clock = clock;
    this.#signal = signal;
    this.#startMs = clock.nowMs();
  }

  /** True if it is time to await {@linkcode pass}. */
  get isOver(): boolean {
    return this.#clock.nowMs() - this.#startMs >= SLICE_MS;
  }

  /** Lets everything else run once. @throws The signal's reason when it is aborted. */
  async pass(): Promise<void> {
    await nextTurn();
    this.#signal.throwIfAborted();
    this.#startMs = this.#clock.nowMs();
  }
}
