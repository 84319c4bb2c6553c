import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { constants, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { concat } from "../../src/base/bytes.ts";
import { looksRandom } from "../../src/protocol/compressible.ts";

const noise = (length: number) => {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i += 65_536) crypto.getRandomValues(bytes.subarray(i, i + 65_536));
  return bytes;
};

Deno.test("looksRandom() knows noise, and what a compressor leaves behind", () => {
  const numbers = Array.from({ length: 200_000 }, (_, i) => `${(i * 7919) % 10_007}\n`).join("");
  const packed = zstdCompressSync(Buffer.from(numbers), {
    params: { [constants.ZSTD_c_compressionLevel]: 19 },
  });
  assert.ok(packed.length > 8192, "long enough to be judged");
  for (let i = 0; i < 50; i++) assert.ok(looksRandom(noise(4096 + i * 999)));
  assert.ok(looksRandom(packed));
});

Deno.test("looksRandom() does not take for noise what shrinks by its byte values alone", () => {
  const random = noise(65_536);
  const cases = {
    zeros: new Uint8Array(65_536),
    hex: Buffer.from(Buffer.from(random).toString("hex")),
    base64: Buffer.from(Buffer.from(random).toString("base64")),
    "seven bits": random.map((byte) => byte & 0x7f),
    "one byte in four a zero": random.map((byte, i) => i % 4 === 0 ? 0 : byte),
    "noise in the second half": concat([new Uint8Array(40_000), random.subarray(0, 25_000)]),
  };
  for (const [name, bytes] of Object.entries(cases)) assert.equal(looksRandom(bytes), false, name);
});

Deno.test("looksRandom() makes no claim about a few bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 4095 }), (bytes) => !looksRandom(bytes)));
});
