import { type Clock, systemClock } from "../base/clock.ts";

/** Where delayed calls come from, so that tests can turn time by hand. */
export interface Timers {
  set(callback: () => void, delayMs: number): unknown;
  clear(handle: unknown): void;
}

/** The timers of the runtime. */
export const systemTimers: Timers = {
  set: (callback, delayMs) => setTimeout(callback, delayMs),
  clear: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout>),
};

/**
 * One timer that moves. Moving it later costs nothing: it then fires early once, finds that it is not
 * due, and waits for the rest. QUIC moves its deadlines with nearly every packet.
 */
export class DeadlineTimer {
  #handle: unknown;
  #armedForMs = Infinity;
  #deadlineMs = Infinity;

  constructor(
    readonly onDue: (nowMs: number) => void,
    readonly clock: Clock = systemClock,
    readonly timers: Timers = systemTimers,
  ) {}

  /** Calls `onDue` once at `deadlineMs` on the clock, instead of when it was last set. Infinity: never. */
  moveTo(deadlineMs: number): void {
    this.#deadlineMs = deadlineMs;
    if (deadlineMs < this.#armedForMs) this.#arm();
  }

  /** Forgets the deadline and frees the runtime's timer. */
  stop(): void {
    this.#deadlineMs = Infinity;
    this.#armedForMs = Infinity;
    if (this.#handle !== undefined) this.timers.clear(this.#handle);
    this.#handle = undefined;
  }

  #arm(): void {
    if (this.#handle !== undefined) this.timers.clear(this.#handle);
    this.#armedForMs = this.#deadlineMs;
    const delayMs = Math.max(0, Math.ceil(this.#deadlineMs - this.clock.nowMs()));
    this.#handle = this.timers.set(() => this.#fire(), Math.min(delayMs, DELAY_MS_MAX));
  }

  #fire(): void {
    this.#handle = undefined;
    this.#armedForMs = Infinity;
    if (this.#deadlineMs === Infinity) return;
    const nowMs = this.clock.nowMs();
    if (nowMs < this.#deadlineMs) return this.#arm();
    this.#deadlineMs = Infinity;
    this.onDue(nowMs);
  }
}

/** `setTimeout` takes no more than 31 bits. */
const DELAY_MS_MAX = 0x7fff_ffff;
