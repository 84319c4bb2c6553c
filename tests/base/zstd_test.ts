import assert from "node:assert/strict";
import fc from "fast-check";
import { EventEmitter } from "node:events";
import zlib, { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { concat } from "../../src/base/bytes.ts";
import { Libzstd } from "../../src/base/libzstd.ts";
import { ZlibZstd } from "../../src/base/zlib_zstd.ts";
import { zstd } from "../../src/base/zstd.ts";
import type { Zstd } from "../../src/base/zstd_codec.ts";

/** Bytes that compress more or less. */
const raws = fc.tuple(fc.uint8Array({ maxLength: 3000 }), fc.integer({ min: 1, max: 20 }))
  .map(([bytes, times]) => concat(Array.from({ length: times }, () => bytes)));

/** A runtime whose streams are made of something else. */
const strangers = {
  createZstdCompress: () => new EventEmitter() as zlib.ZstdCompress,
  createZstdDecompress: () => new EventEmitter() as zlib.ZstdDecompress,
  zstdCompressSync,
  zstdDecompressSync,
};
const codecs: Record<string, Zstd> = {
  "ZlibZstd": new ZlibZstd(zlib),
  "ZlibZstd without its engine": new ZlibZstd(strangers),
  "zstd": zstd,
};
const library = Libzstd.open();
if (library !== undefined) codecs["Libzstd"] = library;

Deno.test("Libzstd.open() finds no library where there is none", () => {
  assert.equal(Libzstd.open("libnosuch.so.0"), undefined);
  if (Deno.build.os === "linux") assert.equal(Libzstd.open("libc.so.6"), undefined);
});

for (const [name, codec] of Object.entries(codecs)) {
  Deno.test(`${name} gives back what it took, and node:zlib reads and writes the same`, () => {
    fc.assert(fc.property(raws, (raw) => {
      const into = new Uint8Array(raw.length + 100);
      const frame = into.slice(0, codec.compress(raw, into)!);
      assert.deepEqual(new Uint8Array(zstdDecompressSync(frame)), raw);
      for (const each of [frame, new Uint8Array(zstdCompressSync(raw))]) {
        const back = new Uint8Array(raw.length + 1);
        assert.equal(codec.decompress(each, back), raw.length);
        assert.deepEqual(back.subarray(0, raw.length), raw);
      }
    }));
  });

  Deno.test(`${name} gives up on what does not fit, and the next frame is whole`, () => {
    const noise = crypto.getRandomValues(new Uint8Array(60_000));
    const text = new Uint8Array(60_000).map((_, i) => i % 50);
    const into = new Uint8Array(50_000);
    for (let i = 0; i < 3; i++) {
      assert.equal(codec.compress(noise, into), undefined);
      assert.equal(codec.compress(noise, into.subarray(0, 1)), undefined);
      const length = codec.compress(text, into)!;
      assert.deepEqual(new Uint8Array(zstdDecompressSync(into.subarray(0, length))), text);
    }
  });

  Deno.test(`${name} refuses what is no frame of that length, and what comes next is whole`, () => {
    const raw = new Uint8Array(5000).map((_, i) => i % 50 + i % 7);
    const frame = new Uint8Array(zstdCompressSync(raw));
    const into = new Uint8Array(raw.length + 1);
    const bad = {
      "cut short": frame.subarray(0, frame.length - 5),
      "no frame": new Uint8Array(100).fill(7),
      "too long": new Uint8Array(zstdCompressSync(new Uint8Array(1 << 24))),
      // RFC 8878 section 3.1.1.1.2: exponent 20, a window of 1 GiB.
      "a window that is too large": new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, 0, 20 << 3, 1, 0, 0]),
    };
    for (const [name, bytes] of Object.entries(bad)) {
      let length: number | undefined;
      try {
        length = codec.decompress(bytes, into);
      } catch (error) {
        assert.ok(error instanceof Error, name);
      }
      assert.notEqual(length, raw.length, name);
      assert.equal(codec.decompress(frame, into), raw.length, name);
      assert.deepEqual(into.subarray(0, raw.length), raw, name);
    }
  });
}
