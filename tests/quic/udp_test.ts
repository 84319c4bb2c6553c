import assert from "node:assert/strict";
import { DgramUdpSocket } from "../../src/quic/udp_dgram.ts";
import { LinuxUdpSocket } from "../../src/quic/udp_linux.ts";
import type { HostPort } from "../../src/quic/address.ts";
import { QuicError } from "../../src/quic/errors.ts";
import type { UdpAddress, UdpSocket } from "../../src/quic/udp.ts";
import { patternBytes } from "../support/quic_streams.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const ANY_IPV4 = { host: "0.0.0.0", port: 0 };

const IMPLEMENTATIONS: Record<string, (listen?: HostPort) => Promise<UdpSocket>> = {
  DgramUdpSocket: (listen) => DgramUdpSocket.bind(listen),
};
if (Deno.build.os === "linux") {
  // Async, so that a failed bind rejects.
  // deno-lint-ignore require-await
  IMPLEMENTATIONS.LinuxUdpSocket = async (listen) => LinuxUdpSocket.bind(listen);
}

interface Received {
  readonly bytes: Uint8Array;
  readonly from: UdpAddress;
}

async function receiveCount(socket: UdpSocket, count: number): Promise<Received[]> {
  const received: Received[] = [];
  while (received.length < count) {
    socket.receive({
      handleDatagram: (datagram, from) => received.push({ bytes: datagram.slice(), from }),
    }, 4);
    if (received.length < count) await socket.wait();
  }
  return received;
}

async function hasIpv6(): Promise<boolean> {
  try {
    await (await DgramUdpSocket.bind({ host: "::1", port: 0 })).close();
    return true;
  } catch {
    return false;
  }
}
const ipv6 = await hasIpv6();

