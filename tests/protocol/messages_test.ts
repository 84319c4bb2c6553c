import assert from "node:assert/strict";
import { fromHex } from "../../src/base/bytes.ts";
import {
  type CborMap,
  type CborValue,
  decodeMessage,
  encodeCbor,
  encodeFrame,
  encodeMessage,
  FrameDecoder,
  type Message,
  ProtocolError,
} from "../../src/protocol/mod.ts";

const digest = new Uint8Array(32).fill(7);
const MESSAGES: Message[] = [
  { type: "hello", minor: 0, features: ["a"], implementation: "landropic/0.1.0", name: "laptop" },
  {
    type: "hello",
    minor: 0,
    features: ["groups"],
    implementation: "landropic/0.2.0",
    name: "laptop",
    group: new Uint8Array(16).fill(3),
    joins: true,
  },
  {
    type: "sync-open",
    session: 1,
    share: "docs",
    mode: "two-way",
    checksum: true,
    run: "r1",
    chunker: 1,
    versions: 3,
    compress: true,
    dryRun: false,
    watch: true,
    rateLimit: 2 ** 33,
    whole: true,
  },
  {
    type: "sync-accept",
    session: 1,
    share: "docs",
    shape: digest,
    rootId: new Uint8Array(24),
    files: 3,
    bytes: 2 ** 40,
    writable: true,
    foldsCase: false,
    foldsUnicode: false,
    scanErrors: 0,
    freeBytes: 2 ** 41,
    windows: false,
    problems: [{
      pathBytes: new Uint8Array([100, 47, 255]),
      code: "name_not_utf8",
      message: "Its name is not valid UTF-8",
      isHarmless: false,
    }],
    agreed: new Uint8Array(16),
    places: new Uint8Array(24),
  },
  {
    type: "sync-result",
    session: 1,
    ok: true,
    files: 1,
    bytesSent: 2,
    bytesReceived: 3,
    bytesReused: 4,
    deleted: 5,
    renamed: 6,
    adjusted: 9,
    conflicts: 7,
    errors: 8,
  },
  { type: "sync-ack", session: 1 },
  { type: "working", session: 1 },
  { type: "error", session: 1, code: "locked", message: "in use" },
  { type: "ping", token: 9 },
  { type: "pong", token: 9 },
  { type: "enough", stream: 2 ** 40 },
  { type: "shares-query" },
  { type: "shares", shares: [{ name: "docs", writable: false }] },
  { type: "go-away" },
  { type: "changed", share: "docs" },
  {
    type: "rotate-key",
    newSpki: new Uint8Array(44),
    signatureOld: new Uint8Array(64),
    signatureNew: new Uint8Array(64),
  },
];

for (const message of MESSAGES) {
  Deno.test(`decodeMessage() reads back ${message.type}`, () => {
    const [frame] = new FrameDecoder().handleBytes(encodeMessage(message));
    assert.deepEqual(decodeMessage(frame!), message);
  });
}

Deno.test("encodeMessage() of ping has these bytes", () => {
  const expected = fromHex(`
    02        # frame type 2, ping
    03        # three bytes of CBOR
    a1 00 09  # map of one: key 0 is 9`.replace(/#.*/g, ""));
  assert.deepEqual(encodeMessage({ type: "ping", token: 9 }), expected);
});

Deno.test("encodeMessage() of a Hello that joins a group has these bytes", () => {
  const expected = fromHex(`
    00 26                                # frame type 0, hello; 38 bytes of CBOR
    a6                                   # map of six
    00 00                                # 0, minor version: 0
    01 81 66 67 72 6f 75 70 73           # 1, features: "groups"
    02 61 69                             # 2, implementation: "i"
    03 61 6e                             # 3, name: "n"
    04 50 0001020304050607 08090a0b0c0d0e0f  # 4, group: 16 bytes
    05 f5                                # 5, joins: true`.replace(/#.*/g, ""));
  const hello: Message = {
    type: "hello",
    minor: 0,
    features: ["groups"],
    implementation: "i",
    name: "n",
    group: Uint8Array.from({ length: 16 }, (_, i) => i),
    joins: true,
  };
  assert.deepEqual(encodeMessage(hello), expected);
  const founds = encodeMessage({ ...hello, joins: false });
  assert.equal(founds.length, expected.length - 2);
});

Deno.test("decodeMessage() refuses a Hello that joins no group, or one with a short id", () => {
  const fields = (more: [number, CborValue][]): CborMap =>
    new Map<number, CborValue>([[0, 0], [2, "i"], [3, "n"], ...more]);
  const decode = (more: [number, CborValue][]) =>
    decodeMessage({ type: 0, payload: encodeCbor(fields(more)) });
  assert.equal(decode([])?.type, "hello");
  assert.throws(() => decode([[5, true]]), ProtocolError);
  assert.throws(() => decode([[4, new Uint8Array(15)]]), ProtocolError);
});

Deno.test("decodeMessage() skips unknown even types and refuses odd ones", () => {
  const decode = (type: number) => decodeMessage({ type, payload: fromHex("a0") });
  assert.equal(decode(1000), undefined);
  assert.throws(() => decode(1001), ProtocolError);
});

Deno.test("decodeMessage() ignores unknown keys and refuses missing ones", () => {
  const [extra] = new FrameDecoder().handleBytes(encodeFrame(2, fromHex("a2 00 09 18 63 01")));
  assert.deepEqual(decodeMessage(extra!), { type: "ping", token: 9 });
  assert.throws(() => decodeMessage({ type: 2, payload: fromHex("a0") }), ProtocolError);
});

Deno.test("decodeMessage() takes a SyncOpen from before watching and rate limits", () => {
  const fields: CborMap = new Map<number, CborValue>([
    [0, 1],
    [1, ""],
    [2, 0],
    [4, "r1"],
    [6, 1],
    [7, 0],
  ]);
  const message = decodeMessage({ type: 1, payload: encodeCbor(fields) });
  assert.ok(message?.type === "sync-open");
  assert.deepEqual([message.watch, message.rateLimit, message.whole], [false, 0, false]);
});
