/** Runs whose connection breaks, over QUIC on loopback. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { delay } from "../../src/base/clock.ts";
import { PROGRESS_BYTES } from "../../src/orchestrator/outage.ts";
import type { SyncRunSummary } from "../../src/orchestrator/mod.ts";
import type { SyncObserver } from "../../src/sync/mod.ts";
import { noise, SyncScene } from "../support/sync_scene.ts";
import { assertSameTree } from "../support/tree.ts";

const MIB = 1024 * 1024;
const CUT_AT_BYTES = PROGRESS_BYTES + 2 * MIB;
/** Slow enough that a session can be cut before it is over. */
const RATE = 40 * MIB;

/** Calls back in each session once so much has moved. */
function whenMoved(bytes: number, onMoved: () => void): Pick<SyncObserver, "plan" | "progress"> {
  let isWaiting = false;
  return {
    plan: () => void (isWaiting = true),
    progress: (now) => {
      if (!isWaiting || now.bytes < bytes) return;
      isWaiting = false;
      onMoved();
    },
  };
}

Deno.test("runSync() outlasts more outages than it has tries, as long as each brings it further", async () => {
  await using scene = await SyncScene.make({ big: noise(50 * MIB) }, {});
  let cuts = 0;
  const observer = whenMoved(CUT_AT_BYTES, () => {
    if (++cuts > 3) return;
    for (const [connection] of scene.server.visitors) void connection.close(0);
  });
  const summary = await scene.sync({ mode: "push", rateLimit: RATE }, { retries: 1, observer });
  assert.ok(cuts >= 3);
  assert.deepEqual([summary.ok, summary.connections], [true, 4]);
  assertSameTree(scene.left, scene.right);
});

Deno.test("runSync() gives up a peer that breaks off again and again before anything has moved", async () => {
  await using scene = await SyncScene.make({ big: noise(30 * MIB) }, {});
  let sessions = 0;
  const cut = async () => {
    sessions++;
    // The server knows of its visitor only a moment later, or still of the one before.
    for (let isCut = false; !isCut; await delay(1)) {
      for (const [connection] of scene.server.visitors) {
        if (connection.isClosed) continue;
        isCut = true;
        void connection.close(0);
      }
    }
  };
  const syncing = scene.sync(
    { mode: "push", rateLimit: RATE },
    { retries: 2, observer: { connected: () => void cut() } },
  );
  await assert.rejects(syncing, { code: "peer_unreachable" });
  assert.equal(sessions, 3);
});

Deno.test("runSync() gives up a peer that never comes back, though much had moved before", async () => {
  await using scene = await SyncScene.make({ big: noise(30 * MIB) }, {});
  const observer = whenMoved(CUT_AT_BYTES, () => void scene.server[Symbol.asyncDispose]());
  let done: SyncRunSummary | undefined;
  const syncing = scene.sync(
    { mode: "push", rateLimit: RATE },
    { retries: 1_000, timeoutMs: 700, observer, onFailure: (summary) => done = summary },
  );
  await assert.rejects(syncing, { code: "timed_out" });
  const { ok, bytesSent, wireSent, wireReceived, files, connections } = done!;
  assert.deepEqual([ok, files], [false, 1]);
  assert.ok(connections >= 1);
  assert.ok(bytesSent >= CUT_AT_BYTES, `${bytesSent} bytes`);
  assert.ok(wireSent > MIB && wireReceived > 0);
});

Deno.test("runSync() goes on where it was when the server is stopped and started again", async () => {
  await using scene = await SyncScene.make({ big: noise(30 * MIB) }, {});
  let restarting: Promise<void> | undefined;
  const observer = whenMoved(CUT_AT_BYTES, () => restarting ??= scene.restart());
  const { ok, sent, bytesSent } = await scene.sync(
    { mode: "push", rateLimit: RATE },
    { retries: 5, observer },
  );
  await restarting;
  assert.deepEqual([ok, sent], [true, 1]);
  assert.ok(bytesSent >= 30 * MIB, "what the session that broke off had sent counts");
  assertSameTree(scene.left, scene.right);
});

for (const mode of ["push", "pull"] as const) {
  Deno.test(`runSync() ends at once when the folder to ${mode} to is gone, with one failure`, async () => {
    const files = { one: noise(20 * MIB, 1), two: noise(20 * MIB, 2), three: noise(20 * MIB, 3) };
    await using scene = mode === "push"
      ? await SyncScene.make(files, {})
      : await SyncScene.make({}, files);
    const target = mode === "push" ? scene.right : scene.left;
    const errors: string[] = [];
    const observer = {
      ...whenMoved(MIB, () => fs.rmSync(target, { recursive: true, force: true })),
      fileError: ({ path }: { path: string }) => void errors.push(path),
    };
    await assert.rejects(scene.sync({ mode, rateLimit: RATE }, { observer }), {
      code: "storage",
      message: /Folder ".*" is gone: it was removed/,
    });
    assert.deepEqual(errors, []);
  });
}
