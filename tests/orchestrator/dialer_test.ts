import assert from "node:assert/strict";
import { delay, systemClock } from "../../src/base/clock.ts";
import { MemoryNetwork, type PeerHint } from "../../src/discovery/mod.ts";
import { announcedId } from "../../src/orchestrator/announcement.ts";
import { type Orchestrator, type ReachOptions, reachPeer } from "../../src/orchestrator/mod.ts";
import { PeerWatch } from "../../src/orchestrator/peer_watch.ts";
import { formatHostPort } from "../../src/quic/mod.ts";
import { LOOPBACK, OrchestratedDevice, serveNothing } from "../support/orchestrated_device.ts";
import { temporaryFolder } from "../support/tree.ts";

/** A port that nobody listens on: privileged, and not given out by the system. */
const NO_ONE = { host: LOOPBACK, port: 9 };

function reach(over: Partial<ReachOptions> = {}): ReachOptions {
  return { retries: 0, waitMs: 0, signal: new AbortController().signal, ...over };
}

/** Devices a, b and c on one network; a trusts b, and both others trust a. */
async function setUp() {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(temporaryFolder());
  const network = new MemoryNetwork();
  const open = async (name: string) =>
    stack.use(await OrchestratedDevice.open(folder.path, name, { network }));
  const [a, b, c] = [await open("a"), await open("b"), await open("c")];
  await Promise.all([a.trust(b, "b"), b.trust(a, "a"), c.trust(a, "a")]);
  const entry = () => a.orchestrator.trust.resolve("b");
  const remember = async (address: { host: string; port: number }) => {
    const { fingerprint } = b.orchestrator.identity;
    await a.orchestrator.trust.touch({ fingerprint, address: formatHostPort(address) });
  };
  const idPrefix = announcedId(b.orchestrator.identity.id).slice(0, 8);
  return { network, a, b, c, entry, remember, idPrefix, stack };
}

Deno.test("reachPeer() finds a peer of which nothing but its id is known", async () => {
  const { a, b, entry, stack } = await setUp();
  await using _ = stack;
  await using server = await serveNothing(b);
  await using connection = await reachPeer(a.orchestrator, entry(), reach());
  assert.deepEqual(connection.remoteAddress, { host: LOOPBACK, port: server.address.port });
});

Deno.test("reachPeer() is not held up by strangers, at the last address or in hints", async () => {
  const { network, a, b, c, entry, remember, idPrefix, stack } = await setUp();
  await using _ = stack;
  await using stranger = await serveNothing(c);
  await using server = await serveNothing(b);
  const there = { host: LOOPBACK, port: stranger.address.port };
  await remember(there);
  network.add({ idPrefix, addresses: [there, NO_ONE] });
  await using connection = await reachPeer(a.orchestrator, entry(), reach());
  assert.equal(connection.remoteAddress.port, server.address.port);
  assert.ok(a.log.some(({ message }) => message === "peer refused"));
});

Deno.test("reachPeer() tells of the stranger where nobody but strangers answers", async () => {
  const { a, b, c, entry, remember, stack } = await setUp();
  await using _ = stack;
  await using stranger = await serveNothing(c, LOOPBACK);
  await remember(stranger.address);
  await assert.rejects(reachPeer(a.orchestrator, entry(), reach()), {
    code: "peer_untrusted",
    message: /another device answered/,
  });
  // The address that the user gave is the only one, and another try finds the same there.
  await using _server = await serveNothing(b);
  const stubborn = reach({ address: stranger.address, retries: 1000 });
  await assert.rejects(reachPeer(a.orchestrator, entry(), stubborn), { code: "peer_untrusted" });
});

Deno.test("reachPeer() waits for a peer to appear, and takes it as soon as it does", async () => {
  const { a, b, entry, remember, stack } = await setUp();
  await using _ = stack;
  await remember(NO_ONE);
  const reached = reachPeer(a.orchestrator, entry(), reach({ waitMs: 60_000 }));
  await using _server = await serveNothing(b);
  await using connection = await reached;
  assert.equal(connection.isClosed, false);
});

Deno.test("reachPeer() ends with timed_out when its time is over, with its signal's reason when stopped", async () => {
  const { a, entry, stack } = await setUp();
  await using _ = stack;
  const short = reach({ timeoutMs: 50, waitMs: 60_000 });
  await assert.rejects(reachPeer(a.orchestrator, entry(), short), { code: "timed_out" });
  const reason = new Error("stop");
  const stop = new AbortController();
  const reached = reachPeer(a.orchestrator, entry(), reach({ signal: stop.signal, retries: 9 }));
  stop.abort(reason);
  await assert.rejects(reached, reason);
});

