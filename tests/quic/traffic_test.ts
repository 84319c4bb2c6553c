import assert from "node:assert/strict";
import { concat, fromHex } from "../../src/base/bytes.ts";
import { CLOSE_CODE } from "../../src/base/wire_codes.ts";
import { QuicEndpoint, type Traffic } from "../../src/quic/mod.ts";
import { FakeBinding, FakeClock } from "../support/quic_fake.ts";
import { FakeSocket } from "../support/quic_fake_socket.ts";
import { EndpointPair, TEST_ALPN } from "../support/quic_pair.ts";
import { readAll } from "../support/quic_streams.ts";

const BYTES = 300_000;

Deno.test("traffic() keeps the sums of connections that are gone", async () => {
  await using pair = await EndpointPair.open();
  let before = pair.server.traffic();
  for (let round = 1; round <= 2; round++) {
    const { near, far } = await pair.connect();
    const { send, recv } = await near.openBidi();
    const answering = far.incomingBidi.next().then(async ({ value }) => {
      assert.equal((await readAll(value!.recv)).length, BYTES);
      await value!.send.finish();
    });
    await send.write(new Uint8Array(BYTES));
    await send.finish();
    await answering;
    await readAll(recv);
    const during = checkGrown(pair.server.traffic(), before);
    assert.ok(during.receivedBytes >= before.receivedBytes + BYTES);
    assert.deepEqual([during.acceptedBidi, during.openedBidi], [round, 0]);
    assert.ok(during.sentPackets >= far.stats().sentPackets);
    await near.close(CLOSE_CODE.normal);
    await far.closed;
    await until(() => pair.server.connectionCount === 0);
    before = checkGrown(pair.server.traffic(), during);
  }
  assert.deepEqual(pair.server.connectionStates, {
    handshaking: 0,
    open: 0,
    closing: 0,
    streams: 0,
  });
  assert.equal(pair.client.traffic().openedBidi, 2);
});

Deno.test("stats() and traffic() count what is on the wire, padding too", async () => {
  await using pair = await EndpointPair.open();
  const { near, far } = await pair.connect();
  const stream = await near.openUni();
  await stream.write(new Uint8Array(BYTES));
  await stream.finish();
  await readAll((await far.incomingUni.next()).value!);
  await until(() => near.stats().sentBytes === far.stats().receivedBytes);
  await until(() => far.stats().sentBytes === near.stats().receivedBytes);
  // A client's first datagram is padded to 1200 bytes (RFC 9000 section 14.1), its second is whole.
  assert.ok(near.stats().sentBytes >= BYTES + 1200 + 400, `${near.stats().sentBytes}`);
  assert.equal(pair.client.traffic().sentBytes, near.stats().sentBytes);
});

Deno.test("connectionStates and counters tell handshakes, connections and streams apart", async () => {
  let isWelcome = true;
  await using pair = await EndpointPair.open({
    listen: {
      verify: () => {
        if (!isWelcome) throw new Error("a stranger");
      },
    },
  });
  const { near, far } = await pair.connect();
  const stream = await near.openUni();
  await stream.write(new Uint8Array(10));
  await far.incomingUni.next();
  assert.deepEqual(pair.server.connectionStates, {
    handshaking: 0,
    open: 1,
    closing: 0,
    streams: 1,
  });
  isWelcome = false;
  await (await pair.dial()).closed;
  // No protocol in common: TLS ends it.
  await assert.rejects(pair.dial({ alpn: "something-else/1" }));
  const { counters } = pair.server;
  await until(() => pair.server.connectionCount === 1);
  assert.deepEqual(
    [counters.verifiedPeers, counters.refusedPeers, counters.failedHandshakes],
    [1, 1, 1],
  );
  // The client proved the server twice; the second one turned it away afterwards.
  assert.equal(pair.client.counters.verifiedPeers, 2);
});

Deno.test("a client that QUIC gives up at once frees one place, not two", async () => {
  const [binding, socket, clock] = [new FakeBinding(), new FakeSocket(), new FakeClock()];
  const identity = { keyPem: "", certPem: "" };
  await using endpoint = await QuicEndpoint.bind({
    identity,
    binding,
    socket,
    clock,
    timers: clock,
  });
  endpoint.listen({
    alpns: () => [TEST_ALPN],
    verify: () => {},
    onConnection: () => {},
    limits: { connectionsMax: 2 },
  });
  const arrive = async (port: number) => {
    socket.put(initial(port), { host: "127.0.0.1", port });
    await settle();
  };
  await arrive(1);
  const garbage = binding.connections[0]!;
  // What the native core does with a connection that never saw a packet it could read.
  garbage.close = () => void (garbage.closed = true);
  clock.advance(10_000);
  await settle();
  assert.equal(endpoint.connectionCount, 0);
  assert.equal(endpoint.counters.handshakeTimeouts, 1);
  for (const port of [2, 3, 4]) await arrive(port);
  assert.equal(endpoint.connectionCount, 2);
  assert.equal(endpoint.counters.shedClients, 1);
});

function initial(n: number): Uint8Array {
  const datagram = new Uint8Array(1200);
  datagram.set(
    concat([fromHex("c00000000108"), new Uint8Array(8).fill(n), fromHex("040102030400")]),
  );
  return datagram;
}

function checkGrown(now: Traffic, before: Traffic): Traffic {
  for (const [key, value] of Object.entries(before)) {
    assert.ok(now[key as keyof Traffic] >= value, `${key} went backwards`);
  }
  return now;
}

function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2));
}

async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; tries < 2000; tries++) {
    if (isSo()) return;
    await settle();
  }
  assert.fail("it did not come to that");
}
