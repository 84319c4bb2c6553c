/** What the rate is told of its path, from the native core. */
export interface RateSample {
  /** Smoothed, in whole milliseconds. */
  readonly rttMs: number;
  readonly windowBytes: number;
  /** As the latest acknowledgement shows it, in bytes a second. */
  readonly deliveryRate: number;
}

/** What it does about the bandwidth of its path: seeks it, empties the queue it found, stays at it. */
export type RateState = "startup" | "drain" | "cruise";

/**
 * The rate at which a path was seen to deliver, and now and then a little more, to find out whether there is
 * more (draft-cardwell-iccrg-bbr-congestion-control-00, sections 4.1 to 4.3). The native BBR was made to be
 * sent at such a rate: without it the window of its start-up, 2.9 times what the path holds, stays, and what
 * is too much of it is lost in front of the narrowest link.
 *
 * No clock of its own.
 */
export class SteadyRate {
  #state: RateState = "startup";
  #rttMs = 0;
  #windowBytes = 0;
  #isEmpty = true;
  /** The largest delivery rate of each of the last rounds, the current one last. */
  readonly #rates: number[] = [0];
  #roundEndMs = -Infinity;
  #roundBytes = 0;
  #roundsInState = 0;
  /** The rate that start-up has to beat, and rounds in which it has not. */
  #rateToBeat = 0;
  #flatRounds = 0;

  get state(): RateState {
    return this.#state;
  }

  /** In bytes a second; Infinity before anything is known. */
  get bytesPerSecond(): number {
    if (this.#rttMs === 0) return Infinity;
    if (this.#state === "startup") return STARTUP_WINDOWS * this.#windowBytes / this.#rttMs * 1000;
    return this.#gain * this.#deliveryRate;
  }

  noteSent(byteLength: number): void {
    this.#roundBytes += byteLength;
  }

  /**
   * Takes in how the path is doing.
   *
   * @param isEmpty The round trip is too short for a queue to be on it.
   * @param isBusy There is more to send than the path takes: what is delivered else says little.
   */
  handleSample(sample: RateSample, isEmpty: boolean, isBusy: boolean, nowMs: number): void {
    const { rttMs, windowBytes, deliveryRate } = sample;
    // Before anything was acknowledged the round trip is a guess.
    if (deliveryRate === 0) return;
    this.#rttMs = rttMs;
    this.#windowBytes = windowBytes;
    this.#isEmpty = isEmpty;
    const last = this.#rates.length - 1;
    if (deliveryRate > this.#rates[last]!) this.#rates[last] = deliveryRate;
    if (nowMs < this.#roundEndMs) return;
    const fullBytes = Math.min(windowBytes, this.#deliveryRate * rttMs / 1000);
    const wasFull = isBusy && this.#roundBytes >= fullBytes / 2;
    this.#roundEndMs = nowMs + rttMs;
    this.#roundBytes = 0;
    if (wasFull) this.#endRound();
  }

  get #deliveryRate(): number {
    return Math.max(...this.#rates);
  }

  get #gain(): number {
    if (this.#state === "drain") return DRAIN_GAIN;
    return this.#isEmpty ? EMPTY_GAIN : CYCLE[this.#roundsInState % CYCLE.length]!;
  }

  #endRound(): void {
    this.#roundsInState++;
    const rate = this.#deliveryRate;
    if (this.#state === "startup") {
      if (rate >= this.#rateToBeat * GROWTH) {
        this.#rateToBeat = rate;
        this.#flatRounds = 0;
      } else if (++this.#flatRounds >= FLAT_ROUNDS_MAX) this.#enter("drain");
    } else if (this.#state === "drain") {
      if (this.#isEmpty || this.#roundsInState >= DRAIN_ROUNDS_MAX) this.#enter("cruise");
    }
    this.#rates.push(0);
    if (this.#rates.length > RATE_ROUNDS) this.#rates.shift();
  }

  #enter(state: RateState): void {
    this.#state = state;
    this.#roundsInState = 0;
  }
}

/** In start-up the window itself doubles in a round trip; it goes out in half of one. */
const STARTUP_WINDOWS = 2;
const DRAIN_GAIN = 1 / 2.89;
/** Rounds of start-up without a quarter more, before the path counts as full. */
const GROWTH = 1.25;
const FLAT_ROUNDS_MAX = 3;
const DRAIN_ROUNDS_MAX = 5;
/** Without a queue there is room: this fills half of a path's worth of queue in a round trip. */
const EMPTY_GAIN = 1.5;
/** Gains of a round each: one asks whether there is more, the next makes up for it. */
const CYCLE: readonly number[] = [1.1, 0.75, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9];
const RATE_ROUNDS = 10;
