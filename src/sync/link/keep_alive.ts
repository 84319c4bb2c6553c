import { LandropicError } from "../../base/errors.ts";
import type { PeerLink } from "./peer_link.ts";
import { CLOSE_CODE } from "./transport.ts";

/** How often an idle peer is asked whether it is still there. */
export const KEEP_ALIVE_MS = 30_000;
/** A peer that was asked something may take so long to say that it is there. */
export const PROBE_MS = 10_000;

/** What of a link it takes to keep it alive. */
export type LiveLink = Pick<PeerLink, "ping" | "close">;

/** How often to ask; for tests. */
export interface KeepAliveOptions {
  readonly intervalMs?: number;
  readonly probeMs?: number;
}

/**
 * Keeps an idle connection open, and ends it once the peer has missed two questions in a row: a device that
 * sleeps or has lost its network says no good-bye.
 */
export class KeepAlive implements Disposable {
  readonly #link: LiveLink;
  readonly #probeMs: number;
  readonly #timer: ReturnType<typeof setInterval>;
  #probe: ReturnType<typeof setTimeout> | undefined;
  #missed = 0;

  constructor(link: LiveLink, options: KeepAliveOptions = {}) {
    this.#link = link;
    this.#probeMs = options.probeMs ?? PROBE_MS;
    this.#timer = setInterval(() => this.#beat(), options.intervalMs ?? KEEP_ALIVE_MS);
  }

  /** Asks now, since something is about to depend on the peer; no answer soon is the end. */
  probe(): void {
    if (this.#probe !== undefined) return;
    this.#probe = setTimeout(() => this.#end(), this.#probeMs);
    this.#ask();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    clearTimeout(this.#probe);
  }

  #beat(): void {
    if (this.#missed >= 2) return this.#end();
    this.#missed++;
    this.#ask();
  }

  #ask(): void {
    this.#link.ping().then(() => {
      this.#missed = 0;
      clearTimeout(this.#probe);
      this.#probe = undefined;
      // Whoever waits for the link hears of its end by itself.
    }, () => {});
  }

  #end(): void {
    this[Symbol.dispose]();
    const error = new LandropicError("peer_unreachable", "The peer does not answer any more");
    void this.#link.close(CLOSE_CODE.normal, error);
  }
}