for (const [name, bind] of Object.entries(IMPLEMENTATIONS)) {
  Deno.test(`${name} carries datagrams both ways and names the sender`, async () => {
    const [near, far] = [await bind(LOOPBACK), await bind(LOOPBACK)];
    near.sendOne(near.addressOf(far.local), new Uint8Array([1, 2, 3]));
    const [first] = await receiveCount(far, 1);
    assert.deepEqual([...first!.bytes], [1, 2, 3]);
    assert.equal(first!.from.host, "127.0.0.1");
    assert.equal(first!.from.port, near.local.port);
    far.sendOne(first!.from, new Uint8Array([4]));
    const [second] = await receiveCount(near, 1);
    assert.deepEqual([...second!.bytes], [4]);
    assert.equal(second!.from.key, near.addressOf(far.local).key);
    await near.close();
    await far.close();
  });

  Deno.test(`${name}.send() cuts the slab into datagrams, the last one shorter`, async () => {
    const [near, far] = [await bind(LOOPBACK), await bind(LOOPBACK)];
    const payload = patternBytes(3 * 1200 + 7);
    near.slab.set(payload);
    near.send(near.addressOf(far.local), payload.length, 1200);
    near.slab.fill(0);
    const received = await receiveCount(far, 4);
    assert.deepEqual(received.map(({ bytes }) => bytes.length), [1200, 1200, 1200, 7]);
    received.forEach(({ bytes }, i) => {
      assert.deepEqual(bytes, payload.subarray(i * 1200, i * 1200 + bytes.length));
    });
    assert.equal(near.counters.sentDatagrams, 4);
    assert.equal(far.counters.receivedDatagrams, 4);
    await near.close();
    await far.close();
  });

  Deno.test(`${name}.sendOne() carries the largest datagram and frees the buffer at once`, async () => {
    const [near, far] = [await bind(LOOPBACK), await bind(LOOPBACK)];
    const payload = patternBytes(65_507);
    const copy = payload.slice();
    near.sendOne(near.addressOf(far.local), payload);
    payload.fill(0);
    const [received] = await receiveCount(far, 1);
    assert.deepEqual(received!.bytes, copy);
    await near.close();
    await far.close();
  });

  Deno.test(`${name}.sendOne() drops what is too large for UDP`, async () => {
    await using pair = await withClose(bind);
    const { near, far } = pair;
    near.sendOne(near.addressOf(far.local), new Uint8Array(70_000));
    near.sendOne(near.addressOf(far.local), new Uint8Array([9]));
    const [received] = await receiveCount(far, 1);
    assert.deepEqual([...received!.bytes], [9]);
    assert.equal(near.counters.droppedDatagrams, 1);
  });

  Deno.test(`${name} tells senders apart in one batch`, async () => {
    const [a, b, far] = [await bind(LOOPBACK), await bind(LOOPBACK), await bind(LOOPBACK)];
    for (let i = 0; i < 4; i++) {
      a.sendOne(a.addressOf(far.local), new Uint8Array([1, i]));
      b.sendOne(b.addressOf(far.local), new Uint8Array([2, i]));
    }
    const received = await receiveCount(far, 8);
    for (const { bytes, from } of received) {
      assert.equal(from.port, bytes[0] === 1 ? a.local.port : b.local.port);
    }
    const keys = new Set(received.map(({ from }) => from));
    assert.equal(keys.size, 2, "one address object for each sender");
    for (const socket of [a, b, far]) await socket.close();
  });

  Deno.test(`${name}.wait() ends when the socket closes`, async () => {
    const socket = await bind(LOOPBACK);
    const waiting = socket.wait();
    await socket.close();
    await waiting;
    await socket.close();
    assert.equal(socket.receive({ handleDatagram: () => assert.fail() }, 4), false);
  });

  Deno.test(`${name}.bind() without an address reaches IPv4`, async () => {
    const [near, far] = [await bind(), await bind(LOOPBACK)];
    near.sendOne(near.addressOf(far.local), new Uint8Array([5]));
    const [received] = await receiveCount(far, 1);
    far.sendOne(received!.from, new Uint8Array([6]));
    const [answer] = await receiveCount(near, 1);
    assert.equal(answer!.from.host, "127.0.0.1", "not ::ffff:127.0.0.1");
    await near.close();
    await far.close();
  });

  Deno.test({ name: `${name}.bind() without an address reaches IPv6`, ignore: !ipv6 }, async () => {
    const [near, far] = [await bind(), await bind({ host: "::1", port: 0 })];
    near.sendOne(near.addressOf(far.local), new Uint8Array([5]));
    const [received] = await receiveCount(far, 1);
    assert.equal(received!.from.host, "::1");
    await near.close();
    await far.close();
  });

  Deno.test(`${name}.bind() rejects a port in use with a typed error`, async () => {
    const socket = await bind(LOOPBACK);
    await assert.rejects(() => bind(socket.local), (error) => {
      assert(error instanceof QuicError);
      assert.match(error.message, new RegExp(`127.0.0.1:${socket.local.port}: the port is in use`));
      assert.match(error.hint!, /another port/);
      return true;
    });
    await socket.close();
  });

  Deno.test(`${name}.bind() says what to do about an address that is no one's`, async () => {
    // RFC 5737: nobody has it.
    const refused = {
      code: "failed",
      message: /^Cannot listen on 203\.0\.113\.9:0: this machine has no such address$/,
      hint: /on all of them: \[::\]/,
    };
    await assert.rejects(() => bind({ host: "203.0.113.9", port: 0 }), refused);
  });

  Deno.test(`${name}.addressOf() refuses what the socket cannot reach`, async () => {
    const socket = await bind(LOOPBACK);
    for (
      const remote of [
        { host: "example.org", port: 1 },
        { host: "::1", port: 1 },
        { host: "127.0.0.1", port: 0 },
        { host: "127.0.0.1", port: 65_536 },
        { host: "fe80::1", port: 1 },
      ]
    ) {
      assert.throws(() => socket.addressOf(remote), QuicError, JSON.stringify(remote));
    }
    await socket.close();
  });

  Deno.test(`${name} survives a burst larger than its queues`, async () => {
    await using pair = await withClose(bind);
    const { near, far } = pair;
    const to = near.addressOf(far.local);
    for (let i = 0; i < 1200; i++) near.sendOne(to, new Uint8Array(8000));
    while (near.isBlocked) await near.wait();
    // Whatever was dropped, the socket still works.
    const drain = { handleDatagram: () => {} };
    far.receive(drain, 100_000);
    const marker = setInterval(() => near.sendOne(to, new Uint8Array([7])), 5);
    let seen = false;
    while (!seen) {
      await far.wait();
      far.receive({ handleDatagram: (bytes) => void (seen ||= bytes.length === 1) }, 100_000);
    }
    clearInterval(marker);
  });
}

Deno.test({
  name: "LinuxUdpSocket.pathPayloadBytes() gives the loopback device's size",
  ignore: Deno.build.os !== "linux",
}, async () => {
  const socket = LinuxUdpSocket.bind(LOOPBACK);
  const bytes = socket.pathPayloadBytes({ host: "127.0.0.1", port: 9 });
  assert(bytes !== undefined && bytes >= 1472 && bytes <= 65_508, `${bytes}`);
  assert.equal(socket.pathPayloadBytes({ host: "fe80::1%nosuchif", port: 9 }), undefined);
  await socket.close();
});

Deno.test({
  name: "LinuxUdpSocket sends and receives trains in one system call",
  ignore: Deno.build.os !== "linux",
}, async () => {
  const [near, far] = [LinuxUdpSocket.bind(LOOPBACK), LinuxUdpSocket.bind(LOOPBACK)];
  near.send(near.addressOf(far.local), 40 * 1200, 1200);
  await receiveCount(far, 40);
  assert.equal(near.counters.sendCalls, 1);
  assert(far.counters.receiveCalls < 40, `${far.counters.receiveCalls} calls`);
  await near.close();
  await far.close();
});

