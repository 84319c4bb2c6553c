import type { Clock } from "../../base/clock.ts";
import { LandropicError } from "../../base/errors.ts";
import { STREAM_CODE } from "../../base/wire_codes.ts";
import { type ExpectedAnswer, PACE_LIMITS, type PaceLimits, PaceWatch } from "./pace.ts";
import type { ReceiveSide, SendSide, Transport } from "./transport.ts";

const LOOK_MS = 1_000;

/** How a link keeps its peer to a pace; for tests. */
export interface PaceOptions extends Partial<PaceLimits> {
  readonly lookMs?: number;
}

/**
 * The streams of one connection that carry bytes of files. Ends those whose peer holds back what it was
 * asked for, or does not take what it has asked for; see {@linkcode PaceWatch}.
 */
export class PacedStreams implements Disposable {
  readonly #transport: Pick<Transport, "heardAtMs" | "ping">;
  readonly #clock: Clock;
  readonly #watch: PaceWatch;
  readonly #lookMs: number;
  readonly #receivers = new Set<PacedReceiver>();
  readonly #senders = new Set<SendSide>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(
    transport: Pick<Transport, "heardAtMs" | "ping">,
    clock: Clock,
    { lookMs = LOOK_MS, ...limits }: PaceOptions = {},
  ) {
    this.#transport = transport;
    this.#clock = clock;
    this.#lookMs = lookMs;
    this.#watch = new PaceWatch({ ...PACE_LIMITS, ...limits });
  }

  /**
   * Makes an answer of the peer keep the pace.
   *
   * @param options.isBulk It is nothing but bytes of files; others may take their time, since files may
   * have to be read for them first.
   */
  receive(
    stream: ReceiveSide,
    options: { readonly isBulk: boolean; readonly rateLimit?: number | undefined },
  ): ReceiveSide {
    const receiver: PacedReceiver = new PacedReceiver(stream, options, {
      onBytes: (bytes) => this.#watch.handleCame(bytes),
      onEnd: () => {
        this.#receivers.delete(receiver);
        this.#watch.removeExpected(receiver);
        this.#stopIfIdle();
      },
    });
    if (options.isBulk) {
      this.#begin();
      this.#receivers.add(receiver);
      this.#watch.addExpected(receiver);
    }
    return receiver;
  }

  /** Writes bytes of an answer that the peer has asked for, to be taken in time. */
  async write(stream: SendSide, bytes: Uint8Array): Promise<void> {
    const { length } = bytes;
    if (length === 0) return await stream.write(bytes);
    this.#begin();
    this.#senders.add(stream);
    this.#watch.handleToSend(length);
    try {
      await stream.write(bytes);
    } finally {
      this.#senders.delete(stream);
      this.#watch.handleSent(length);
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #begin(): void {
    if (this.#timer !== undefined) return;
    this.#watch.begin(this.#clock.nowMs());
    this.#timer = setInterval(() => this.#look(), this.#lookMs);
  }

  #look(): void {
    if (this.#stopIfIdle()) return;
    const { isHeldBack, isNotTaken } = this.#watch.look(
      this.#clock.nowMs(),
      this.#transport.heardAtMs,
    );
    if (isHeldBack) { for (const receiver of [...this.#receivers]) receiver.giveUp(); }
    if (isNotTaken) { for (const stream of [...this.#senders]) stream.reset(STREAM_CODE.limit); }
    // A peer that is there answers, whatever else it does.
    this.#transport.ping?.();
  }

  #stopIfIdle(): boolean {
    if (!this.#watch.isIdle) return false;
    this[Symbol.dispose]();
    return true;
  }
}

/** One answer on its way. */
class PacedReceiver implements ReceiveSide, ExpectedAnswer {
  readonly rateLimit: number | undefined;
  readonly #stream: ReceiveSide;
  readonly #isBulk: boolean;
  readonly #on: { onBytes(bytes: number): void; onEnd(): void };
  #hasGivenUp = false;
  isReading = false;

  constructor(
    stream: ReceiveSide,
    { isBulk, rateLimit }: {
      readonly isBulk: boolean;
      readonly rateLimit?: number | undefined;
    },
    on: { onBytes(bytes: number): void; onEnd(): void },
  ) {
    this.#stream = stream;
    this.#isBulk = isBulk;
    this.rateLimit = rateLimit;
    this.#on = on;
  }

  async read(into: Uint8Array): Promise<number | null> {
    this.isReading = true;
    try {
      const count = await this.#stream.read(into);
      if (count === null) this.#on.onEnd();
      else this.#on.onBytes(count);
      return count;
    } catch (error) {
      this.#on.onEnd();
      throw this.#explain(error);
    } finally {
      this.isReading = false;
    }
  }

  stop(code: number): void {
    this.#on.onEnd();
    this.#stream.stop(code);
  }

  giveUp(): void {
    this.#hasGivenUp = true;
    this.stop(STREAM_CODE.limit);
  }

  #explain(error: unknown): unknown {
    if (this.#hasGivenUp) {
      return new LandropicError(
        "timed_out",
        "The peer is there, but does not send the files that it was asked for",
        undefined,
        error,
      );
    }
    const code = error instanceof Error && "streamCode" in error ? error.streamCode : undefined;
    if (code !== STREAM_CODE.limit || !this.#isBulk) return error;
    return new LandropicError(
      "timed_out",
      "The peer gave up sending, since nothing was taken here for minutes",
      "look whether the disk of the folder is much too slow, or hangs",
      error,
    );
  }
}
