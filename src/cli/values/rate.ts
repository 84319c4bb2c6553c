import { BadValue } from "./bad_value.ts";

/** The slowest limit accepted: below this a connection would time out rather than crawl. */
export const RATE_MIN = 1_000;

/** The fastest limit accepted, 1 TB/s; more is no limit. */
export const RATE_MAX = 1_000_000_000_000;

/**
 * Parses a transfer rate: `20M`, `1.5MB/s`, `512KiB`, `800000`.
 *
 * `K`, `M`, `G` are powers of 1000, as in every rate landropic prints; `Ki`, `Mi`, `Gi` are powers
 * of 1024. A `B` or `/s` after it changes nothing, and case does not matter.
 *
 * @returns Whole bytes a second; 0 means no limit, else `RATE_MIN` to `RATE_MAX`.
 * @throws {BadValue} on anything else. Bits (`Mbit`) are refused rather than misread.
 */
export function parseRate(text: string): number {
  const match = RATE.exec(text);
  if (match === null) {
    throw new BadValue("expected bytes a second, such as 20M, 500K or 1.5MiB");
  }
  const base = match[3] === undefined ? 1000 : 1024;
  const exponent = match[2] === undefined ? 0 : "kmg".indexOf(match[2].toLowerCase()) + 1;
  const rate = Math.round(Number(match[1]) * base ** exponent);
  if (rate === 0 && Number(match[1]) === 0) return 0;
  if (rate < RATE_MIN) {
    throw new BadValue("slower than 1K", "plain numbers are bytes a second; 20M is 20 MB/s");
  }
  if (rate > RATE_MAX) throw new BadValue("faster than 1000G", "0 means no limit");
  return rate;
}

const RATE = /^(\d{1,15}(?:\.\d{1,9})?)(?:([kmg])(i)?)?b?(?:\/s)?$/i;
