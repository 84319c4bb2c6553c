import assert from "node:assert/strict";
import { concat, fromHex } from "../../src/base/bytes.ts";
import { CLOSE_CODE } from "../../src/base/wire_codes.ts";
import { ConnectionLost, QuicEndpoint } from "../../src/quic/mod.ts";
import { openUdpSocket } from "../../src/quic/open_socket.ts";
import { parseLongHeader } from "../../src/quic/packet.ts";
import { RETRY_TOKEN_LIFETIME_MS } from "../../src/quic/retry_tokens.ts";
import { FakeBinding, FakeClock } from "../support/quic_fake.ts";
import { FakeSocket } from "../support/quic_fake_socket.ts";
import { EndpointPair, TEST_ALPN } from "../support/quic_pair.ts";
import { makeIdentity } from "../support/quic_identity.ts";

const NO_TOKEN = new Uint8Array(0);
const CLIENT = { host: "192.0.2.1", port: 50_000 };

/** An Initial as far as an endpoint reads it before it knows the connection. */
function initial(id: Uint8Array, token: Uint8Array = NO_TOKEN): Uint8Array {
  const datagram = new Uint8Array(1200);
  const tokenLength = new Uint8Array([0x40 | token.length >> 8, token.length & 255]);
  datagram.set(concat([
    fromHex("c000000001"),
    new Uint8Array([id.length]),
    id,
    fromHex("0401020304"),
    tokenLength,
    token,
  ]));
  return datagram;
}

function idOf(n: number): Uint8Array {
  const id = new Uint8Array(8);
  new DataView(id.buffer).setUint32(0, n);
  return id;
}

async function openFake() {
  const [binding, socket, clock] = [new FakeBinding(), new FakeSocket(), new FakeClock()];
  const options = { identity: { keyPem: "", certPem: "" }, binding, socket, clock, timers: clock };
  const endpoint = await QuicEndpoint.bind(options);
  endpoint.listen({ alpns: () => [TEST_ALPN], verify: () => {}, onConnection: () => {} });
  const settle = () => new Promise((resolve) => setTimeout(resolve, 2));
  return { binding, socket, clock, endpoint, settle };
}

Deno.test("10 000 spoofed clients leave places for one that proves its address", async () => {
  const { binding, socket, clock, endpoint, settle } = await openFake();
  for (let n = 0; n < 10_000; n++) {
    socket.put(initial(idOf(n)), { host: `198.18.${n >> 8 & 255}.${n & 255}`, port: 1024 + n });
    if (n % 1000 === 999) await settle();
  }
  assert.equal(binding.connections.length, 17);
  assert.equal(endpoint.connectionCount, 17);
  assert.equal(endpoint.counters.retries, 9983);
  const bytesSent = socket.sent.reduce((sum, { datagrams }) => sum + datagrams[0]!.length, 0);
  assert(bytesSent < 10_000 * 1200 / 10, "no amplifier");

  socket.put(initial(idOf(1 << 20)), CLIENT);
  await settle();
  const { token, id } = binding.retryTokens.at(-1)!;
  assert.equal(socket.sent.at(-1)!.to.port, CLIENT.port);
  socket.put(initial(id, token), CLIENT);
  await settle();
  assert.equal(binding.connections.length, 18);

  // Those that never came back are given up, with code 2.
  clock.advance(10_000);
  const closed = binding.connections.filter(({ log }) => log.includes("close app 2"));
  assert.equal(closed.length, 18);
  await endpoint[Symbol.asyncDispose]();
});

Deno.test("a Retry token opens nothing from another port, late, or altered", async () => {
  const { binding, socket, clock, endpoint, settle } = await openFake();
  for (let n = 0; n < 18; n++) socket.put(initial(idOf(n)), { host: `198.18.0.${n}`, port: 9 });
  await settle();
  const { token, id } = binding.retryTokens[0]!;
  const from = socket.sent.at(-1)!.to;
  const altered = token.slice();
  altered[3]! ^= 1;
  socket.put(initial(id, token), { host: from.host, port: from.port + 1 });
  socket.put(initial(id, token), { host: "198.18.9.9", port: from.port });
  socket.put(initial(id, altered), from);
  socket.put(initial(idOf(77), token), from);
  await settle();
  assert.equal(endpoint.counters.badTokens, 4);
  assert.equal(binding.connections.length, 17);
  clock.advance(RETRY_TOKEN_LIFETIME_MS);
  socket.put(initial(id, token), from);
  await settle();
  assert.equal(endpoint.counters.badTokens, 5);
  assert.equal(binding.connections.length, 17);
  await endpoint[Symbol.asyncDispose]();
});

