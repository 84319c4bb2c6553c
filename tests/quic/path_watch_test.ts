import assert from "node:assert/strict";
import { PathWatch } from "../../src/quic/path_watch.ts";
import { EndpointPair } from "../support/quic_pair.ts";
import { NarrowSocket } from "../support/quic_narrow_socket.ts";
import { patternBytes, readAll } from "../support/quic_streams.ts";

const WINDOW = { congestionWindowBytes: 14_720 };

Deno.test("check() finds a black hole after three timeouts of large datagrams", () => {
  const watch = new PathWatch(1472);
  const nothingLost = { ...WINDOW, lostPackets: 0, lostBytes: 0 };
  const timeouts = [100, 300, 700].map((nowMs) => {
    watch.noteSent(2 * 1472);
    return watch.check(nothingLost, true, nowMs);
  });
  assert.deepEqual(timeouts, [false, false, true]);
  assert.equal(watch.isWatching, false);
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
  assert.equal(watch.isWatching, false);
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
  assert.equal(watch.isWatching, false);
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

Deno.test("a path that falls silent proves itself again, or is found to carry less", () => {
  const watch = new PathWatch(1472);
  const counters = (lost: number) => ({ ...WINDOW, lostPackets: lost, lostBytes: lost * 1472 });
  watch.doubt(counters(0));
  assert.equal(watch.isProven, false, "nothing to doubt yet");
  watch.noteSent(1472 * 40);
  watch.check(counters(5), false, 50);
  assert.equal(watch.isProven, true);
  watch.doubt(counters(5));
  for (let i = 1; i < 20; i++) {
    watch.noteSent(2 * 1472);
    assert(!watch.check(counters(5), true, i * 1000), "silence alone tells nothing");
    if (watch.isProven) break;
  }
  assert.equal(watch.isProven, true);
  watch.doubt(counters(5));
  const found = [];
  for (let i = 1; i <= 60; i++) {
    watch.noteSent(1472);
    found.push(watch.check(counters(5 + i), false, 30_000 + i * 10));
  }
  assert.deepEqual(found.flatMap((is, i) => is ? [i] : []), [40], "three losses, 200 ms apart");
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
