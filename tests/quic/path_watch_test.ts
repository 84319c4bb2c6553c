import assert from "node:assert/strict";
import { PathWatch } from "../../src/quic/path_watch.ts";
import { EndpointPair } from "../support/quic_pair.ts";
import { NarrowSocket } from "../support/quic_narrow_socket.ts";
import { patternBytes, readAll } from "../support/quic_streams.ts";

const WINDOW = { congestionWindowBytes: 14_720, rttMs: 1 };

Deno.test("check() finds a black hole after three timeouts of large datagrams", () => {
  const watch = new PathWatch(1472);
  const nothingLost = { ...WINDOW, lostPackets: 0, lostBytes: 0 };
  const timeouts = [100, 300, 700].map((nowMs) => {
    watch.noteSent(2 * 1472);
    return watch.check(nothingLost, true, nowMs);
  });
  assert.deepEqual(timeouts, [false, false, true]);
  assert.equal(watch.isOver, true);
  assert.equal(watch.check(nothingLost, true, 1500), false, "once");
});

Deno.test("check() finds a black hole while small datagrams are acknowledged", () => {
  const watch = new PathWatch(1472);
  const found = [1, 2, 3].map((flight) => {
    watch.noteSent(10 * 1472);
    return watch.check(
      { ...WINDOW, lostPackets: 10 * flight, lostBytes: 14_720 * flight },
      false,
      flight * 50,
    );
  });
  assert.deepEqual(found, [false, false, true]);
});

Deno.test("check() takes a path for proven once more has left than window and losses hold", () => {
  const watch = new PathWatch(1472);
  watch.noteSent(1472 * 40);
  const counters = { ...WINDOW, lostPackets: 2, lostBytes: 2944 };
  assert.equal(watch.check(counters, true, 50), false);
  assert.equal(watch.isProven, true);
});

Deno.test("check() forgives losses of small datagrams, and rare ones of large", () => {
  const watch = new PathWatch(1472);
  watch.noteSent(1472);
  for (let i = 1; i < 20; i++) {
    assert(!watch.check({ ...WINDOW, lostPackets: i, lostBytes: i * 100 }, false, i * 100));
  }
  const rare = new PathWatch(1472);
  rare.noteSent(1472);
  for (let i = 1; i < 20; i++) {
    assert(!rare.check({ ...WINDOW, lostPackets: i, lostBytes: i * 1472 }, false, i * 20_000));
  }
  const timeouts = new PathWatch(1472);
  timeouts.noteSent(1472);
  for (let i = 1; i < 20; i++) {
    assert(!timeouts.check({ ...WINDOW, lostPackets: 0, lostBytes: 0 }, true, i * 100));
  }
});

Deno.test("a connection of the size that every path carries is not watched", () => {
  const watch = new PathWatch(1200);
  watch.noteSent(5000);
  assert.equal(watch.isOver, true);
});

for (const how of ["silently", "refused"] as const) {
  Deno.test(`a connection gets through a path that drops more than 1400 bytes ${how}`, async () => {
    const socket = await NarrowSocket.open(1400, how);
    await using pair = await EndpointPair.open({
      client: { socket },
      connect: { datagramBytes: 8900 },
    });
    const { near, far } = await pair.connect();
    const bytes = patternBytes(300_000);
    const stream = await near.openUni();
    const reading = far.incomingUni.next().then(({ value }) => readAll(value));
    await stream.write(bytes);
    await stream.finish();
    assert.deepEqual(await reading, bytes);
    assert(socket.swallowed > 0);
    assert.equal(near.stats().datagramBytes, how === "silently" ? 1200 : 1400);
  });
}

