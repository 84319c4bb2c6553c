import assert from "node:assert/strict";
import { StopSignals } from "../../src/cli/signals.ts";
import { FakeHost } from "./support.ts";

Deno.test("StopSignals aborts on the first signal and exits at once on the second", () => {
  const host = new FakeHost();
  const controller = new AbortController();
  let tidied = 0;
  const signals = new StopSignals(host.signals, controller, () => tidied++);
  assert.equal(signals.exitCode, undefined);
  host.listeners.get("SIGTERM")!();
  assert.equal(signals.exitCode, 143);
  assert.equal(controller.signal.aborted, true);
  assert.equal(controller.signal.reason.code, "interrupted");
  assert.deepEqual([host.exits, tidied], [[], 0]);
  host.listeners.get("SIGINT")!();
  assert.deepEqual([host.exits, tidied], [[130], 1]);
  assert.equal(signals.exitCode, 143);
});

Deno.test("StopSignals stops listening when disposed, also twice", () => {
  const host = new FakeHost();
  const signals = new StopSignals(host.signals, new AbortController(), () => {});
  assert.equal(host.listeners.size, 3);
  signals[Symbol.dispose]();
  signals[Symbol.dispose]();
  assert.equal(host.listeners.size, 0);
});
