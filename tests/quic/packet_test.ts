import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, fromHex } from "../../src/base/bytes.ts";
import { encodeVersionNegotiation, hasLongHeader, parseLongHeader } from "../../src/quic/packet.ts";

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
