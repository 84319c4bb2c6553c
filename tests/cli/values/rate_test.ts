import assert from "node:assert/strict";
import fc from "fast-check";
import { BadValue } from "../../../src/cli/values/bad_value.ts";
import { parseRate, RATE_MAX, RATE_MIN } from "../../../src/cli/values/rate.ts";

Deno.test("parseRate() reads decimal and binary units in any case", () => {
  const cases: [string, number][] = [
    ["20M", 20_000_000],
    ["20m", 20_000_000],
    ["20MB", 20_000_000],
    ["20MB/s", 20_000_000],
    ["20MiB/s", 20 * 1024 ** 2],
    ["1.5K", 1_500],
    ["1Ki", 1_024],
    ["1G", 1_000_000_000],
    ["800000", 800_000],
    ["800000B/s", 800_000],
    ["0", 0],
    ["0M", 0],
    ["1000", RATE_MIN],
    ["1000G", RATE_MAX],
  ];
  for (const [text, rate] of cases) assert.equal(parseRate(text), rate, text);
});

Deno.test("parseRate() refuses bits, signs, unknown units and useless rates", () => {
  const bad = ["", "M", "20 M", "-5M", "20Mbit", "20Mb/h", "20T", "1e6", "999", "0.1", "0.5K"];
  for (const text of [...bad, "1001G", "9".repeat(15) + "G", "20Mi/", "i", "20iB"]) {
    assert.throws(() => parseRate(text), BadValue, text);
  }
});

Deno.test("parseRate() reads a plain number of bytes as itself", () => {
  fc.assert(fc.property(fc.integer({ min: RATE_MIN, max: RATE_MAX }), (rate) => {
    assert.equal(parseRate(String(rate)), rate);
  }));
});
