import assert from "node:assert/strict";
import fc from "fast-check";
import { Pacer, type PacerSample } from "../../src/quic/pacer.ts";
import { NO_EVIDENCE, type PathEvidence } from "../../src/quic/path_class.ts";

const QUANTUM = 15_000;
/** 100 KB in 50 ms: loosely, 4 MB a second. */
const SAMPLE: PacerSample = {
  rttMs: 50,
  windowBytes: 100_000,
  deliveryRate: 2e6,
  quantumBytes: QUANTUM,
  sentPackets: 0,
  lostPackets: 0,
};
const LOOSE_RATE = 2 * 100_000 / 0.05;
const WAN: PathEvidence = { rttMs: 50, packets: 5000, lost: 1 };

/** Sends all it may whenever it may, with `lateMs()` between that and the moment it happens. */
function sendFor(pacer: Pacer, fromMs: number, forMs: number, lateMs: () => number) {
  const bursts: number[] = [];
  let nowMs = fromMs;
  while (nowMs < fromMs + forMs) {
    const bytes = pacer.allowance(nowMs);
    pacer.noteSent(bytes, true, nowMs);
    if (bytes > 0) bursts.push(bytes);
    if (pacer.isHeld(nowMs)) nowMs = Math.max(nowMs, pacer.deadlineMs) + lateMs();
  }
  return { bursts, bytes: bursts.reduce((sum, each) => sum + each, 0), endMs: nowMs };
}

Deno.test("Pacer holds nothing back before it knows the path, where round trips are short, or if told so", () => {
  assert.equal(new Pacer(NO_EVIDENCE, "bbr").allowance(0), Infinity);
  const near = new Pacer(NO_EVIDENCE, "bbr");
  near.handleSample({ ...SAMPLE, rttMs: 2 }, true, 0);
  assert.equal(near.allowance(0), Infinity);
  assert.equal(near.deadlineMs, Infinity);
  const fast = new Pacer(NO_EVIDENCE, "bbr");
  fast.handleSample({ ...SAMPLE, rttMs: 10, windowBytes: 2e6 }, true, 0);
  assert.equal(fast.bytesPerSecond, Infinity, "no timer parts bursts that follow so closely");
  const unpaced = new Pacer(NO_EVIDENCE, "bbr", false);
  unpaced.handleSample(SAMPLE, true, 0);
  assert.equal(unpaced.allowance(0), Infinity);
});

Deno.test("Pacer sends two windows a round trip, in bursts of the quantum, however late its timer rings", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 8, noNaN: true }), { minLength: 1 }), (late) => {
      const pacer = new Pacer(NO_EVIDENCE, "bbr");
      pacer.handleSample(SAMPLE, true, 0);
      assert.equal(pacer.bytesPerSecond, LOOSE_RATE);
      let turn = 0;
      const { bursts, bytes, endMs } = sendFor(pacer, 0, 1000, () => late[turn++ % late.length]!);
      assert.ok(bursts.every((burst) => burst <= QUANTUM));
      const dueBytes = LOOSE_RATE * endMs / 1000;
      assert.ok(bytes <= dueBytes + 2 * QUANTUM, `${bytes} of ${dueBytes}`);
      assert.ok(bytes >= dueBytes - 0.01 * dueBytes - 2 * QUANTUM, `${bytes} of ${dueBytes}`);
    }),
  );
});

Deno.test("Pacer does not make up for a pause, nor for more than a bounded delay", () => {
  const pacer = new Pacer(NO_EVIDENCE, "bbr");
  pacer.handleSample(SAMPLE, true, 0);
  sendFor(pacer, 0, 100, () => 0);
  pacer.noteSent(0, false, 200);
  assert.equal(pacer.deadlineMs, Infinity, "nothing waits");
  const afterPause = sendFor(pacer, 10_000, 0.001, () => 0);
  assert.equal(afterPause.bytes, QUANTUM);
  pacer.noteSent(0, true, 10_001);
  const afterDelay = sendFor(pacer, 20_000, 0.001, () => 0);
  assert.ok(afterDelay.bytes <= LOOSE_RATE * 0.025 + QUANTUM, `${afterDelay.bytes}`);
});

Deno.test("Pacer asks for samples several times a round trip, and rarely where it has nothing to hold", () => {
  const pacer = new Pacer(NO_EVIDENCE, "bbr");
  assert.equal(pacer.wantsSample(0), true);
  pacer.handleSample({ ...SAMPLE, rttMs: 80 }, true, 0);
  assert.deepEqual([9, 10].map((nowMs) => pacer.wantsSample(nowMs)), [false, true]);
  pacer.handleSample({ ...SAMPLE, rttMs: 0 }, true, 10);
  assert.deepEqual([59, 60].map((nowMs) => pacer.wantsSample(nowMs)), [false, true]);
});

Deno.test("Pacer goes from loose to steady when the path shows its class, and back when packets get lost", () => {
  const pacer = new Pacer(NO_EVIDENCE, "bbr");
  let [sentPackets, lostPackets] = [0, 0];
  const run = (rounds: number, lostEach: number) => {
    for (let i = 0; i < rounds; i++) {
      const sample = {
        ...SAMPLE,
        sentPackets: sentPackets += 100,
        lostPackets: lostPackets += lostEach,
      };
      pacer.noteSent(100_000, true, i * 50);
      pacer.handleSample(sample, true, i * 50);
    }
  };
  run(3, 0);
  assert.equal(pacer.bytesPerSecond, LOOSE_RATE);
  run(20, 0);
  assert.equal(pacer.judge.pathClass, "wan");
  assert.equal(pacer.bytesPerSecond, 1.5 * SAMPLE.deliveryRate, "no queue: more is tried");
  run(60, 2);
  assert.equal(pacer.judge.pathClass, "lossy");
  assert.equal(pacer.bytesPerSecond, LOOSE_RATE);
});

Deno.test("Pacer is loose with a congestion control that was not made to be sent steadily", () => {
  const pacer = new Pacer(WAN, "cubic");
  pacer.handleSample(SAMPLE, true, 0);
  assert.equal(pacer.bytesPerSecond, LOOSE_RATE);
});
