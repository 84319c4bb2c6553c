/** Several connections at work together, over QUIC on loopback, with real files. */
import assert from "node:assert/strict";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/log.ts";
import type { HostPort } from "../../../src/quic/mod.ts";
import { runWatch } from "../../../src/orchestrator/mod.ts";
import { type Hello, ProtocolError } from "../../../src/protocol/mod.ts";
import { JoinedHandler, type LinkHandler, PeerLink } from "../../../src/sync/mod.ts";
import { LOOPBACK, OrchestratedDevice } from "../../support/orchestrated_device.ts";
import { SYNC_REQUEST } from "../../support/sync_request.ts";
import { noise, SILENT, SyncScene, until } from "../../support/sync_scene.ts";
import { assertSameTree, type TreeSpec, writeTree } from "../../support/tree.ts";
import { UdpRelay } from "../../support/udp_relay.ts";

const MIB = 1024 * 1024;
const MODES = ["push", "pull"] as const;
/** Slow enough for something to happen meanwhile. */
const RATE = 24 * MIB;

function manyFiles(): TreeSpec {
  const sizes = [6, 5, 4, 3, 2, 1, 0.5, 0.01];
  return Object.fromEntries(sizes.map((size, i) => [`f${i}`, noise(size * MIB, i + 1)]));
}

/** The two folders of a sync that brings these files to the other side. */
function folders(mode: typeof MODES[number], files: TreeSpec): [TreeSpec, TreeSpec] {
  return mode === "push" ? [files, {}] : [{}, files];
}

for (const mode of MODES) {
  Deno.test(`runSync() moves a ${mode} over as many connections as it is told to`, async () => {
    await using scene = await SyncScene.make(...folders(mode, manyFiles()));
    const summary = await scene.sync({ mode, rateLimit: RATE }, { connections: 4 });
    assertSameTree(scene.left, scene.right);
    assert.deepEqual([summary.connections, summary.ok], [4, true]);
    await until(() => scene.ends.length === 1);
    assert.equal(scene.ends[0]!.connections, 4);
    const { wireSent, wireReceived, bytesSent, bytesReceived } = summary;
    assert.equal(
      bytesSent + bytesReceived,
      [6, 5, 4, 3, 2, 1, 0.5].reduce((a, b) => a + b) * MIB +
        Math.floor(0.01 * MIB),
    );
    const moved = mode === "push" ? wireSent : wireReceived;
    assert.ok(moved > 21 * MIB, `${moved} bytes over all connections`);
  });

  Deno.test(`a ${mode} goes on when a connection that joined is closed in the middle`, async () => {
    await using scene = await SyncScene.make(...folders(mode, manyFiles()));
    const syncing = scene.sync({ mode, rateLimit: RATE }, { connections: 3 });
    await until(() => scene.joined.length === 2);
    const [[first], [second]] = scene.joined as [typeof scene.joined[0], typeof scene.joined[0]];
    await until(() => first.stats().receivedBytes + first.stats().sentBytes > MIB);
    await first.close(0);
    await until(() => second.stats().receivedBytes + second.stats().sentBytes > 2 * MIB);
    // A code that means nothing here: as if it broke.
    await second.close(2);
    const summary = await syncing;
    assertSameTree(scene.left, scene.right);
    assert.equal(summary.ok, true);
    assert.equal(scene.ends.length, 1);
  });

  Deno.test(`a ${mode} goes on when a connection falls silent in the middle`, async () => {
    // Longer than a machine with much to do lets this process wait: the other connection is not to end as well.
    const pool = { packetCheckMs: 100, probeMs: 2_000 };
    await using scene = await SyncScene.make(...folders(mode, manyFiles()), { pool });
    await using relay = await UdpRelay.open(scene.server.address.port);
    const syncing = scene.sync({ mode, rateLimit: RATE }, { connections: 2, port: relay.port });
    await until(() => scene.joined.length === 1);
    const [[extra]] = scene.joined as [typeof scene.joined[0]];
    await until(() => extra.stats().receivedBytes + extra.stats().sentBytes > MIB);
    relay.silence(1);
    const summary = await syncing;
    assertSameTree(scene.left, scene.right);
    assert.equal(summary.ok, true);
    assert.equal(scene.ends.length, 1);
    const { counters } = (mode === "push" ? scene.b : scene.a).orchestrator.pool;
    assert.equal(counters.closedDead, 1);
  });

  Deno.test(`a ${mode} outlives the packet limit of its connections, and no byte is lost or kept twice`, async () => {
    const pool = { packetsMax: 400, packetCheckMs: 10 };
    const size = 40 * MIB;
    await using scene = await SyncScene.make(...folders(mode, { big: noise(size) }), { pool });
    const summary = await scene.sync({ mode, rateLimit: RATE });
    assertSameTree(scene.left, scene.right);
    assert.ok(summary.connections >= 3, `${summary.connections} connections`);
    assert.equal(summary.bytesSent + summary.bytesReceived, size);
    const wire = Math.max(summary.wireSent, summary.wireReceived);
    const perMove = (wire - size) / (summary.connections - 1);
    assert.ok(perMove < 2 * MIB, `${perMove} bytes a move were sent for nothing`);
  });
}

