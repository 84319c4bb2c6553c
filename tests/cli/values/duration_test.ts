import assert from "node:assert/strict";
import fc from "fast-check";
import { BadValue } from "../../../src/cli/values/bad_value.ts";
import {
  DURATION_MS_MAX,
  parseDuration,
  parsePositiveDuration,
} from "../../../src/cli/values/duration.ts";

Deno.test("parseDuration() reads units, sums of units and bare seconds", () => {
  const cases: [string, number][] = [
    ["90s", 90_000],
    ["5m", 300_000],
    ["1h", 3_600_000],
    ["2d", 172_800_000],
    ["250ms", 250],
    ["1h30m", 5_400_000],
    ["1d2h3m4s5ms", 93_784_005],
    ["1.5h", 5_400_000],
    ["0.5ms", 1],
    ["0", 0],
    ["0s", 0],
    ["30", 30_000],
    ["1.25", 1_250],
    ["24d", 2_073_600_000],
  ];
  for (const [text, ms] of cases) assert.equal(parseDuration(text), ms, text);
});

Deno.test("parseDuration() refuses what is no duration", () => {
  const bad = ["", " ", "s", "5 m", "-1s", "+1s", "1e3", "5x", "5S", "1m1h", "1h1h", "1.s", ".5s"];
  for (const text of [...bad, "1:30", "∞", "1,5s", "25d", "9".repeat(12) + "d", "NaN", "0x10"]) {
    assert.throws(() => parseDuration(text), BadValue, text);
  }
});

Deno.test("parsePositiveDuration() refuses zero, however it is written", () => {
  for (const text of ["0", "0s", "0h0m", "0.1ms"]) {
    assert.throws(() => parsePositiveDuration(text), BadValue, text);
  }
  assert.equal(parsePositiveDuration("1ms"), 1);
});

Deno.test("parseDuration() adds up the units it is given", () => {
  const parts = fc.tuple(fc.nat(20), fc.nat(99), fc.nat(99), fc.nat(99), fc.nat(9999));
  fc.assert(fc.property(parts, ([d, h, m, s, ms]) => {
    const expected = (((d * 24 + h) * 60 + m) * 60 + s) * 1000 + ms;
    fc.pre(expected <= DURATION_MS_MAX);
    assert.equal(parseDuration(`${d}d${h}h${m}m${s}s${ms}ms`), expected);
  }));
});

Deno.test("parseDuration() gives a whole number in range or a BadValue, whatever the text", () => {
  const unit = fc.constantFrom("", "ms", "s", "m", "h", "d");
  const piece = fc.tuple(fc.double({ min: 0, noNaN: true }).map(String), unit);
  const text = fc.oneof(fc.string(), fc.array(piece).map((pieces) => pieces.flat().join("")));
  fc.assert(fc.property(text, (input) => {
    try {
      const ms = parseDuration(input);
      assert.ok(Number.isInteger(ms) && ms >= 0 && ms <= DURATION_MS_MAX);
    } catch (error) {
      assert.ok(error instanceof BadValue);
    }
  }));
});
