/** How far back a rate looks. */
const WINDOW_MS = 3_000;
/** Two readings closer than this tell nothing. */
const SPAN_MS_MIN = 100;

/** Bytes a second over the last seconds, from a counter that is read now and then. */
export class RateMeter {
  #readings: { readonly atMs: number; readonly bytes: number }[] = [];

  /**
   * Takes a reading of the counter. One that is smaller than the last begins anew, as each session does.
   *
   * @param nowMs Monotonic.
   * @returns Bytes a second; 0 while there is too little to tell.
   */
  update(bytes: number, nowMs: number): number {
    if (bytes < (this.#readings.at(-1)?.bytes ?? 0)) this.#readings = [];
    this.#readings.push({ atMs: nowMs, bytes });
    // One reading from before the window stays: the rate is measured from there.
    while (this.#readings.length > 2 && this.#readings[1]!.atMs <= nowMs - WINDOW_MS) {
      this.#readings.shift();
    }
    const first = this.#readings[0]!;
    const spanMs = nowMs - first.atMs;
    return spanMs < SPAN_MS_MIN ? 0 : (bytes - first.bytes) / spanMs * 1000;
  }
}
