/** How fast bytes of files have to move while somebody waits for them. */
export interface PaceLimits {
  /** So many have to come in the time below, or what is wanted to be sent in it where that is less. */
  readonly bytesMin: number;
  /** For a peer that was asked, and from which there is nothing to read. */
  readonly sendWithinMs: number;
  /** For a peer that has asked, and takes no more: it may be writing to a slow disk. */
  readonly takeWithinMs: number;
}

/** docs/protocol.md, "Pace". */
export const PACE_LIMITS: PaceLimits = {
  bytesMin: 16 * 1024,
  sendWithinMs: 10_000,
  takeWithinMs: 300_000,
};

/** Answers and connections that a rate may be shared by, with some to spare. */
const RATE_SHARES = 16;
/** Looks further apart than this were put off, as by a machine that slept: nobody waited meanwhile. */
const GAP_MS_MAX = 3_000;

/** An answer with bytes of files that is to come. */
export interface ExpectedAnswer {
  /** All that has come was read, and more is waited for. */
  readonly isReading: boolean;
  /** What its sender may send, in bytes a second, if that was agreed on. */
  readonly rateLimit: number | undefined;
}

/** What a look found: answers that don't come, answers that are not taken. */
export interface PaceFinding {
  readonly isHeldBack: boolean;
  readonly isNotTaken: boolean;
}

/**
 * Tells a peer that holds bytes of files back from one that is slow, or gone. All answers of a connection
 * are judged together, since its sender puts one before the other; and only time counts in which the peer
 * was heard of, so that an outage of the network is nobody's fault.
 */
export class PaceWatch {
  readonly #limits: PaceLimits;
  readonly #expected = new Set<ExpectedAnswer>();
  readonly #came = new Waiting();
  readonly #taken = new Waiting();
  /** Bytes that this side has to send and that are not taken yet. */
  #bytesToSend = 0;
  #lookedAtMs = 0;
  #heardAtMs: number | undefined;

  constructor(limits: PaceLimits) {
    this.#limits = limits;
  }

  /** Nobody waits for anything. */
  get isIdle(): boolean {
    return this.#expected.size === 0 && this.#bytesToSend === 0;
  }

  /** Somebody begins to wait: what was before does not count. */
  begin(nowMs: number): void {
    this.#lookedAtMs = nowMs;
    this.#came.reset();
    this.#taken.reset();
  }

  /** An answer is waited for from now on. */
  addExpected(answer: ExpectedAnswer): void {
    this.#expected.add(answer);
  }

  /** It has come, or is not waited for any more. */
  removeExpected(answer: ExpectedAnswer): void {
    if (this.#expected.delete(answer)) this.#came.reset();
  }

  /** Bytes of any answer came. */
  handleCame(bytes: number): void {
    this.#came.handleBytes(bytes, this.#bytesMin);
  }

  /** Bytes are to be sent. */
  handleToSend(bytes: number): void {
    this.#bytesToSend += bytes;
  }

  /** They were taken, or will not be. */
  handleSent(bytes: number): void {
    this.#bytesToSend -= bytes;
    this.#taken.reset();
  }

  /**
   * To be called about once a second while anybody waits.
   *
   * @param heardAtMs When the peer was last heard of; `undefined` where that is not known.
   */
  look(nowMs: number, heardAtMs: number | undefined): PaceFinding {
    const elapsedMs = Math.min(nowMs - this.#lookedAtMs, GAP_MS_MAX);
    this.#lookedAtMs = nowMs;
    const isHeard = heardAtMs === undefined || heardAtMs !== this.#heardAtMs;
    this.#heardAtMs = heardAtMs;
    if (!isHeard) return { isHeldBack: false, isNotTaken: false };
    const { sendWithinMs, takeWithinMs, bytesMin } = this.#limits;
    // Bytes become known as taken only in pieces, which a slow network takes its time for.
    const pieceMs = this.#bytesToSend / bytesMin * sendWithinMs;
    return {
      isHeldBack: this.#isWaiting && this.#came.handleWait(elapsedMs) >= sendWithinMs,
      isNotTaken: this.#bytesToSend > 0 &&
        this.#taken.handleWait(elapsedMs) >= takeWithinMs + pieceMs,
    };
  }

  /** True if nothing of what has come is left to read: then it is not this side that is slow. */
  get #isWaiting(): boolean {
    if (this.#expected.size === 0) return false;
    for (const { isReading } of this.#expected) if (!isReading) return false;
    return true;
  }

  get #bytesMin(): number {
    const { bytesMin, sendWithinMs } = this.#limits;
    let least = bytesMin;
    for (const { rateLimit } of this.#expected) {
      if (rateLimit) least = Math.min(least, rateLimit * sendWithinMs / 1000 / RATE_SHARES);
    }
    return least;
  }
}

/** How long was waited since enough has moved. */
class Waiting {
  #ms = 0;
  #bytes = 0;

  handleBytes(bytes: number, bytesMin: number): void {
    this.#bytes += bytes;
    if (this.#bytes >= bytesMin) this.reset();
  }

  handleWait(ms: number): number {
    return this.#ms += ms;
  }

  reset(): void {
    this.#ms = 0;
    this.#bytes = 0;
  }
}