Deno.test("a server gets through a path that drops more than 1400 bytes, too", async () => {
  const socket = await NarrowSocket.open(1400, "silently");
  await using pair = await EndpointPair.open({ server: { socket } });
  const { near, far } = await pair.connect();
  const bytes = patternBytes(300_000);
  const stream = await far.openUni();
  const reading = near.incomingUni.next().then(({ value }) => readAll(value));
  await stream.write(bytes);
  await stream.finish();
  assert.deepEqual(await reading, bytes);
  assert(socket.swallowed > 0);
});

Deno.test("a path that carries large datagrams keeps them", async () => {
  await using pair = await EndpointPair.open({ connect: { datagramBytes: 8900 } });
  const { near, far } = await pair.connect();
  const stream = await near.openUni();
  const reading = far.incomingUni.next().then(({ value }) => readAll(value));
  await stream.write(patternBytes(4 << 20));
  await stream.finish();
  await reading;
  assert.equal(near.stats().datagramBytes, 8900);
});

Deno.test("a path on which something times out proves itself again, or is found to carry less", () => {
  const watch = new PathWatch(1472);
  const counters = (lost: number) => ({ ...WINDOW, lostPackets: lost, lostBytes: lost * 1472 });
  watch.check(counters(0), true, 0);
  assert.equal(watch.isProven, false, "nothing to doubt yet");
  watch.noteSent(1472 * 40);
  watch.check(counters(5), false, 50);
  assert.equal(watch.isProven, true);
  watch.check(counters(5), true, 100);
  assert.equal(watch.isProven, false);
  for (let i = 1; i < 20; i++) {
    watch.noteSent(2 * 1472);
    assert(!watch.check(counters(5), true, i * 1000), "timeouts alone tell nothing");
    if (watch.isProven) break;
  }
  assert.equal(watch.isProven, true);
  watch.check(counters(5), true, 25_000);
  const found = [];
  for (let i = 1; i <= 60; i++) {
    watch.noteSent(1472);
    found.push(watch.check(counters(5 + i), false, 30_000 + i * 10));
  }
  assert.deepEqual(found.flatMap((is, i) => is ? [i] : []), [40], "three losses, 200 ms apart");
});

/** A path under the watch, in simulated time: each round trip a flight leaves, and the one before is judged. */
interface Flow {
  readonly rttMs: number;
  readonly datagramsPerRound: number;
  readonly windowDatagrams?: number;
  /** Whether a datagram of 1472 bytes is lost. */
  readonly isLost: (nowMs: number) => boolean;
}

/** Returns when the watch gave the path up; undefined if it did not. */
function watchFlow(untilMs: number, { rttMs, datagramsPerRound, isLost, ...flow }: Flow) {
  const { windowDatagrams = datagramsPerRound } = flow;
  const watch = new PathWatch(1472);
  watch.noteSent(1472 * 1000);
  const counters = (lostPackets: number) => ({
    lostPackets,
    lostBytes: lostPackets * 1472,
    congestionWindowBytes: windowDatagrams * 1472,
    rttMs,
  });
  watch.check(counters(0), false, 0);
  assert.equal(watch.isProven, true);
  let lost = 0;
  for (let nowMs = rttMs; nowMs <= untilMs; nowMs += rttMs) {
    if (watch.check(counters(lost), false, nowMs)) return nowMs;
    watch.noteSent(datagramsPerRound * 1472);
    for (let i = 0; i < datagramsPerRound; i++) if (isLost(nowMs)) lost++;
  }
  return undefined;
}

/** Always the same numbers, as if by chance. */
function chance(seed = 1): () => number {
  return () => (seed = seed * 48_271 % 0x7fff_ffff) / 0x7fff_ffff;
}

Deno.test("check() finds a proven path that comes to carry less though the peer is heard all the time", () => {
  // No timeout ever: acknowledgements of small datagrams come in each round trip and reveal what is lost.
  for (const rttMs of [1, 13, 50, 300]) {
    for (const datagramsPerRound of [1, 4, 200]) {
      for (const windowDatagrams of [datagramsPerRound, 900]) {
        const atMs = watchFlow(60_000, {
          rttMs,
          datagramsPerRound,
          windowDatagrams,
          isLost: (nowMs) => nowMs > 5000,
        });
        assert.ok(atMs !== undefined, `${rttMs} ms, ${datagramsPerRound} datagrams`);
        assert.ok(atMs > 5000 && atMs <= 5000 + Math.max(1000, 10 * rttMs), `${atMs} ms`);
      }
    }
  }
});

