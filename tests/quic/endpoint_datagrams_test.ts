import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, fromHex } from "../../src/base/bytes.ts";
import { QuicEndpoint, QuicError } from "../../src/quic/mod.ts";
import { FakeBinding, FakeClock } from "../support/quic_fake.ts";
import { FakeSocket } from "../support/quic_fake_socket.ts";

const PEER = { host: "192.0.2.1", port: 50_000 };
const IDENTITY = { keyPem: "", certPem: "" };
const DESTINATION_ID = fromHex("8394c8f03e515708");

/** An Initial as far as the endpoint reads it, padded to `byteLength`. */
function initial(byteLength = 1200, id = DESTINATION_ID, version = "00000001"): Uint8Array {
  const head = concat([
    fromHex(`c0${version}`),
    new Uint8Array([id.length]),
    id,
    fromHex("0401020304 00"),
  ]);
  const datagram = new Uint8Array(byteLength);
  datagram.set(head.subarray(0, byteLength));
  return datagram;
}

async function open(listening = true) {
  const [binding, socket, clock] = [new FakeBinding(), new FakeSocket(), new FakeClock()];
  const endpoint = await QuicEndpoint.bind({
    identity: IDENTITY,
    binding,
    socket,
    clock,
    timers: clock,
  });
  const connections: unknown[] = [];
  if (listening) {
    endpoint.listen({
      alpns: () => ["landropic-test/1"],
      verify: () => {},
      onConnection: (connection) => connections.push(connection),
    });
  }
  const settle = () => new Promise((resolve) => setTimeout(resolve, 2));
  return {
    binding,
    socket,
    clock,
    endpoint,
    connections,
    /** Delivers and lets the endpoint have its turns. */
    put: async (datagram: Uint8Array, from = PEER) => {
      socket.put(datagram, from);
      await settle();
    },
    settle,
  };
}

Deno.test("an Initial opens a connection, and later datagrams with its id reach it", async () => {
  const { binding, endpoint, put, connections } = await open();
  await put(initial());
  await put(initial(1300));
  assert.equal(binding.connections.length, 1);
  assert.deepEqual(binding.connections[0]!.received.map((d) => d.length), [1200, 1300]);
  binding.connections[0]!.established = true;
  await put(initial());
  assert.equal(connections.length, 1);
  await endpoint[Symbol.asyncDispose]();
});

for (
  const [what, datagram] of [
    ["an Initial in less than 1200 bytes", initial(1199)],
    ["an Initial with a destination id below 8 bytes", initial(1200, fromHex("01020304050607"))],
    [
      "a Handshake packet of no connection",
      (() => {
        const d = initial();
        d[0] = 0xe0;
        return d;
      })(),
    ],
    [
      "a 0-RTT packet of no connection",
      (() => {
        const d = initial();
        d[0] = 0xd0;
        return d;
      })(),
    ],
    ["a version negotiation packet", initial(1200, DESTINATION_ID, "00000000")],
    ["an unknown version in less than 1200 bytes", initial(1199, DESTINATION_ID, "0a0a0a0a")],
    ["a short header of no connection", new Uint8Array(1200).fill(0x40)],
    ["one byte", new Uint8Array([0xc0])],
  ] as const
) {
  Deno.test(`${what} is dropped without an answer`, async () => {
    const { binding, socket, endpoint, put } = await open();
    await put(datagram.slice());
    assert.equal(binding.connections.length, 0);
    assert.equal(socket.sent.length, 0);
    assert.equal(endpoint.counters.strayDatagrams, 1);
    await endpoint[Symbol.asyncDispose]();
  });
}

Deno.test("an unknown version in 1200 bytes is answered with version negotiation", async () => {
  const { binding, socket, endpoint, put } = await open();
  await put(initial(1200, DESTINATION_ID, "0a0a0a0a"));
  assert.equal(binding.connections.length, 0);
  const [answer] = socket.sent[0]!.datagrams;
  assert.equal(answer![0]! & 0x80, 0x80);
  assert.deepEqual(
    answer!.subarray(1),
    fromHex("00000000 0401020304 088394c8f03e515708 00000001"),
  );
  assert.equal(socket.sent[0]!.to.port, PEER.port);
  await endpoint[Symbol.asyncDispose]();
});

Deno.test("an endpoint that does not listen ignores clients", async () => {
  const { binding, socket, endpoint, put } = await open(false);
  await put(initial());
  await put(initial(1200, DESTINATION_ID, "0a0a0a0a"));
  assert.equal(binding.connections.length + socket.sent.length, 0);
  await endpoint[Symbol.asyncDispose]();
});

Deno.test("a datagram of a connection from another address is dropped", async () => {
  const { binding, endpoint, put } = await open();
  await put(initial());
  await put(initial(1250), { host: "192.0.2.2", port: PEER.port });
  await put(initial(1250), { host: PEER.host, port: 1 });
  assert.deepEqual(binding.connections[0]!.received.map((d) => d.length), [1200]);
  assert.equal(endpoint.counters.misaddressedDatagrams, 2);
  await endpoint[Symbol.asyncDispose]();
});

