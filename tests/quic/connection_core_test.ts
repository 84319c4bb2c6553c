import assert from "node:assert/strict";
import { Pacer } from "../../src/quic/pacer.ts";
import { NO_EVIDENCE } from "../../src/quic/path_class.ts";
import { silentLogger } from "../../src/base/log.ts";
import { ConnectionCore } from "../../src/quic/connection_core.ts";
import { ConnectionLost, HandshakeRefused } from "../../src/quic/errors.ts";
import type { VerifyPeer } from "../../src/quic/handshake.ts";
import { FakeConnection } from "../support/quic_fake.ts";

const REMOTE = { host: "192.0.2.1", port: 443, key: "192.0.2.1 443" };

function makeCore(
  verify: VerifyPeer = () => {},
  role: "client" | "server" = "server",
  datagramBytes = 1200,
) {
  const native = new FakeConnection();
  const events: string[] = [];
  const drain = () => {
    const slot = new Uint8Array(2000);
    for (let sent; (sent = native.send(slot));) core.onDatagram?.(slot.subarray(0, sent[0]));
    core.afterSend(nowMs);
  };
  let nowMs = 0;
  const core: ConnectionCore = new ConnectionCore({
    native,
    role,
    remote: REMOTE,
    local: { host: "127.0.0.1", port: 1 },
    alpns: ["landropic-test/1"],
    verify,
    datagramBytes,
    pacer: new Pacer(NO_EVIDENCE, "bbr"),
    nowMs: 0,
    handshakeDeadlineMs: 10_000,
    logger: silentLogger,
    host: {
      touch: () => events.push("touch"),
      flush: () => {
        events.push("flush");
        drain();
      },
      onVerified: () => events.push("verified"),
      pathPayloadBytes: () => undefined,
    },
  });
  return { native, core, events, drain, setNow: (ms: number) => nowMs = ms };
}

Deno.test("ConnectionCore verifies once, and before it looks at any stream", async () => {
  const order: string[] = [];
  const { native, core, events } = makeCore((peer) => {
    order.push(`verify ${peer.alpn} ${peer.certificates.length}`, ...native.log);
  });
  native.stream(0).incoming.push(new Uint8Array([1]));
  core.serve(0, true);
  assert.equal(core.streams.incomingBidi.length, 0, "no stream before the handshake");
  native.established = true;
  core.serve(0, true);
  core.serve(0, true);
  assert.deepEqual(order, ["verify landropic-test/1 1"]);
  assert.deepEqual(events.filter((event) => event === "verified"), ["verified"]);
  assert.equal(core.streams.incomingBidi.length, 1);
  await core.verified.promise;
});

Deno.test("ConnectionCore closes in the same tick when the verifier throws", async () => {
  const reason = new Error("revoked");
  const { native, core, events } = makeCore(() => {
    throw reason;
  });
  native.established = true;
  native.stream(0).incoming.push(new Uint8Array([1]));
  assert.equal(core.serve(0, true), false);
  assert(native.log.includes("close app 1"));
  assert(native.log.indexOf("close app 1") < native.log.indexOf("send"), "sent at once");
  assert(!events.includes("verified"));
  assert(!native.log.some((entry) => entry.startsWith("stream")));
  await assert.rejects(
    core.verified.promise,
    (error) => error instanceof HandshakeRefused && error.cause === reason,
  );
  core.serve(0, true);
  assert.equal(core.streams.incomingBidi.length, 0);
});

for (
  const [what, change] of [
    ["a resumed session", (native: FakeConnection) => native.resumed = true],
    ["early data", (native: FakeConnection) => native.earlyData = true],
    ["no certificate", (native: FakeConnection) => native.certificates = null],
    ["a protocol not offered", (native: FakeConnection) => native.alpn = "h3"],
  ] as const
) {
  Deno.test(`ConnectionCore refuses ${what} without asking the verifier`, async () => {
    let asked = false;
    const { native, core } = makeCore(() => void (asked = true));
    change(native);
    native.established = true;
    core.serve(0, true);
    await assert.rejects(core.verified.promise, HandshakeRefused);
    assert.equal(asked, false);
    assert(native.log.includes("close app 1"));
  });
}

Deno.test("ConnectionCore closes with code 2 when the handshake takes too long", async () => {
  const { native, core, drain, setNow } = makeCore();
  drain();
  assert.equal(core.deadlineMs, 10_000);
  setNow(9999);
  core.handleTimeout(9999);
  assert(!native.log.includes("close"));
  core.handleTimeout(10_000);
  assert(native.log.includes("close app 2"));
  const info = await core.closed.promise;
  assert.deepEqual([info.by, info.code, info.words], ["local", 2, "handshake timed out"]);
  await assert.rejects(core.verified.promise, ConnectionLost);
});

