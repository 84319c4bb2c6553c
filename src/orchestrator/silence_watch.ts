import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { CLOSE_CODE } from "../base/wire_codes.ts";
import type { QuicConnection } from "../quic/mod.ts";

/** A peer that was not heard of for so long is asked for a sign of life, once in each look. */
const ASK_AFTER_MS = 1_000;
/** A peer that was not heard of for so long is dialled anew, since it may be there by another way. */
const DIAL_AFTER_MS = 3_000;
/** Between looks. */
const LOOK_MS = 500;

/** What a {@linkcode SilenceWatch} works with. */
export interface SilenceWatchOptions {
  readonly connection: Pick<QuicConnection, "heardAtMs" | "ping">;
  /** Dials the peer wherever it may be; gives up when the signal says so. */
  readonly dial: (signal: AbortSignal) => Promise<QuicConnection>;
  /** Another connection was answered while this one was not: it is dead. The new one is handed over. */
  readonly onReplaced: (connection: QuicConnection) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  /** For tests. */
  readonly lookMs?: number;
}

/**
 * Notices a connection that is dead though nobody closed it: the peer was killed and started again, or
 * one of both has another address now. Silence alone proves nothing, since a network may be away for a
 * while; a new connection that is answered while the old one is not does. Until then the old one goes on
 * trying, and if it is heard of again nothing has happened.
 */
export class SilenceWatch implements Disposable {
  readonly #options: SilenceWatchOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  #dialling: AbortController | undefined;
  /** Before, nobody expected anything of the peer. */
  readonly #startMs: number;
  #isOver = false;

  constructor(options: SilenceWatchOptions) {
    this.#options = options;
    this.#startMs = options.clock.nowMs();
    this.#timer = setInterval(() => this.#look(), options.lookMs ?? LOOK_MS);
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearInterval(this.#timer);
    this.#dialling?.abort();
  }

  get #silenceMs(): number {
    const { connection, clock } = this.#options;
    return clock.nowMs() - Math.max(connection.heardAtMs, this.#startMs);
  }

  #look(): void {
    const silenceMs = this.#silenceMs;
    if (silenceMs < ASK_AFTER_MS) return this.#dialling?.abort();
    this.#options.connection.ping();
    if (silenceMs < DIAL_AFTER_MS || this.#dialling) return;
    this.#options.logger.log("info", "the peer is silent, trying other ways to it");
    void this.#dial();
  }

  async #dial(): Promise<void> {
    const { dial, onReplaced, logger } = this.#options;
    const dialling = this.#dialling = new AbortController();
    try {
      const connection = await dial(dialling.signal);
      // A peer that was busy answers on both at once.
      if (this.#isOver || this.#silenceMs < ASK_AFTER_MS) {
        return void await connection.close(CLOSE_CODE.normal);
      }
      this[Symbol.dispose]();
      onReplaced(connection);
    } catch (error) {
      logger.log("debug", `no other way to it: ${messageOf(error)}`);
    } finally {
      this.#dialling = undefined;
    }
  }
}