Deno.test("clients beyond handshakesMax are ignored until others have finished", async () => {
  const [binding, socket, clock] = [new FakeBinding(), new FakeSocket(), new FakeClock()];
  const endpoint = await QuicEndpoint.bind({
    identity: IDENTITY,
    binding,
    socket,
    clock,
    timers: clock,
  });
  endpoint.listen({
    alpns: () => ["landropic-test/1"],
    verify: () => {},
    onConnection: () => {},
    limits: { handshakesMax: 3 },
  });
  const put = async (n: number) => {
    socket.put(initial(1200, new Uint8Array(8).fill(n)), PEER);
    await new Promise((resolve) => setTimeout(resolve, 2));
  };
  for (let n = 1; n <= 5; n++) await put(n);
  assert.equal(binding.connections.length, 3);
  assert.equal(endpoint.counters.shedClients, 2);
  binding.connections[0]!.established = true;
  await put(1);
  await put(6);
  assert.equal(binding.connections.length, 4);
  await endpoint[Symbol.asyncDispose]();
});

Deno.test("the endpoint survives any datagrams", async () => {
  const { socket, endpoint, settle } = await open();
  fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), (bytes) => {
    socket.put(bytes, PEER);
    const padded = new Uint8Array(1200);
    padded.set(bytes);
    socket.put(padded, PEER);
  }));
  await settle();
  await endpoint[Symbol.asyncDispose]();
});

Deno.test("connect() gives up at its deadline, with close code 2", async () => {
  const { binding, clock, endpoint, settle } = await open(false);
  const dialling = endpoint.connect(PEER, {
    alpn: "landropic-test/1",
    verify: () => {},
    timeoutMs: 7000,
  });
  dialling.catch(() => {});
  await settle();
  clock.advance(6999);
  assert(!binding.connections[0]!.log.includes("close"));
  clock.advance(1);
  await assert.rejects(
    dialling,
    (error) =>
      error instanceof QuicError && error.code === "peer_unreachable" &&
      error.message === "No answer from 192.0.2.1:50000 within 7 s",
  );
  assert(binding.connections[0]!.log.includes("close app 2"));
  assert.equal(endpoint.counters.handshakeTimeouts, 1);
  await endpoint[Symbol.asyncDispose]();
  assert.equal(clock.pendingTimers, 0, "no timer outlives the endpoint");
});

/** An endpoint with a connection that wants to be woken in 300 ms. */
async function openWithTimer() {
  const opened = await open();
  await opened.put(initial());
  const native = opened.binding.connections[0]!;
  native.timeoutMs = 300;
  await opened.put(initial());
  native.log.length = 0;
  return { ...opened, native };
}

Deno.test("native timers run on time and are followed by a drain", async () => {
  const { clock, socket, endpoint, native } = await openWithTimer();
  clock.advance(300);
  assert(!native.log.includes("onTimeout"));
  native.outgoing.push(new Uint8Array([0x40, 1, 2, 3]));
  clock.advance(1);
  assert.deepEqual(native.log, ["onTimeout", "send"]);
  assert.deepEqual(socket.sent.at(-1)!.datagrams, [new Uint8Array([0x40, 1, 2, 3])]);
  await endpoint[Symbol.asyncDispose]();
});

Deno.test("what has arrived when a timer rings late is taken before something counts as missed", async () => {
  const { clock, socket, endpoint, native } = await openWithTimer();
  socket.put(initial(), PEER);
  clock.advance(5000);
  assert.deepEqual(native.log.slice(0, 2), ["recv", "onTimeout"]);
  await endpoint[Symbol.asyncDispose]();
});

Deno.test("equal datagrams leave as trains, a shorter one ends its train", async () => {
  const { binding, socket, endpoint, put } = await open();
  await put(initial());
  const native = binding.connections[0]!;
  const sizes = [1472, 1472, 1472, 1472, 1472, 900, 1472, 700];
  native.outgoing.push(...sizes.map((size, i) => new Uint8Array(size).fill(i)));
  socket.sent.length = 0;
  await put(initial());
  assert.deepEqual(
    socket.sent.map(({ datagrams }) => datagrams.map((d) => d.length)),
    [[1472, 1472, 1472, 1472], [1472, 900], [1472, 700]],
  );
  socket.sent.flatMap(({ datagrams }) => datagrams)
    .forEach((datagram, i) => assert(datagram.every((byte) => byte === i)));
  await endpoint[Symbol.asyncDispose]();
});

Deno.test("a blocked socket is given nothing until it is ready again", async () => {
  const { binding, socket, endpoint, put, settle } = await open();
  await put(initial());
  const native = binding.connections[0]!;
  socket.isBlocked = true;
  socket.sent.length = 0;
  native.outgoing.push(new Uint8Array(100));
  await put(initial());
  assert.equal(socket.sent.length, 0);
  socket.isBlocked = false;
  socket.wakeUp();
  await settle();
  assert.equal(socket.sent.length, 1);
  await endpoint[Symbol.asyncDispose]();
});