Deno.test("a push resumes over new connections when the first one falls silent, and the others go with it", async () => {
  const pool = { checkIntervalMs: 250 };
  await using scene = await SyncScene.make(manyFiles(), {}, { pool });
  await using relay = await UdpRelay.open(scene.server.address.port);
  const syncing = scene.sync(
    { mode: "push", rateLimit: RATE },
    { connections: 3, port: relay.port, retries: 5 },
  );
  await until(() => scene.joined.length === 2);
  const before = [...scene.server.visitors].map(([connection]) => connection);
  await until(() => before[0]!.stats().receivedBytes > MIB);
  relay.silence(0);
  const summary = await syncing;
  assertSameTree(scene.left, scene.right);
  assert.equal(summary.ok, true);
  assert.ok(summary.connections > 3, `${summary.connections} connections`);
  assert.ok(before.every(({ isClosed }) => isClosed));
});

Deno.test("runSync() does with one connection where the peer knows of no groups", async () => {
  await using scene = await SyncScene.make(manyFiles(), {});
  const hello = { ...scene.b.orchestrator.hello, features: [] };
  Object.defineProperty(scene.b.orchestrator, "hello", { value: hello });
  const summary = await scene.sync({ mode: "push", rateLimit: RATE }, { connections: 4 });
  assertSameTree(scene.left, scene.right);
  assert.equal(summary.connections, 1);
  assert.ok(scene.a.log.some(({ message }) => message.includes("works with one connection")));
});

Deno.test("runSync() opens no second connection for a small sync", async () => {
  await using scene = await SyncScene.make({ small: noise(MIB) }, {});
  const summary = await scene.sync({ mode: "push" }, { connections: 4 });
  assertSameTree(scene.left, scene.right);
  assert.equal(summary.connections, 1);
});

Deno.test("runSync() finds the connection of the run before, as long as it is kept", async () => {
  const pool = { idleTimeoutMs: 400 };
  await using scene = await SyncScene.make({ a: "1" }, {}, { pool });
  assert.equal((await scene.sync({ mode: "push" })).connections, 1);
  const { counters } = scene.a.orchestrator.pool;
  const second = await scene.sync({ mode: "push" });
  assert.deepEqual([second.connections, second.sent], [1, 0]);
  assert.deepEqual([counters.added, counters.reused], [1, 1]);
  assert.ok(second.wireSent + second.wireReceived < 4096, "its own bytes only");
  await until(() => [...scene.server.visitors].length === 0);
  assert.equal(counters.closedIdle, 1);
  await scene.sync({ mode: "push" });
  assert.equal(counters.added, 2);
});

/** Dials the server as a device would that means to join a group. */
async function join(
  { orchestrator }: OrchestratedDevice,
  { host, port }: HostPort,
  group: Pick<Hello, "group" | "joins">,
): Promise<PeerLink> {
  const entry = orchestrator.trust.resolve("b");
  const signal = new AbortController().signal;
  const connection = await orchestrator.dial(entry, { host, port }, { timeoutMs: 5000, signal });
  const handler: LinkHandler = new JoinedHandler({
    handleRequest: () => Promise.reject(new ProtocolError("nothing is served here")),
  });
  return await PeerLink.open(connection, {
    hello: { ...orchestrator.hello, ...group },
    handler,
    clock: systemClock,
    logger: silentLogger,
  });
}

