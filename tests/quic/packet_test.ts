import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, fromHex } from "../../src/base/bytes.ts";
import { encodeVarint } from "../../src/base/varint.ts";
import {
  dropInitial,
  encodeVersionNegotiation,
  hasLongHeader,
  parseLongHeader,
} from "../../src/quic/packet.ts";

/** The head of the client Initial in RFC 9001 appendix A.2, before header protection. */
const RFC_INITIAL = fromHex(
  "c3" + // long header, Initial, 4-byte packet number
    "00000001" + // version 1
    "08" + "8394c8f03e515708" + // destination id
    "00" + // no source id
    "00" + // no token
    "449e" + "00000002", // length, packet number
);

Deno.test("parseLongHeader() reads the Initial of RFC 9001", () => {
  const header = parseLongHeader(RFC_INITIAL)!;
  assert.equal(header.version, 1);
  assert.equal(header.isInitial, true);
  assert.deepEqual(header.destinationId, fromHex("8394c8f03e515708"));
  assert.equal(header.sourceId.length, 0);
  assert.equal(header.token.length, 0);
});

Deno.test("parseLongHeader() reads ids and token of any allowed length", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 20 }),
      fc.uint8Array({ maxLength: 20 }),
      fc.uint8Array({ maxLength: 300 }),
      (destinationId, sourceId, token) => {
        const tokenLength = new Uint8Array([0x40 | (token.length >> 8), token.length]);
        const datagram = concat([
          fromHex("c000000001"),
          new Uint8Array([destinationId.length]),
          destinationId,
          new Uint8Array([sourceId.length]),
          sourceId,
          tokenLength,
          token,
        ]);
        const header = parseLongHeader(datagram)!;
        assert.deepEqual([...header.destinationId], [...destinationId]);
        assert.deepEqual([...header.sourceId], [...sourceId]);
        assert.deepEqual([...header.token], [...token]);
      },
    ),
  );
});

Deno.test("parseLongHeader() survives any bytes, and every cut of good ones", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
    parseLongHeader(bytes);
  }));
  for (let length = 0; length < 16; length++) {
    assert.equal(parseLongHeader(RFC_INITIAL.subarray(0, length)), undefined, `${length} bytes`);
  }
});

Deno.test("parseLongHeader() refuses ids and tokens that run past the end or the limit", () => {
  assert.equal(parseLongHeader(fromHex("c3 00000001 15" + "aa".repeat(21) + "00 00")), undefined);
  assert.equal(parseLongHeader(fromHex("c3 00000001 00 15" + "aa".repeat(21) + "00")), undefined);
  assert.equal(parseLongHeader(fromHex("c3 00000001 00 00 05 01020304")), undefined);
  assert.equal(parseLongHeader(fromHex("c3 00000001 00 00 ffffffffffffffff 00")), undefined);
  assert.equal(parseLongHeader(fromHex("43 00000001 00 00 00")), undefined, "a short header");
});

Deno.test("parseLongHeader() reads ids of other versions up to 255 bytes", () => {
  const datagram = concat([
    fromHex("80 0a0a0a0a ff"),
    new Uint8Array(255).fill(1),
    fromHex("02 0203"),
  ]);
  const header = parseLongHeader(datagram)!;
  assert.equal(header.version, 0x0a0a0a0a);
  assert.equal(header.isInitial, false);
  assert.equal(header.destinationId.length, 255);
  assert.deepEqual(header.sourceId, fromHex("0203"));
});

Deno.test("encodeVersionNegotiation() crosses the ids and offers version 1", () => {
  const header = parseLongHeader(fromHex("c0 0a0a0a0a 03 010203 02 0405 00"))!;
  assert.deepEqual(
    encodeVersionNegotiation(header, 0x2a),
    fromHex(
      "aa" + // long header, random bits
        "00000000" + // version 0: negotiation
        "02 0405" + // to the client's id
        "03 010203" + // from the id it dialled
        "00000001",
    ),
  );
});

Deno.test("hasLongHeader() looks at the first bit", () => {
  assert.equal(hasLongHeader(new Uint8Array([0x80])), true);
  assert.equal(hasLongHeader(new Uint8Array([0x7f])), false);
});

/** A packet with a long header, by its first byte, and ids of 8 bytes. */
function longPacket(first: number, payload: Uint8Array): Uint8Array {
  const ids = fromHex("00000001 08 0102030405060708 08 1112131415161718");
  const token = (first & 0xf0) === 0xc0 ? [new Uint8Array(1)] : [];
  return concat([new Uint8Array([first]), ids, ...token, encodeVarint(payload.length), payload]);
}

Deno.test("dropInitial() leaves the Handshake packets, and no padding", () => {
  const lowBits = fc.integer({ min: 0, max: 15 });
  const payload = fc.uint8Array({ minLength: 20, maxLength: 600 });
  const handshakes = fc.array(fc.tuple(lowBits, payload), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(lowBits, payload, handshakes, fc.nat(800), (low, ack, flights, padding) => {
      const initial = longPacket(0xc0 | low, ack);
      const rest = concat(flights.map(([bits, bytes]) => longPacket(0xe0 | bits, bytes)));
      const datagram = concat([initial, rest, new Uint8Array(padding)]);
      assert.deepEqual(datagram.subarray(0, dropInitial(datagram)), rest);
    }),
  );
});

Deno.test("dropInitial() keeps what has a short header behind them", () => {
  const handshake = longPacket(0xe5, new Uint8Array(30).fill(1));
  const rest = concat([handshake, fromHex("41 0102030405060708 00000000")]);
  const datagram = concat([longPacket(0xc3, new Uint8Array(30)), rest]);
  assert.deepEqual(datagram.subarray(0, dropInitial(datagram)), rest);
});

Deno.test("dropInitial() changes no other datagram", () => {
  const initial = longPacket(0xc1, new Uint8Array(40).fill(7));
  const handshake = longPacket(0xe1, new Uint8Array(40).fill(7));
  const others: [string, Uint8Array][] = [
    ["an Initial alone", concat([initial, new Uint8Array(1200 - initial.length)])],
    ["two Initials", concat([initial, initial])],
    ["a Handshake packet", handshake],
    ["0-RTT behind an Initial", concat([initial, longPacket(0xd1, new Uint8Array(40))])],
    ["another version", concat([fromHex("c1 0a0a0a0a 00 00 00 01 00"), handshake])],
    ["an Initial whose length lies behind the end", initial.subarray(0, -1)],
  ];
  for (const [name, datagram] of others) {
    const before = datagram.slice();
    assert.equal(dropInitial(datagram), datagram.length, name);
    assert.deepEqual(datagram, before, name);
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
    assert.ok(dropInitial(bytes) <= bytes.length);
  }));
});
