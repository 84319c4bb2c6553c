import assert from "node:assert/strict";
import { ConnectionLost, StreamClosed, StreamReset, StreamStopped } from "../../src/quic/errors.ts";
import { StreamTable, WRITE_BUDGET_BYTES } from "../../src/quic/stream_table.ts";
import { FakeConnection } from "../support/quic_fake.ts";

function makeTable(role: "client" | "server" = "server") {
  const native = new FakeConnection();
  let touches = 0;
  const table = new StreamTable(native, role, () => touches++, () => native.log.push("flush"));
  return { native, table, touches: () => touches };
}

function lost(code = 3): ConnectionLost {
  return new ConnectionLost(
    { by: "peer", isApplication: true, code, reason: "", words: "" },
    "192.0.2.1:1",
  );
}

/** The time at which a turn is served, where it does not matter. */
const nowMs = 1000;

const bytes = (...values: number[]) => new Uint8Array(values);

Deno.test("StreamTable numbers streams by who opens them and how", async () => {
  const client = makeTable("client").table;
  assert.deepEqual(
    [
      (await client.openBidi()).id,
      (await client.openBidi()).id,
      (await client.openUni()).id,
      (await client.openUni()).id,
    ],
    [0, 4, 2, 6],
  );
  const server = makeTable("server").table;
  assert.deepEqual([(await server.openBidi()).id, (await server.openUni()).id], [1, 3]);
});

Deno.test("StreamTable surfaces the peer's streams, in order and out of order, once each", async () => {
  const { native, table } = makeTable("server");
  // Streams 0 and 4 have not arrived when 8 and 12 do.
  native.stream(8).incoming.push(bytes(8));
  native.stream(12).incoming.push(bytes(12));
  native.stream(2).incoming.push(bytes(2));
  table.serve(nowMs, true);
  assert.equal(table.incomingBidi.length, 2);
  assert.equal(table.incomingUni.length, 1);
  native.stream(4).incoming.push(bytes(4));
  table.serve(nowMs, true);
  native.stream(0).incoming.push(bytes(0));
  table.serve(nowMs, true);
  native.stream(16).incoming.push(bytes(16));
  table.serve(nowMs, true);
  const ids: number[] = [];
  while (table.incomingBidi.length > 0) ids.push((await table.incomingBidi.next()).value.id);
  assert.deepEqual(ids.sort((a, b) => a - b), [0, 4, 8, 12, 16]);
});

Deno.test("StreamTable puts off its search while a slow reader explains what is unread", () => {
  const { native, table } = makeTable("server");
  native.stream(0).incoming.push(bytes(1));
  table.serve(1000, true);
  native.log.length = 0;
  for (let ms = 1001; ms < 1009; ms++) table.serve(ms, true);
  assert.equal(native.log.filter((entry) => entry === "readable").length, 0);
  // Hidden by the unread stream 0, it is found all the same.
  native.stream(8).incoming.push(bytes(1));
  table.serve(1009, true);
  assert.equal(table.incomingBidi.length, 1);
  assert.equal(table.searchDeadlineMs, 1010);
  table.serve(1010, true);
  assert.equal(table.incomingBidi.length, 2);
});

Deno.test("read() takes what is there, else waits for a turn, and sees the end", async () => {
  const { native, table } = makeTable("client");
  const { recv } = await table.openBidi();
  const into = new Uint8Array(4);
  native.stream(0).incoming.push(bytes(1, 2));
  assert.equal(await recv.read(into), 2);
  const waiting = recv.read(into);
  await assert.rejects(recv.read(into), TypeError);
  native.stream(0).incoming.push(bytes(3));
  native.stream(0).incomingEnds = true;
  table.serve(nowMs, true);
  assert.equal(await waiting, 1);
  assert.deepEqual([...into.subarray(0, 1)], [3]);
  assert.equal(await recv.read(into), null);
  await assert.rejects(recv.read(new Uint8Array(0)), TypeError);
});

Deno.test("read() yields to the connection when its budget is used up", async () => {
  const { native, table, touches } = makeTable("client");
  const { recv } = await table.openBidi();
  table.readBudgetBytes = 3;
  native.stream(0).incoming.push(bytes(1, 2, 3), bytes(4));
  assert.equal(await recv.read(new Uint8Array(3)), 3);
  const before = touches();
  const next = recv.read(new Uint8Array(3));
  assert(touches() > before, "a turn was asked for");
  table.serve(nowMs, true);
  assert.equal(await next, 1);
});

