import { formatBytes } from "../base/format_bytes.ts";

export { formatBytes };

/** A rate such as `34.2 MB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

/** Seconds for people: `0.25 s`, `9.1 s`, `48 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return "? s";
  const value = Math.max(0, seconds);
  if (value < 0.995) return `${value.toFixed(2)} s`;
  if (value < 9.95) return `${value.toFixed(1)} s`;
  const whole = Math.round(value);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** A count with its noun: `1 file`, `12 files`; `plural` where adding an s is not enough. */
export function formatCount(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}

/** An RFC 3339 time in UTC with milliseconds, as all JSON events carry. */
export function rfc3339(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
