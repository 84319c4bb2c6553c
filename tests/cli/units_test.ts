import assert from "node:assert/strict";
import fc from "fast-check";
import {
  formatBytes,
  formatCount,
  formatRate,
  formatSeconds,
  rfc3339,
} from "../../src/cli/units.ts";

Deno.test("formatBytes() keeps three digits in decimal units", () => {
  const cases: [number, string][] = [
    [0, "0 B"],
    [1, "1 B"],
    [999, "999 B"],
    [1000, "1.00 kB"],
    [1234, "1.23 kB"],
    [9_994, "9.99 kB"],
    [9_996, "10.0 kB"],
    [99_940, "99.9 kB"],
    [99_960, "100 kB"],
    [999_499, "999 kB"],
    [999_500, "1.00 MB"],
    [34_200_000, "34.2 MB"],
    [1_073_741_824, "1.07 GB"],
    [5e15, "5.00 PB"],
    [5e18, "5000 PB"],
    [-5, "0 B"],
    [NaN, "? B"],
    [Infinity, "? B"],
  ];
  for (const [bytes, text] of cases) assert.equal(formatBytes(bytes), text, String(bytes));
  assert.equal(formatRate(20_000_000), "20.0 MB/s");
});

Deno.test("formatBytes() is off by less than one percent", () => {
  const power: Record<string, number> = { B: 0, kB: 1, MB: 2, GB: 3, TB: 4, PB: 5 };
  fc.assert(fc.property(fc.nat(Number.MAX_SAFE_INTEGER), (bytes) => {
    const [value, unit] = formatBytes(bytes).split(" ") as [string, string];
    assert.ok(value.length <= 4);
    assert.ok(Math.abs(Number(value) * 1000 ** power[unit]! - bytes) <= bytes * 0.01);
  }));
});

Deno.test("formatSeconds() grows from hundredths to hours", () => {
  const cases: [number, string][] = [
    [0, "0.00 s"],
    [0.254, "0.25 s"],
    [0.996, "1.0 s"],
    [9.14, "9.1 s"],
    [9.96, "10 s"],
    [59.4, "59 s"],
    [59.6, "1 min 0 s"],
    [200, "3 min 20 s"],
    [3599.6, "1 h 0 min"],
    [7500, "2 h 5 min"],
    [NaN, "? s"],
    [-1, "0.00 s"],
  ];
  for (const [seconds, text] of cases) assert.equal(formatSeconds(seconds), text, String(seconds));
});

Deno.test("formatCount() takes the plural for all but one", () => {
  assert.deepEqual(
    [0, 1, 2].map((count) => formatCount(count, "file")),
    ["0 files", "1 file", "2 files"],
  );
  assert.equal(formatCount(2, "entry", "entries"), "2 entries");
});

Deno.test("rfc3339() writes UTC with milliseconds", () => {
  assert.equal(rfc3339(0), "1970-01-01T00:00:00.000Z");
});
