import assert from "node:assert/strict";
import { concat } from "../../../src/base/bytes.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/log.ts";
import {
  encodeFrame,
  encodeMessage,
  encodeRequest,
  type Message,
  type Request,
} from "../../../src/protocol/mod.ts";
import { type LinkHandler, PeerLink } from "../../../src/sync/link/peer_link.ts";
import { REQUESTS_AT_ONCE_MAX } from "../../../src/sync/link/request_gate.ts";
import type { DuplexStream, SendSide } from "../../../src/sync/link/transport.ts";
import { type MemoryTransport, memoryTransportPair } from "../../support/memory_transport.ts";
import { testHello } from "../../support/test_hello.ts";

const hello = testHello();

class Recorder implements LinkHandler {
  messages: Message[] = [];
  arrived = Promise.withResolvers<void>();
  handleMessage(message: Message): void {
    this.messages.push(message);
    this.arrived.resolve();
  }
  async handleRequest(request: Request, stream: DuplexStream): Promise<void> {
    if (request.kind !== "apply") throw new Error("refused");
    await stream.send.write(new Uint8Array([request.session]));
    await stream.send.finish();
  }
}

function open(
  transport: MemoryTransport,
  handler: LinkHandler = new Recorder(),
): Promise<PeerLink> {
  return PeerLink.open(transport, { hello, handler, clock: systemClock, logger: silentLogger });
}

/** A peer made by hand: its control stream, without a Hello. */
async function rawControl(transport: MemoryTransport): Promise<SendSide> {
  const control = await transport.openUni();
  await control.write(new Uint8Array([1]));
  return control;
}

Deno.test("PeerLink says Hello both ways, carries messages in order and measures a round trip", async () => {
  const [a, b] = memoryTransportPair();
  const recorder = new Recorder();
  const [left, right] = await Promise.all([open(a), open(b, recorder)]);
  assert.deepEqual(await left.peerHello, { type: "hello", ...hello });
  await left.send({ type: "sync-ack", session: 1 });
  await left.send({ type: "sync-ack", session: 2 });
  assert.ok(await left.ping() >= 0);
  assert.deepEqual(recorder.messages.map((m) => m.type === "sync-ack" && m.session), [1, 2]);
  await left.close();
  assert.equal(await right.ended, undefined);
  assert.deepEqual(b.closedWith, { by: "peer", code: 0 });
});

Deno.test("PeerLink serves requests, and one that fails ends only its own stream", async () => {
  const [a, b] = memoryTransportPair();
  const [left] = await Promise.all([open(a), open(b)]);
  const bad = await left.request({ kind: "get-dirs", session: 1, dirs: [] }, 1);
  await assert.rejects(bad.recv.read(new Uint8Array(1)));
  const good = await left.request({ kind: "apply", session: 9 }, 1);
  const answer = new Uint8Array(1);
  assert.equal(await good.recv.read(answer), 1);
  assert.equal(answer[0], 9);
  await left.close();
});

