import assert from "node:assert/strict";
import fc from "fast-check";
import zlib from "node:zlib";
import { crc32, ownCrc32 } from "../../src/base/crc32.ts";

Deno.test("ownCrc32() computes what zlib does, from any start", () => {
  const start = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  fc.assert(fc.property(fc.uint8Array({ maxLength: 70 }), start, (bytes, before) => {
    assert.equal(ownCrc32(bytes, before), zlib.crc32(bytes, before));
  }));
  // RFC 3720 and others name this one.
  assert.equal(ownCrc32(new TextEncoder().encode("123456789"), 0), 0xcbf43926);
});

Deno.test("crc32() goes on in the same way when it has seen much", () => {
  const bytes = crypto.getRandomValues(new Uint8Array(60_001));
  const expected = zlib.crc32(bytes, 77);
  for (let i = 0; i < 200; i++) assert.equal(crc32(bytes, 77), expected);
  assert.equal(crc32(bytes), zlib.crc32(bytes));
});
