import assert from "node:assert/strict";
import fc from "fast-check";
import {
  ATTEMPTS_MAX,
  FAILURE_PAUSE_MS,
  PairingWindow,
  RUNS_PER_HOST_MAX,
  RUNS_PER_HOST_MS,
  TargetBudget,
  TARGETS_MAX,
  WINDOW_LIFETIME_MS,
} from "../../../src/identity/pairing/mod.ts";
import { WindowRun } from "../../../src/identity/pairing/pairing_window.ts";

const HOST = "192.0.2.1";

function begin(window: PairingWindow, nowMs: number, host = HOST): WindowRun {
  const run = window.beginRun(host, nowMs);
  assert.ok(run instanceof WindowRun, String(run));
  return run;
}

Deno.test("PairingWindow ends after its lifetime, for new runs and for attempts in a run", () => {
  const window = new PairingWindow(1000);
  assert.equal(window.expiresAtMs, 1000 + WINDOW_LIFETIME_MS);
  const run = begin(window, window.expiresAtMs - 1);
  assert.equal(run.spend(window.expiresAtMs), "expired");
  run.end(window.expiresAtMs);
  assert.equal(window.beginRun(HOST, window.expiresAtMs), "expired");
  assert.equal(window.state(window.expiresAtMs), "expired");
  assert.equal(new PairingWindow(0, 60_000).state(60_000), "expired");
  assert.equal(new PairingWindow(0, 60_000).state(59_999), "open");
});

Deno.test("PairingWindow allows three attempts; the fourth run is told so", () => {
  const window = new PairingWindow(0);
  let nowMs = 0;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++, nowMs += FAILURE_PAUSE_MS) {
    const run = begin(window, nowMs);
    assert.equal(run.spend(nowMs), undefined);
    assert.equal(window.state(nowMs), "open");
    run.end(nowMs);
  }
  assert.equal(window.attemptsLeft, 0);
  assert.equal(window.state(nowMs), "attempts_spent");
  assert.equal(window.beginRun(HOST, nowMs), "attempts_spent");
});

Deno.test("PairingWindow counts no attempt for a run that never spent one", () => {
  const window = new PairingWindow(0);
  begin(window, 0).end(0);
  assert.equal(window.attemptsLeft, ATTEMPTS_MAX);
});

Deno.test("PairingWindow pairs once", () => {
  const window = new PairingWindow(0);
  const run = begin(window, 0);
  run.spend(0);
  run.succeed();
  assert.equal(window.state(0), "used");
  assert.equal(window.beginRun(HOST, 0), "used");
  run.end(0);
  assert.equal(window.beginRun(HOST, FAILURE_PAUSE_MS), "used");
});

Deno.test("PairingWindow has one run at a time and a pause after one that failed", () => {
  const window = new PairingWindow(0);
  const run = begin(window, 0);
  assert.equal(window.beginRun("192.0.2.2", 0), "busy");
  run.end(500);
  assert.equal(window.beginRun("192.0.2.2", 500 + FAILURE_PAUSE_MS - 1), "busy");
  const next = begin(window, 500 + FAILURE_PAUSE_MS, "192.0.2.2");
  run.end(9999); // ending twice must not free the place of the next run
  assert.equal(window.beginRun(HOST, 9999 + FAILURE_PAUSE_MS), "busy");
  next.end(9999 + FAILURE_PAUSE_MS);
});

Deno.test("PairingWindow admits ten runs a minute of one host, busy ones counted", () => {
  const window = new PairingWindow(0);
  const run = begin(window, 0);
  for (let i = 1; i < RUNS_PER_HOST_MAX; i++) assert.equal(window.beginRun(HOST, i), "busy");
  run.end(10);
  assert.equal(window.beginRun(HOST, 5000), "rate_limited");
  begin(window, 5000, "192.0.2.9").end(5000);
  begin(window, RUNS_PER_HOST_MS, HOST);
});

Deno.test("PairingWindow counts an IPv6 host by its /64", () => {
  const window = new PairingWindow(0);
  for (let i = 0; i < RUNS_PER_HOST_MAX; i++) {
    begin(window, i * FAILURE_PAUSE_MS, `2001:db8::${i}`).end(i * FAILURE_PAUSE_MS);
  }
  const nowMs = RUNS_PER_HOST_MAX * FAILURE_PAUSE_MS;
  assert.equal(window.beginRun("2001:db8::ffff", nowMs), "rate_limited");
  begin(window, nowMs, "2001:db8:0:1::1");
});

Deno.test("PairingWindow stays fair to others while one network brings thousands of hosts", () => {
  const window = new PairingWindow(0);
  for (let i = 0; i < 5000; i++) {
    const run = window.beginRun(`10.0.${i >> 8}.${i & 255}`, 0);
    if (run instanceof WindowRun) run.end(0);
  }
  begin(window, FAILURE_PAUSE_MS);
});

Deno.test("PairingWindow never spends more than three attempts, whatever happens when", () => {
  const step = fc.record({
    act: fc.constantFrom("begin", "spend", "succeed", "end"),
    waitMs: fc.integer({ min: 0, max: 2000 }),
    host: fc.integer({ min: 1, max: 20 }),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const window = new PairingWindow(0);
    let run: WindowRun | undefined;
    let nowMs = 0;
    let spent = 0;
    let succeeded = false;
    for (const { act, waitMs, host } of steps) {
      nowMs += waitMs;
      if (act === "begin") {
        const begun = window.beginRun(`192.0.2.${host}`, nowMs);
        if (begun instanceof WindowRun) {
          assert.equal(run, undefined, "two runs in flight");
          assert.equal(succeeded, false, "a run after the code was used");
          run = begun;
        }
      } else if (run && act === "spend") {
        if (run.spend(nowMs) === undefined) spent++;
      } else if (run && act === "succeed") {
        run.succeed();
        succeeded = true;
      } else if (run && act === "end") {
        run.end(nowMs);
        run = undefined;
      }
      assert.ok(spent <= ATTEMPTS_MAX);
      assert.equal(window.attemptsLeft, ATTEMPTS_MAX - spent);
    }
  }));
});

Deno.test("TargetBudget lets one entered code try three devices", () => {
  const budget = new TargetBudget();
  for (let i = 0; i < TARGETS_MAX; i++) assert.equal(budget.spend(), undefined);
  assert.equal(budget.left, 0);
  assert.equal(budget.spend(), "attempts_spent");
});
