import { DATAGRAM_BYTES_MIN } from "./profile.ts";

/** Counters of a connection that the watch needs. */
export interface PathCounters {
  readonly lostPackets: number;
  readonly lostBytes: number;
  readonly congestionWindowBytes: number;
  /** Smoothed, in milliseconds. */
  readonly rttMs: number;
}

/**
 * Notices a path that swallows large datagrams without a word (a "black hole", RFC 8899 section 4.3),
 * from what can be seen outside the native core, which acknowledges but does not tell.
 *
 * What is neither lost nor acknowledged fits the congestion window. So once more large bytes were sent
 * than were lost and than the window holds, some have arrived, and the path is proven. Until then every
 * loss and every timeout of large datagrams speaks against it.
 *
 * A path may come to carry less later on. That need not look like silence: whoever has something to say is
 * heard all the time, and small datagrams are acknowledged. So any loss and any timeout puts a proven path
 * in doubt: it has to prove itself again, which one that carries large datagrams does within a round trip or
 * two. While it has not, losses that the peer's acknowledgements of small ones reveal speak against it, if
 * they are most of what was sent. Timeouts alone do not, since a network that is away swallows everything.
 */
export class PathWatch {
  readonly #datagramBytes: number;
  /** Sent since what is being proven began. */
  #largeBytes = 0;
  /** The same at the last time that losses were judged, and what was lost by then. */
  #largeBytesJudged = 0;
  #lostBytesJudged = 0;
  #lostPackets = 0;
  #lostBytes = 0;
  /** Lost before what is being proven was sent. */
  #lostBytesBefore = 0;
  #windowBytesMax = 0;
  #strikes = 0;
  #strikeAtMs = -Infinity;
  #judgedAtMs = -Infinity;
  #state: "unproven" | "proven" | "doubted" | "over";

  /** @param datagramBytes What is sent at most; nothing is watched if every path carries it. */
  constructor(datagramBytes: number) {
    this.#datagramBytes = datagramBytes;
    this.#state = datagramBytes <= DATAGRAM_BYTES_MIN ? "over" : "unproven";
  }

  /** True if `check()` has something to find out soon: asking for counters is not free. */
  get isUnproven(): boolean {
    return this.#state === "unproven" && this.#largeBytes > 0;
  }

  /** True if the path was found to carry large datagrams, and nothing speaks against it. */
  get isProven(): boolean {
    return this.#state === "proven";
  }

  /** True once nothing more is to be found out. */
  get isOver(): boolean {
    return this.#state === "over";
  }

  /** Bytes were sent in datagrams larger than every path carries. */
  noteSent(largeBytes: number): void {
    this.#largeBytes += largeBytes;
  }

  /**
   * To be called now and then, and after each timeout of the native core; before what is lost is sent again,
   * so that losses are compared with what they are losses of.
   *
   * @param hasTimedOut What was sent was not acknowledged in time.
   * @returns True, once, if the path is to be taken for a black hole.
   */
  check(counters: PathCounters, hasTimedOut: boolean, nowMs: number): boolean {
    if (this.#state === "over") return false;
    const newlyLost = counters.lostPackets - this.#lostPackets;
    const hasLostLarge = newlyLost > 0 &&
      (counters.lostBytes - this.#lostBytes) / newlyLost > DATAGRAM_BYTES_MIN;
    this.#lostPackets = counters.lostPackets;
    this.#lostBytes = counters.lostBytes;
    if (this.#state === "proven") {
      if (hasLostLarge || hasTimedOut) this.#doubt();
      return false;
    }
    if (this.#largeBytes === 0 && !hasLostLarge) return false;
    if (this.#proves(counters.congestionWindowBytes)) {
      this.#state = "proven";
      return false;
    }
    const isStrike = this.#state === "doubted"
      ? hasLostLarge && this.#judge(counters.rttMs, nowMs)
      : hasLostLarge || (hasTimedOut && this.#largeBytes > this.#largeBytesJudged);
    return isStrike && this.#strike(nowMs);
  }

  #doubt(): void {
    this.#state = "doubted";
    this.#largeBytes = this.#largeBytesJudged = 0;
    this.#lostBytesBefore = this.#lostBytesJudged = this.#lostBytes;
    this.#windowBytesMax = 0;
    this.#strikes = 0;
    this.#judgedAtMs = -Infinity;
  }

  #proves(congestionWindowBytes: number): boolean {
    this.#windowBytesMax = Math.max(this.#windowBytesMax, congestionWindowBytes);
    const settledBytes = this.#largeBytes - (this.#lostBytes - this.#lostBytesBefore);
    return settledBytes > this.#windowBytesMax + PROBES_MAX * this.#datagramBytes;
  }

  /** True if most of what was sent since losses were judged last is lost; forgives if it is not. */
  #judge(rttMs: number, nowMs: number): boolean {
    // It takes longer than a burst of losses, and than a path takes to prove itself.
    const intervalMs = Math.max(JUDGE_INTERVAL_MS, JUDGE_INTERVAL_ROUNDS * rttMs);
    if (nowMs - this.#judgedAtMs < intervalMs) return false;
    this.#judgedAtMs = nowMs;
    const lostBytes = this.#lostBytes - this.#lostBytesJudged;
    const isMost = 2 * lostBytes > this.#largeBytes - this.#largeBytesJudged;
    this.#largeBytesJudged = this.#largeBytes;
    this.#lostBytesJudged = this.#lostBytes;
    if (!isMost) this.#strikes = 0;
    return isMost;
  }

  /** True if it was the last one. */
  #strike(nowMs: number): boolean {
    // One flight that is lost shows several times.
    if (nowMs - this.#strikeAtMs < STRIKE_INTERVAL_MS) return false;
    if (nowMs - this.#strikeAtMs > STRIKE_MEMORY_MS) this.#strikes = 0;
    this.#strikeAtMs = nowMs;
    this.#largeBytesJudged = this.#largeBytes;
    if (++this.#strikes < STRIKES_MAX) return false;
    this.#state = "over";
    return true;
  }
}

/** Probes, two for each timeout, leave whatever the window says. */
const PROBES_MAX = 16;
/** Losses in a row that no large datagram's arrival came between. */
const STRIKES_MAX = 3;
const STRIKE_INTERVAL_MS = 20;
/** Between looks at the losses of a path that was proven before. */
const JUDGE_INTERVAL_MS = 200;
const JUDGE_INTERVAL_ROUNDS = 2;
const STRIKE_MEMORY_MS = 10_000;
