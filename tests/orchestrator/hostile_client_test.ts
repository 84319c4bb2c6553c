/** A paired client that does not keep to the protocol, over QUIC on loopback, beside one that does. */
import assert from "node:assert/strict";
import { BlockReader, encodeRequest, RecordReader, type SyncMode } from "../../src/protocol/mod.ts";
import { PeerLink } from "../../src/sync/mod.ts";
import { URGENCY } from "../../src/sync/link/transport.ts";
import type { QuicConnection } from "../../src/quic/mod.ts";
import { type HandClient, NOTHING_SYNCED, openByHand } from "../support/hand_client.ts";
import { LOOPBACK } from "../support/orchestrated_device.ts";
import { noise, SyncScene, until } from "../support/sync_scene.ts";
import { assertSameTree } from "../support/tree.ts";

/** Longer than a machine with much to do lets this process wait, in which both sides are. */
const TIMES = { toldMs: 1500, untoldMs: 1500, lookMs: 20 };

/** A connection of device a that has opened a session, by hand. */
async function attack(
  scene: SyncScene,
  mode: SyncMode = "two-way",
): Promise<HandClient & { readonly connection: QuicConnection }> {
  const { orchestrator } = scene.a;
  const address = { host: LOOPBACK, port: scene.server.address.port };
  const connection = await orchestrator.dial(orchestrator.trust.resolve("b"), address, {
    timeoutMs: 5_000,
    signal: scene.stop.signal,
  });
  const hello = { ...orchestrator.hello, group: crypto.getRandomValues(new Uint8Array(16)) };
  return { connection, ...await openByHand(connection, { hello, mode }) };
}

for (
  const [what, act] of [
    ["says nothing more", () => Promise.resolve()],
    ["stops in the middle of its operations", async (link) => {
      const stream = await link.request({ kind: "apply", session: 1 }, URGENCY.plan);
      await stream.send.write(new Uint8Array([0, 0]));
    }],
    ["closes its half of them early, and stays", async (link) => {
      const stream = await link.request({ kind: "apply", session: 1 }, URGENCY.plan);
      await stream.send.write(new Uint8Array([0, 0]));
      await stream.send.finish();
      await assert.rejects(stream.recv.read(new Uint8Array(1)));
    }],
  ] as [string, (link: PeerLink) => Promise<void>][]
) {
  Deno.test(`a client that ${what} keeps no other from the folder`, async () => {
    await using scene = await SyncScene.make({ mine: "m" }, { yours: "y" }, { times: TIMES });
    const { link, heard } = await attack(scene);
    await act(link);
    // The connection lives on; without its session the lock is free.
    await until(() => scene.ends.length > 0 && heard.some(({ type }) => type === "error"));
    const error = heard.find(({ type }) => type === "error");
    assert.ok(error?.type === "error" && error.code === "timed_out");
    assert.equal(link.isEnded, false);
    const summary = await scene.sync({}, { lockWaitMs: 5_000 });
    assert.deepEqual([summary.ok, summary.sent, summary.received], [true, 1, 1]);
    assertSameTree(scene.left, scene.right);
    await link.close();
  });
}

Deno.test("a client that opens a thousand streams, or asks a thousand things and reads none, is served like others", async () => {
  await using scene = await SyncScene.make({}, { big: noise(3_000_000), small: "s" });
  const { link, connection } = await attack(scene, "pull");
  const request = encodeRequest({
    kind: "get-files",
    session: 1,
    files: [{ path: "big" as never, offset: 0 }],
  });
  const before = Deno.memoryUsage();
  for (let i = 0; i < 900; i++) {
    const stream = await connection.openBidi();
    // Every other one is only begun.
    await stream.send.write(i % 2 === 0 ? request : request.subarray(0, 2));
  }
  await until(() => [...scene.server.visitors].some(([, { link }]) => link.serving > 800));
  const after = Deno.memoryUsage();
  // Both ends are in this process: what is on the way to the client is in it, too.
  const grown = after.heapUsed + after.external - before.heapUsed - before.external;
  assert.ok(grown < 60e6, `${grown} bytes`);
  const summary = await scene.sync({ mode: "pull" });
  assert.deepEqual([summary.ok, summary.received], [true, 2]);
  await link.close();
});

Deno.test("a client that asks out of turn, twice or after the end ruins only its own session", async () => {
  await using scene = await SyncScene.make({ mine: "m" }, { yours: "y" });
  const { link, heard } = await attack(scene);
  const reads = async (session: number) => {
    const answer = await link.ask({ kind: "get-digests", session, paths: ["yours" as never] }, 1);
    const records = new RecordReader(new BlockReader((into) => answer.read(into)));
    return await records.u8();
  };
  assert.equal(await reads(1), 0);
  await assert.rejects(reads(7));
  await link.send(NOTHING_SYNCED);
  await until(() => heard.some(({ type }) => type === "sync-ack"));
  await assert.rejects(reads(1));
  // Twice is no peer's mistake.
  await link.send(NOTHING_SYNCED);
  assert.ok(await link.ended instanceof Error);
  const summary = await scene.sync({});
  assert.deepEqual([summary.ok, summary.sent, summary.received], [true, 1, 1]);
});
