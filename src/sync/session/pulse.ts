import type { Clock } from "../../base/clock.ts";
import { LandropicError } from "../../base/errors.ts";
import { FEATURE_WORKING } from "../../protocol/mod.ts";
import type { SessionLink } from "../link/requester.ts";
import { Patience, PATIENCE_LIMITS, type PatienceLimits } from "./patience.ts";

/** How often a side that is at work says so. */
const WORKING_INTERVAL_MS = 10_000;
const LOOK_MS = 5_000;

/** How the sides of a session keep each other waiting; for tests. */
export interface PulseTimes extends PatienceLimits {
  readonly workingMs: number;
  readonly lookMs: number;
}

/** What a {@linkcode Pulse} works with. */
export interface PulseOptions {
  readonly session: number;
  readonly peerName: string;
  readonly clock: Clock;
  /** This side is at work, or waits for what is no matter of the peer's. */
  readonly isWorking: () => boolean;
  /** It may be the peer's turn though nobody waits by {@linkcode Pulse.waitFor}. */
  readonly isWaiting: () => boolean;
  /** Counts what moves. */
  readonly progress: () => number;
  readonly times?: Partial<PulseTimes> | undefined;
}

/**
 * Keeps a session from standing still for ever: tells the peer now and then that this side is at work, and
 * gives the peer up once it has said nothing for long while it is its turn. Costs a session that is short
 * nothing but a timer.
 */
export class Pulse implements Disposable {
  readonly #link: SessionLink;
  readonly #options: PulseOptions;
  readonly #patience: Patience;
  readonly #workingMs: number;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #givenUp = Promise.withResolvers<never>();
  #waiting = 0;
  #toldAtMs: number;
  #isTelling = false;

  constructor(link: SessionLink, options: PulseOptions) {
    const { clock, times } = options;
    const { workingMs, lookMs, ...limits } = {
      workingMs: WORKING_INTERVAL_MS,
      lookMs: LOOK_MS,
      ...PATIENCE_LIMITS,
      ...times,
    };
    this.#link = link;
    this.#options = options;
    this.#workingMs = workingMs;
    this.#toldAtMs = clock.nowMs();
    this.#patience = new Patience(limits, this.#toldAtMs);
    this.#givenUp.promise.catch(() => {});
    this.#timer = setInterval(() => this.#look(), lookMs);
  }

  /** Rejects with `timed_out` when the peer has been waited for too long; else pends. */
  get givenUp(): Promise<never> {
    return this.#givenUp.promise;
  }

  /** The peer has said or asked something that belongs to the session. */
  handleSign(): void {
    this.#patience.handleSign();
  }

  /** Marks what only the peer can bring about. */
  async waitFor<T>(coming: Promise<T>): Promise<T> {
    if (this.#waiting++ === 0) this.#patience.handleSign();
    try {
      return await coming;
    } finally {
      this.#waiting--;
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const nowMs = this.#options.clock.nowMs();
    if (this.#options.isWorking()) this.#tell(nowMs);
    const silentMs = this.#patience.look({
      nowMs,
      heardAtMs: this.#link.heardAtMs,
      isWaiting: this.#waiting > 0 || this.#options.isWaiting(),
      isTold: this.#link.knows(FEATURE_WORKING),
      progress: this.#options.progress(),
    });
    if (silentMs !== undefined) this.#giveUp(silentMs);
    // A peer that is there answers, whatever else it does.
    this.#link.askForSign();
  }

  #tell(nowMs: number): void {
    if (this.#isTelling || nowMs - this.#toldAtMs < this.#workingMs) return;
    this.#toldAtMs = nowMs;
    this.#isTelling = true;
    this.#link.send({ type: "working", session: this.#options.session }).catch(() => {})
      .finally(() => this.#isTelling = false);
  }

  #giveUp(silentMs: number): void {
    this[Symbol.dispose]();
    const { peerName } = this.#options;
    const seconds = Math.round(silentMs / 1000);
    this.#givenUp.reject(
      new LandropicError(
        "timed_out",
        `"${peerName}" is there, but has not gone on with this session for ${seconds} s`,
        `look at what landropic does on "${peerName}": its disk may hang`,
      ),
    );
  }
}