Deno.test("check() never takes a path for a black hole that loses many datagrams, or all for a moment", () => {
  for (const rttMs of [1, 13, 50, 600]) {
    for (const datagramsPerRound of [1, 4, 200]) {
      for (const windowDatagrams of [datagramsPerRound, 900]) {
        const random = chance();
        const flow = { rttMs, datagramsPerRound, windowDatagrams };
        const label = JSON.stringify(flow);
        const untilMs = Math.max(6000, 1000 * rttMs);
        const isLost = () => random() < 0.1;
        assert.equal(watchFlow(untilMs, { ...flow, isLost }), undefined, label);
        const isAway = (nowMs: number) => nowMs % 2000 < Math.min(300, rttMs);
        assert.equal(watchFlow(untilMs, { ...flow, isLost: isAway }), undefined, label);
      }
    }
  }
});

Deno.test("a connection goes on when its path comes to carry less in the middle of a transfer", async () => {
  const socket = await NarrowSocket.open(65_535, "silently");
  await using pair = await EndpointPair.open({
    client: { socket },
    connect: { datagramBytes: 8900 },
  });
  const { near, far } = await pair.connect();
  const bytes = patternBytes(8 << 20);
  const stream = await near.openUni();
  const reading = far.incomingUni.next().then(({ value }) => readAll(value));
  await stream.write(bytes.subarray(0, 4 << 20));
  assert.equal(near.stats().datagramBytes, 8900);
  socket.bytesMax = 1400;
  await stream.write(bytes.subarray(4 << 20));
  await stream.finish();
  assert.deepEqual(await reading, bytes);
  assert(socket.swallowed > 0);
  assert.equal(near.stats().datagramBytes, 1200);
});

Deno.test("a connection goes on when its path comes to carry less while the peer talks all the time", async () => {
  const socket = await NarrowSocket.open(65_535, "silently");
  await using pair = await EndpointPair.open({
    client: { socket },
    connect: { datagramBytes: 8900 },
  });
  const { near, far } = await pair.connect();
  const bytes = patternBytes(8 << 20);
  const stream = await near.openUni();
  const reading = far.incomingUni.next().then(({ value }) => readAll(value));
  await stream.write(bytes.subarray(0, 4 << 20));
  const talk = await far.openUni();
  const talking = setInterval(() => void talk.write(new Uint8Array(100)).catch(() => {}), 10);
  try {
    socket.bytesMax = 1400;
    await stream.write(bytes.subarray(4 << 20));
    await stream.finish();
    assert.deepEqual(await reading, bytes);
  } finally {
    clearInterval(talking);
  }
  assert(socket.swallowed > 0);
  assert.equal(near.stats().datagramBytes, 1200);
});

Deno.test("a connection whose network was away for a while keeps its large datagrams", async () => {
  const socket = await NarrowSocket.open(65_535, "silently");
  await using pair = await EndpointPair.open({
    client: { socket },
    connect: { datagramBytes: 8900 },
  });
  const { near, far } = await pair.connect();
  const bytes = patternBytes(12 << 20);
  const stream = await near.openUni();
  const reading = far.incomingUni.next().then(({ value }) => readAll(value));
  await stream.write(bytes.subarray(0, 4 << 20));
  socket.bytesMax = 0;
  const writing = stream.write(bytes.subarray(4 << 20));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  socket.bytesMax = 65_535;
  await writing;
  await stream.finish();
  assert.deepEqual(await reading, bytes);
  assert.equal(near.stats().datagramBytes, 8900);
});
