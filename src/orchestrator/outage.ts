import type { SyncObserver } from "../sync/mod.ts";
import type { ReachOptions } from "./dialer.ts";

/**
 * File bytes that count as progress though no file is complete: of a file so large, what has come is kept
 * when a connection breaks, and of smaller ones some are complete by then.
 */
export const PROGRESS_BYTES = 8 * 1024 * 1024;

/**
 * Counts what one outage costs: a peer that can't be reached, or is lost again and again before anything
 * has moved. With progress the next outage has all tries and all the time for itself, so that a transfer
 * of hours outlasts any number of short ones.
 */
export class Outage {
  readonly #limits: Pick<ReachOptions, "retries" | "timeoutMs">;
  #failures = 0;
  #spentMs = 0;

  constructor(limits: Pick<ReachOptions, "retries" | "timeoutMs">) {
    this.#limits = limits;
  }

  /** Times in a row that the peer was lost without progress. */
  get failures(): number {
    return this.#failures;
  }

  /** What may still be spent on reaching the peer. */
  get left(): { readonly retries: number; readonly timeoutMs: number | undefined } {
    const { retries, timeoutMs } = this.#limits;
    return {
      retries: Math.max(0, retries - this.#failures),
      timeoutMs: timeoutMs === undefined ? undefined : Math.max(0, timeoutMs - this.#spentMs),
    };
  }

  /** So long it was tried to reach the peer, or waited for the next try. */
  handleWait(ms: number): void {
    this.#spentMs += ms;
  }

  /** The peer was lost. @returns False if that was once too often. */
  handleLoss(): boolean {
    return ++this.#failures <= this.#limits.retries;
  }

  /** The peer is back for good: something has moved that need not move again. */
  handleProgress(): void {
    this.#failures = 0;
    this.#spentMs = 0;
  }
}

/** Passes on what a session tells, and hears of progress in it. */
export function noticeProgress(observer: SyncObserver, onProgress: () => void): SyncObserver {
  return {
    plan: (sums) => observer.plan(sums),
    conflict: (conflict) => observer.conflict(conflict),
    fileError: (error) => observer.fileError(error),
    item: (item) => {
      if (item.operation !== undefined && item.action !== "!") onProgress();
      observer.item(item);
    },
    progress: (now) => {
      if (now.bytes >= PROGRESS_BYTES) onProgress();
      observer.progress(now);
    },
  };
}
