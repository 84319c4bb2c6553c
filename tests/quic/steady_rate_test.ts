import assert from "node:assert/strict";
import { SteadyRate } from "../../src/quic/steady_rate.ts";

/** A link with a queue in front of it, whose sender does as the rate says and has a window of `windows`. */
class Path {
  readonly rate = new SteadyRate();
  nowMs = 0;
  #queueBytes = 0;
  #window = 14_720;
  droppedBytes = 0;
  readonly rtts: number[] = [];

  constructor(readonly bytesPerSecond: number, readonly rttMs: number, readonly queueMax: number) {}

  get holds(): number {
    return this.bytesPerSecond * this.rttMs / 1000;
  }

  /** A sample every 5 ms, for so long. */
  run(ms: number, isBusy = true): this {
    const stepMs = 5;
    const deliveredMax = this.bytesPerSecond * stepMs / 1000;
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; this.nowMs += stepMs) {
      const sent = (isBusy ? Math.min(this.rate.bytesPerSecond, 1e9) : 1000) * stepMs / 1000;
      this.rate.noteSent(sent);
      const delivered = Math.min(deliveredMax, this.#queueBytes + sent);
      this.#queueBytes += sent - delivered;
      const dropped = Math.max(0, this.#queueBytes - this.queueMax);
      this.droppedBytes += dropped;
      this.#queueBytes -= dropped;
      const rttMs = this.rttMs + this.#queueBytes / this.bytesPerSecond * 1000;
      this.rtts.push(rttMs);
      const deliveryRate = delivered / stepMs * 1000;
      const sample = { rttMs, windowBytes: this.#windowBytes(delivered), deliveryRate };
      this.rate.handleSample(sample, rttMs <= this.rttMs * 1.15 + 1, isBusy, this.nowMs);
    }
    return this;
  }

  #windowBytes(delivered: number): number {
    return this.#window = Math.min(this.#window + delivered, 2 * this.holds);
  }
}

Deno.test("SteadyRate finds what a path carries, and then keeps its queue short", () => {
  for (const [bytesPerSecond, rttMs] of [[12.5e6, 50], [2.5e6, 30], [60e6, 120]] as const) {
    const path = new Path(bytesPerSecond, rttMs, bytesPerSecond * rttMs / 1000);
    path.run(3000);
    assert.equal(path.rate.state, "cruise");
    const { droppedBytes } = path;
    path.rtts.length = 0;
    path.run(10_000);
    assert.equal(path.droppedBytes, droppedBytes, "nothing is lost any more");
    const rates = path.rate.bytesPerSecond / bytesPerSecond;
    assert.ok(rates >= 0.7 && rates <= 1.6, `${rates} times what it carries`);
    const meanRtt = path.rtts.reduce((sum, each) => sum + each, 0) / path.rtts.length;
    assert.ok(meanRtt < 1.4 * rttMs, `a round trip of ${meanRtt} ms for ${rttMs}`);
  }
});

Deno.test("SteadyRate does not take a sender with little to say for a narrow path", () => {
  const path = new Path(12.5e6, 50, 625_000).run(3000);
  path.run(5000, false);
  assert.ok(path.rate.bytesPerSecond >= 0.7 * 12.5e6, `${path.rate.bytesPerSecond}`);
});

Deno.test("SteadyRate knows nothing before anything was acknowledged", () => {
  const rate = new SteadyRate();
  rate.handleSample({ rttMs: 333, windowBytes: 14_720, deliveryRate: 0 }, true, true, 0);
  assert.equal(rate.bytesPerSecond, Infinity);
  assert.equal(rate.state, "startup");
});
