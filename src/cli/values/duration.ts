import { BadValue } from "./bad_value.ts";

/** The longest duration a flag takes: what one timer can wait, 24 days and some hours. */
export const DURATION_MS_MAX = 2 ** 31 - 1;

/**
 * Parses a duration: `90s`, `5m`, `1h30m`, `250ms`, `1.5h`; a bare number is seconds.
 *
 * @returns Whole milliseconds, 0 to `DURATION_MS_MAX`.
 * @throws {BadValue} on anything else, also on units out of order (`5m1h`).
 */
export function parseDuration(text: string): number {
  if (/^\d{1,12}(\.\d{1,9})?$/.test(text)) return checkRange(Number(text) * 1000);
  const match = DURATION.exec(text);
  if (match === null || text === "") throw new BadValue(EXPECTED);
  let ms = 0;
  for (const [i, unitMs] of UNITS_MS.entries()) ms += Number(match[i + 1] ?? 0) * unitMs;
  return checkRange(ms);
}

/** Like `parseDuration`, and zero is refused too. */
export function parsePositiveDuration(text: string): number {
  const ms = parseDuration(text);
  if (ms === 0) throw new BadValue("must be longer than nothing");
  return ms;
}

function checkRange(ms: number): number {
  const whole = Math.round(ms);
  if (whole > DURATION_MS_MAX) throw new BadValue("at most 24d");
  return whole;
}

const NUMBER = String.raw`(\d{1,12}(?:\.\d{1,9})?)`;
const DURATION = new RegExp(
  `^(?:${NUMBER}d)?(?:${NUMBER}h)?(?:${NUMBER}m)?(?:${NUMBER}s)?(?:${NUMBER}ms)?$`,
);
const UNITS_MS = [86_400_000, 3_600_000, 60_000, 1_000, 1];
const EXPECTED = "expected a duration such as 90s, 5m or 1h30m";
