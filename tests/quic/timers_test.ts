import assert from "node:assert/strict";
import { DeadlineTimer } from "../../src/quic/timers.ts";
import { FakeClock } from "../support/quic_fake.ts";

function start() {
  const clock = new FakeClock();
  const startMs = clock.nowMs();
  const due: number[] = [];
  const timer = new DeadlineTimer((nowMs) => due.push(nowMs - startMs), clock, clock);
  return { clock, due, timer, at: (ms: number) => timer.moveTo(startMs + ms) };
}

Deno.test("DeadlineTimer fires once, when it is due", () => {
  const { clock, due, at } = start();
  at(50);
  clock.advance(49);
  assert.deepEqual(due, []);
  clock.advance(1);
  clock.advance(500);
  assert.deepEqual(due, [50]);
});

Deno.test("DeadlineTimer takes an earlier deadline at once and a later one lazily", () => {
  const { clock, due, at } = start();
  at(100);
  at(20);
  clock.advance(10);
  for (let ms = 30; ms <= 300; ms++) at(ms);
  assert.equal(clock.timersSet, 2, "moving it later sets no timer");
  clock.advance(289);
  assert.deepEqual(due, []);
  clock.advance(1);
  assert.deepEqual(due, [300]);
});

Deno.test("DeadlineTimer can be set again from its own callback, and stopped", () => {
  const clock = new FakeClock();
  let count = 0;
  const timer = new DeadlineTimer(
    (nowMs) => {
      if (++count < 3) timer.moveTo(nowMs + 10);
    },
    clock,
    clock,
  );
  timer.moveTo(clock.nowMs() + 10);
  clock.advance(100);
  assert.equal(count, 3);
  timer.moveTo(clock.nowMs() + 10);
  timer.stop();
  assert.equal(clock.pendingTimers, 0);
  clock.advance(100);
  assert.equal(count, 3);
});

Deno.test("DeadlineTimer.moveTo(Infinity) means never", () => {
  const { clock, due, timer, at } = start();
  at(10);
  timer.moveTo(Infinity);
  clock.advance(1000);
  assert.deepEqual(due, []);
  assert.equal(clock.pendingTimers, 0);
});