Deno.test("read() and write() report the peer's reset and stop, with their codes", async () => {
  const { native, table } = makeTable("client");
  const { send, recv } = await table.openBidi();
  const reading = recv.read(new Uint8Array(1));
  native.stream(0).capacity = 0;
  const writing = send.write(bytes(1, 2, 3));
  native.stream(0).resetCode = 0x11;
  native.stream(0).stopCode = 0x12;
  table.serve(nowMs, true);
  await assert.rejects(reading, (e) => e instanceof StreamReset && e.streamCode === 0x11);
  await assert.rejects(writing, (e) => e instanceof StreamStopped && e.streamCode === 0x12);
  assert.equal(table.openHalves, 0);
});

Deno.test("a stream that the core has forgotten fails its writer instead of stalling it", async () => {
  const { native, table } = makeTable("client");
  const send = await table.openUni();
  native.stream(2).capacity = 0;
  const writing = send.write(bytes(1, 2, 3));
  native.streamSend = () => null;
  native.streams.delete(2);
  table.serve(nowMs, true);
  await assert.rejects(writing, StreamStopped);
});

Deno.test("write() hands over all but the last byte, which follows with the next turn", async () => {
  const { native, table } = makeTable("client");
  const send = await table.openUni();
  await send.write(bytes(1, 2, 3));
  assert.deepEqual(native.stream(2).sent, [1, 2]);
  table.serve(nowMs, true);
  assert.deepEqual(native.stream(2).sent, [1, 2, 3]);
  await send.write(bytes(4));
  await send.write(bytes(5, 6));
  assert.deepEqual(native.stream(2).sent, [1, 2, 3, 4, 5]);
  assert.equal(native.stream(2).sentEnd, false);
});

Deno.test("finish() right after a write puts the end mark on its last byte", async () => {
  const { native, table } = makeTable("client");
  const ends: string[] = [];
  const original = native.streamSend.bind(native);
  native.streamSend = (id, part, fin) => {
    if (fin) ends.push(`${part.length} bytes`);
    return original(id, part, fin);
  };
  for (const payload of [bytes(1), bytes(1, 2, 3)]) {
    const send = await table.openUni();
    await send.write(payload);
    await send.finish();
    assert.deepEqual(native.stream(send.id).sent, [...payload]);
    assert.equal(native.stream(send.id).sentEnd, true);
  }
  assert.deepEqual(ends, ["1 bytes", "1 bytes"]);
  assert(!native.log.includes("flush"));
});

Deno.test("finish() on its own flushes, and waits while nothing could be sent", async () => {
  const { native, table } = makeTable("client");
  const send = await table.openUni();
  await send.write(bytes(1));
  table.serve(nowMs, true);
  native.stream(2).capacity = 0;
  let isDone = false;
  const finishing = send.finish().then(() => isDone = true);
  table.serve(nowMs, true);
  await Promise.resolve();
  assert.equal(isDone, false);
  assert.equal(native.stream(2).sentEnd, false);
  native.stream(2).capacity = 10;
  table.serve(nowMs, true);
  await finishing;
  assert.equal(native.stream(2).sentEnd, true);
  assert(native.log.includes("flush"));
});

Deno.test("writes on one stream stay in order while the connection is blocked", async () => {
  const { native, table } = makeTable("client");
  const send = await table.openUni();
  native.stream(2).capacity = 2;
  const writes = [send.write(bytes(1, 2, 3, 4)), send.write(bytes(5)), send.finish()];
  assert.equal(send.tryWrite.bind(send, bytes(9)) !== undefined, true);
  for (let i = 0; i < 6; i++) {
    native.stream(2).capacity += 1;
    table.serve(nowMs, true);
  }
  await Promise.all(writes);
  assert.deepEqual(native.stream(2).sent, [1, 2, 3, 4, 5]);
  assert.equal(native.stream(2).sentEnd, true);
});

Deno.test("tryWrite() takes what fits and never overtakes a waiting write", async () => {
  const { native, table } = makeTable("client");
  const send = await table.openUni();
  native.stream(2).capacity = 3;
  assert.equal(send.tryWrite(bytes(1, 2, 3, 4, 5)), 3);
  const waiting = send.write(bytes(6, 7));
  assert.equal(send.tryWrite(bytes(8)), 0);
  native.stream(2).capacity = 10;
  table.serve(nowMs, true);
  await waiting;
  assert.equal(send.tryWrite(bytes(8)), 1);
  table.serve(nowMs, true);
  assert.deepEqual(native.stream(2).sent, [1, 2, 3, 6, 7, 8]);
});

Deno.test("serve() shares the budget among writers, whichever came first", async () => {
  const { native, table } = makeTable("client");
  const streams = await Promise.all([table.openUni(), table.openUni(), table.openUni()]);
  table.writeBudgetBytes = 0;
  const writes = streams.map((send) => send.write(new Uint8Array(2 * WRITE_BUDGET_BYTES)));
  assert.equal(table.serve(nowMs, true), true, "another turn is wanted");
  const sent = streams.map(({ id }) => native.stream(id).sent.length);
  assert.equal(sent.reduce((a, b) => a + b), WRITE_BUDGET_BYTES);
  assert(Math.max(...sent) - Math.min(...sent) <= 64 << 10, `${sent}`);
  while (table.serve(nowMs, true));
  await Promise.all(writes);
});

