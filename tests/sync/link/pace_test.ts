import assert from "node:assert/strict";
import { PACE_LIMITS, PaceWatch } from "../../../src/sync/link/pace.ts";

const { bytesMin, sendWithinMs, takeWithinMs } = PACE_LIMITS;

/** A watch on a clock set by hand, and a peer that is heard of unless a test says otherwise. */
class Scene {
  readonly watch = new PaceWatch(PACE_LIMITS);
  nowMs = 1_000_000;
  heardAtMs = 0;
  answer = { isReading: true, rateLimit: undefined as number | undefined };

  constructor() {
    this.watch.begin(this.nowMs);
  }

  /** Looks once a second. @returns Seconds after which something was found, or `undefined`. */
  foundWithin(seconds: number, each: (second: number) => void = () => {}): number | undefined {
    for (let second = 1; second <= seconds; second++) {
      this.nowMs += 1_000;
      this.heardAtMs = this.nowMs;
      each(second);
      const { isHeldBack, isNotTaken } = this.watch.look(this.nowMs, this.heardAtMs);
      if (isHeldBack || isNotTaken) return second;
    }
    return undefined;
  }
}

Deno.test("PaceWatch finds a peer that holds back what it was asked for, and one that drips it", () => {
  for (const bytes of [0, 1, bytesMin * 1_000 / sendWithinMs - 1]) {
    const scene = new Scene();
    scene.watch.addExpected(scene.answer);
    const found = scene.foundWithin(60, () => scene.watch.handleCame(bytes));
    assert.equal(found, sendWithinMs / 1_000, `${bytes} bytes a second`);
  }
});

Deno.test("PaceWatch leaves a peer alone that is slow but keeps the pace", () => {
  let scene = new Scene();
  scene.watch.addExpected(scene.answer);
  const enough = Math.ceil(bytesMin * 1_000 / sendWithinMs * 1.2);
  assert.equal(scene.foundWithin(600, () => scene.watch.handleCame(enough)), undefined);
  scene = new Scene();
  scene.watch.addExpected(scene.answer);
  const inBursts = (second: number) => second % 9 === 0 && scene.watch.handleCame(bytesMin);
  assert.equal(scene.foundWithin(600, inBursts), undefined);
});

Deno.test("PaceWatch counts no time in which the peer was not heard of", () => {
  const scene = new Scene();
  scene.watch.addExpected(scene.answer);
  assert.equal(scene.foundWithin(8), undefined);
  const lastMs = scene.heardAtMs;
  assert.equal(scene.foundWithin(3_600, () => scene.heardAtMs = lastMs), undefined, "an outage");
  assert.equal(scene.foundWithin(60), 2, "what was waited before counts");
});

Deno.test("PaceWatch counts no time in which this side has something left to read", () => {
  const scene = new Scene();
  const busy = { isReading: false, rateLimit: undefined };
  scene.watch.addExpected(scene.answer);
  scene.watch.addExpected(busy);
  assert.equal(scene.foundWithin(3_600), undefined);
  scene.watch.removeExpected(busy);
  assert.equal(scene.foundWithin(60), 10);
});

Deno.test("PaceWatch asks no more than the rate that was agreed on, shared by many answers", () => {
  for (const rateLimit of [1, 100, 1_000]) {
    const scene = new Scene();
    scene.answer.rateLimit = rateLimit;
    scene.watch.addExpected(scene.answer);
    const came = () => scene.watch.handleCame(rateLimit / 8);
    assert.equal(scene.foundWithin(600, came), undefined, `${rateLimit} bytes a second`);
    assert.ok(scene.foundWithin(10), "nothing at all is too little in any case");
  }
});

Deno.test("PaceWatch gives each answer the whole time, however many came quickly before", () => {
  const scene = new Scene();
  const each = () => {
    scene.watch.removeExpected(scene.answer);
    scene.watch.addExpected(scene.answer);
    scene.watch.handleCame(10);
  };
  scene.watch.addExpected(scene.answer);
  assert.equal(scene.foundWithin(600, each), undefined);
});

Deno.test("PaceWatch waits for minutes until a peer takes more of what it has asked for", () => {
  const scene = new Scene();
  scene.watch.handleToSend(bytesMin);
  const found = scene.foundWithin(3_600);
  assert.equal(found, (takeWithinMs + sendWithinMs) / 1_000);
  const slow = new Scene();
  slow.watch.handleToSend(bytesMin);
  const seldom = (second: number) => {
    if (second % 240 !== 0) return;
    slow.watch.handleToSend(bytesMin);
    slow.watch.handleSent(bytesMin);
  };
  assert.equal(slow.foundWithin(3_600, seldom), undefined);
});

Deno.test("PaceWatch takes a long gap between two looks for sleep", () => {
  const scene = new Scene();
  scene.watch.addExpected(scene.answer);
  scene.nowMs += 8 * 3_600_000;
  scene.heardAtMs = scene.nowMs;
  assert.equal(scene.watch.look(scene.nowMs, scene.heardAtMs).isHeldBack, false);
});
