import assert from "node:assert/strict";
import { Patience, type SessionLook } from "../../../src/sync/session/patience.ts";

const LIMITS = { toldMs: 60_000, untoldMs: 900_000 };
const STEP_MS = 5_000;

/** Looks every 5 s until the peer is given up, or for an hour. @returns When it was, in seconds. */
function looks(at: (seconds: number) => Partial<SessionLook>, patience = new Patience(LIMITS, 0)) {
  for (let nowMs = STEP_MS; nowMs <= 3_600_000; nowMs += STEP_MS) {
    const look = { nowMs, heardAtMs: nowMs, isWaiting: true, isTold: true, progress: 0 };
    if (patience.look({ ...look, ...at(nowMs / 1000) }) !== undefined) return nowMs / 1000;
  }
  return undefined;
}

for (
  const [what, at, seconds] of [
    ["a peer that could tell, and is silent, after a minute", () => ({}), 60],
    ["a peer that can't tell after a quarter of an hour", () => ({ isTold: false }), 900],
    ["nobody while it is not the peer's turn", () => ({ isWaiting: false }), undefined],
    ["nobody while anything moves", (s) => ({ progress: Math.floor(s / 50) }), undefined],
    ["a peer a minute after the last byte", (s) => ({ progress: Math.min(s, 300) }), 360],
    ["nobody because of an outage", () => ({ heardAtMs: 1 }), undefined],
    ["a peer that was away once it is back and silent", (s) => ({
      heardAtMs: s < 600 ? 1 : s,
    }), 650],
    ["nobody because others took turns", (s) => ({ isWaiting: s % 60 !== 0 }), undefined],
  ] as [string, (seconds: number) => Partial<SessionLook>, number | undefined][]
) {
  Deno.test(`Patience.look() gives up ${what}`, () => {
    assert.equal(looks(at), seconds);
  });
}

Deno.test("Patience.look() counts neither the sleep of a machine nor what was before a sign", () => {
  const patience = new Patience(LIMITS, 0);
  const look = { isWaiting: true, isTold: true, progress: 0 };
  assert.equal(patience.look({ ...look, nowMs: 40_000_000, heardAtMs: 1 }), undefined);
  for (let s = 5; s <= 40; s += 5) {
    patience.look({ ...look, nowMs: 40_000_000 + s * 1000, heardAtMs: s });
  }
  patience.handleSign();
  for (let s = 45; s < 100; s += 5) {
    assert.equal(patience.look({ ...look, nowMs: 40_000_000 + s * 1000, heardAtMs: s }), undefined);
  }
  assert.equal(patience.look({ ...look, nowMs: 40_100_000, heardAtMs: 100 }), 60_000);
});