Deno.test("ShareServer lets nobody join another device's group, or one that is none", async () => {
  await using scene = await SyncScene.make({}, {});
  await using c = await OrchestratedDevice.open(scene.folder.path, "c");
  await Promise.all([c.trust(scene.b, "b"), scene.b.trust(c, "c")]);
  const { address } = scene.server;
  const group = new Uint8Array(16).fill(7);
  const own = await join(scene.a, address, { group });
  for (
    const [device, id] of [[c, group], [scene.a, new Uint8Array(16).fill(8)]] as const
  ) {
    const link = await join(device, address, { group: id, joins: true });
    const error = await link.ended as { code?: string; message?: string };
    assert.equal(error.code, "failed");
    assert.match(error.message!, /No such group/);
  }
  const joined = await join(scene.a, address, { group, joins: true });
  await until(() => scene.joined.length === 1);
  assert.ok(await own.ping() >= 0 && await joined.ping() >= 0);
  await own.close();
  await joined.ended;
});

Deno.test("ShareServer keeps a bounded number of joined connections, and makes room for others", async () => {
  await using scene = await SyncScene.make({}, {});
  const { address } = scene.server;
  const group = new Uint8Array(16).fill(7);
  const first = await join(scene.a, address, { group });
  for (let i = 0; i < 12; i++) await join(scene.a, address, { group, joins: true });
  await until(() => scene.joined.length === 3);
  // Another program of the same device is not kept out by connections that only help.
  const other = await join(scene.a, address, { group: new Uint8Array(16).fill(9) });
  assert.ok(await other.ping() >= 0);
  await until(() => scene.joined.length === 2);
  for (const id of [10, 11]) await join(scene.a, address, { group: new Uint8Array(16).fill(id) });
  await until(() => scene.joined.length === 0);
  // Four that may be in the middle of something: the next one has to wait.
  await assert.rejects(join(scene.a, address, { group }));
  assert.ok(await first.ping() >= 0);
});

Deno.test("ShareServer gives up a connection that only keeps in touch for one that has work", async () => {
  await using scene = await SyncScene.make({}, {});
  const { address } = scene.server;
  const guests: PeerLink[] = [];
  for (let i = 0; i < 4; i++) guests.push(await join(scene.a, address, {}));
  await until(() => [...scene.server.visitors].length === 4);
  const first = await join(scene.a, address, { group: new Uint8Array(16).fill(7) });
  assert.ok(await first.ping() >= 0);
  await until(() => guests.filter((guest) => guest.isEnded).length === 1);
});

Deno.test("runWatch() takes another connection between two rounds when the first one is worn", async () => {
  const pool = { packetsMax: 100, packetCheckMs: 10 };
  await using scene = await SyncScene.make({ first: "1" }, {}, { pool });
  const { orchestrator } = scene.a;
  const news: string[] = [];
  const watching = runWatch(orchestrator, orchestrator.trust.resolve("b"), {
    request: SYNC_REQUEST,
    dir: scene.left,
    address: { host: LOOPBACK, port: scene.server.address.port },
    retries: 0,
    waitMs: 0,
    signal: scene.stop.signal,
    observer: {
      ...SILENT,
      connected: () => void news.push("connected"),
      disconnected: ({ message }) => void news.push(message),
      round: ({ sent }) => void news.push(`${sent} sent`),
    },
  });
  watching.catch(() => {});
  let rounds = 0;
  while (news.filter((what) => what === "connected").length < 3) {
    const before = news.filter((what) => what.endsWith("sent")).length;
    writeTree(scene.left, { [`more${rounds++}`]: noise(200_000, rounds) });
    await until(() => news.filter((what) => what.endsWith("sent")).length > before);
  }
  assertSameTree(scene.left, scene.right);
  assert.deepEqual(news.filter((what) => what !== "connected" && !what.endsWith(" sent")), []);
});

Deno.test("ShareServer ends the whole group of a peer that breaks the protocol on one connection", async () => {
  await using scene = await SyncScene.make({}, {});
  const group = new Uint8Array(16).fill(7);
  const first = await join(scene.a, scene.server.address, { group });
  const joined = await join(scene.a, scene.server.address, { group, joins: true });
  await until(() => scene.joined.length === 1);
  await joined.send({ type: "shares-query" });
  assert.equal((await first.ended as { code?: string }).code, "protocol");
  assert.equal((await joined.ended as { code?: string }).code, "protocol");
});

Deno.test("a dry run over a reused connection leaves no session behind", async () => {
  await using scene = await SyncScene.make({ a: "1" }, {});
  await scene.sync({ mode: "push", dryRun: true });
  const summary = await scene.sync({ mode: "push" });
  assert.deepEqual([summary.sent, summary.connections], [1, 1]);
  assertSameTree(scene.left, scene.right);
  await until(() => scene.ends.length === 2);
});
