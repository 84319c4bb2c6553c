import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { CLOSE_CODE, STREAM_CODE } from "../../src/base/wire_codes.ts";
import {
  ConnectionLost,
  HandshakeRefused,
  QuicEndpoint,
  QuicError,
  StreamClosed,
  StreamReset,
  StreamStopped,
  type UdpKind,
} from "../../src/quic/mod.ts";
import { loadBinding, type QuicBinding } from "../../src/quic/binding.ts";
import { EndpointPair, type PairOptions, TEST_ALPN } from "../support/quic_pair.ts";
import { makeIdentity } from "../support/quic_identity.ts";
import { patternBytes, readAll } from "../support/quic_streams.ts";

const KINDS: UdpKind[] = Deno.build.os === "linux" ? ["linux", "dgram"] : ["dgram"];

for (const udp of KINDS) {
  const open = (options: PairOptions = {}) =>
    EndpointPair.open({
      ...options,
      server: { udp, ...options.server },
      client: { udp, ...options.client },
    });
  const test = (name: string, body: () => Promise<void>) => Deno.test(`${name} [${udp}]`, body);

  test("connect() shows each side the other's certificate", async () => {
    const seen: string[] = [];
    await using pair = await open({
      listen: {
        verify: (peer) => {
          assert.equal(peer.certificates.length, 1);
          assert.equal(peer.resumed, false);
          seen.push(`${peer.role} ${peer.alpn} ${peer.certificates[0]!.length > 100}`);
        },
      },
      connect: {
        verify: (peer) => {
          assert.equal(peer.certificates.length, 1);
          seen.push(`${peer.role} ${peer.alpn} ${peer.certificates[0]!.length > 100}`);
        },
      },
    });
    const { near, far } = await pair.connect();
    assert.deepEqual(seen.sort(), [`client ${TEST_ALPN} true`, `server ${TEST_ALPN} true`]);
    assert.equal(near.alpn, TEST_ALPN);
    assert.equal(near.role, "client");
    assert.equal(far.role, "server");
    assert.deepEqual(near.remoteAddress, pair.server.localAddress);
    assert.deepEqual(far.remoteAddress, pair.client.localAddress);
    assert.notDeepEqual(near.peer.certificates, far.peer.certificates);
  });

  test("a client pads nothing of a handshake but its first datagram", async () => {
    await using pair = await open();
    const { near } = await pair.connect();
    const { sentBytes } = near.stats();
    assert.ok(sentBytes > 1200 && sentBytes < 2 * 1200, `${sentBytes} bytes`);
  });

  test("connect() rejects with the verifier's error", async () => {
    await using pair = await open();
    const reason = new Error("not my device");
    await assert.rejects(
      pair.dial({
        verify: () => {
          throw reason;
        },
      }),
      (error) =>
        error instanceof HandshakeRefused && error.cause === reason &&
        error.code === "peer_untrusted",
    );
    // Refused before its own proof went out, so the server never had a client.
    assert.equal(pair.accepted.length, 0);
    assert.equal(pair.client.counters.refusedPeers, 1);
  });

  test("a server's verifier turns the client down before any stream byte is seen", async () => {
    let surfaced = 0;
    await using pair = await open({
      listen: {
        verify: () => {
          throw new Error("unknown device");
        },
        onConnection: () => surfaced++,
      },
    });
    const connection = await pair.dial();
    const stream = await connection.openBidi();
    await stream.send.write(new Uint8Array(100)).catch(() => {});
    const info = await connection.closed;
    assert.equal(info.by, "peer");
    assert.equal(info.code, CLOSE_CODE.handshakeRefused);
    assert.equal(info.words, "handshake refused");
    await assert.rejects(
      stream.recv.read(new Uint8Array(1)),
      (error) => error instanceof ConnectionLost && error.code === "peer_untrusted",
    );
    assert.equal(surfaced, 0);
    assert.equal(pair.server.counters.refusedPeers, 1);
  });

  test("a verifier that returns a promise lets nobody in", async () => {
    await using pair = await open();
    const verify = (() => Promise.resolve()) as unknown as () => void;
    await assert.rejects(
      pair.dial({ verify }),
      (error) => error instanceof HandshakeRefused && /synchronous/.test(error.message),
    );
  });

  test("a client without a certificate is turned down by TLS", async () => {
    await using pair = await open({ client: { binding: await bindingWithoutCertificate() } });
    const connection = await pair.dial();
    const info = await connection.closed;
    assert.equal(info.code, 372);
    assert.equal(info.isApplication, false);
    assert.equal(info.words, "peer sent no certificate");
    assert.equal(pair.accepted.length, 0);
  });

  test("a client that offers another protocol is turned down by TLS", async () => {
    await using pair = await open();
    await assert.rejects(
      pair.dial({ alpn: "landropic-other/1" }),
      (error) =>
        error instanceof ConnectionLost && error.info.code === 376 &&
        error.info.words === "no common protocol",
    );
    assert.equal(pair.accepted.length, 0);
  });

  test("listen() asks for its protocols at each connection", async () => {
    let offered: string[] = [TEST_ALPN];
    await using pair = await open({ listen: { alpns: () => offered } });
    await assert.rejects(pair.dial({ alpn: "pair/1" }), ConnectionLost);
    offered = [TEST_ALPN, "pair/1"];
    assert.equal((await pair.dial({ alpn: "pair/1" })).alpn, "pair/1");
    assert.equal((await pair.dial()).alpn, TEST_ALPN);
    offered = [TEST_ALPN];
    await assert.rejects(pair.dial({ alpn: "pair/1" }), ConnectionLost);
  });

  test("a stolen TLS session does not get another key in", async () => {
    const binding = await loadBinding();
    let session: Uint8Array | undefined;
    let steal = false;
    const thief: QuicBinding = {
      ...spread(binding),
      Connection: {
        accept: (...args) => binding.Connection.accept(...args),
        connect: (...args) => {
          const native = binding.Connection.connect(...args) as
            & ReturnType<
              QuicBinding["Connection"]["connect"]
            >
            & { session(): Uint8Array | null; setSession(session: Uint8Array): void };
          if (steal) native.setSession(session!);
          else setTimeout(() => session = native.session() ?? undefined, 0);
          sessions.push(() => session ??= native.session() ?? undefined);
          return native;
        },
      },
    };
    const sessions: (() => unknown)[] = [];
    await using pair = await open({ client: { binding: thief } });
    const honest = await pair.connect();
    const stream = await honest.near.openUni();
    await stream.write(new Uint8Array([1]));
    const { value } = await honest.far.incomingUni.next();
    await value.read(new Uint8Array(1));
    sessions.forEach((take) => take());
    assert(session, "the server issued a session");
    await using other = await QuicEndpoint.bind({
      udp,
      identity: await makeIdentity("thief"),
      binding: thief,
      listen: { host: "127.0.0.1", port: 0 },
    });
    steal = true;
    const attempt = other.connect(pair.server.localAddress, { alpn: TEST_ALPN, verify: () => {} });
    // Both sides refuse a resumed session; whoever is first, it does not get in.
    const outcome = await attempt.then((c) => c.closed.then(({ code }) => code), (error) => error);
    assert(outcome === CLOSE_CODE.handshakeRefused || outcome instanceof QuicError, `${outcome}`);
    assert.equal(pair.accepted.length, 0);
  });

  test("bidirectional streams echo what they are sent", async () => {
    await using pair = await open();
    const { near, far } = await pair.connect();
    const echo = (async () => {
      for await (const { send, recv } of far.incomingBidi) {
        await send.write(await readAll(recv));
        await send.finish();
      }
    })();
    for (const byteLength of [0, 1, 1200, 65_536, 300_000]) {
      const payload = patternBytes(byteLength, byteLength);
      const { send, recv } = await near.openBidi();
      await send.write(payload);
      await send.finish();
      assert.deepEqual(await readAll(recv), payload);
      assert.equal(await recv.read(new Uint8Array(1)), null, "the end stays the end");
    }
    await near.close(CLOSE_CODE.normal);
    await echo;
  });

  test("streams work in both directions of opening, unidirectional too", async () => {
    await using pair = await open();
    const { near, far } = await pair.connect();
    for (const [opener, other] of [[near, far], [far, near]] as const) {
      const send = await opener.openUni();
      await send.write(patternBytes(5000));
      await send.finish();
      const { value: recv } = await other.incomingUni.next();
      assert.equal(recv.id, send.id);
      assert.deepEqual(await readAll(recv, 700), patternBytes(5000));
    }
  });

  test("64 MiB arrive as they were sent, whatever the pieces", async () => {
    await using pair = await open();
    const { near, far } = await pair.connect();
    const total = (udp === "linux" ? 64 : 8) << 20;
    const send = await near.openUni();
    const sender = (async () => {
      const piece = patternBytes(1 << 20);
      let sent = 0;
      for (let i = 0; sent < total; i++) {
        const byteLength = Math.min(total - sent, [1, 77, 4096, 65_536, 1 << 20][i % 5]!);
        // The buffer is reused at once: the stream must have taken a copy.
        const part = piece.slice(0, byteLength);
        part[0] = i;
        await send.write(part);
        part.fill(0xee);
        sent += byteLength;
      }
      await send.finish();
    })();
    const { value: recv } = await far.incomingUni.next();
    const piece = patternBytes(1 << 20);
    const buffer = new Uint8Array(200_000);
    let received = 0;
    let part = 0;
    let partLeft = 0;
    let partOffset = 0;
    for (let n; (n = await recv.read(buffer)) !== null;) {
      for (let at = 0; at < n;) {
        if (partLeft === 0) {
          partLeft = Math.min(total - received - at, [1, 77, 4096, 65_536, 1 << 20][part % 5]!);
          partOffset = 0;
          assert.equal(buffer[at], part++ & 0xff);
        }
        const run = Math.min(partLeft, n - at);
        const skip = partOffset === 0 ? 1 : 0;
        const same = Buffer.compare(
          buffer.subarray(at + skip, at + run),
          piece.subarray(partOffset + skip, partOffset + run),
        );
        assert.equal(same, 0, `differs near ${received + at}`);
        at += run;
        partLeft -= run;
        partOffset += run;
      }
      received += n;
    }
    assert.equal(received, total);
    await sender;
  });

  test("one-byte writes arrive in order", async () => {
    await using pair = await open();
    const { near, far } = await pair.connect();
    const { send } = await near.openBidi();
    const writes: Promise<void>[] = [];
    for (let i = 0; i < 300; i++) {
      writes.push(send.write(new Uint8Array([i])));
      if (i % 50 === 0) await writes.at(-1);
    }
    writes.push(send.finish());
    const { value } = await far.incomingBidi.next();
    const bytes = await readAll(value.recv, 13);
    assert.deepEqual([...bytes], Array.from({ length: 300 }, (_, i) => i & 0xff));
    await Promise.all(writes);
  });

  test("write() waits for a reader that does not read", async () => {
    const window = 256 << 10;
    await using pair = await open({
      server: { profile: { streamWindowBytes: window, streamWindowBytesMax: window } },
    });
    const { near, far } = await pair.connect();
    const { send } = await near.openBidi();
    let accepted = 0;
    let isDone = false;
    const writing = (async () => {
      const piece = new Uint8Array(32 << 10);
      for (let i = 0; i < 32; i++) {
        await send.write(piece);
        accepted += piece.length;
      }
      await send.finish();
      isDone = true;
    })();
    const { value } = await far.incomingBidi.next();
    await quiet(() => accepted);
    assert(accepted <= window, `${accepted} bytes accepted`);
    assert(!isDone);
    assert.equal((await readAll(value.recv)).length, 1 << 20);
    await writing;
  });

  test("a reader that stops does not hold up other streams", async () => {
    await using pair = await open({
      server: { profile: { uniStreamWindowBytes: 128 << 10, streamWindowBytesMax: 128 << 10 } },
    });
    const { near, far } = await pair.connect();
    const stuck = await near.openUni();
    const stuckWrite = stuck.write(new Uint8Array(1 << 20));
    stuckWrite.catch(() => {});
    await far.incomingUni.next();
    const lively = await near.openUni();
    const { promise: done, resolve } = Promise.withResolvers<Uint8Array>();
    far.incomingUni.next().then(({ value }) => readAll(value)).then(resolve);
    await lively.write(patternBytes(2 << 20));
    await lively.finish();
    assert.deepEqual(await done, patternBytes(2 << 20));
  });

  test("read() rejects with the code of the peer's reset", async () => {
    await using pair = await open();
    const { near, far } = await pair.connect();
    const { send } = await near.openBidi();
    await send.write(new Uint8Array(10));
    const { value } = await far.incomingBidi.next();
    assert.equal(await value.recv.read(new Uint8Array(100)), 10);
    const pending = value.recv.read(new Uint8Array(100));
    send.reset(STREAM_CODE.gone);
    await assert.rejects(
      pending,
      (error) => error instanceof StreamReset && error.streamCode === 0x11,
    );
    await assert.rejects(value.recv.read(new Uint8Array(1)), StreamReset);
    await assert.rejects(send.write(new Uint8Array(1)), StreamClosed);
  });

  test("write() rejects with the code of the peer's stop", async () => {
    await using pair = await open();
    const { near, far } = await pair.connect();
    for (const isUni of [true, false]) {
      const send = isUni ? await near.openUni() : (await near.openBidi()).send;
      await send.write(new Uint8Array(10));
      const recv = isUni
        ? (await far.incomingUni.next()).value
        : (await far.incomingBidi.next()).value.recv;
      recv.stop(STREAM_CODE.busy);
      await assert.rejects(recv.read(new Uint8Array(1)), StreamClosed);
      await assert.rejects(async () => {
        while (true) await send.write(new Uint8Array(65_536));
      }, (error) => {
        assert(error instanceof StreamStopped);
        // A unidirectional stream may be forgotten before the writer looks; the code is then lost.
        if (!isUni) assert.equal(error.streamCode, STREAM_CODE.busy);
        return true;
      });
    }
  });

  test("a disposed stream resets, a finished one does not", async () => {
    await using pair = await open();
    const { near, far } = await pair.connect();
    {
      await using send = await near.openUni();
      await send.write(new Uint8Array(3));
    }
    const { value: first } = await far.incomingUni.next();
    await assert.rejects(
      readAll(first),
      (error) => error instanceof StreamReset && error.streamCode === STREAM_CODE.cancelled,
    );
    {
      await using send = await near.openUni();
      await send.write(new Uint8Array(3));
      await send.finish();
    }
    const { value: second } = await far.incomingUni.next();
    assert.equal((await readAll(second)).length, 3);
  });

  test("openBidi() waits for the peer's limit", async () => {
    await using pair = await open({ server: { profile: { bidiStreamsMax: 2 } } });
    const { near, far } = await pair.connect();
    const first = await near.openBidi();
    const second = await near.openBidi();
    let opened = false;
    const third = near.openBidi().then((stream) => {
      opened = true;
      return stream;
    });
    await quiet(() => 0);
    assert.equal(opened, false);
    for (const { send } of [first, second]) {
      await send.write(new Uint8Array([1]));
      await send.finish();
    }
    for (const stream of [first, second]) {
      const { value } = await far.incomingBidi.next();
      await readAll(value.recv);
      await value.send.finish();
      await readAll(stream.recv);
    }
    const stream = await third;
    await stream.send.write(new Uint8Array([7]));
    const { value } = await far.incomingBidi.next();
    assert.equal(value.id, stream.id);
  });

  test("600 streams at once each carry their own bytes", async () => {
    await using pair = await open();
    const { near, far } = await pair.connect();
    const serving = (async () => {
      for await (const { send, recv } of far.incomingBidi) {
        readAll(recv).then(async (bytes) => {
          await send.write(bytes);
          await send.finish();
        }).catch(() => {});
      }
    })();
    await Promise.all(Array.from({ length: 600 }, async (_, i) => {
      const { send, recv } = await near.openBidi();
      const payload = patternBytes(100 + i * 7, i + 1);
      await send.write(payload);
      await send.finish();
      assert.deepEqual(await readAll(recv), payload);
    }));
    await near.close(CLOSE_CODE.normal);
    await serving;
  });

  test("close() tells the peer its code and reason, and fails what waits", async () => {
    await using pair = await open();
    const { near, far } = await pair.connect();
    const { send } = await near.openBidi();
    await send.write(new Uint8Array([1]));
    const { value } = await far.incomingBidi.next();
    await value.recv.read(new Uint8Array(1));
    const waitingRead = value.recv.read(new Uint8Array(1));
    const waitingStream = far.incomingUni.next();
    await near.close(CLOSE_CODE.protocolError, "because");
    assert.deepEqual(await near.closed, {
      by: "local",
      isApplication: true,
      code: 3,
      reason: "because",
      words: "protocol error",
    });
    assert.deepEqual(await far.closed, {
      by: "peer",
      isApplication: true,
      code: 3,
      reason: "because",
      words: "protocol error",
    });
    const isLost = (error: unknown) =>
      error instanceof ConnectionLost && error.info.code === 3 && error.code === "protocol";
    await assert.rejects(waitingRead, isLost);
    await assert.rejects(waitingStream, isLost);
    await assert.rejects(value.send.write(new Uint8Array(1)), isLost);
    await assert.rejects(far.openBidi(), isLost);
    await assert.rejects(send.write(new Uint8Array(1)), ConnectionLost);
    await near.close(CLOSE_CODE.normal);
    await far.close(CLOSE_CODE.normal);
  });

  test("what arrived before a clean close can still be read", async () => {
    await using pair = await open();
    const { near, far } = await pair.connect();
    const send = await near.openUni();
    await send.write(patternBytes(20_000));
    await send.finish();
    const { value } = await far.incomingUni.next();
    await quiet(() => far.stats().receivedBytes);
    await near.close(CLOSE_CODE.normal);
    await far.closed;
    assert.deepEqual(await readAll(value), patternBytes(20_000));
    assert.deepEqual(await far.incomingUni.next(), { done: true, value: undefined });
  });

  test("connect() to a silent address fails in time, as unreachable", async () => {
    await using pair = await open();
    pair.server.stopListening();
    await assert.rejects(
      pair.dial({ timeoutMs: 150 }),
      (error) =>
        error instanceof QuicError && error.code === "peer_unreachable" &&
        /No answer/.test(error.message),
    );
    assert.equal(pair.client.counters.handshakeTimeouts, 1);
  });

  test("connect() can be aborted", async () => {
    await using pair = await open();
    pair.server.stopListening();
    const controller = new AbortController();
    const dialling = pair.dial({ signal: controller.signal });
    controller.abort(new Error("changed my mind"));
    await assert.rejects(dialling, /changed my mind/);
    await assert.rejects(pair.dial({ signal: controller.signal }), /changed my mind/);
  });

  test("a silent peer is noticed after the idle timeout", async () => {
    await using pair = await open({ client: { profile: { idleTimeoutMs: 300 } } });
    const { near } = await pair.connect();
    const info = await near.closed;
    assert.equal(info.by, "timeout");
    assert.equal(info.words, "no answer");
  });

  test("ping() sends what the peer must acknowledge", async () => {
    await using pair = await open();
    const { near, far } = await pair.connect();
    await quiet(() => far.stats().receivedPackets + near.stats().receivedPackets);
    const before = [far.stats().receivedPackets, near.stats().receivedPackets];
    near.ping();
    await quiet(() => far.stats().receivedPackets + near.stats().receivedPackets);
    assert(far.stats().receivedPackets > before[0]!);
    assert(near.stats().receivedPackets > before[1]!);
  });

  test("stats() counts what went over the wire", async () => {
    await using pair = await open({ client: { profile: { datagramBytes: 1400 } } });
    const { near, far } = await pair.connect();
    const send = await near.openUni();
    await send.write(new Uint8Array(100_000));
    await send.finish();
    await readAll((await far.incomingUni.next()).value);
    const stats = near.stats();
    assert(stats.sentBytes > 100_000 && stats.sentPackets > 70, JSON.stringify(stats));
    assert.equal(stats.datagramBytes, 1400);
    assert(far.stats().receivedBytes > 100_000);
  });

  test("disposing an endpoint closes its connections with code 0", async () => {
    await using pair = await open();
    const { far } = await pair.connect();
    await pair.client[Symbol.asyncDispose]();
    await pair.client[Symbol.asyncDispose]();
    const info = await far.closed;
    assert.equal(info.by, "peer");
    assert.equal(info.code, CLOSE_CODE.normal);
    await assert.rejects(pair.dial(), QuicError);
  });

  test("one endpoint holds many connections and dials while it listens", async () => {
    await using pair = await open();
    pair.client.listen({
      alpns: () => [TEST_ALPN],
      verify: () => {},
      onConnection: (connection) => void back.push(connection.role),
    });
    const back: string[] = [];
    const dials = await Promise.all(Array.from({ length: 12 }, () => pair.connect()));
    const reverse = await pair.server.connect(pair.client.localAddress, {
      alpn: TEST_ALPN,
      verify: () => {},
    });
    await Promise.all(dials.map(async ({ near, far }, i) => {
      const send = await near.openUni();
      await send.write(new Uint8Array([i]));
      await send.finish();
      assert.deepEqual([...await readAll((await far.incomingUni.next()).value)], [i]);
    }));
    const send = await reverse.openUni();
    await send.write(new Uint8Array([1]));
    assert.deepEqual(back, ["server"]);
    assert.equal(pair.server.connectionCount, 13);
  });

  test("listen() ignores clients beyond its limit", async () => {
    await using pair = await open({ listen: { limits: { connectionsMax: 1 } } });
    await pair.connect();
    await assert.rejects(pair.dial({ timeoutMs: 200 }), QuicError);
    assert(pair.server.counters.shedClients > 0);
  });
}

/** Waits until a figure has stopped changing: the network has nothing more to do. */
async function quiet(figure: () => number): Promise<void> {
  let last = NaN;
  for (let same = 0; same < 5;) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    const now = figure();
    same = now === last ? same + 1 : 0;
    last = now;
  }
}

async function bindingWithoutCertificate(): Promise<QuicBinding> {
  const binding = await loadBinding();
  return {
    ...spread(binding),
    Config: {
      withBoringSslCtx: (verify, allowFail, ca, _keys, _certs, algorithms) =>
        binding.Config.withBoringSslCtx(verify, allowFail, ca, null, null, algorithms),
    },
  };
}

function spread({ Config, Connection, retry }: QuicBinding): QuicBinding {
  return { Config, Connection, retry };
}
