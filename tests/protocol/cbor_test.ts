import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, fromHex } from "../../src/base/bytes.ts";
import {
  CBOR_DEPTH_MAX,
  type CborMap,
  type CborValue,
  decodeCbor,
  encodeCbor,
  Fields,
  ProtocolError,
  scanCbor,
} from "../../src/protocol/mod.ts";

const bomb = (head: string, bytes: number) =>
  concat([fromHex(head), new Uint8Array(bytes).fill(0xff)]);

for (
  const [name, bytes] of [
    ["a bignum of 200 KiB", bomb("a1 00 c2 5a 00 03 20 00", 204_800)],
    ["any tag", fromHex("a1 00 c1 00")],
    ["an array of 2^32 items", fromHex("a1 00 9b 00 00 00 01 00 00 00 00")],
    ["an array longer than the input", fromHex("a1 00 98 ff 00")],
    ["a map longer than the input", fromHex("bb 00 00 00 00 ff ff ff ff")],
    ["an indefinite map", fromHex("bf 00 01 ff")],
    ["an indefinite byte string", fromHex("a1 00 5f 41 00 ff")],
    ["a string past the end", fromHex("a1 00 44 00")],
    ["trailing bytes", fromHex("a1 00 01 00")],
    ["a truncated item", fromHex("a1 00")],
    ["an integer of 2^64-1", fromHex("a1 00 1b ff ff ff ff ff ff ff ff")],
    ["a reserved simple value", fromHex("a1 00 f8 20")],
    [
      "nesting over the limit",
      concat([fromHex("a1 00"), new Uint8Array(5000).fill(0x81), fromHex("00")]),
    ],
    ["nothing at all", new Uint8Array(0)],
    ["no map", fromHex("83 01 02 03")],
    ["a key twice", fromHex("a2 00 01 00 02")],
    ["a text key", fromHex("a1 61 61 01")],
  ] as const
) {
  Deno.test(`decodeCbor() refuses ${name}`, () => {
    assert.throws(() => decodeCbor(bytes), ProtocolError);
  });
}

Deno.test("scanCbor() allows the depth limit and not one more", () => {
  const nested = (depth: number) =>
    concat([fromHex("a1 00"), new Uint8Array(depth - 1).fill(0x81), fromHex("00")]);
  scanCbor(nested(CBOR_DEPTH_MAX));
  assert.throws(() => scanCbor(nested(CBOR_DEPTH_MAX + 1)), ProtocolError);
});

Deno.test("decodeCbor() reads what encodeCbor() wrote", () => {
  const leaf = fc.oneof(
    fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    fc.string({ unit: "grapheme", maxLength: 40 }),
    fc.boolean(),
    fc.uint8Array({ maxLength: 60 }),
    fc.constant(null),
  );
  const value = fc.oneof(leaf, fc.array(leaf, { maxLength: 5 })) as fc.Arbitrary<CborValue>;
  const map = fc.array(fc.tuple(fc.nat(50), value)).map((pairs) => new Map(pairs) as CborMap);
  fc.assert(fc.property(map, (map) => {
    const decoded = decodeCbor(encodeCbor(map));
    assert.deepEqual([...decoded.keys()], [...map.keys()]);
    for (const [key, value] of map) {
      const got = decoded.get(key);
      if (value instanceof Uint8Array) assert.deepEqual([...got as Uint8Array], [...value]);
      else assert.deepEqual(plain(got), plain(value));
    }
  }));
});

Deno.test("decodeCbor() throws nothing but ProtocolError on noise", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        decodeCbor(bytes);
      } catch (error) {
        assert.ok(error instanceof ProtocolError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

Deno.test("Fields refuses wrong types, sizes and numbers, and names the field", () => {
  const fields = new Fields(
    new Map<number, CborValue>([[0, "x"], [1, 7], [2, new Uint8Array(3)], [3, 1.5], [4, [1]], [
      5,
      "\ud800",
    ]]),
    "message 1",
  );
  assert.throws(() => fields.uint(0), /message 1: field 0/);
  assert.throws(() => fields.uint(1, 6), ProtocolError);
  assert.throws(() => fields.uint(3), ProtocolError);
  assert.throws(() => fields.uint(9), ProtocolError);
  assert.throws(() => fields.text(0, 0), ProtocolError);
  assert.throws(() => fields.text(5, 10), ProtocolError);
  assert.throws(() => fields.bytes(2, 4, 8), ProtocolError);
  assert.throws(() => fields.flag(1), ProtocolError);
  assert.throws(() => fields.list(4, 0, (item) => item.uint(0)), ProtocolError);
  assert.equal(fields.flag(9), false);
  assert.equal(fields.uint(1), 7);
  assert.deepEqual(fields.list(4, 1, (item) => item.uint(0)), [1]);
});

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  return Array.isArray(value) ? value.map(plain) : value;
}