Deno.test("ConnectionCore has no handshake deadline once the peer is verified", () => {
  const { native, core, drain } = makeCore();
  native.established = true;
  core.serve(0, true);
  drain();
  assert.equal(core.deadlineMs, Infinity);
  core.handleTimeout(1e9);
  assert(!native.log.includes("close"));
});

Deno.test("ConnectionCore calls onTimeout() when the native core wants it, not before", () => {
  const { native, core, drain, setNow } = makeCore();
  native.timeoutMs = 40;
  setNow(100);
  drain();
  // The native core rounds down to whole milliseconds.
  assert.equal(core.deadlineMs, 141);
  core.handleTimeout(140);
  assert(!native.log.includes("onTimeout"));
  core.handleTimeout(141);
  assert(native.log.includes("onTimeout"));
  native.timeoutMs = 500;
  drain();
  assert.equal(core.deadlineMs, 601);
});

Deno.test("ConnectionCore sends a small datagram next after a timeout, also to a peer that is heard", () => {
  const { native, core, drain, setNow } = makeCore(undefined, "client", 1472);
  native.established = true;
  native.timeoutMs = 40;
  core.serve(0, true);
  drain();
  core.handleDatagram(new Uint8Array([0x40, 1]));
  core.serve(30, true);
  setNow(41);
  core.handleTimeout(41);
  assert.equal(core.datagramBytes, 1472, "the native core has found nothing due");
  native.timeoutMs = 0;
  core.handleTimeout(41);
  assert.equal(core.datagramBytes, 1200);
  // Nothing may leave yet.
  core.afterSend(42);
  assert.equal(core.datagramBytes, 1200, "it is still to be sent");
  core.noteSent(1200, 0);
  assert.equal(core.datagramBytes, 1472);
  native.onTimeout = () => {
    native.counters = { ...native.counters, lost: 3, lostBytes: 3 * 1472 };
  };
  core.handleTimeout(100);
  assert.equal(core.datagramBytes, 1472, "what is lost was found by acknowledgements");
});

Deno.test("ConnectionCore reports who closed: peer, timeout or its own QUIC stack", async () => {
  const cases = [
    [{ peerCloses: { isApp: true, errorCode: 3, reason: new Uint8Array([120]) } }, "peer", 3, "x"],
    [{ timedOut: true, closed: true }, "timeout", 0, ""],
    [
      { localCloses: { isApp: false, errorCode: 372, reason: new Uint8Array() } },
      "transport",
      372,
      "",
    ],
  ] as const;
  for (const [state, by, code, reason] of cases) {
    const { native, core, drain } = makeCore();
    Object.assign(native, { draining: true }, state);
    drain();
    const info = await core.closed.promise;
    assert.deepEqual([info.by, info.code, info.reason], [by, code, reason]);
    await core.close(0);
    assert(!native.log.includes("close"), "it is over already");
  }
});

Deno.test("close() resolves when the peer has been told, and counts as local", async () => {
  const { native, core } = makeCore();
  native.established = true;
  core.serve(0, true);
  await core.close(3, "why");
  assert.deepEqual(await core.closed.promise, {
    by: "local",
    isApplication: true,
    code: 3,
    reason: "why",
    words: "protocol error",
  });
  assert.equal(core.isDrained, false);
  native.closed = true;
  assert.equal(core.isDrained, true);
});

Deno.test("a closed connection answers late datagrams with its end mark, ever more rarely", async () => {
  const { native, core } = makeCore();
  native.established = true;
  core.serve(0, true);
  await core.close(0);
  const received = native.received.length;
  const answers: number[] = [];
  for (let i = 1; i <= 20; i++) {
    const answer = core.handleDatagram(new Uint8Array([0x40, i]));
    if (answer) {
      answers.push(i);
      assert.deepEqual([...answer], [0x40, 0xcc]);
    }
  }
  assert.deepEqual(answers, [1, 2, 4, 8, 16]);
  assert.equal(native.received.length, received, "the native core sees none of them");
});

Deno.test("handleDatagram() survives what the native core refuses", () => {
  const { native, core } = makeCore();
  native.recv = () => {
    throw new Error("InvalidPacket");
  };
  assert.equal(core.handleDatagram(new Uint8Array(20)), undefined);
});
