/** How an endpoint sends by what it knows of a path: congestion control and pacing. */
import assert from "node:assert/strict";
import { PathMemory, QuicEndpoint, type TransportProfile } from "../../src/quic/mod.ts";
import { FakeSocket } from "../support/quic_fake_socket.ts";
import { FakeBinding, FakeClock } from "../support/quic_fake.ts";

const ALPN = "landropic-test/1";
const REMOTE = { host: "192.0.2.7", port: 4433 };
/** Of the connection that is dialled last. */
const ID = new Uint8Array(8).fill(7);
const LAN = { rttMs: 1, packets: 5000, lost: 0 };
const WAN = { rttMs: 50, packets: 5000, lost: 2 };
const LOSSY = { rttMs: 50, packets: 5000, lost: 60 };

async function open(paths: PathMemory, profile: Partial<TransportProfile> = {}) {
  const [binding, socket, clock] = [new FakeBinding(), new FakeSocket(), new FakeClock()];
  const identity = { keyPem: "", certPem: "" };
  const timers = clock;
  const endpoint = await QuicEndpoint.bind({
    identity,
    binding,
    socket,
    clock,
    timers,
    paths,
    profile,
  });
  const dial = async (remote = REMOTE) => {
    const connecting = endpoint.connect(remote, { alpn: ALPN, verify: () => {}, sourceId: ID });
    const native = binding.connections.at(-1)!;
    native.established = true;
    await settle();
    return { connection: await connecting, native };
  };
  const sentBytes = () =>
    socket.sent.flatMap(({ datagrams }) => datagrams)
      .reduce((sum, { length }) => sum + length, 0);
  return {
    binding,
    socket,
    clock,
    endpoint,
    dial,
    sentBytes,
    [Symbol.asyncDispose]: () => endpoint[Symbol.asyncDispose](),
  };
}

Deno.test("QuicEndpoint chooses the congestion control by what is known of the path", async () => {
  const paths = new PathMemory([["192.0.2.1", LAN], ["192.0.2.2", WAN], ["192.0.2.3", LOSSY]]);
  await using rig = await open(paths);
  for (const host of ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "127.0.0.1"]) {
    await rig.dial({ host, port: 1 });
  }
  assert.deepEqual(rig.binding.controls, ["cubic", "bbr", "bbr", "bbr", "bbr"]);
});

Deno.test("QuicEndpoint uses the congestion control that it is told to", async () => {
  await using rig = await open(new PathMemory([[REMOTE.host, LAN]]), { congestionControl: "reno" });
  await rig.dial();
  assert.deepEqual(rig.binding.controls, ["reno"]);
});

Deno.test("QuicEndpoint learns the path of a connection for the next one, when it ends or goes with it", async () => {
  for (const how of ["ends", "goes"]) {
    const paths = new PathMemory();
    const rig = await open(paths);
    const { connection, native } = await rig.dial();
    for (let i = 1; i <= 12; i++) {
      native.counters = { ...native.counters, sent: i * 100 };
      rig.clock.advance(60);
      connection.ping();
      await settle();
    }
    if (how === "ends") {
      native.closed = true;
      await connection.close(0);
      assert.equal(rig.endpoint.connectionCount, 0);
      await rig.dial();
      assert.deepEqual(rig.binding.controls, ["bbr", "cubic"]);
    }
    await rig.endpoint[Symbol.asyncDispose]();
    const { rttMs, packets, lost } = paths.get(REMOTE.host);
    assert.ok(packets >= 1000, `${packets} packets`);
    assert.deepEqual([rttMs, lost], [0, 0]);
  }
});

Deno.test("QuicEndpoint spreads a window over a long round trip, in bursts of the native core's quantum", async () => {
  await using rig = await open(new PathMemory());
  const { connection, native } = await rig.dial();
  native.path = { ...native.path, rtt: 100, cwnd: 100_000, deliveryRate: 1e6 };
  native.sendQuantum = () => 5000;
  // Longer than any interval between samples.
  rig.clock.advance(60);
  const before = rig.sentBytes();
  for (let i = 0; i < 60; i++) native.outgoing.push(new Uint8Array(1000));
  connection.ping();
  await settle();
  // 2 MB a second.
  assert.equal(rig.sentBytes() - before, 5000);
  for (let ms = 1; ms <= 20; ms++) {
    rig.clock.advance(1);
    await settle();
    const sent = rig.sentBytes() - before;
    assert.ok(sent <= 5000 + ms * 2000, `${sent} bytes after ${ms} ms`);
  }
  const after20 = rig.sentBytes() - before;
  assert.ok(after20 >= 35_000, `${after20} bytes after 20 ms`);
  rig.clock.advance(20);
  for (let i = 0; i < 10; i++) await settle();
  assert.equal(native.outgoing.length, 0, "all is sent in the end");
});

Deno.test("QuicEndpoint lets datagrams of a distant peer gather, and of a near one never", async () => {
  for (const [rtt, atOnce] of [[50, 1], [9, 3]] as const) {
    await using rig = await open(new PathMemory());
    const { connection, native } = await rig.dial();
    native.path = { ...native.path, rtt };
    rig.clock.advance(60);
    connection.ping();
    await settle();
    const put = async () => {
      rig.socket.put(new Uint8Array([0x40, ...ID, 1, 2, 3]), REMOTE);
      await settle();
    };
    for (let i = 0; i < 3; i++) await put();
    assert.equal(native.received.length, atOnce, `at ${rtt} ms`);
    rig.clock.advance(1);
    assert.equal(native.received.length, 3);
    // After a moment of silence the next one is looked at when it comes.
    rig.clock.advance(1);
    await put();
    assert.equal(native.received.length, 4);
  }
});

Deno.test("QuicEndpoint sends the end of a connection however much is held back", async () => {
  await using rig = await open(new PathMemory());
  const { connection, native } = await rig.dial();
  native.path = { ...native.path, rtt: 100, cwnd: 10_000 };
  native.sendQuantum = () => 1000;
  rig.clock.advance(60);
  for (let i = 0; i < 5; i++) native.outgoing.push(new Uint8Array(1000));
  connection.ping();
  await settle();
  assert.ok(native.outgoing.length > 0);
  await connection.close(0);
  assert.equal(native.outgoing.length, 0);
});

function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2));
}
