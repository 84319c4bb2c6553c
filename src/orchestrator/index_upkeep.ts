import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Index } from "../index/mod.ts";

/** How often an index that stays open is looked through for what may go. */
export const UPKEEP_INTERVAL_MS = 10 * 60_000;
/** How long a command that would end stays for it; what is left then is for the next one. */
const LAST_UPKEEP_MS = 10_000;

/**
 * Keeps the index of a command that stays from growing, in the pauses between its sessions. A run that
 * ends does it once, at its end.
 */
export class IndexUpkeep {
  readonly #index: () => Promise<Pick<Index, "collectGarbage">>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #dueMs: number;

  constructor(
    index: () => Promise<Pick<Index, "collectGarbage">>,
    { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  ) {
    this.#index = index;
    this.#clock = clock;
    this.#logger = logger;
    this.#dueMs = clock.nowMs() + UPKEEP_INTERVAL_MS;
  }

  /**
   * Does it if it is time. Never rejects.
   *
   * @param pause Ends the pause; what is left then is done in the next one.
   */
  async handlePause(pause: AbortSignal): Promise<void> {
    if (pause.aborted || this.#clock.nowMs() < this.#dueMs) return;
    await this.#collect(pause);
  }

  /**
   * Does it for a command that ends after few sessions, which no pause may have been due in. Never rejects.
   *
   * @param stop Ends it before its time.
   */
  async handleEnd(stop: AbortSignal, withinMs: number = LAST_UPKEEP_MS): Promise<void> {
    if (stop.aborted) return;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error("it takes long")), withinMs);
    await this.#collect(AbortSignal.any([stop, late.signal]));
    clearTimeout(timer);
  }

  async #collect(pause: AbortSignal): Promise<void> {
    try {
      const index = await this.#index();
      const { complete } = await index.collectGarbage({ signal: pause });
      if (complete) this.#dueMs = this.#clock.nowMs() + UPKEEP_INTERVAL_MS;
    } catch (error) {
      if (pause.aborted) return;
      this.#dueMs = this.#clock.nowMs() + UPKEEP_INTERVAL_MS;
      this.#logger.log("warn", `the index was not tidied up: ${messageOf(error)}`);
    }
  }
}