for (const udp of Deno.build.os === "linux" ? ["linux", "dgram"] as const : ["dgram"] as const) {
  Deno.test(`a flood of first datagrams from many ports leaves a peer connecting [${udp}]`, async () => {
    await using pair = await EndpointPair.open({ server: { udp }, client: { udp } });
    const identity = await makeIdentity();
    // Whole handshakes begun and left alone, and their first datagrams again under new ids.
    const samples = await Promise.all(Array.from({ length: 30 }, () => firstDatagram(identity)));
    const { port } = pair.server.localAddress;
    const sockets = await Promise.all(
      Array.from({ length: 50 }, () => openUdpSocket({ host: "127.0.0.1", port: 0 }, udp)),
    );
    for (let n = 0; n < 2000; n++) {
      const copy = samples[n % 30]!.slice();
      if (n >= 30) copy.set(idOf(n), 6);
      const socket = sockets[n % 50]!;
      socket.sendOne(socket.addressOf({ host: "127.0.0.1", port }), copy);
      // Not faster than the server reads: what its queue drops is no flood.
      if (n % 100 === 99) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const { near, far } = await pair.connect();
    assert(pair.server.counters.retries > 0, "the client had to prove its address");
    assert(pair.server.connectionCount <= 64, `${pair.server.connectionCount}`);
    const stream = await near.openUni();
    await stream.write(new Uint8Array([42]));
    const arrived = (await far.incomingUni.next()).value;
    const buffer = new Uint8Array(4);
    assert.equal(await arrived.read(buffer), 1);
    assert.equal(buffer[0], 42);
    await Promise.all(sockets.map((socket) => socket.close()));
  });
}

Deno.test("a client that falls silent in the handshake is given up with code 2", async () => {
  await using pair = await EndpointPair.open({
    server: { profile: { handshakeTimeoutMs: 60 } },
  });
  const sample = await firstDatagram(await makeIdentity());
  const socket = await openUdpSocket({ host: "127.0.0.1", port: 0 });
  socket.sendOne(socket.addressOf(pair.server.localAddress), sample);
  while (pair.server.counters.handshakeTimeouts === 0) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(pair.server.counters.handshakeTimeouts, 1);
  await socket.close();
});

Deno.test("a peer's fifth connection is closed with code 0 while the others are alive", async () => {
  await using pair = await EndpointPair.open({ listen: { peerKey: () => "the peer" } });
  const four = [];
  for (let i = 0; i < 4; i++) four.push(await pair.connect());
  const fifth = await pair.dial();
  const info = await fifth.closed;
  assert.deepEqual([info.by, info.isApplication, info.code], ["peer", true, CLOSE_CODE.normal]);
  assert.equal(pair.server.counters.surplusConnections, 1);
  await four[0]!.near.close(CLOSE_CODE.normal);
  await four[0]!.far.closed;
  const again = await pair.connect();
  assert.equal(again.near.isClosed, false);
});

Deno.test("peers beyond peersMax are closed with code 0", async () => {
  let peers = 0;
  await using pair = await EndpointPair.open({
    listen: { peerKey: () => `peer ${++peers}`, limits: { peersMax: 2 } },
  });
  await pair.connect();
  await pair.connect();
  const third = await pair.dial();
  const { by, code } = await third.closed;
  assert.deepEqual([by, code], ["peer", CLOSE_CODE.normal]);
  await assert.rejects(third.openUni(), ConnectionLost);
});

async function firstDatagram(identity: { keyPem: string; certPem: string }): Promise<Uint8Array> {
  const socket = new FakeSocket();
  const endpoint = await QuicEndpoint.bind({ identity, socket });
  const dialling = endpoint.connect(CLIENT, { alpn: TEST_ALPN, verify: () => {} });
  dialling.catch(() => {});
  while (socket.sent.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const datagram = socket.sent[0]!.datagrams[0]!;
  assert.equal(parseLongHeader(datagram)?.isInitial, true);
  await endpoint[Symbol.asyncDispose]();
  return datagram;
}
