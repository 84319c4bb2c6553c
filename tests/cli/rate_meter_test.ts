import assert from "node:assert/strict";
import { RateMeter } from "../../src/cli/rate_meter.ts";

Deno.test("RateMeter tells the rate of the last three seconds", () => {
  const meter = new RateMeter();
  assert.equal(meter.update(0, 0), 0);
  assert.equal(meter.update(50, 50), 0);
  assert.equal(meter.update(1000, 1000), 1000);
  let rate = 0;
  for (let second = 2; second <= 10; second++) {
    rate = meter.update(1000 + (second - 1) * 5000, second * 1000);
  }
  assert.equal(rate, 5000);
  for (let second = 11; second <= 20; second++) rate = meter.update(46_000, second * 1000);
  assert.equal(rate, 0);
});

Deno.test("RateMeter begins anew when the counter does", () => {
  const meter = new RateMeter();
  meter.update(1_000_000, 0);
  assert.equal(meter.update(0, 1000), 0);
  assert.equal(meter.update(500, 1500), 1000);
});
