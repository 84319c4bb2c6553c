import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { beginRotation } from "../../src/identity/mod.ts";
import { ROTATION_SWITCH_MS } from "../../src/identity/rotation.ts";
import { runSync, ShareServer, type SyncRunSummary } from "../../src/orchestrator/mod.ts";
import { LOOPBACK, OrchestratedDevice } from "../support/orchestrated_device.ts";
import { SYNC_REQUEST } from "../support/sync_request.ts";
import { SILENT } from "../support/sync_scene.ts";
import { assertSameTree, temporaryFolder, writeTree } from "../support/tree.ts";

const DAY_MS = 24 * 3600 * 1000;

/** One whole run of two devices, each started and ended, at a date. */
async function syncAt(path: string, offsetMs: number): Promise<SyncRunSummary> {
  const clock: Clock = {
    nowMs: () => systemClock.nowMs(),
    wallMs: () => systemClock.wallMs() + offsetMs,
  };
  await using b = await OrchestratedDevice.open(path, "b", { clock });
  await using a = await OrchestratedDevice.open(path, "a", { clock });
  if (a.orchestrator.trust.list().length === 0) {
    await Promise.all([a.trust(b, "b"), b.trust(a, "a")]);
  }
  await using server = await ShareServer.start(b.orchestrator, {
    shares: [{ name: "default", path: join(path, "right"), writable: true }],
    allow: [],
    listen: { host: LOOPBACK, port: 0 },
    once: false,
    versionsMax: 0,
    observer: { sessionStart() {}, sessionEnd() {} },
  });
  const { orchestrator } = a;
  return await runSync(orchestrator, orchestrator.trust.resolve("b"), {
    request: SYNC_REQUEST,
    dir: join(path, "left"),
    lockWaitMs: 0,
    address: { host: LOOPBACK, port: server.address.port },
    retries: 0,
    waitMs: 0,
    signal: new AbortController().signal,
    observer: SILENT,
  });
}

for (const who of ["a", "b"] as const) {
  const side = who === "a" ? "syncing" : "serving";
  Deno.test(`deletions are still understood after the ${side} device has moved to another key`, async () => {
    using temporary = temporaryFolder();
    const { path } = temporary;
    const [left, right] = [join(path, "left"), join(path, "right")];
    writeTree(left, { keep: "k", first: "1", second: "2", third: "3", d: { e: "x" } });
    fs.mkdirSync(right);
    await syncAt(path, 0);
    const next = await beginRotation({ folder: join(path, who), clock: systemClock });
    // It is told, and comes into use three weeks later.
    await syncAt(path, DAY_MS);
    for (const [i, name] of ["first", "second", "third"].entries()) {
      fs.rmSync(join(i % 2 === 0 ? left : right, name));
      const summary = await syncAt(path, ROTATION_SWITCH_MS + (i + 1) * DAY_MS);
      assert.deepEqual([summary.deleted, summary.received + summary.sent], [1, 0], name);
      assertSameTree(left, right);
      assert.ok(!fs.existsSync(join(left, name)));
    }
    await using moved = await OrchestratedDevice.open(path, who, {
      clock: { ...systemClock, wallMs: () => systemClock.wallMs() + ROTATION_SWITCH_MS + DAY_MS },
    });
    assert.equal(moved.orchestrator.identity.id, next.identity.id);
  });
}
