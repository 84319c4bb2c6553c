import assert from "node:assert/strict";
import fc from "fast-check";
import { fromHex, toHex } from "../../../src/base/bytes.ts";
import {
  decodeAssociatedData,
  decodePairingMessage,
  encodeAssociatedData,
  encodePairingMessage,
  NONCE_BYTES,
  type PairingMessage,
  PairingMessageSplitter,
  PAYLOAD_BYTES_MAX,
} from "../../../src/identity/pairing/pairing_message.ts";

const fixed = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const shareBody = {
  share: fixed(32),
  associatedData: fc.uint8Array({ maxLength: PAYLOAD_BYTES_MAX - 32 }),
};
const messageArbitrary: fc.Arbitrary<PairingMessage> = fc.oneof(
  fc.record({
    type: fc.constant("enterer_nonce" as const),
    method: fc.constantFrom("code" as const, "token" as const),
    nonce: fixed(NONCE_BYTES),
  }),
  fc.record({ type: fc.constant("displayer_nonce" as const), nonce: fixed(NONCE_BYTES) }),
  fc.record({ type: fc.constant("enterer_share" as const), ...shareBody }),
  fc.record({ type: fc.constant("displayer_share" as const), ...shareBody }),
  fc.record({ type: fc.constant("enterer_tag" as const), tag: fixed(64) }),
  fc.record({ type: fc.constant("displayer_tag" as const), tag: fixed(64) }),
  fc.record({ type: fc.constant("done" as const) }),
  fc.record({
    type: fc.constant("refusal" as const),
    reason: fc.constantFrom("expired" as const, "busy" as const, "wrong_secret" as const),
  }),
);

Deno.test("encodePairingMessage() writes type, length and payload", () => {
  const nonce = new Uint8Array(16).fill(0xaa);
  const aa = "aa".repeat(16);
  const cases: [PairingMessage, string][] = [
    [{ type: "enterer_nonce", method: "token", nonce }, `01 11 01 ${aa}`],
    [{ type: "displayer_nonce", nonce }, `02 10 ${aa}`],
    [
      { type: "enterer_share", share: new Uint8Array(32), associatedData: fromHex("0141 01") },
      `03 23 ${"00".repeat(32)} 01 41 01`,
    ],
    [{ type: "displayer_tag", tag: new Uint8Array(64) }, `06 4040 ${"00".repeat(64)}`],
    [{ type: "done" }, "07 00"],
    [{ type: "refusal", reason: "wrong_secret" }, "00 01 06"],
  ];
  for (const [message, hex] of cases) {
    assert.equal(toHex(encodePairingMessage(message)), hex.replaceAll(" ", ""));
  }
});

Deno.test("decodePairingMessage() reads back every message", () => {
  fc.assert(fc.property(messageArbitrary, (message) => {
    const decoded = decodePairingMessage(encodePairingMessage(message));
    assert.equal(Deno.inspect(decoded), Deno.inspect({ ...message }));
  }));
});

Deno.test("decodePairingMessage() accepts one spelling of a message and throws RangeError else", () => {
  fc.assert(fc.property(
    fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.tuple(messageArbitrary, fc.nat(200), fc.nat(255)).map(([message, at, byte]) => {
        const bytes = encodePairingMessage(message);
        return bytes.with(at % bytes.length, byte);
      }),
    ),
    (bytes) => {
      let message: PairingMessage;
      try {
        message = decodePairingMessage(bytes);
      } catch (error) {
        assert.ok(error instanceof RangeError);
        return;
      }
      if (message.type === "refusal") return; // reasons of later versions are all read as one
      assert.deepEqual(encodePairingMessage(message), new Uint8Array(bytes));
    },
  ));
});

Deno.test("decodePairingMessage() refuses what is out of bounds", () => {
  const bad = {
    "unknown type": "08 00",
    "type in a longer form": "4007 00",
    "length in a longer form": "07 4000",
    "one byte left over": "07 00 00",
    "payload on done": "07 01 00",
    "short nonce": "02 0f" + "aa".repeat(15),
    "long nonce": "02 11" + "aa".repeat(17),
    "unknown method": "01 11 02" + "aa".repeat(16),
    "share cut off": "03 1f" + "aa".repeat(31),
    "short tag": "05 3f" + "aa".repeat(63),
    "length over the limit": "03 4201" + "aa".repeat(513),
    "a gigabyte announced": "03 c000000040000000",
    "nothing": "",
  };
  for (const [name, hex] of Object.entries(bad)) {
    assert.throws(() => decodePairingMessage(fromHex(hex)), RangeError, name);
  }
});

Deno.test("decodeAssociatedData() reads names made printable, and skips later fields", () => {
  assert.deepEqual(decodeAssociatedData(encodeAssociatedData("desk")), { name: "desk" });
  assert.deepEqual(decodeAssociatedData(fromHex("03 1b5b41 01")), { name: "[A" });
  assert.deepEqual(decodeAssociatedData(fromHex("01 41 02 ffff")), { name: "A" });
  for (const hex of ["", "01 41", "01 41 00", "01 ff 01", "4101" + "41".repeat(257) + "01"]) {
    assert.throws(() => decodeAssociatedData(fromHex(hex)), RangeError, hex);
  }
  const largest = encodeAssociatedData("🖥".repeat(1000));
  assert.ok(largest.length <= PAYLOAD_BYTES_MAX - 32);
  assert.equal([...decodeAssociatedData(largest).name].length, 64);
});

Deno.test("PairingMessageSplitter gives the same messages however the bytes are cut", () => {
  fc.assert(fc.property(
    fc.array(messageArbitrary, { maxLength: 5 }),
    fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }),
    (messages, cuts) => {
      const whole = messages.map(encodePairingMessage);
      const stream = whole.flatMap((bytes) => [...bytes]);
      const splitter = new PairingMessageSplitter();
      const split: Uint8Array[] = [];
      for (let at = 0, i = 0; at < stream.length; i++) {
        const length = cuts[i % cuts.length]!;
        split.push(...splitter.push(new Uint8Array(stream.slice(at, at + length))));
        at += length;
      }
      assert.deepEqual(split, whole);
    },
  ));
});

Deno.test("PairingMessageSplitter refuses a length over the limit before its bytes arrive", () => {
  assert.throws(() => new PairingMessageSplitter().push(fromHex("03 4201")), RangeError);
  assert.throws(
    () => new PairingMessageSplitter().push(fromHex("03 ffffffffffffffff")),
    RangeError,
  );
});
