import type { Bytes } from "./bytes.ts";
import { zstd } from "./zstd.ts";

/** What is shorter is kept as it is. */
const PACK_BYTES_MIN = 512;
/** What does not get shorter by this part, either. */
const GAIN_MIN = 0.1;

/**
 * Bytes that are seldom looked at, kept compressed where that makes them shorter: 4 µs and another 3 for each
 * KiB to pack, a third of that to unpack. Only for the memory of one process: nothing checks what comes back.
 */
export class PackedBytes {
  readonly #kept: Bytes;
  readonly #length: number;

  private constructor(kept: Bytes, length: number) {
    this.#kept = kept;
    this.#length = length;
  }

  /** @param raw Not to be changed any more: it may be kept itself. */
  static pack(raw: Bytes): PackedBytes {
    return new PackedBytes(compressed(raw), raw.length);
  }

  /** Keeps them as they are, for who may pack them or not. */
  static plain(raw: Bytes): PackedBytes {
    return new PackedBytes(raw, raw.length);
  }

  /** Bytes that it takes. */
  get length(): number {
    return this.#kept.length;
  }

  /** The bytes; made anew by each call where they are compressed. */
  unpack(): Bytes {
    if (this.#kept.length === this.#length) return this.#kept;
    // Never full if all is well.
    const raw = new Uint8Array(this.#length + 1);
    return raw.subarray(0, zstd.decompress(this.#kept, raw));
  }
}

/** How much of one kind stays as it is: of directory pages those of 100 000 files or so. */
export const PLAIN_BYTES_MAX = 4 * 1024 * 1024;

/**
 * Keeps the first bytes as they are and packs what comes behind: where there is little of all, nobody is made
 * to wait.
 */
export class Packer {
  #plainBytesLeft: number;

  /** @param plainBytesMax How much stays as it is. */
  constructor(plainBytesMax = PLAIN_BYTES_MAX) {
    this.#plainBytesLeft = plainBytesMax;
  }

  /** @param raw Not to be changed any more. */
  keep(raw: Bytes): PackedBytes {
    this.#plainBytesLeft -= raw.length;
    return this.#plainBytesLeft < 0 ? PackedBytes.pack(raw) : PackedBytes.plain(raw);
  }
}

let scratch: Bytes = new Uint8Array(0);

function compressed(raw: Bytes): Bytes {
  if (raw.length < PACK_BYTES_MIN) return raw;
  const lengthMax = Math.floor(raw.length * (1 - GAIN_MIN));
  if (scratch.length < lengthMax) scratch = new Uint8Array(lengthMax);
  const length = zstd.compress(raw, scratch.subarray(0, lengthMax));
  return length === undefined ? raw : scratch.slice(0, length);
}
