import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { zstd, type ZstdTable } from "../../src/base/zstd.ts";
import { BlockCompressor } from "../../src/protocol/block_compressor.ts";
import { BLOCK_BYTES_MAX } from "../../src/protocol/mod.ts";

/** Bytes by chance, always the same for the same seed. */
const draw = (seed: string) => createHash("sha512").update(seed).digest();

function textOf(lineAt: (i: number) => string): Uint8Array {
  const text = Array.from({ length: BLOCK_BYTES_MAX / 32 }, (_, i) => lineAt(i)).join("\n");
  return new TextEncoder().encode(text).slice(0, BLOCK_BYTES_MAX);
}

/** A log: lines alike, with numbers by chance in them. */
const log = textOf((i) => {
  const bytes = draw(`log ${i}`);
  const level = ["INFO", "WARN", "DEBUG"][bytes[0]! % 3];
  return `12:${i % 60} ${level} request ${bytes.toString("hex", 1, 9)} took ${bytes[9]} ms`;
});

/** Phrases that come again, but long after, so that it takes a large table to know them. */
const source = textOf((i) => {
  const phrase = draw(`line ${i}`).readUInt32LE() % 4096;
  return draw(`phrase ${phrase}`).toString("base64", 0, 30);
});

function lengthBy(table: ZstdTable, raw: Uint8Array): number {
  return zstd.compress(raw, new Uint8Array(raw.length), table)!;
}

/** Which table made each of so many blocks. */
function tablesOf(compressor: BlockCompressor, raw: Uint8Array, count: number): ZstdTable[] {
  const [usual, small] = [lengthBy("usual", raw), lengthBy("small", raw)];
  assert.notEqual(usual, small, "this data can't tell the tables apart");
  return Array.from({ length: count }, () => {
    const length = compressor.compress(raw, new Uint8Array(BLOCK_BYTES_MAX));
    assert.ok(length === usual || length === small);
    return length === usual ? "usual" : "small";
  });
}

Deno.test("BlockCompressor takes the small table where that costs next to nothing, and goes back", () => {
  assert.ok(lengthBy("small", log) < lengthBy("usual", log) * 1.01);
  assert.ok(lengthBy("small", source) > lengthBy("usual", source) * 1.05);
  const compressor = new BlockCompressor();
  const first = tablesOf(compressor, log, 5);
  assert.deepEqual(first, ["usual", "usual", "usual", "usual", "small"]);
  // What comes now becomes longer: that is found out 32 blocks after the last trial.
  assert.deepEqual(tablesOf(compressor, source, 32).slice(-2), ["small", "usual"]);
});

Deno.test("BlockCompressor keeps to the usual table for what needs it, and for short blocks", () => {
  const ofSource = tablesOf(new BlockCompressor(), source, 6);
  const ofShort = tablesOf(new BlockCompressor(), log.subarray(0, 100_000), 6);
  assert.deepEqual(new Set([...ofSource, ...ofShort]), new Set(["usual"]));
});
