import type { Clock } from "../../base/clock.ts";
import { CLOSE_CODE } from "../../base/wire_codes.ts";
import type { PairingOutcome, PairingSession, TrustEffect } from "../../identity/pairing/mod.ts";
import type { BidiStream, QuicConnection } from "../../quic/mod.ts";

/** Larger than any message of a run. */
const READ_BYTES = 1024;
/** How long the side that is through waits for the other to have heard it. */
const LINGER_MS = 2_000;

/** What a {@linkcode PairingExchange} works with. */
export interface ExchangeOptions {
  /** Opened by the side that enters the code. */
  readonly stream: BidiStream;
  readonly clock: Clock;
  /** Writes the trust entry; durable when it resolves. */
  readonly trust: (effect: TrustEffect) => Promise<void>;
}

/**
 * The shell around one {@linkcode PairingSession}: moves its bytes over one stream, keeps its timer,
 * and has its trust written down. Owns the session and ends the connection.
 */
export class PairingExchange {
  readonly #session: PairingSession;
  readonly #connection: QuicConnection;
  readonly #stream: BidiStream;
  readonly #options: ExchangeOptions;
  readonly #done = Promise.withResolvers<void>();
  #writing: Promise<void> = Promise.resolve();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(session: PairingSession, connection: QuicConnection, options: ExchangeOptions) {
    this.#session = session;
    this.#connection = connection;
    this.#stream = options.stream;
    this.#options = options;
  }

  /**
   * Runs to the end; the connection is closed then.
   *
   * @param signal Gives the run up: it fails as if the connection were lost.
   */
  async run(signal: AbortSignal): Promise<PairingOutcome> {
    using session = this.#session;
    const onAbort = () => this.#handle((nowMs) => session.handleDisconnect(nowMs));
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      const reading = this.#read();
      if (signal.aborted) onAbort();
      else this.#handle(() => {}); // what the session wants from the start
      await this.#done.promise;
      await this.#writing;
      await this.#sayEnd(reading, signal);
      return session.outcome!;
    } finally {
      clearTimeout(this.#timer);
      signal.removeEventListener("abort", onAbort);
      await this.#connection.close(CLOSE_CODE.normal);
    }
  }

  /** Calls the session, then does everything that it asks for. */
  #handle(call: (nowMs: number) => void): void {
    const session = this.#session;
    call(this.#nowMs());
    for (let bytes; (bytes = session.pollTransmit());) this.#write(bytes);
    for (let effect; (effect = session.pollEffect());) void this.#trust(effect);
    clearTimeout(this.#timer);
    const deadlineMs = session.pollTimeout();
    if (deadlineMs !== Infinity) {
      const handleTimeout = () => this.#handle((nowMs) => session.handleTimeout(nowMs));
      this.#timer = setTimeout(handleTimeout, Math.max(0, deadlineMs - this.#nowMs()));
    }
    if (session.outcome) this.#done.resolve();
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(READ_BYTES);
    try {
      for (;;) {
        const length = await this.#stream.recv.read(buffer);
        if (length === null) break;
        this.#handle((nowMs) => this.#session.handleBytes(buffer.subarray(0, length), nowMs));
      }
    } catch {
      // The connection is gone; the session says what that means.
    }
    this.#handle((nowMs) => this.#session.handleDisconnect(nowMs));
  }

  #write(bytes: Uint8Array): void {
    // What can't be sent is noticed by the reading side.
    this.#writing = this.#writing.then(() => this.#stream.send.write(bytes)).catch(() => {});
  }

  async #trust(effect: TrustEffect): Promise<void> {
    try {
      await this.#options.trust(effect);
      this.#handle((nowMs) => this.#session.handleTrustStored(nowMs));
    } catch (error) {
      this.#handle((nowMs) => this.#session.handleTrustFailed(error, nowMs));
    }
  }

  /** Ends the stream and waits for its end from the peer, which then has heard everything. */
  async #sayEnd(reading: Promise<void>, signal: AbortSignal): Promise<void> {
    const { promise: patience, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, LINGER_MS);
    signal.addEventListener("abort", () => resolve(), { once: true });
    if (signal.aborted) resolve();
    try {
      const ending = this.#stream.send.finish().catch(() => {});
      await Promise.race([Promise.all([ending, reading]), this.#connection.closed, patience]);
    } finally {
      clearTimeout(timer);
    }
  }

  #nowMs(): number {
    return this.#options.clock.nowMs();
  }
}