for (
  const [name, act] of [
    ["a message before Hello", async (peer: MemoryTransport) => {
      await (await rawControl(peer)).write(encodeMessage({ type: "sync-ack", session: 1 }));
    }],
    ["a second Hello", async (peer: MemoryTransport) => {
      const control = await rawControl(peer);
      await control.write(encodeMessage({ type: "hello", ...hello }));
      await control.write(encodeMessage({ type: "hello", ...hello }));
    }],
    ["a second control stream", async (peer: MemoryTransport) => {
      await (await rawControl(peer)).write(encodeMessage({ type: "hello", ...hello }));
      await rawControl(peer);
    }],
    ["the end of the control stream", async (peer: MemoryTransport) => {
      await (await rawControl(peer)).finish();
    }],
    ["an unknown critical message", async (peer: MemoryTransport) => {
      const control = await rawControl(peer);
      await control.write(encodeMessage({ type: "hello", ...hello }));
      await control.write(encodeFrame(1001, new Uint8Array([0xa0])));
    }],
    ["a Hello that is too long", async (peer: MemoryTransport) => {
      const control = await rawControl(peer);
      await control.write(encodeFrame(0, new Uint8Array(9_000)).subarray(0, 100));
    }],
    ["pings whose answers are not read", async (peer: MemoryTransport) => {
      const control = await rawControl(peer);
      await control.write(encodeMessage({ type: "hello", ...hello }));
      // As a peer that gives the control stream no credit has it.
      peer.peer.holdsWrites = true;
      const ping = encodeMessage({ type: "ping", token: 1 });
      for (let i = 0; i < 1_100 && !peer.closedWith; i++) await control.write(ping).catch(() => {});
    }],
    ["a flood of messages", async (peer: MemoryTransport) => {
      const control = await rawControl(peer);
      await control.write(encodeMessage({ type: "hello", ...hello }));
      const pong = encodeMessage({ type: "pong", token: 1 });
      for (let i = 0; i < 2_001 && !peer.closedWith; i++) await control.write(pong).catch(() => {});
    }],
  ] as const
) {
  Deno.test(`PeerLink answers ${name} with close code 3`, async () => {
    const [a, b] = memoryTransportPair();
    const link = PeerLink.begin(a, {
      hello,
      handler: new Recorder(),
      clock: systemClock,
      logger: silentLogger,
    });
    await act(b);
    assert.ok(await (await link).ended instanceof Error);
    assert.deepEqual(b.closedWith, { by: "peer", code: 3 });
  });
}

Deno.test("PeerLink stops a one-way stream of a kind it does not know and lives on", async () => {
  const [a, b] = memoryTransportPair();
  const [left] = await Promise.all([open(a), open(b)]);
  const unknown = await b.openUni();
  await unknown.write(new Uint8Array([0x77]));
  assert.ok(await left.ping() >= 0);
  await assert.rejects(unknown.write(new Uint8Array(1)), /stopped/);
  await left.close();
});

Deno.test("PeerLink gives a control message its time as a whole, however slowly it drips in", async () => {
  const [a, b] = memoryTransportPair();
  let nowMs = 0;
  const clock = { ...systemClock, nowMs: () => nowMs };
  const link = await PeerLink.begin(a, {
    hello,
    handler: new Recorder(),
    clock,
    logger: silentLogger,
  });
  const control = await rawControl(b);
  await control.write(encodeMessage({ type: "hello", ...hello }));
  const message = encodeMessage({ type: "sync-ack", session: 1 });
  // A byte every 20 s: no single wait is long. One frame after the other may take its time.
  await control.write(message.subarray(0, 1));
  await turn();
  nowMs += 20_000;
  await control.write(message.subarray(1));
  await turn();
  await control.write(message.subarray(0, 1));
  await turn();
  nowMs += 20_000;
  await control.write(message.subarray(1, 2));
  await turn();
  assert.equal(b.closedWith, undefined);
  nowMs += 20_000;
  await control.write(message.subarray(2, 3));
  assert.ok(await link.ended instanceof Error);
  assert.deepEqual(b.closedWith, { by: "peer", code: 2 });
});

Deno.test("PeerLink takes a long message from a peer that has said Hello", async () => {
  const [a, b] = memoryTransportPair();
  const recorder = new Recorder();
  const link = await PeerLink.begin(a, {
    hello,
    handler: recorder,
    clock: systemClock,
    logger: silentLogger,
  });
  const control = await rawControl(b);
  const shares = Array.from({ length: 256 }, (_, i) => ({
    name: `${i}`.padStart(64, "x"),
    writable: true,
  }));
  await control.write(
    concat([
      encodeMessage({ type: "hello", ...hello }),
      encodeMessage({ type: "shares", shares }),
    ]),
  );
  await recorder.arrived.promise;
  assert.deepEqual(recorder.messages.map(({ type }) => type), ["shares"]);
  await link.close();
});