Deno.test("reachPeer() without discovery and without an address says at once what is missing", async () => {
  const folder = temporaryFolder();
  using _ = folder;
  await using a = await OrchestratedDevice.open(folder.path, "a");
  await using b = await OrchestratedDevice.open(folder.path, "b");
  await a.trust(b, "b");
  const entry = a.orchestrator.trust.resolve("b");
  await assert.rejects(reachPeer(a.orchestrator, entry, reach({ retries: 1000 })), {
    code: "peer_unreachable",
    message: /No address of "b" is known/,
    hint: /--address/,
  });
});

Deno.test("reachPeer() looks for a peer under the key that it is moving to", async () => {
  const { network, a, b, c, entry, stack } = await setUp();
  await using _ = stack;
  // The rotation itself is tested elsewhere: c is what b will be.
  const [before, next] = [b.orchestrator.identity, c.orchestrator.identity];
  await a.orchestrator.trust.rotate({
    oldFingerprint: before.fingerprint,
    newFingerprint: next.fingerprint,
    newSpki: next.spki,
  });
  await using server = await serveNothing(c);
  network.add({ idPrefix: "AAAAAAAA", addresses: [NO_ONE] });
  await using connection = await reachPeer(a.orchestrator, entry(), reach());
  assert.equal(connection.remoteAddress.port, server.address.port);
});

Deno.test("a trusted peer that appears is connected by itself, and told of where no transport is", async () => {
  const { a, b, entry, stack } = await setUp();
  await using _ = stack;
  await using server = await serveNothing(b);
  const told = Promise.withResolvers<{ alias: string; port: number }>();
  a.orchestrator.onPeerDiscovered(({ entry, addresses }) => {
    told.resolve({ alias: entry.alias, port: addresses[0]!.port });
  });
  {
    using _watch = a.orchestrator.watchPeers();
    assert.deepEqual(await told.promise, { alias: "b", port: server.address.port });
    assert.equal(a.orchestrator.appeared.has(entry()), false);
  }
  await a.orchestrator.initializeQuicTransport();
  const connected = Promise.withResolvers<void>();
  using _watch = a.orchestrator.watchPeers((entry, connection) => {
    a.orchestrator.appeared.put(entry, connection);
    connected.resolve();
  });
  await connected.promise;
  assert.equal(a.orchestrator.appeared.has(entry()), true);
  await using connection = await reachPeer(a.orchestrator, entry(), reach({ address: NO_ONE }));
  assert.equal(connection.remoteAddress.port, server.address.port);
  assert.equal(a.orchestrator.appeared.has(entry()), false);
});

Deno.test("a server notes where trusted peers are, and when it met them", async () => {
  const { a, b, entry, stack } = await setUp();
  await using _ = stack;
  await using server = await serveNothing(b);
  assert.deepEqual([entry().addresses, entry().lastSeenMs], [[], undefined]);
  await using _own = await serveNothing(a);
  const there = `${LOOPBACK}:${server.address.port}`;
  for (let tries = 0; entry().addresses.length === 0 && tries < 500; tries++) await delay(10);
  assert.deepEqual(entry().addresses, [there]);
  assert.ok(entry().lastSeenMs! > 0);
});

Deno.test("a watch looks at an announcement once it has connected no more, and at others in every round", async () => {
  const { a, b, c, stack } = await setUp();
  await using _ = stack;
  await a.trust(c, "c");
  await using server = await serveNothing(b, LOOPBACK);
  const hint = (device: OrchestratedDevice, port: number): PeerHint => ({
    instance: device.orchestrator.identity.id,
    idPrefix: announcedId(device.orchestrator.identity.id).slice(0, 8),
    addresses: [{ host: LOOPBACK, port }],
  });
  // b is where it says; somebody else is where c would be.
  let nowMs = 0;
  let round = 0;
  const dialled: number[] = [];
  const over = Promise.withResolvers<void>();
  const discovery = {
    async *discover() {
      nowMs += 10 * 60_000;
      if (++round === 4) return over.resolve(void (nowMs -= 10 * 60_000));
      yield hint(b, server.address.port);
      yield hint(c, server.address.port);
      await delay(300);
    },
  };
  const watching = Object.create(a.orchestrator, {
    discovery: { value: () => Promise.resolve(discovery) },
    options: {
      value: { ...a.orchestrator.options, clock: { ...systemClock, nowMs: () => nowMs } },
    },
    hasQuicTransport: { value: true },
    dial: {
      value: (...args: Parameters<Orchestrator["dial"]>) => {
        dialled.push(args[0].alias.charCodeAt(0));
        return a.orchestrator.dial(...args);
      },
    },
  });
  const connected: string[] = [];
  using _watch = new PeerWatch(watching, {
    onDiscovered: () => assert.fail("there is a transport"),
    onConnected: ({ alias }, connection) => {
      connected.push(alias);
      void connection.close(0);
    },
  });
  await over.promise;
  assert.deepEqual(connected, ["b"]);
  assert.deepEqual(dialled.map((code) => String.fromCharCode(code)), ["b", "c", "c", "c"]);
});