Deno.test("serve() writes nothing while earlier data is unsent, but asks to come again", async () => {
  const { native, table } = makeTable("client");
  const send = await table.openUni();
  table.writeBudgetBytes = 0;
  const write = send.write(bytes(1, 2, 3));
  assert.equal(table.serve(nowMs, false), true);
  assert.deepEqual(native.stream(2).sent, []);
  table.serve(nowMs, true);
  await write;
});

Deno.test("a blocked stream does not hold up one that can go on", async () => {
  const { native, table } = makeTable("client");
  const [stuck, lively] = [await table.openUni(), await table.openUni()];
  native.stream(stuck.id).capacity = 0;
  native.stream(lively.id).capacity = 1;
  const stuckWrite = stuck.write(bytes(1, 1, 1));
  stuckWrite.catch(() => {});
  const livelyWrite = lively.write(bytes(2, 2, 2, 2));
  native.stream(lively.id).capacity = 10;
  table.serve(nowMs, true);
  await livelyWrite;
  table.fail(lost(), true);
  await assert.rejects(stuckWrite, ConnectionLost);
});

Deno.test("openBidi() waits for credit and keeps its place", async () => {
  const { native, table } = makeTable("client");
  native.bidiLeft = 0;
  const opened: number[] = [];
  const waiting = [1, 2].map((n) => table.openBidi().then(() => opened.push(n)));
  table.serve(nowMs, true);
  native.bidiLeft = 5;
  const third = table.openBidi().then(() => opened.push(3));
  table.serve(nowMs, true);
  await Promise.all([...waiting, third]);
  assert.deepEqual(opened, [1, 2, 3]);
});

Deno.test("reset(), stop() and disposal tell the peer, once, and not after a clean end", async () => {
  const { native, table } = makeTable("client");
  const { send, recv } = await table.openBidi();
  send.reset(0x14);
  send.reset(0x14);
  send[Symbol.dispose]();
  recv[Symbol.dispose]();
  recv.stop(0x11);
  assert.deepEqual(native.stream(0).shutdowns, ["write 20", "read 16"]);
  await assert.rejects(recv.read(new Uint8Array(1)), StreamClosed);
  const other = await table.openBidi();
  await other.send.write(bytes(1));
  await other.send.finish();
  native.stream(other.id).incomingEnds = true;
  assert.equal(await other.recv.read(new Uint8Array(1)), null);
  other.send[Symbol.dispose]();
  other.recv[Symbol.dispose]();
  assert.deepEqual(native.stream(other.id).shutdowns, []);
  assert.equal(table.openHalves, 0);
});

Deno.test("stop() rejects the read that waits", async () => {
  const { table } = makeTable("client");
  const { recv } = await table.openBidi();
  const waiting = recv.read(new Uint8Array(1));
  recv.stop(0x10);
  await assert.rejects(waiting, StreamClosed);
});

Deno.test("fail() ends everything that waits, but leaves what has arrived readable", async () => {
  const { native, table } = makeTable("client");
  const { send, recv } = await table.openBidi();
  const parked = (await table.openBidi()).recv;
  native.bidiLeft = 0;
  const waits = [parked.read(new Uint8Array(1)), table.openBidi(), table.incomingUni.next()];
  native.stream(0).incoming.push(bytes(7));
  table.fail(lost(), true);
  for (const wait of waits) await assert.rejects(wait, ConnectionLost);
  await assert.rejects(send.write(bytes(1)), ConnectionLost);
  await assert.rejects(table.openUni(), ConnectionLost);
  const into = new Uint8Array(1);
  assert.equal(await recv.read(into), 1);
  assert.equal(into[0], 7);
  await assert.rejects(recv.read(into), ConnectionLost);
});

Deno.test("fail() with a clean close ends the iteration of incoming streams", async () => {
  const { table } = makeTable("client");
  table.fail(lost(0), true);
  assert.equal((await table.incomingBidi.next()).done, true);
});

