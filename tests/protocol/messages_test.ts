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
    conflicts: 7,
    errors: 8,
  },
  { type: "sync-ack", session: 1 },
  { type: "error", session: 1, code: "locked", message: "in use" },
  { type: "ping", token: 9 },
  { type: "pong", token: 9 },
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
  assert.deepEqual([message.watch, message.rateLimit], [false, 0]);
});
