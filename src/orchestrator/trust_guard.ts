import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { CLOSE_CODE } from "../base/wire_codes.ts";
import type { TrustStore } from "../identity/mod.ts";
import type { QuicConnection } from "../quic/mod.ts";

/** How soon a change of the trusted peers, made by another command, is noticed. */
export const TRUST_POLL_MS = 500;

/**
 * Keeps watch over live connections: takes over what other commands change in the trust store, and
 * cuts off at once whoever is no longer trusted.
 */
export class TrustGuard implements Disposable {
  readonly #trust: TrustStore;
  readonly #logger: Logger;
  readonly #connections = new Map<QuicConnection, Uint8Array>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #failure = "";

  constructor(trust: TrustStore, logger: Logger) {
    this.#trust = trust;
    this.#logger = logger;
  }

  /** Looks after the trust store from now on, also while nobody is connected. */
  start(): void {
    this.#timer ??= setInterval(() => void this.review(), TRUST_POLL_MS);
  }

  /**
   * Closes the connection with code 1 as soon as its peer is not trusted any more.
   *
   * @param fingerprint Of the key that the connection showed.
   */
  watch(connection: QuicConnection, fingerprint: Uint8Array): void {
    this.start();
    this.#connections.set(connection, fingerprint);
    void connection.closed.then(() => this.#connections.delete(connection));
  }

  /** Looks now instead of at the next tick. */
  async review(): Promise<void> {
    try {
      await this.#trust.reloadIfChanged();
      this.#failure = "";
    } catch (error) {
      // A broken file is told of once, not twice a second.
      if (messageOf(error) !== this.#failure) this.#logger.log("error", messageOf(error));
      this.#failure = messageOf(error);
    }
    // Also where nothing was read: an edit of this process may have brought the news along.
    for (const [connection, fingerprint] of this.#connections) {
      if (this.#trust.lookup(fingerprint) === "trusted") continue;
      void connection.close(CLOSE_CODE.handshakeRefused);
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