for (const wildcard of ["0.0.0.0", "::"]) {
  for (const dialled of ["127.0.0.1", "127.0.0.2", "::1"]) {
    if (dialled === "::1" && wildcard !== "::") continue;
    Deno.test({
      name: `LinuxUdpSocket on ${wildcard} answers ${dialled} from there, singly and in trains`,
      ignore: Deno.build.os !== "linux" || (wildcard === "::" && !ipv6),
    }, async () => {
      const near = LinuxUdpSocket.bind({ host: dialled === "::1" ? "::1" : "127.0.0.1", port: 0 });
      const far = LinuxUdpSocket.bind({ host: wildcard, port: 0 });
      const to = near.addressOf({ host: dialled, port: far.local.port });
      near.sendOne(to, new Uint8Array([1]));
      const [asked] = await receiveCount(far, 1);
      assert.equal(asked!.from.key, `${near.local.host} ${near.local.port}`);
      far.sendOne(asked!.from, new Uint8Array([2]));
      far.send(asked!.from, 2500, 1000);
      far.sendOne(asked!.from, new Uint8Array([3]));
      const answers = await receiveCount(near, 5);
      assert.deepEqual(answers.map(({ bytes }) => bytes.length), [1, 1000, 1000, 500, 1]);
      for (const { from } of answers) assert.equal(from.key, to.key);
      await near.close();
      await far.close();
    });
  }
}

Deno.test({
  name: "LinuxUdpSocket keeps answers apart when one client writes to two of its addresses",
  ignore: Deno.build.os !== "linux",
}, async () => {
  const [near, far] = [LinuxUdpSocket.bind(LOOPBACK), LinuxUdpSocket.bind(ANY_IPV4)];
  for (const [n, host] of ["127.0.0.1", "127.0.0.2", "127.0.0.1"].entries()) {
    near.sendOne(near.addressOf({ host, port: far.local.port }), new Uint8Array([n]));
  }
  const asked = await receiveCount(far, 3);
  assert.equal(asked[0]!.from, asked[2]!.from);
  assert.notEqual(asked[0]!.from, asked[1]!.from);
  for (const { bytes, from } of asked) far.sendOne(from, bytes);
  const answers = await receiveCount(near, 3);
  assert.deepEqual(
    answers.map(({ bytes, from }) => `${bytes[0]} ${from.host}`),
    ["0 127.0.0.1", "1 127.0.0.2", "2 127.0.0.1"],
  );
  await near.close();
  await far.close();
});

async function withClose(bind: (listen?: HostPort) => Promise<UdpSocket>) {
  const [near, far] = [await bind(LOOPBACK), await bind(LOOPBACK)];
  return {
    near,
    far,
    async [Symbol.asyncDispose]() {
      await near.close();
      await far.close();
    },
  };
}

for (const listen of [LOOPBACK, ANY_IPV4, ...(ipv6 ? [{ host: "::", port: 0 }] : [])]) {
  Deno.test({
    name: `LinuxUdpSocket.branch() takes one sender each off a socket on ${listen.host}`,
    ignore: Deno.build.os !== "linux",
    async fn() {
      const main = LinuxUdpSocket.bind(listen);
      const at = { host: "127.0.0.1", port: main.local.port };
      const clients = [1, 2, 3].map(() => LinuxUdpSocket.bind(LOOPBACK));
      const branches: LinuxUdpSocket[] = [];
      for (const client of clients.slice(0, 2)) {
        client.sendOne(client.addressOf(at), Uint8Array.of(1));
        const [first] = await receiveCount(main, 1);
        branches.push(LinuxUdpSocket.adopt(main.branch(first!.from)!));
      }
      for (const [i, client] of clients.entries()) {
        client.sendOne(client.addressOf(at), Uint8Array.of(i));
      }
      for (const [i, socket] of [...branches, main].entries()) {
        const [got] = await receiveCount(socket, 1);
        assert.deepEqual([...got!.bytes], [i]);
        assert.equal(got!.from.port, clients[i]!.local.port);
        assert.equal(socket.local.port, main.local.port);
        // The answer comes from where the client wrote to.
        socket.sendOne(socket.addressOf(clients[i]!.local), Uint8Array.of(9));
        const [answer] = await receiveCount(clients[i]!, 1);
        assert.deepEqual({ host: answer!.from.host, port: answer!.from.port }, at);
      }
      // Nobody else gets the port meanwhile.
      assert.throws(() => LinuxUdpSocket.bind(main.local), QuicError);
      for (const socket of [main, ...branches, ...clients]) await socket.close();
    },
  });
}
