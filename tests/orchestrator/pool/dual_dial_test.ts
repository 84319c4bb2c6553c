/** Devices that serve, find each other, and dial each other. */
import assert from "node:assert/strict";
import { delay } from "../../../src/base/clock.ts";
import { MemoryNetwork } from "../../../src/discovery/mod.ts";
import type { ShareServer } from "../../../src/orchestrator/mod.ts";
import { LOOPBACK, OrchestratedDevice, serveNothing } from "../../support/orchestrated_device.ts";
import { until } from "../../support/sync_scene.ts";
import { temporaryFolder } from "../../support/tree.ts";

async function setUp() {
  const stack = new AsyncDisposableStack();
  const { path } = stack.use(temporaryFolder());
  const network = new MemoryNetwork();
  const devices = [
    stack.use(await OrchestratedDevice.open(path, "x", { network })),
    stack.use(await OrchestratedDevice.open(path, "y", { network })),
  ];
  const [small, large] = devices.sort((a, b) =>
    a.orchestrator.identity.id < b.orchestrator.identity.id ? -1 : 1
  ) as [OrchestratedDevice, OrchestratedDevice];
  await Promise.all([small.trust(large, "large"), large.trust(small, "small")]);
  return { stack, network, small, large };
}

function visitorsOf(server: ShareServer): number {
  return [...server.visitors].length;
}

for (const order of ["smaller", "larger"] as const) {
  Deno.test(`of two devices that dial each other, the connection of the smaller id stays, whoever comes first (the ${order})`, async () => {
    const { stack, small, large } = await setUp();
    await using _ = stack;
    const [first, second] = order === "smaller" ? [small, large] : [large, small];
    await using one = await serveNothing(first);
    await using other = await serveNothing(second);
    const [atSmall, atLarge] = order === "smaller" ? [one, other] : [other, one];
    const knows = (device: OrchestratedDevice, server: ShareServer) =>
      device.orchestrator.trust.list()[0]!.addresses.includes(`${LOOPBACK}:${server.address.port}`);
    // Both have dialled, since both know where the other one serves.
    await until(() => knows(small, atLarge) && knows(large, atSmall));
    await until(() => visitorsOf(atSmall) === 0 && visitorsOf(atLarge) === 1);
    await delay(200);
    assert.deepEqual([visitorsOf(atSmall), visitorsOf(atLarge)], [0, 1]);
    assert.deepEqual(small.orchestrator.pool.states, { used: 0, idle: 1 });
    assert.deepEqual(large.orchestrator.pool.states, { used: 0, idle: 0 });
    assert.ok(small.orchestrator.pool.isConnected(small.orchestrator.trust.list()[0]!));
    assert.ok(large.orchestrator.pool.isConnected(large.orchestrator.trust.list()[0]!));
  });
}
