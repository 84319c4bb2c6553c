/** First pause after a failure. */
const PAUSE_FIRST_MS = 250;
/** Longest pause. */
const PAUSE_MAX_MS = 8_000;

/**
 * How long to wait before the next try: doubling from 250 ms to 8 s, with full jitter on the upper half so
 * that many devices don't come back at once (Brooker, "Exponential Backoff And Jitter", 2015).
 *
 * @param failures Failures so far, from 1.
 * @param random From 0 to below 1.
 */
export function backoffMs(failures: number, random: number): number {
  const ceiling = Math.min(PAUSE_MAX_MS, PAUSE_FIRST_MS * 2 ** (failures - 1));
  return ceiling / 2 + random * ceiling / 2;
}
