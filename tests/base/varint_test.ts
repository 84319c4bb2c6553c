import assert from "node:assert/strict";
import fc from "fast-check";
import { fromHex, utf8 } from "../../src/base/bytes.ts";
import {
  ByteReader,
  ByteWriter,
  encodeVarint,
  VARINT_MAX,
  varintLength,
} from "../../src/base/varint.ts";

// RFC 9000 appendix A.1; the eight-byte example there is above 2^53 - 1.
for (
  const [hex, value] of [["9d7f3e7d", 494_878_333], ["7bbd", 15_293], ["25", 37]] as const
) {
  Deno.test(`a varint of ${value} is ${hex}, as in RFC 9000`, () => {
    assert.deepEqual(encodeVarint(value), fromHex(hex));
    assert.equal(new ByteReader(fromHex(hex)).varint(), value);
  });
}

Deno.test("ByteReader.varint() reads the long form of a small number", () => {
  assert.equal(new ByteReader(fromHex("4025")).varint(), 37);
});

Deno.test("ByteReader reads what ByteWriter wrote", () => {
  const value = fc.oneof(fc.nat(), fc.integer({ min: 0, max: VARINT_MAX }));
  fc.assert(fc.property(fc.array(value), fc.uint8Array(), (values, bytes) => {
    const writer = new ByteWriter(1);
    for (const value of values) writer.varint(value);
    writer.lv(bytes).u32(0xdeadbeef).u8(9);
    const reader = new ByteReader(writer.finish());
    for (const value of values) assert.equal(reader.varint(), value);
    assert.deepEqual([...reader.lv(1000)], [...bytes]);
    assert.equal(reader.u32(), 0xdeadbeef);
    assert.equal(reader.u8(), 9);
    assert.equal(reader.remaining, 0);
  }));
});

Deno.test("varints beyond what fits are refused, both ways", () => {
  for (const bad of [-1, 1.5, 2 ** 53, NaN]) assert.throws(() => encodeVarint(bad), RangeError);
  assert.throws(() => new ByteReader(fromHex("c2197c5eff14e88c")).varint(), RangeError);
  for (const short of ["", "40", "80ffff", "c0"]) {
    assert.throws(() => new ByteReader(fromHex(short)).varint(), RangeError);
  }
  assert.equal(varintLength(VARINT_MAX), 8);
});

Deno.test("ByteReader.lv() refuses a length over its limit or past the end", () => {
  assert.throws(() => new ByteReader(fromHex("05 00")).lv(4), RangeError);
  assert.throws(() => new ByteReader(fromHex("05 00")).lv(9), RangeError);
});

Deno.test("ByteWriter.text() writes what lv() writes of the text in UTF-8", () => {
  const text = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.string({ minLength: 60 }));
  fc.assert(fc.property(fc.array(text), (texts) => {
    const plain = new ByteWriter(1);
    const fast = new ByteWriter(1);
    for (const text of texts) {
      plain.lv(utf8(text));
      fast.text(text);
    }
    assert.deepEqual(fast.finish(), plain.finish());
  }));
});

Deno.test("ByteReader.offset goes back to read something again", () => {
  const reader = new ByteReader(fromHex("01 02"));
  const start = reader.offset;
  assert.equal(reader.u8(), 1);
  reader.offset = start;
  assert.equal(reader.u8(), 1);
  assert.equal(reader.remaining, 1);
});
