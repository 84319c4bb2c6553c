/** How long a side of a session waits for the other. */
export interface PatienceLimits {
  /** A peer that tells when it is at work may say nothing for so long. */
  readonly toldMs: number;
  /** One that does not know how to tell: it may be reading a large folder from a slow disk. */
  readonly untoldMs: number;
}

/** docs/protocol.md, "Pace". */
export const PATIENCE_LIMITS: PatienceLimits = { toldMs: 60_000, untoldMs: 15 * 60_000 };

/** Looks further apart than this were put off, as by a machine that slept: nobody waited meanwhile. */
const GAP_MS_MAX = 15_000;

/** What a look at a session finds. */
export interface SessionLook {
  readonly nowMs: number;
  /** When the peer was last heard of, as a connection; `undefined` where that is not known. */
  readonly heardAtMs: number | undefined;
  /** It is the peer's turn. */
  readonly isWaiting: boolean;
  /** It knows how to tell that it is at work. */
  readonly isTold: boolean;
  /** Any count of what the session has moved; another one than in the last look is a sign of life. */
  readonly progress: number;
}

/**
 * Tells a peer that has forgotten a session, or holds it on purpose, from one that works on it for long.
 * As in {@linkcode PaceWatch} only time counts in which the peer was heard of: an outage of the network is
 * nobody's fault.
 */
export class Patience {
  readonly #limits: PatienceLimits;
  #waitedMs = 0;
  #lookedAtMs: number;
  #heardAtMs: number | undefined;
  #progress = 0;

  constructor(limits: PatienceLimits, nowMs: number) {
    this.#limits = limits;
    this.#lookedAtMs = nowMs;
  }

  /** The peer has said or asked something that belongs to the session. */
  handleSign(): void {
    this.#waitedMs = 0;
  }

  /**
   * To be called every few seconds.
   *
   * @returns For how long the peer has given no sign, once that is too long.
   */
  look({ nowMs, heardAtMs, isWaiting, isTold, progress }: SessionLook): number | undefined {
    const elapsedMs = Math.min(nowMs - this.#lookedAtMs, GAP_MS_MAX);
    this.#lookedAtMs = nowMs;
    const isHeard = heardAtMs === undefined || heardAtMs !== this.#heardAtMs;
    this.#heardAtMs = heardAtMs;
    if (!isWaiting || progress !== this.#progress) this.#waitedMs = 0;
    else if (isHeard) this.#waitedMs += elapsedMs;
    this.#progress = progress;
    const { toldMs, untoldMs } = this.#limits;
    return this.#waitedMs >= (isTold ? toldMs : untoldMs) ? this.#waitedMs : undefined;
  }
}
