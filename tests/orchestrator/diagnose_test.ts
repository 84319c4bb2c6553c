import assert from "node:assert/strict";
import { createSocket, type RemoteInfo } from "node:dgram";
import { chmodSync } from "node:fs";
import { MemoryNetwork } from "../../src/discovery/mod.ts";
import { announcedId } from "../../src/orchestrator/announcement.ts";
import {
  type Check,
  checkDevice,
  checkNetwork,
  checkPeer,
  nearbyDevices,
  ONLINE_PROBE_MS,
  onlinePeers,
  reportPeer,
} from "../../src/orchestrator/diagnose/mod.ts";
import { LOOPBACK, OrchestratedDevice, serveNothing } from "../support/orchestrated_device.ts";
import { temporaryFolder } from "../support/tree.ts";

const NO_ONE = `${LOOPBACK}:9`;
const { signal } = new AbortController();

/** Devices a, b and c; a trusts both others, b trusts a, c trusts nobody. */
async function setUp() {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(temporaryFolder());
  const network = new MemoryNetwork();
  const open = async (name: string) =>
    stack.use(await OrchestratedDevice.open(folder.path, name, { network }));
  const [a, b, c] = [await open("a"), await open("b"), await open("c")];
  await a.trust(b, "b", NO_ONE);
  await a.trust(c, "c", NO_ONE);
  await b.trust(a, "a");
  const entry = (name: string) => a.orchestrator.trust.resolve(name);
  return { network, a, b, c, entry, stack };
}

async function collect(checks: AsyncIterable<Check>): Promise<Map<string, Check>> {
  const found = new Map<string, Check>();
  for await (const check of checks) {
    if (!check.ok) assert.ok(check.hint, `${check.name} failed without a hint`);
    found.set(check.name, check);
  }
  return found;
}

const summary = (checks: Map<string, Check>) =>
  [...checks.values()].map(({ name, ok }) => [name, ok]);

Deno.test("nearbyDevices() lists others once, names trusted ones, and leaves this device out", async () => {
  const { network, a, b, stack } = await setUp();
  await using _ = stack;
  await using server = await serveNothing(b);
  await using _own = await serveNothing(a);
  network.add({ idPrefix: "AAAAAAAA", slot: 7, addresses: [{ host: "192.0.2.9", port: 1 }] });
  const seen = [];
  for await (const device of nearbyDevices(a.orchestrator, { timeoutMs: 50, signal })) {
    seen.push([device.entry?.alias, device.idPrefix, device.addresses[0]!.port, device.slot]);
  }
  assert.deepEqual(seen, [
    ["b", announcedId(b.orchestrator.identity.id).slice(0, 8), server.address.port, undefined],
    [undefined, "AAAAAAAA", 1, 7],
  ]);
});

Deno.test("onlinePeers() tells who is there by a handshake, not by what is announced", async () => {
  const { network, a, b, c, stack } = await setUp();
  await using _ = stack;
  await using server = await serveNothing(b);
  // Somebody else announces c.
  const there = { host: LOOPBACK, port: server.address.port };
  network.add({
    idPrefix: announcedId(c.orchestrator.identity.id).slice(0, 8),
    addresses: [there],
  });
  const startMs = performance.now();
  const online = await onlinePeers(a.orchestrator, signal);
  assert.ok(performance.now() - startMs < ONLINE_PROBE_MS + 10_000);
  assert.deepEqual([...online], [[b.orchestrator.identity.id, `${LOOPBACK}:${there.port}`]]);
});

Deno.test("reportPeer() says what a peer offers, or that it does not trust this device", async () => {
  const { a, b, c, entry, stack } = await setUp();
  await using _ = stack;
  await using _b = await serveNothing(b);
  await using _c = await serveNothing(c);
  const report = await reportPeer(a.orchestrator, entry("b"), { address: undefined, signal });
  assert.deepEqual(report.shares, []);
  assert.ok(report.rttMs < 10_000 && report.stats.datagramBytes >= 1200);
  await assert.rejects(reportPeer(a.orchestrator, entry("c"), { address: undefined, signal }), {
    code: "peer_untrusted",
    message: /"c" does not trust this device/,
    hint: new RegExp(`peers trust ${a.orchestrator.identity.id}`),
  });
});

Deno.test("checkDevice() finds open folders, a clock that was set back and that nobody is trusted", async () => {
  const { a, c, stack } = await setUp();
  await using _ = stack;
  const good = await collect(checkDevice(a.orchestrator));
  assert.deepEqual(summary(good), [
    ["home", true],
    ["identity", true],
    ["clock", true],
    ["peers", true],
  ]);
  assert.equal((await collect(checkDevice(c.orchestrator))).get("peers")!.ok, false);
  const folder = c.orchestrator.options.configDir;
  chmodSync(folder, 0o755);
  const open = (await collect(checkDevice(c.orchestrator))).get("home")!;
  assert.equal(open.ok, false);
  assert.match(open.hint!, /chmod go= /);
  const past = { ...c.orchestrator.options.clock, wallMs: () => Date.UTC(1970, 0, 2) };
  chmodSync(folder, 0o700);
  const early = Object.create(c.orchestrator, {
    options: { value: { ...c.orchestrator.options, clock: past } },
  });
  assert.equal((await collect(checkDevice(early))).get("clock")!.ok, false);
});

