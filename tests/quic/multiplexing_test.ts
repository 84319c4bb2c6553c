import assert from "node:assert/strict";
import type { BidiStream, RecvStream } from "../../src/quic/mod.ts";
import { DEFAULT_PROFILE } from "../../src/quic/profile.ts";
import { EndpointPair } from "../support/quic_pair.ts";

const MIB = 1 << 20;
const STREAMS = DEFAULT_PROFILE.bidiStreamsMax;

/** Reads to the end, telling each piece. */
async function readOn(recv: RecvStream, onBytes: (byteLength: number) => void): Promise<void> {
  const buffer = new Uint8Array(65_536);
  for (let count; (count = await recv.read(buffer)) !== null;) onBytes(count);
}

Deno.test("a control message overtakes bulk that was queued before it", async () => {
  await using pair = await EndpointPair.open();
  const { near, far } = await pair.connect();
  const control = await near.openUni();
  control.setPriority(0, false);
  await control.write(new Uint8Array([1]));
  const bulk = await Promise.all([1, 2, 3, 4].map(() => near.openBidi()));
  // 64 MiB, all of it before the message.
  const written = bulk.map(async ({ send }) => {
    send.setPriority(128, true);
    await send.write(new Uint8Array(16 * MIB));
    await send.finish();
  });
  const message = control.write(new Uint8Array([2]));
  let bulkBytes = 0;
  const reading = (async () => {
    const reads: Promise<void>[] = [];
    while (reads.length < bulk.length) {
      const { recv } = (await far.incomingBidi.next()).value as BidiStream;
      reads.push(readOn(recv, (count) => bulkBytes += count));
    }
    await Promise.all(reads);
  })();
  const { value: messages } = await far.incomingUni.next();
  const seen: number[] = [];
  const into = new Uint8Array(16);
  while (seen.length < 2) seen.push(...into.subarray(0, (await messages!.read(into))!));
  assert.deepEqual(seen, [1, 2]);
  assert.ok(bulkBytes < 4 * MIB, `${bulkBytes} bytes of bulk came first`);
  await message;
  await reading;
  await Promise.all(written);
});

Deno.test("a control message passes bulk that nobody reads", async () => {
  await using pair = await EndpointPair.open();
  const { near, far } = await pair.connect();
  const control = await near.openUni();
  control.setPriority(0, false);
  const { send } = await near.openBidi();
  // More than the stream may hold: it stands still.
  const stuck = send.write(new Uint8Array(40 * MIB));
  stuck.catch(() => {});
  await far.incomingBidi.next();
  await control.write(new Uint8Array([1]));
  const { value: messages } = await far.incomingUni.next();
  const into = new Uint8Array(1);
  for (let i = 1; i <= 20; i++) {
    assert.equal(await messages!.read(into), 1);
    assert.equal(into[0], i);
    if (i < 20) await control.write(new Uint8Array([i + 1]));
  }
});

Deno.test("small answers go before large ones that were begun earlier", async () => {
  await using pair = await EndpointPair.open();
  const { near, far } = await pair.connect();
  const [large, small] = [await near.openBidi(), await near.openBidi()];
  large.send.setPriority(128, true);
  small.send.setPriority(64, true);
  const writing = [
    large.send.write(new Uint8Array(32 * MIB)).then(() => large.send.finish()),
    small.send.write(new Uint8Array(2 * MIB)).then(() => small.send.finish()),
  ];
  const received = new Map<number, number>();
  let largeBytes: number | undefined;
  const reading: Promise<void>[] = [];
  for (let i = 0; i < 2; i++) {
    const { id, recv } = (await far.incomingBidi.next()).value as BidiStream;
    reading.push(
      readOn(recv, (count) => received.set(id, (received.get(id) ?? 0) + count)).then(() => {
        if (id === small.id) largeBytes = received.get(large.id) ?? 0;
      }),
    );
  }
  await Promise.all([...writing, ...reading]);
  assert.equal(received.get(small.id), 2 * MIB);
  assert.equal(received.get(large.id), 32 * MIB);
  assert.ok(largeBytes! < 4 * MIB, `${largeBytes} bytes of the large one came first`);
});

Deno.test(`${STREAMS} requests run at once, the next one waits for credit`, async () => {
  await using pair = await EndpointPair.open();
  const { near, far } = await pair.connect();
  const answerBytes = 70_000;
  let writtenBytes = 0;
  let readBytes = 0;
  let unreadBytesMax = 0;
  const opened: BidiStream[] = [];
  for (let i = 0; i < STREAMS; i++) opened.push(await near.openBidi());
  let hasExtra = false;
  const extra = near.openBidi().then((stream) => {
    hasExtra = true;
    return stream;
  });
  for (const { send } of opened) {
    await send.write(new Uint8Array([1]));
    await send.finish();
  }
  // All of them are open on the other side before the first one is answered.
  const requests: BidiStream[] = [];
  while (requests.length < STREAMS) {
    requests.push((await far.incomingBidi.next()).value as BidiStream);
  }
  assert.equal(hasExtra, false);
  assert.equal(pair.server.connectionStates.streams, STREAMS);
  const answer = async ({ send, recv }: BidiStream) => {
    await readOn(recv, () => {});
    for (let left = answerBytes; left > 0; left -= 10_000) {
      await send.write(new Uint8Array(10_000));
      writtenBytes += 10_000;
      unreadBytesMax = Math.max(unreadBytesMax, writtenBytes - readBytes);
    }
    await send.finish();
  };
  const answering = requests.map(answer);
  // Nobody reads until the windows are full: 72 MB are wanted, 64 MiB fit.
  while (writtenBytes < 60 * MIB) await new Promise((resolve) => setTimeout(resolve, 5));
  let answeredBytes = 0;
  await Promise.all(opened.map(({ recv }) =>
    readOn(recv, (count) => {
      readBytes += count;
      answeredBytes += count;
    })
  ));
  await Promise.all(answering);
  assert.equal(answeredBytes, STREAMS * answerBytes);
  const boundBytes = DEFAULT_PROFILE.connectionWindowBytesMax + 4 * MIB;
  assert.ok(unreadBytesMax < boundBytes, `${unreadBytesMax} bytes lay unread`);
  const { send, recv } = await extra;
  await send.write(new Uint8Array([1]));
  await send.finish();
  await answer((await far.incomingBidi.next()).value as BidiStream);
  let extraBytes = 0;
  await readOn(recv, (count) => extraBytes += count);
  assert.equal(extraBytes, answerBytes);
});
