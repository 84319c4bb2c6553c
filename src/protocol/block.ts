import type { Bytes } from "../base/bytes.ts";
import { crc32 } from "../base/crc32.ts";
import { zstd } from "../base/zstd.ts";
import { BlockBuffers } from "./block_buffers.ts";
import { BlockCompressor } from "./block_compressor.ts";
import { ProtocolError } from "./errors.ts";

/** Raw bytes in one block. */
export const BLOCK_BYTES_MAX = 256 * 1024;
/** `encoding u8 | raw length u32 | encoded length u32 | CRC-32 of the raw bytes u32`, big-endian. */
export const BLOCK_HEADER_BYTES = 13;

const ENCODING_RAW = 0;
const ENCODING_ZSTD = 1;
const ENCODING_END = 255;
/** Up to so many bytes given to {@linkcode BlockWriter.write} are the caller's again at once. */
export const WRITE_BYTES_COPIED = 4096;

const NOTHING: Bytes = new Uint8Array(0);
// With room for the end mark behind the last block.
const writeBuffers = new BlockBuffers(2 * BLOCK_HEADER_BYTES + BLOCK_BYTES_MAX);
const readBuffers = new BlockBuffers(2 * (BLOCK_HEADER_BYTES + BLOCK_BYTES_MAX));
const rawBuffers = new BlockBuffers(BLOCK_BYTES_MAX + 1);
/** Where the next block is compressed to; the buffer that held it raw is the next such place. */
let spare: Bytes | undefined;

/** What a byte sink takes: resolves once the bytes are accepted and the buffer may be reused. */
export type WriteBytes = (bytes: Uint8Array) => Promise<void>;
/** What a byte source gives: bytes read into the buffer, or `null` at the end. */
export type ReadBytes = (into: Uint8Array) => Promise<number | null>;

/**
 * Writes a byte stream as blocks, each checked by a CRC and compressed where that gains. The answers
 * on data streams and the operations of a plan travel so; file and record boundaries don't matter to it.
 *
 * The CRC guards what the transport's encryption can't: our own buffers on both sides. It costs 0.1 ms a
 * MiB.
 */
export class BlockWriter {
  #buffer: Bytes = writeBuffers.take();
  readonly #write: WriteBytes;
  readonly #compressor: BlockCompressor | undefined;
  #length = 0;

  constructor(write: WriteBytes, options: { readonly compress: boolean }) {
    this.#write = write;
    if (options.compress) this.#compressor = new BlockCompressor();
  }

  /** Free space in the open block, at least one byte; call {@linkcode advance} after filling some. */
  room(): Bytes {
    const start = BLOCK_HEADER_BYTES + this.#length;
    return this.#buffer.subarray(start, BLOCK_HEADER_BYTES + BLOCK_BYTES_MAX);
  }

  /**
   * Counts `length` bytes of {@linkcode room} as written; sends the block when it is full, which is the
   * only case in which there is something to wait for.
   */
  advance(length: number): Promise<void> | undefined {
    this.#length += length;
    return this.#length === BLOCK_BYTES_MAX ? this.flush() : undefined;
  }

  /**
   * Appends bytes; sends as many blocks as become full, which is the only case in which there is something
   * to wait for. The bytes are the caller's again when that is done, or at once where they are
   * {@linkcode WRITE_BYTES_COPIED} or fewer.
   */
  write(bytes: Uint8Array): Promise<void> | undefined {
    // The common case is kept apart, and costs no promise: small records are many.
    if (!this.fits(bytes.length)) return this.#writeOver(bytes);
    this.#buffer.set(bytes, BLOCK_HEADER_BYTES + this.#length);
    this.#length += bytes.length;
    return undefined;
  }

  /** True if so many bytes go into the open block, with nothing to wait for. */
  fits(length: number): boolean {
    return length < BLOCK_BYTES_MAX - this.#length;
  }

