import assert from "node:assert/strict";
import fc from "fast-check";
import { ChangeGate, QUIET_MS, QUIET_MS_MAX } from "../../../src/sync/watch/change_gate.ts";

Deno.test("ChangeGate opens once it has been quiet, and not again without a change", () => {
  const gate = new ChangeGate();
  assert.equal(gate.deadlineMs, Infinity);
  assert.equal(gate.take(1_000_000), false);
  gate.handleChange(0);
  gate.handleChange(100);
  assert.equal(gate.deadlineMs, 100 + QUIET_MS);
  assert.equal(gate.take(100 + QUIET_MS - 1), false);
  assert.equal(gate.take(100 + QUIET_MS), true);
  assert.equal(gate.take(2_000_000), false);
});

Deno.test("ChangeGate lets no change wait for longer than the bound, however many follow", () => {
  fc.assert(fc.property(
    fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 60 }),
    (gaps) => {
      const gate = new ChangeGate();
      let nowMs = 0;
      let waitingSinceMs = Infinity;
      for (const gap of gaps) {
        // The shell's timer: it looks at each deadline before the next change comes.
        while (gate.deadlineMs <= nowMs + gap) {
          nowMs = Math.max(nowMs, gate.deadlineMs);
          assert.ok(nowMs - waitingSinceMs <= QUIET_MS_MAX);
          assert.ok(gate.take(nowMs));
          waitingSinceMs = Infinity;
        }
        nowMs += gap;
        gate.handleChange(nowMs);
        waitingSinceMs = Math.min(waitingSinceMs, nowMs);
      }
      assert.ok(gate.deadlineMs - waitingSinceMs <= QUIET_MS_MAX);
    },
  ));
});