Deno.test("PeerLink resets a stream whose request does not come, and not one that is on its way", async () => {
  const [a, b] = memoryTransportPair();
  let heardAtMs = 1;
  Object.defineProperty(a, "heardAtMs", { get: () => heardAtMs });
  const options = { hello, clock: systemClock, logger: silentLogger, requestTimeoutMs: 60 };
  const served = { ...options, handler: new Recorder() };
  const [right, left] = await Promise.all([PeerLink.open(a, served), open(b)]);
  const heard = setInterval(() => heardAtMs++, 5);
  for (const head of [[], [1], [1, 1, 0x80]]) {
    const stream = await b.openBidi();
    await stream.send.write(new Uint8Array(head));
    await assert.rejects(stream.recv.read(new Uint8Array(1)), /reset with 21/);
  }
  // In an outage it is nobody's fault.
  clearInterval(heard);
  const slow = await b.openBidi();
  const request = encodeRequest({ kind: "apply", session: 3 });
  await slow.send.write(request.subarray(0, 1));
  await new Promise((resolve) => setTimeout(resolve, 150));
  await slow.send.write(request.subarray(1));
  assert.equal(await slow.recv.read(new Uint8Array(1)), 1);
  await Promise.all([left.close(), right.close()]);
});

Deno.test("PeerLink serves so many requests at once, and the others in their turn", async () => {
  const [a, b] = memoryTransportPair();
  let serving = 0;
  let most = 0;
  const release = Promise.withResolvers<void>();
  const handler: LinkHandler = {
    handleMessage() {},
    async handleRequest({ session }, stream) {
      most = Math.max(most, ++serving);
      await release.promise;
      serving--;
      await stream.send.write(new Uint8Array([session]));
      await stream.send.finish();
    },
  };
  const [left] = await Promise.all([open(a), open(b, handler)]);
  const streams: DuplexStream[] = [];
  for (let i = 0; i < 200; i++) {
    streams.push(await left.request({ kind: "apply", session: i % 60 }, 1));
  }
  await turn();
  assert.equal(serving, REQUESTS_AT_ONCE_MAX);
  release.resolve();
  for (const [i, { recv }] of streams.entries()) {
    const answer = new Uint8Array(1);
    assert.equal(await recv.read(answer), 1);
    assert.equal(answer[0], i % 60);
  }
  assert.equal(most, REQUESTS_AT_ONCE_MAX);
  await left.close();
});

/** Lets what was written be read. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}

Deno.test("PeerLink.open() fails when the peer closes before its Hello", async () => {
  const [a, b] = memoryTransportPair();
  const opening = open(a);
  await b.close(1);
  await assert.rejects(opening);
});

/** Serves answers without an end; counts the bytes that were taken. */
class Endless extends Recorder {
  written = 0;
  readonly over = Promise.withResolvers<unknown>();

  override async handleRequest(_request: Request, { send }: DuplexStream): Promise<void> {
    try {
      for (;; this.written += 1000) await send.write(new Uint8Array(1000));
    } catch (error) {
      this.over.resolve(error);
      throw error;
    }
  }
}

for (
  const [features, how] of [[["groups"], "ended by its sender"], [[], "stopped"]] as const
) {
  Deno.test(`PeerLink has an answer that is called off ${how}, and the reader waits no longer`, async () => {
    const [a, b] = memoryTransportPair();
    const server = new Endless();
    const common = { hello: { ...hello, features }, clock: systemClock, logger: silentLogger };
    const [link] = await Promise.all([
      PeerLink.open(a, { ...common, handler: new Recorder() }),
      PeerLink.open(b, { ...common, handler: server }),
    ]);
    const answer = await link.ask({ kind: "get-dirs", session: 1, dirs: [] }, 1);
    assert.ok(await answer.read(new Uint8Array(10)));
    answer.stop(0x10);
    await assert.rejects(answer.read(new Uint8Array(10)));
    const error = await server.over.promise as Error;
    assert.match(error.message, features.length > 0 ? /enough/ : /stopped with 16/);
    assert.ok(await link.ping() >= 0);
    // Stopping what has ended, or was never there, is nobody's fault.
    await link.send({ type: "enough", stream: 12345 });
    assert.ok(await link.ping() >= 0);
    await link.close();
  });
}
