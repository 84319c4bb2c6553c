import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, equalBytes, utf8 } from "../../src/base/bytes.ts";
import { RecordLog } from "../../src/base/record_log.ts";
import { Uint32List } from "../../src/base/uint32_list.ts";
import { ByteReader } from "../../src/base/varint.ts";

const BLOCK_BYTES = 64 * 1024;

Deno.test("RecordLog gives back every record, whatever their lengths", () => {
  // Around the lengths of a varint, and of a block.
  const length = fc.oneof(
    fc.integer({ min: 0, max: 200 }),
    fc.constantFrom(63, 64, 16_383, 16_384, BLOCK_BYTES - 4, BLOCK_BYTES, BLOCK_BYTES + 1),
  );
  fc.assert(fc.property(fc.array(length, { maxLength: 40 }), (lengths) => {
    const log = new RecordLog();
    const records = lengths.map((length, i) => new Uint8Array(length).fill(i + 1));
    records.forEach((record, i) => assert.equal(log.append(record), i));
    assert.equal(log.length, records.length);
    for (const [i, record] of records.entries()) {
      assert.deepEqual(log.at(i).slice(), record);
      const framed = new ByteReader(log.framed(i));
      assert.deepEqual(framed.lv(record.length).slice(), record);
      assert.equal(framed.remaining, 0);
    }
    assert.throws(() => log.at(records.length), RangeError);
  }));
});

Deno.test("RecordLog packs a long log, gives back each of its records, and views stay what they were", () => {
  const log = new RecordLog();
  const count = 100_000;
  const digestOf = (i: number) => Uint8Array.from([i >>> 16, i >>> 8, i, i * 37, i * 91]);
  const recordOf = (i: number) =>
    concat([utf8(`folder/file-${i}.dat: the same each time `), digestOf(i)]);
  let bytes = 0;
  for (let i = 0; i < count; i++) {
    const record = recordOf(i);
    assert.equal(log.append(record), i);
    bytes += record.length;
    // Also in the middle of it, where the block is still being filled.
    if (i % 1000 === 0) assert.deepEqual(log.at(i).slice(), record);
  }
  assert.ok(log.bytes < bytes * 0.6, `${log.bytes} of ${bytes}`);
  const held = new Map<number, Uint8Array>();
  for (let n = 0; n < 3000; n++) {
    const i = n * 7919 % count;
    held.set(i, log.at(i));
  }
  for (const [i, view] of held) assert.deepEqual(view.slice(), recordOf(i));
  for (let i = 0; i < count; i++) {
    const framed = new ByteReader(log.framed(i));
    const record = framed.lv(100);
    assert.ok(equalBytes(record, recordOf(i)));
    assert.equal(framed.remaining, 0);
  }
});

Deno.test("RecordLog keeps what it was given, not the buffer it came in", () => {
  const log = new RecordLog();
  const buffer = Uint8Array.of(1, 2, 3);
  log.append(buffer);
  buffer.fill(9);
  assert.deepEqual(log.at(0).slice(), Uint8Array.of(1, 2, 3));
});

Deno.test("Uint32List moves its last number up as an array does, over any of its blocks", () => {
  const list = new Uint32List();
  const model: number[] = [];
  for (let i = 0; i < 40_000; i++) {
    assert.equal(list.push(i * 100_000), i);
    model.push(i * 100_000);
  }
  for (const to of [39_999, 16_384, 16_383, 0]) {
    list.moveLast(to);
    model.splice(to, 0, model.pop()!);
  }
  assert.deepEqual(Array.from({ length: list.length }, (_, i) => list.at(i)), model);
  for (const index of [-1, 40_000, NaN]) assert.throws(() => list.at(index), RangeError);
});
