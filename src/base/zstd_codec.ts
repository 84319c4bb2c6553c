/** The fastest level that the formats here use: higher ones cost two to ten times as much. */
const LEVEL = 1;
/**
 * Where the compressor looks for what was there before. The small table has 4096 places instead of 16 384 and
 * stays in the first-level cache: what repeats little (logs full of numbers, words by chance) takes a fifth
 * to a third less time and hardly more bytes; source code gains as much, and becomes a tenth longer.
 */
export type ZstdTable = "usual" | "small";
const SMALL_TABLE_LOG = 12;

/** Compresses and decompresses, in memory of the caller's. Not for several threads at once. */
export interface Zstd {
  /**
   * Makes one frame of `raw`: 0.7 ms for 256 KiB of text, where the functions of `node:zlib` take 1.0.
   *
   * @returns The frame's length, or undefined if it is longer than `into`.
   */
  compress(raw: Uint8Array, into: Uint8Array, table?: ZstdTable): number | undefined;

  /**
   * Undoes `compress()`, and ignores what follows the frame: 0.16 ms for 256 KiB of text, where the functions
   * of `node:zlib` take 1.0.
   *
   * @param into Longer by a byte than what is expected: it is never full if all is well.
   * @returns The length.
   * @throws {Error} on what is no frame, or too long for `into`.
   */
  decompress(frame: Uint8Array, into: Uint8Array): number;
}

/** What {@linkcode Zstd.decompress} says to a frame that fills more than it may. */
export const WRONG_LENGTH = "the frame holds more than it should";

/** Parameters of a compressor, by the numbers that they have in libzstd, and their values. */
export function parametersOf(table: ZstdTable): readonly (readonly [number, number])[] {
  const level = [COMPRESSION_LEVEL, LEVEL] as const;
  return table === "small" ? [level, [HASH_LOG, SMALL_TABLE_LOG]] : [level];
}

/** `ZSTD_c_compressionLevel`. */
const COMPRESSION_LEVEL = 100;
/** `ZSTD_c_hashLog`. */
const HASH_LOG = 102;