  /** Sends the open block, if it holds anything. */
  async flush(): Promise<void> {
    if (this.#length === 0) return;
    // Before the buffer is looked at: it may be another then.
    const length = this.#seal();
    await this.#write(this.#buffer.subarray(0, length));
  }

  /**
   * Sends what is open and the end mark; the stream itself is the caller's to finish. The writer is used up,
   * and {@linkcode room} somebody else's.
   */
  async finish(): Promise<void> {
    const end = this.#length > 0 ? this.#seal() : 0;
    writeHeader(this.#buffer, end, { encoding: ENCODING_END, raw: 0, encoded: 0, crc: 0 });
    await this.#write(this.#buffer.subarray(0, end + BLOCK_HEADER_BYTES));
    writeBuffers.giveBack(this.#buffer);
    this.#buffer = NOTHING;
  }

  async #writeOver(bytes: Uint8Array): Promise<void> {
    let rest = bytes.length <= WRITE_BYTES_COPIED ? bytes.slice() : bytes;
    while (rest.length > 0) {
      const room = this.room();
      const part = rest.subarray(0, room.length);
      room.set(part);
      rest = rest.subarray(part.length);
      await this.advance(part.length);
    }
  }

  /** Makes the open block ready to be sent, at the front of what is then the buffer. @returns Its length. */
  #seal(): number {
    const raw = this.#buffer.subarray(BLOCK_HEADER_BYTES, BLOCK_HEADER_BYTES + this.#length);
    this.#length = 0;
    const crc = crc32(raw);
    const encoded = this.#compressor?.compress(raw, this.#spare().subarray(BLOCK_HEADER_BYTES));
    if (encoded !== undefined) [this.#buffer, spare] = [this.#spare(), this.#buffer];
    const encoding = encoded === undefined ? ENCODING_RAW : ENCODING_ZSTD;
    const length = encoded ?? raw.length;
    writeHeader(this.#buffer, 0, { encoding, raw: raw.length, encoded: length, crc });
    return BLOCK_HEADER_BYTES + length;
  }

  #spare(): Bytes {
    return spare ??= writeBuffers.take();
  }
}

/** Reads what {@linkcode BlockWriter} wrote. Lengths are checked before anything is reserved. */
export class BlockReader {
  readonly #read: ReadBytes;
  #buffer: Bytes = readBuffers.take();
  /** Where blocks are decompressed to, once there was one. */
  #raw: Bytes | undefined;
  #start = 0;
  #end = 0;
  #ended = false;
  #encodedBytes = 0;

  constructor(read: ReadBytes) {
    this.#read = read;
  }

  /** Bytes taken from the source so far. */
  get encodedBytes(): number {
    return this.#encodedBytes;
  }

  /**
   * The next block's raw bytes, as a view that is good until the next call; `null` after the end mark.
   *
   * @throws {ProtocolError} on a bad header, a bad CRC, a zstd frame that doesn't give what it announced,
   * or a source that ends without the end mark.
   */
  async next(): Promise<Uint8Array | null> {
    if (this.#ended) return null;
    await this.#fill(BLOCK_HEADER_BYTES);
    const view = new DataView(this.#buffer.buffer, this.#start, BLOCK_HEADER_BYTES);
    const encoding = view.getUint8(0);
    const rawLength = view.getUint32(1);
    const encodedLength = view.getUint32(5);
    const crc = view.getUint32(9);
    if (encoding === ENCODING_END) {
      this.#ended = true;
      readBuffers.giveBack(this.#buffer);
      this.#buffer = NOTHING;
      if (this.#raw) rawBuffers.giveBack(this.#raw);
      this.#raw = undefined;
      return null;
    }
    checkHeader(encoding, rawLength, encodedLength);
    await this.#fill(BLOCK_HEADER_BYTES + encodedLength);
    const from = this.#start + BLOCK_HEADER_BYTES;
    const encoded = this.#buffer.subarray(from, from + encodedLength);
    this.#start += BLOCK_HEADER_BYTES + encodedLength;
    const raw = encoding === ENCODING_RAW
      ? encoded
      : decompress(encoded, rawLength, this.#raw ??= rawBuffers.take());
    if (crc32(raw) !== crc) throw new ProtocolError("Block does not match its checksum");
    return raw;
  }

  async #fill(needed: number): Promise<void> {
    if (this.#buffer.length - this.#start < needed) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    while (this.#end - this.#start < needed) {
      const count = await this.#read(this.#buffer.subarray(this.#end));
      if (count === null) throw new ProtocolError("Stream ends in the middle of a block");
      this.#end += count;
      this.#encodedBytes += count;
    }
  }
}

function writeHeader(
  into: Uint8Array,
  at: number,
  header: { encoding: number; raw: number; encoded: number; crc: number },
): void {
  const view = new DataView(into.buffer, into.byteOffset + at, BLOCK_HEADER_BYTES);
  view.setUint8(0, header.encoding);
  view.setUint32(1, header.raw);
  view.setUint32(5, header.encoded);
  view.setUint32(9, header.crc);
}

function checkHeader(encoding: number, rawLength: number, encodedLength: number): void {
  if (encoding !== ENCODING_RAW && encoding !== ENCODING_ZSTD) {
    throw new ProtocolError(`Block has unknown encoding ${encoding}`);
  }
  if (rawLength === 0 || rawLength > BLOCK_BYTES_MAX) {
    throw new ProtocolError(`Block of ${rawLength} bytes is over ${BLOCK_BYTES_MAX}`);
  }
  if (encodedLength > rawLength || (encoding === ENCODING_RAW && encodedLength !== rawLength)) {
    throw new ProtocolError("Block is longer encoded than raw");
  }
}

function decompress(encoded: Uint8Array, rawLength: number, into: Bytes): Uint8Array {
  let length: number;
  try {
    length = zstd.decompress(encoded, into.subarray(0, rawLength + 1));
  } catch (error) {
    throw new ProtocolError("Block can't be decompressed", undefined, error);
  }
  if (length !== rawLength) throw new ProtocolError("Block decompresses to another length");
  return into.subarray(0, length);
}
