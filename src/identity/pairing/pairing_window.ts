import { hostLimitKey } from "../../base/ip_address.ts";
import type { Refusal } from "./pairing_message.ts";

/** How long a code or invitation may be used, unless told otherwise. */
export const WINDOW_LIFETIME_MS = 10 * 60 * 1000;
/** Guesses that one code allows; three of 2^33 possible codes. */
export const ATTEMPTS_MAX = 3;
/** Nobody is answered this long after a run that did not pair. */
export const FAILURE_PAUSE_MS = 1000;
/** Runs that one host may begin in {@linkcode RUNS_PER_HOST_MS}. */
export const RUNS_PER_HOST_MAX = 10;
/** See {@linkcode RUNS_PER_HOST_MAX}. */
export const RUNS_PER_HOST_MS = 60 * 1000;

/** Hosts whose runs are counted; the one not seen for longest is forgotten first. */
const HOSTS_MAX = 1024;

/** Where a run's one guess is taken from. */
export interface AttemptBudget {
  /** Takes one attempt, or says why there is none. Called once in a run, before the guess can be checked. */
  spend(nowMs: number): Refusal | undefined;
}

/** Why a window answers nobody any more; `open` while it does. */
export type WindowState = "open" | "expired" | "used" | "attempts_spent";

/**
 * The displayer's limits on one code or invitation: when it ends, how often it may be guessed at,
 * and by whom. Without clock or timer; all times are monotonic milliseconds from the caller.
 */
export class PairingWindow {
  /** When the code ends, on the clock that `nowMs` counts. */
  readonly expiresAtMs: number;
  #attemptsLeft = ATTEMPTS_MAX;
  #used = false;
  #running: WindowRun | undefined;
  #pausedUntilMs = -Infinity;
  /** Start times of the recent runs of each host, oldest first; hosts in order of their last run. */
  readonly #startsByHost = new Map<string, number[]>();

  constructor(nowMs: number, lifetimeMs: number = WINDOW_LIFETIME_MS) {
    this.expiresAtMs = nowMs + lifetimeMs;
  }

  /** Attempts nobody has spent yet. */
  get attemptsLeft(): number {
    return this.#attemptsLeft;
  }

  /** Whether another run may pair; while the last attempt is under way the window is open. */
  state(nowMs: number): WindowState {
    if (this.#used) return "used";
    if (nowMs >= this.expiresAtMs) return "expired";
    return this.#attemptsLeft === 0 && !this.#running ? "attempts_spent" : "open";
  }

  /**
   * Admits one run; there is never more than one. The caller ends it by {@linkcode WindowRun.end}.
   *
   * @param address The peer's IP address; IPv6 hosts are counted by /64.
   * @returns The run, or why there is none.
   */
  beginRun(address: string, nowMs: number): WindowRun | Refusal {
    if (!this.#countRun(hostLimitKey(address), nowMs)) return "rate_limited";
    const state = this.state(nowMs);
    if (state !== "open") return state;
    if (this.#running || nowMs < this.#pausedUntilMs) return "busy";
    this.#running = new WindowRun({
      spend: (atMs) => this.#spend(atMs),
      succeed: () => this.#used = true,
      end: (succeeded, atMs) => {
        this.#running = undefined;
        if (!succeeded) this.#pausedUntilMs = atMs + FAILURE_PAUSE_MS;
      },
    });
    return this.#running;
  }

  #spend(nowMs: number): Refusal | undefined {
    if (nowMs >= this.expiresAtMs) return "expired";
    if (this.#attemptsLeft === 0) return "attempts_spent";
    this.#attemptsLeft--;
    return undefined;
  }

  #countRun(host: string, nowMs: number): boolean {
    const recent = (this.#startsByHost.get(host) ?? [])
      .filter((startMs) => startMs > nowMs - RUNS_PER_HOST_MS);
    this.#startsByHost.delete(host);
    this.#startsByHost.set(host, recent);
    if (this.#startsByHost.size > HOSTS_MAX) {
      const [leastRecent] = this.#startsByHost.keys();
      this.#startsByHost.delete(leastRecent!);
    }
    if (recent.length >= RUNS_PER_HOST_MAX) return false;
    recent.push(nowMs);
    return true;
  }
}

/** The place of one run in its window; made by {@linkcode PairingWindow.beginRun}. */
export class WindowRun implements AttemptBudget {
  readonly #window: RunHooks;
  #succeeded = false;
  #ended = false;

  constructor(window: RunHooks) {
    this.#window = window;
  }

  /** Spends an attempt; to be called right before the displayer's share goes out. */
  spend(nowMs: number): Refusal | undefined {
    return this.#window.spend(nowMs);
  }

  /** The enterer proved the secret: the code pairs nobody else, whatever comes after. */
  succeed(): void {
    this.#succeeded = true;
    this.#window.succeed();
  }

  /** Leaves the window to the next run; safe to call twice. */
  end(nowMs: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#window.end(this.#succeeded, nowMs);
  }
}

/** What a run may do to its window. */
interface RunHooks {
  spend(nowMs: number): Refusal | undefined;
  succeed(): void;
  end(succeeded: boolean, nowMs: number): void;
}