Deno.test("checkNetwork() looks at the transport and tells whose the serving port is", async () => {
  const { a, b, stack } = await setUp();
  await using _ = stack;
  await using own = await serveNothing(a);
  await using others = await serveNothing(b);
  const check = (servePort: number) =>
    collect(checkNetwork(a.orchestrator, { servePort, discovery: false }));
  const [mine, theirs] = [own.address.port, others.address.port];
  const first = await check(mine);
  assert.deepEqual(first.get("transport")!.ok, true);
  assert.match(first.get(`UDP port ${mine}`)!.message, /this device is serving/);
  const second = (await check(theirs)).get(`UDP port ${theirs}`)!;
  assert.equal(second.ok, false);
  assert.match(second.hint!, /--listen/);
});

Deno.test("checkPeer() names each address and goes on with the one that answers", async () => {
  const { a, b, c, entry, stack } = await setUp();
  await using _ = stack;
  await using server = await serveNothing(b);
  await using stranger = await serveNothing(c);
  const { fingerprint } = entry("b");
  const wrong = `${LOOPBACK}:${stranger.address.port}`;
  await a.orchestrator.trust.touch({ fingerprint, address: wrong });
  const options = { address: undefined, timeoutMs: 1000, discovery: true, signal };
  const checks = await collect(checkPeer(a.orchestrator, entry("b"), options));
  assert.match(checks.get(wrong)!.message, /another device answered/);
  assert.match(checks.get(NO_ONE)!.message, /No answer/);
  assert.match(checks.get(`${LOOPBACK}:${server.address.port}`)!.message, /answers after/);
  assert.equal(checks.get("trust")!.ok, true);
  assert.equal(checks.get("shares")!.ok, false);
  assert.equal(checks.get("path")!.ok, true);
});

Deno.test("checkPeer() says what to do about a peer that nobody finds, or that refuses", async () => {
  const { a, c, entry, stack } = await setUp();
  await using _ = stack;
  const options = { address: undefined, timeoutMs: 200, discovery: true, signal };
  const lost = await collect(checkPeer(a.orchestrator, entry("b"), options));
  assert.deepEqual(summary(lost), [["discovery", false], [NO_ONE, false]]);
  await using server = await serveNothing(c);
  const address = { host: LOOPBACK, port: server.address.port };
  const refused = await collect(checkPeer(a.orchestrator, entry("c"), { ...options, address }));
  assert.equal(refused.get("trust")!.ok, false);
  assert.match(refused.get("trust")!.hint!, /peers trust/);
});

Deno.test("checkPeer() does not keep a peer that answers waiting for addresses that don't", async () => {
  const { a, b, entry, stack } = await setUp();
  await using _ = stack;
  await using server = await serveNothing(b);
  const { fingerprint } = entry("b");
  await a.orchestrator.trust.touch({ fingerprint, address: `${LOOPBACK}:${server.address.port}` });
  // Longer than the peer waits for the first word on a connection.
  const options = { address: undefined, timeoutMs: 12_000, discovery: false, signal };
  const checks = await collect(checkPeer(a.orchestrator, entry("b"), options));
  assert.match(checks.get(NO_ONE)!.message, /no answer so far/);
  assert.equal(checks.get("trust")!.ok, true);
});

Deno.test("checkPeer() finds a path that swallows large datagrams", async () => {
  const { a, b, entry, stack } = await setUp();
  await using _ = stack;
  await using server = await serveNothing(b);
  await using tunnel = await Tunnel.open(server.address.port, 1300);
  const options = { address: tunnel.address, timeoutMs: 5000, discovery: false, signal };
  const checks = await collect(checkPeer(a.orchestrator, entry("b"), options));
  const path = checks.get("path")!;
  assert.equal(path.ok, false);
  assert.match(path.message, /carries 1200 bytes in a datagram, .*; those of \d+ bytes vanish/);
  assert.ok(tunnel.dropped > 0);
});

/** Passes datagrams on to a port, but for those that are too large. */
class Tunnel implements AsyncDisposable {
  dropped = 0;
  readonly #near = createSocket("udp4");
  readonly #far = new Map<number, ReturnType<typeof createSocket>>();

  static async open(port: number, bytesMax: number): Promise<Tunnel> {
    const tunnel = new Tunnel();
    const near = tunnel.#near;
    near.on("message", (bytes: Uint8Array, from: RemoteInfo) => {
      let far = tunnel.#far.get(from.port);
      if (far === undefined) {
        tunnel.#far.set(from.port, far = createSocket("udp4"));
        far.on("message", (bytes: Uint8Array) => {
          if (bytes.length > bytesMax) tunnel.dropped++;
          else near.send(bytes, from.port, from.address);
        });
      }
      if (bytes.length > bytesMax) tunnel.dropped++;
      else far.send(bytes, port, LOOPBACK);
    });
    await new Promise<void>((resolve) => near.bind(0, LOOPBACK, resolve));
    return tunnel;
  }

  get address(): { host: string; port: number } {
    return { host: LOOPBACK, port: this.#near.address().port };
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const socket of [this.#near, ...this.#far.values()]) socket.close();
    return Promise.resolve();
  }
}