Deno.test("an urgent write waits for no budget and no turn, and leaves whole", async () => {
  const { native, table } = makeTable("client");
  const bulk = await table.openBidi();
  const control = await table.openUni();
  control.setPriority(0, false);
  const bulkWrite = bulk.send.write(new Uint8Array(2 * WRITE_BUDGET_BYTES));
  assert.equal(native.stream(0).sent.length, WRITE_BUDGET_BYTES);
  await control.write(bytes(1, 2, 3));
  assert.deepEqual(native.stream(2).sent, [1, 2, 3], "with its last byte");
  assert.equal(native.log.at(-1), "flush", "bulk waits: the message is sent before the turn");
  // What was handed over is still unsent: bulk gets no more, messages do.
  native.stream(2).capacity = 0;
  const late = control.write(bytes(4));
  native.stream(2).capacity = 10;
  assert.equal(table.serve(nowMs, false), true);
  await late;
  assert.deepEqual(native.stream(2).sent, [1, 2, 3, 4]);
  assert.equal(native.stream(0).sent.length, WRITE_BUDGET_BYTES);
  table.serve(nowMs, true);
  table.serve(nowMs, true);
  await bulkWrite;
});

Deno.test("an urgent write on a connection with nothing else to do costs no datagram of its own", async () => {
  const { native, table } = makeTable("client");
  const control = await table.openUni();
  control.setPriority(0, false);
  await control.write(bytes(1));
  await control.write(bytes(2));
  assert(!native.log.includes("flush"));
});

Deno.test("waiting writers are served by urgency, and in turns where it is the same", async () => {
  const { native, table } = makeTable("client");
  const order: number[] = [];
  const original = native.streamSend.bind(native);
  native.streamSend = (id, part, fin) => {
    const taken = original(id, part, fin);
    if (taken! > 0) order.push(id);
    return taken;
  };
  const urgencies = [128, 64, 128, 64];
  const streams = await Promise.all(urgencies.map(() => table.openBidi()));
  for (const { id } of streams) native.stream(id).capacity = 0;
  const share = 64 << 10;
  const writes = streams.map(({ send }, i) => {
    send.setPriority(urgencies[i]!, true);
    return send.write(new Uint8Array(2 * share));
  });
  for (const { id } of streams) native.stream(id).capacity = Infinity;
  table.serve(nowMs, true);
  await Promise.all(writes);
  assert.deepEqual(order, [4, 12, 4, 12, 0, 8, 0, 8]);
});

Deno.test("writers that don't share are served one after the other, the oldest first", async () => {
  const { native, table } = makeTable("client");
  const order: number[] = [];
  const original = native.streamSend.bind(native);
  native.streamSend = (id, part, fin) => {
    const taken = original(id, part, fin);
    if (taken! > 1) order.push(id);
    return taken;
  };
  const streams = await Promise.all([0, 1, 2].map(() => table.openBidi()));
  for (const { id } of streams) native.stream(id).capacity = 0;
  // Each writes its next block as soon as one is taken, as an answer does; the youngest asks first.
  const answer = async ({ send }: typeof streams[0]) => {
    send.setPriority(64, false);
    for (let block = 0; block < 3; block++) await send.write(new Uint8Array(256 << 10));
  };
  const answers = streams.reverse().map(answer);
  for (const { id } of streams) native.stream(id).capacity = Infinity;
  for (let turn = 0; turn < 9; turn++) {
    const hasMore = table.serve(nowMs, true);
    assert.equal(hasMore || turn >= 2, true, "those behind wait for another turn");
    for (let i = 0; i < 9; i++) await Promise.resolve();
  }
  await Promise.all(answers);
  assert.deepEqual(order.filter((id, i) => id !== order[i - 1]), [0, 4, 8]);
});

Deno.test("a writer that is stuck keeps nobody from being served, whether it shares or not", async () => {
  const { native, table } = makeTable("client");
  const streams = await Promise.all([0, 1].map(() => table.openBidi()));
  for (const { id } of streams) native.stream(id).capacity = 0;
  const writes = streams.map(({ send }) => {
    send.setPriority(64, false);
    return send.write(new Uint8Array(1000));
  });
  native.stream(streams[1]!.id).capacity = Infinity;
  table.serve(nowMs, true);
  await writes[1];
  assert.equal(native.stream(streams[0]!.id).sent.length, 0);
  native.stream(streams[0]!.id).capacity = Infinity;
  table.serve(nowMs, true);
  await writes[0];
});

Deno.test("a message's reader is served before those of bulk, whoever came first", async () => {
  const { native, table } = makeTable("server");
  native.stream(0).incoming.push(bytes(1));
  native.stream(2).incoming.push(bytes(1));
  table.serve(nowMs, true);
  const bulk = (await table.incomingBidi.next()).value!.recv;
  const control = (await table.incomingUni.next()).value!;
  const into = () => new Uint8Array(8);
  await Promise.all([bulk.read(into()), control.read(into())]);
  const order: string[] = [];
  const reads = [
    bulk.read(into()).then(() => order.push("bulk")),
    control.read(into()).then(() => order.push("control")),
  ];
  native.stream(0).incoming.push(bytes(2));
  native.stream(2).incoming.push(bytes(2));
  table.serve(nowMs, true);
  await Promise.all(reads);
  assert.deepEqual(order, ["control", "bulk"]);
});
