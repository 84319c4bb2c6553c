import { type JudgeSample, PATH_RULES, type PathEvidence, PathJudge } from "./path_class.ts";
import type { CongestionControl } from "./profile.ts";
import { type RateSample, SteadyRate } from "./steady_rate.ts";

/** What a pacer is told of a path, from the native core. */
export interface PacerSample extends JudgeSample, RateSample {
  /** What may go at once, as the congestion control sees it. */
  readonly quantumBytes: number;
}

/**
 * Spreads what the congestion window lets through over the round trip, in bursts of the native core's send
 * quantum (RFC 9002 section 7.7). Loosely: two windows a round trip, so that a window that was free for a
 * while does not go out as one burst. Or, where the class of the path asks for it, steadily, at the rate
 * at which the path delivers.
 *
 * Where round trips are short nothing is held back: a window is gone before a timer rings.
 *
 * No clock of its own.
 */
export class Pacer {
  readonly #judge: PathJudge;
  readonly #isPaced: boolean;
  readonly #steady: SteadyRate | undefined;
  #bytesPerSecond = Infinity;
  #quantumBytes = 0;
  #isDistant = false;
  #sampleAtMs = -Infinity;
  #sampleIntervalMs = 0;
  /** When what was sent so far has been paid for. */
  #paidAtMs = -Infinity;
  #hasMore = false;

  /**
   * @param known What was seen of the path before.
   * @param congestionControl That of the connection; only BBR can be sent steadily.
   * @param isPaced False holds nothing back.
   */
  constructor(known: PathEvidence, congestionControl: CongestionControl, isPaced = true) {
    this.#judge = new PathJudge(known);
    this.#isPaced = isPaced;
    this.#steady = congestionControl === "bbr" ? new SteadyRate() : undefined;
  }

  /** What is known of the path now. */
  get judge(): Pick<PathJudge, "pathClass" | "evidence"> {
    return this.#judge;
  }

  /**
   * True where nobody minds hearing of a datagram a millisecond later: round trips are long, and nothing
   * waits here that an acknowledgement may let go.
   */
  get isPatient(): boolean {
    return this.#isDistant && this.deadlineMs === Infinity;
  }

  /** Infinity where nothing is held back. */
  get bytesPerSecond(): number {
    return this.#bytesPerSecond;
  }

  /** When what waits may go; Infinity while nothing does. */
  get deadlineMs(): number {
    return this.#hasMore && this.#bytesPerSecond !== Infinity ? this.#paidAtMs : Infinity;
  }

  /** True if what waits may not go yet. */
  isHeld(nowMs: number): boolean {
    return this.#bytesPerSecond !== Infinity && nowMs < this.#paidAtMs;
  }

  /** True if it is time for `handleSample()`, which costs 50 microseconds with what it needs. */
  wantsSample(nowMs: number): boolean {
    return nowMs - this.#sampleAtMs >= this.#sampleIntervalMs;
  }

  /**
   * Takes in how the path is doing.
   *
   * @param isBusy There is more to send than may go.
   */
  handleSample(sample: PacerSample, isBusy: boolean, nowMs: number): void {
    const { rttMs, windowBytes, quantumBytes } = sample;
    this.#sampleAtMs = nowMs;
    this.#judge.handleSample(sample);
    this.#steady?.handleSample(sample, this.#judge.isEmpty(rttMs), isBusy, nowMs);
    this.#quantumBytes = quantumBytes;
    this.#isDistant = rttMs >= DISTANT_RTT_MS_MIN;
    const isShort = rttMs < PACED_RTT_MS_MIN;
    this.#sampleIntervalMs = isShort
      ? SHORT_SAMPLE_INTERVAL_MS
      : Math.max(SAMPLE_INTERVAL_MS_MIN, rttMs / SAMPLES_PER_ROUND);
    const isSteady = this.#steady && PATH_RULES[this.#judge.pathClass].pacing === "steady";
    this.#bytesPerSecond = isShort || !this.#isPaced
      ? Infinity
      : isSteady
      ? this.#steady!.bytesPerSecond
      : LOOSE_WINDOWS * windowBytes / rttMs * 1000;
    if (quantumBytes / this.#bytesPerSecond * 1000 < BURST_MS_MIN) this.#bytesPerSecond = Infinity;
  }

  /** How many bytes may go now; Infinity where nothing is held back. */
  allowance(nowMs: number): number {
    if (this.#bytesPerSecond === Infinity) return Infinity;
    // A timer that rings late, or a turn that took long, is made up for; a pause is not.
    const earliestMs = this.#hasMore ? nowMs - LATE_MS_MAX : nowMs;
    if (this.#paidAtMs < earliestMs) this.#paidAtMs = earliestMs;
    return this.isHeld(nowMs) ? 0 : this.#quantumBytes;
  }

  /**
   * Bytes were sent, allowed or not.
   *
   * @param hasMore More waits for the next allowance.
   */
  noteSent(byteLength: number, hasMore: boolean, nowMs: number): void {
    this.#steady?.noteSent(byteLength);
    const bytesPerSecond = this.#bytesPerSecond;
    this.#hasMore = hasMore;
    if (bytesPerSecond === Infinity || byteLength === 0) return;
    const paidAtMs = Math.max(this.#paidAtMs, nowMs - LATE_MS_MAX);
    this.#paidAtMs = paidAtMs + byteLength / bytesPerSecond * 1000;
  }
}

const LOOSE_WINDOWS = 2;
/** On shorter round trips a window is gone before a timer rings. */
const PACED_RTT_MS_MIN = 5;
const DISTANT_RTT_MS_MIN = 10;
/** Bursts that follow each other faster than this can't be told apart by a timer. */
const BURST_MS_MIN = 0.5;
const SHORT_SAMPLE_INTERVAL_MS = 50;
const SAMPLE_INTERVAL_MS_MIN = 4;
const SAMPLES_PER_ROUND = 8;
/** How much of a delay is made up for. */
const LATE_MS_MAX = 25;
