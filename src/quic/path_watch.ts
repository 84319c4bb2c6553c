import { DATAGRAM_BYTES_MIN } from "./profile.ts";

/** Counters of a connection that the watch needs. */
export interface PathCounters {
  readonly lostPackets: number;
  readonly lostBytes: number;
  readonly congestionWindowBytes: number;
}

/**
 * Notices a path that swallows large datagrams without a word (a "black hole", RFC 8899 section 4.3),
 * from what can be seen outside the native core, which acknowledges but does not tell.
 *
 * What is neither lost nor acknowledged fits the congestion window. So once more large bytes were sent
 * than were lost and than the window holds, some have arrived, and the path is proven. Until then every
 * loss and every timeout of large datagrams speaks against it.
 *
 * A path may come to carry less later on. When a proven one falls silent it is in doubt: it has to prove
 * itself again, and while it has not, losses of large datagrams that the peer's acknowledgements of small
 * ones reveal speak against it. Silence alone does not, since a network that is away swallows everything.
 */
export class PathWatch {
  readonly #datagramBytes: number;
  #largeBytes = 0;
  #largeBytesAtStrike = 0;
  #lostPackets = 0;
  #lostBytes = 0;
  /** Lost before what is being proven was sent. */
  #lostBytesBefore = 0;
  #windowBytesMax = 0;
  #strikes = 0;
  #strikeAtMs = -Infinity;
  #state: "unproven" | "proven" | "doubted" | "over";

  /** @param datagramBytes What is sent at most; nothing is watched if every path carries it. */
  constructor(datagramBytes: number) {
    this.#datagramBytes = datagramBytes;
    this.#state = datagramBytes <= DATAGRAM_BYTES_MIN ? "over" : "unproven";
  }

  /** True if `check()` has something to find out: asking for counters is not free. */
  get isWatching(): boolean {
    return (this.#state === "unproven" || this.#state === "doubted") && this.#largeBytes > 0;
  }

  /** True if `doubt()` would have an effect. */
  get isProven(): boolean {
    return this.#state === "proven";
  }

  /** The peer has fallen silent: what was proven has to be proven again. */
  doubt({ lostPackets, lostBytes }: PathCounters): void {
    if (this.#state !== "proven") return;
    this.#state = "doubted";
    this.#largeBytes = 0;
    this.#largeBytesAtStrike = 0;
    this.#lostPackets = lostPackets;
    this.#lostBytes = this.#lostBytesBefore = lostBytes;
    this.#windowBytesMax = 0;
    this.#strikes = 0;
  }

  /** Bytes were sent in datagrams larger than every path carries. */
  noteSent(largeBytes: number): void {
    this.#largeBytes += largeBytes;
  }

  /**
   * To be called now and then, and after each timeout of the native core.
   *
   * @returns True, once, if the path is to be taken for a black hole.
   */
  check(counters: PathCounters, hasTimedOut: boolean, nowMs: number): boolean {
    if (!this.isWatching) return false;
    const { lostPackets, lostBytes, congestionWindowBytes } = counters;
    this.#windowBytesMax = Math.max(this.#windowBytesMax, congestionWindowBytes);
    const slackBytes = PROBES_MAX * this.#datagramBytes;
    const settledBytes = this.#largeBytes - (lostBytes - this.#lostBytesBefore);
    if (settledBytes > this.#windowBytesMax + slackBytes) {
      this.#state = "proven";
      return false;
    }
    const newlyLost = lostPackets - this.#lostPackets;
    const hasLostLarge = newlyLost > 0 &&
      (lostBytes - this.#lostBytes) / newlyLost > DATAGRAM_BYTES_MIN;
    this.#lostPackets = lostPackets;
    this.#lostBytes = lostBytes;
    const hasSentLarge = this.#largeBytes > this.#largeBytesAtStrike;
    const isDoubted = this.#state === "doubted";
    if (!hasLostLarge && (isDoubted || !(hasTimedOut && hasSentLarge))) return false;
    // One flight that is lost shows several times.
    const intervalMs = isDoubted ? DOUBTED_STRIKE_INTERVAL_MS : STRIKE_INTERVAL_MS;
    if (nowMs - this.#strikeAtMs < intervalMs) return false;
    if (nowMs - this.#strikeAtMs > STRIKE_MEMORY_MS) this.#strikes = 0;
    this.#strikeAtMs = nowMs;
    this.#largeBytesAtStrike = this.#largeBytes;
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
/** The same on a path that was proven before: it takes longer than a burst of losses. */
const DOUBTED_STRIKE_INTERVAL_MS = 200;
const STRIKE_MEMORY_MS = 10_000;
