import type { Bytes } from "../base/bytes.ts";
import { zstd, type ZstdTable } from "../base/zstd.ts";
import { looksRandom } from "./compressible.ts";

/** Blocks under this size are sent as they are: the call costs more than the bytes. */
const COMPRESS_BYTES_MIN = 128;
/** A block must shrink by this share to be sent compressed. */
const GAIN_MIN = 1 / 16;
/** After blocks that gained nothing, at most this many go by untried. */
const SKIP_BLOCKS_MAX = 32;
/** Blocks worth finding out which table suits them are at least so long. */
const TRIAL_BYTES_MIN = 128 * 1024;
/** The first of them that is compressed both ways. */
const FIRST_TRIAL_BLOCKS = 4;
/** Blocks until the next one is, at first and at most: what a stream carries may change. */
const TRIAL_BLOCKS_MIN = 32;
const TRIAL_BLOCKS_MAX = 128;
/** What the small table may cost: a share of the bytes that the usual one makes. */
const LOSS_MAX = 1 / 64;

/** What a block becomes in a trial; nobody looks at it. */
let trial: Bytes | undefined;

/** Compresses the blocks of one stream, where that gains and by the table that suits them. */
export class BlockCompressor {
  #skip = 0;
  #skipNext = 1;
  #table: ZstdTable = "usual";
  #untilTrial = FIRST_TRIAL_BLOCKS;
  #trialNext = TRIAL_BLOCKS_MIN;

  /**
   * Makes a frame of a block.
   *
   * @param into At least as long as `raw`.
   * @returns The frame's length, or undefined if the block is better sent as it is.
   */
  compress(raw: Uint8Array, into: Uint8Array): number | undefined {
    if (raw.length < COMPRESS_BYTES_MIN) return undefined;
    if (this.#skip > 0) {
      this.#skip--;
      return undefined;
    }
    if (looksRandom(raw)) return undefined;
    const length = zstd.compress(raw, roomFor(raw, into), this.#table);
    if (length === undefined) {
      this.#skip = this.#skipNext;
      this.#skipNext = Math.min(this.#skipNext * 2, SKIP_BLOCKS_MAX);
      return undefined;
    }
    this.#skipNext = 1;
    if (raw.length >= TRIAL_BYTES_MIN && --this.#untilTrial === 0) this.#tryOther(raw, length);
    return length;
  }

  #tryOther(raw: Uint8Array, length: number): void {
    this.#untilTrial = this.#trialNext;
    this.#trialNext = Math.min(this.#trialNext * 2, TRIAL_BLOCKS_MAX);
    const other = this.#table === "usual" ? "small" : "usual";
    if (trial === undefined || trial.length < raw.length) trial = new Uint8Array(raw.length);
    const otherLength = zstd.compress(raw, roomFor(raw, trial), other) ?? Infinity;
    const [small, usual] = other === "small" ? [otherLength, length] : [length, otherLength];
    this.#table = small <= usual * (1 + LOSS_MAX) ? "small" : "usual";
  }
}

function roomFor(raw: Uint8Array, into: Uint8Array): Uint8Array {
  return into.subarray(0, raw.length * (1 - GAIN_MIN));
}
