import assert from "node:assert/strict";
import { SessionWire } from "../../src/orchestrator/session_wire.ts";

Deno.test("SessionWire gives each session what the connection carried since the one before", () => {
  let counters = { sentBytes: 0, receivedBytes: 0 };
  const wire = new SessionWire(() => counters);
  wire.sessionStart();
  counters = { sentBytes: 100, receivedBytes: 2000 };
  assert.deepEqual(wire.sessionEnd(), { wireSent: 100, wireReceived: 2000 });
  wire.sessionStart();
  counters = { sentBytes: 110, receivedBytes: 2050 };
  assert.deepEqual(wire.sessionEnd(), { wireSent: 10, wireReceived: 50 });
});

Deno.test("SessionWire gives nothing to sessions that ran side by side", () => {
  let counters = { sentBytes: 0, receivedBytes: 0 };
  const wire = new SessionWire(() => counters);
  wire.sessionStart();
  wire.sessionStart();
  counters = { sentBytes: 5, receivedBytes: 5 };
  const nothing = { wireSent: 0, wireReceived: 0 };
  assert.deepEqual([wire.sessionEnd(), wire.sessionEnd()], [nothing, nothing]);
  wire.sessionStart();
  counters = { sentBytes: 9, receivedBytes: 7 };
  assert.deepEqual(wire.sessionEnd(), { wireSent: 4, wireReceived: 2 });
});
