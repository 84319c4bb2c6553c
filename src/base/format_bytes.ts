/** Bytes in decimal units with three digits: `0 B`, `999 B`, `1.50 kB`, `34.2 MB`, `1.07 GB`. */
export function formatBytes(bytes: number): string {
  if (!Number.isFinite(bytes)) return "? B";
  let value = Math.max(0, bytes);
  let unit = 0;
  // 999.5 would print as 1000, so it already counts as the next unit.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  if (unit === 0) return `${Math.round(value)} B`;
  return `${
    value < 9.995 ? value.toFixed(2) : value < 99.95 ? value.toFixed(1) : value.toFixed(0)
  } ${UNITS[unit]}`;
}

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];
