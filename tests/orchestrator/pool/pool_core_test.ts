import assert from "node:assert/strict";
import fc from "fast-check";
import { PoolCore } from "../../../src/orchestrator/pool/pool_core.ts";
import { DEFAULT_POOL_LIMITS } from "../../../src/orchestrator/pool/pool_limits.ts";

const LIMITS = DEFAULT_POOL_LIMITS;
const { idleTimeoutMs, checkIntervalMs, probeMs } = LIMITS;

/** Everything that is due. */
function actionsAt(core: PoolCore, nowMs: number): string[] {
  const actions: string[] = [];
  for (let action; (action = core.poll(nowMs)) !== undefined;) {
    actions.push(action.kind === "ping" ? `ping ${action.id}` : `${action.why} ${action.id}`);
    assert.ok(actions.length < 100, "there is no end to it");
  }
  return actions;
}

Deno.test("PoolCore takes in four connections a peer, and more when one is gone", () => {
  const core = new PoolCore(LIMITS);
  const ids = Array.from({ length: 4 }, () => core.add("nas", 0));
  assert.ok(ids.every((id) => id !== undefined));
  assert.equal(core.add("nas", 0), undefined);
  assert.ok(core.add("laptop", 0) !== undefined);
  core.remove(ids[0]!);
  assert.ok(core.add("nas", 0) !== undefined);
});

Deno.test("PoolCore closes what nobody used for 300 s, and never what somebody uses", () => {
  const core = new PoolCore({ ...LIMITS, checkIntervalMs: Infinity });
  const used = core.add("nas", 0)!;
  const idle = core.add("nas", 0)!;
  core.release(idle, 1000);
  assert.equal(core.pollTimeout(), 1000 + idleTimeoutMs);
  assert.deepEqual(actionsAt(core, 1000 + idleTimeoutMs - 1), []);
  assert.deepEqual(actionsAt(core, 1000 + idleTimeoutMs), [`idle ${idle}`]);
  assert.deepEqual(actionsAt(core, 1e9), []);
  assert.deepEqual(core.states, { used: 1, idle: 0 });
  core.release(used, 1e9);
  core.use(used);
  assert.deepEqual(actionsAt(core, 2e9), []);
  assert.equal(core.counters.reused, 1);
  assert.equal(core.counters.closedIdle, 1);
});

Deno.test("PoolCore asks every 30 s, and gives up a peer that has missed two questions", () => {
  const core = new PoolCore(LIMITS);
  const id = core.add("nas", 0)!;
  assert.deepEqual(actionsAt(core, checkIntervalMs), [`ping ${id}`]);
  core.handleAnswer(id);
  assert.deepEqual(actionsAt(core, 2 * checkIntervalMs), [`ping ${id}`]);
  assert.deepEqual(actionsAt(core, 3 * checkIntervalMs), [`ping ${id}`]);
  assert.deepEqual(actionsAt(core, 4 * checkIntervalMs - 1), []);
  assert.deepEqual(actionsAt(core, 4 * checkIntervalMs), [`dead ${id}`]);
  assert.deepEqual([core.counters.checksAnswered, core.counters.checksMissed], [1, 2]);
  assert.equal(core.pollTimeout(), Infinity);
});

Deno.test("PoolCore.probe() asks at once, once, and wants an answer within 10 s", () => {
  const core = new PoolCore(LIMITS);
  const id = core.add("nas", 0)!;
  core.probe(id, 5);
  core.probe(id, 6);
  assert.deepEqual(actionsAt(core, 6), [`ping ${id}`]);
  core.handleAnswer(id);
  assert.deepEqual(actionsAt(core, 5 + probeMs), []);
  core.probe(id, 20_000);
  assert.deepEqual(actionsAt(core, 20_000), [`ping ${id}`]);
  assert.equal(core.pollTimeout(), 30_000);
  assert.deepEqual(actionsAt(core, 30_000), [`dead ${id}`]);
});

const event = fc.record({
  afterMs: fc.nat(40_000),
  what: fc.constantFrom("add", "use", "release", "probe", "remove", "silence"),
  peer: fc.constantFrom("nas", "laptop"),
  nth: fc.nat(7),
});

Deno.test("PoolCore ends no connection that answers and is used, and every other one in time", () => {
  fc.assert(fc.property(fc.array(event, { maxLength: 80 }), (events) => {
    const core = new PoolCore(LIMITS);
    const members = new Map<
      number,
      { peer: string; users: number; idleSinceMs: number; silentSinceMs: number }
    >();
    let nowMs = 0;
    const settle = () => {
      for (let action; (action = core.poll(nowMs)) !== undefined;) {
        const member = members.get(action.id)!;
        if (action.kind === "ping") {
          if (member.silentSinceMs === Infinity) core.handleAnswer(action.id);
          continue;
        }
        members.delete(action.id);
        if (action.why === "idle") {
          assert.equal(member.users, 0);
          assert.ok(nowMs >= member.idleSinceMs + idleTimeoutMs);
        } else assert.ok(member.silentSinceMs <= nowMs, "it answered every question");
      }
      assert.ok(core.pollTimeout() > nowMs, "what is due is done");
    };
    for (const { afterMs, what, peer, nth } of events) {
      // As a timer would: never past what is due.
      for (const endMs = nowMs + afterMs; nowMs < endMs;) {
        nowMs = Math.min(endMs, core.pollTimeout());
        settle();
      }
      const [id, member] = [...members][nth] ?? [];
      if (what === "add") {
        const added = core.add(peer, nowMs);
        const count = [...members.values()].filter((each) => each.peer === peer).length;
        assert.equal(added === undefined, count >= LIMITS.connectionsPerPeerMax);
        if (added !== undefined) {
          members.set(added, { peer, users: 1, idleSinceMs: 0, silentSinceMs: Infinity });
        }
      } else if (id !== undefined && member !== undefined) {
        if (what === "use") core.use(id), member.users++;
        if (what === "release" && member.users > 0) {
          core.release(id, nowMs);
          if (--member.users === 0) member.idleSinceMs = nowMs;
        }
        if (what === "probe") core.probe(id, nowMs);
        if (what === "remove") core.remove(id), members.delete(id);
        if (what === "silence") member.silentSinceMs = Math.min(member.silentSinceMs, nowMs);
      }
      settle();
    }
    for (const endMs = nowMs + idleTimeoutMs + 3 * checkIntervalMs; nowMs < endMs;) {
      nowMs = Math.min(endMs, core.pollTimeout());
      settle();
    }
    for (const { users, silentSinceMs } of members.values()) {
      assert.ok(users > 0 && silentSinceMs === Infinity, "the others are gone by now");
    }
  }));
});
