import assert from "node:assert/strict";
import type { Vitals } from "../../../src/orchestrator/metrics/vitals.ts";
import { PoolCore } from "../../../src/orchestrator/pool/pool_core.ts";
import { DEFAULT_POOL_LIMITS } from "../../../src/orchestrator/pool/pool_limits.ts";
import { FAMILIES } from "../../../src/orchestrator/metrics/families.ts";

Deno.test("FAMILIES are named as Prometheus asks for, and docs/metrics.md lists just these", () => {
  const names = FAMILIES.map(({ name }) => name);
  for (const { name, type } of FAMILIES) {
    assert.match(name, /^(landropic|process)_[a-z]+(_[a-z]+)*$/);
    assert.equal(name.endsWith("_total"), type === "counter", name);
    assert.doesNotMatch(name, /milli|kilo|_ms\b|_kb\b/, "base units");
  }
  const docs = Deno.readTextFileSync(new URL("../../../docs/metrics.md", import.meta.url));
  const rows = [...docs.matchAll(/^\| `(\w+)` +\| (\w+) +\|/gm)];
  assert.deepEqual(rows.map(([, name]) => name), names);
  assert.deepEqual(rows.map(([, , type]) => type), FAMILIES.map(({ type }) => type));
});

Deno.test("FAMILIES tell everything that the pool counts, each under a label of its own", () => {
  const core = new PoolCore({ ...DEFAULT_POOL_LIMITS, connectionsPerPeerMax: 8 });
  const [kept, idle, dead] = [1, 2, 3].map(() => core.add("nas", 0)!);
  core.release(idle!, 0);
  core.probe(dead!, 0);
  for (let count = 0; count < 3; count++) core.count("joined");
  for (let count = 0; count < 4; count++) core.count("failedJoins");
  for (let count = 0; count < 5; count++) core.count("retired");
  while (core.poll(DEFAULT_POOL_LIMITS.probeMs) !== undefined);
  core.release(kept!, 0);
  for (let count = 0; count < 2; count++) {
    core.use(kept!);
    core.release(kept!, 0);
  }
  const vitals = { pool: core.counters, poolStates: core.states } as Vitals;
  const samplesOf = (name: string) =>
    Object.fromEntries(
      FAMILIES.find((family) => family.name === name)!.samples(vitals).map(([labels, value]) => [
        Object.values(labels).join(),
        value,
      ]),
    );
  assert.deepEqual(samplesOf("landropic_pool_events_total"), {
    added: 3,
    reused: 2,
    closed_idle: 0,
    closed_dead: 1,
    joined: 3,
    failed_to_join: 4,
    retired: 5,
  });
  assert.deepEqual(samplesOf("landropic_pool_connections"), { used: 0, idle: 2 });
});
