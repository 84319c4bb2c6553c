import { fileTooLarge } from "./errors.ts";

const KIB = 1024;

/** How a file is cut into chunks: the parameters of FastCDC that a chunker id stands for. */
export interface ChunkerParameters {
  /** In every file digest; another cut, hash or table needs another id. */
  readonly id: number;
  /** No chunk but a file's last is shorter. */
  readonly minBytes: number;
  /** Below this length `strictMask` decides, from here on `looseMask` (normalised chunking). */
  readonly normalBytes: number;
  /** No chunk is longer. */
  readonly maxBytes: number;
  /** A cut falls where `hash & mask` is 0. Masks are the hash's top bits, which see the most bytes. */
  readonly strictMask: number;
  /** See `strictMask`; fewer bits, so that long chunks get rare. */
  readonly looseMask: number;
  /** Files up to this size are cut so; chosen so that no contents make over {@linkcode CHUNKS_PER_FILE_MAX}. */
  readonly fileBytesMax: number;
}

/** Chunks in one file. A recipe has 36 bytes for each, so 36 MiB. */
export const CHUNKS_PER_FILE_MAX = 2 ** 20;

/**
 * The chunkers, from small files to large. Chunks grow with the file so that a recipe stays in memory:
 * 36 KiB on average up to 24 GiB, 288 KiB up to 192 GiB, 2 MiB up to 1.5 TiB.
 *
 * A cut-point is looked for only behind `minBytes`, which is most of the average: 68 % of the bytes
 * are skipped. On random data and text this finds as much as a minimum of 16 KiB does (1.0 new chunks
 * an inserted or changed byte, 1.3 a replaced block), where stronger normalisation (2 bits either
 * side of the middle) needs 1.6 to 2.1 chunks a replaced block to get back in step.
 */
export const CHUNKERS: readonly ChunkerParameters[] = [
  parameters(1, { min: 24 * KIB, normal: 28 * KIB, max: 128 * KIB, strict: 17, loose: 13 }),
  parameters(2, { min: 192 * KIB, normal: 224 * KIB, max: 1024 * KIB, strict: 20, loose: 16 }),
  parameters(3, { min: 1536 * KIB, normal: 1792 * KIB, max: 4096 * KIB, strict: 23, loose: 19 }),
];

/** Bytes in the longest chunk of any chunker. */
export const CHUNK_BYTES_MAX = 4096 * KIB;

/** Bytes in the largest file that can be cut: 1.5 TiB. */
export const FILE_BYTES_MAX = CHUNKERS.at(-1)!.fileBytesMax;

/**
 * The chunker for a file of `size` bytes. The size alone decides, so equal files have equal digests.
 *
 * @throws {StoreError} `file_too_large` over {@linkcode FILE_BYTES_MAX}.
 */
export function chunkerFor(size: number): ChunkerParameters {
  for (const chunker of CHUNKERS) if (size <= chunker.fileBytesMax) return chunker;
  throw fileTooLarge(size, FILE_BYTES_MAX);
}

function parameters(
  id: number,
  o: { min: number; normal: number; max: number; strict: number; loose: number },
): ChunkerParameters {
  return {
    id,
    minBytes: o.min,
    normalBytes: o.normal,
    maxBytes: o.max,
    strictMask: -1 << (32 - o.strict),
    looseMask: -1 << (32 - o.loose),
    fileBytesMax: o.min * CHUNKS_PER_FILE_MAX,
  };
}
