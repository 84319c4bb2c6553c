import { type Bytes, decodeUtf8 } from "../base/bytes.ts";
import { ByteReader } from "../base/varint.ts";
import type { BlockReader } from "./block.ts";
import { ProtocolError } from "./errors.ts";

const NOTHING: Bytes = new Uint8Array(0);
const VARINT_BYTES_MAX = 8;
/** Reserved at once for a field that is longer than what is at hand. */
const RESERVED_BYTES = 1024 * 1024;

/**
 * Reads records from a stream of blocks, whatever the block boundaries: small fields whole, long bodies
 * piece by piece without copying.
 *
 * Where a method may return a promise or not, what is at hand is given at once: a block holds hundreds of
 * records, and waiting for each field would cost more than reading it. `await` serves both.
 */
export class RecordReader {
  readonly #blocks: BlockReader;
  #from = new ByteReader(NOTHING);

  constructor(blocks: BlockReader) {
    this.#blocks = blocks;
  }

  /** True once everything has been read and the end mark was seen. */
  atEnd(): boolean | Promise<boolean> {
    return this.#from.remaining > 0 ? false : this.#nextBlock().then((isThere) => !isThere);
  }

  /** True while more can be read without waiting for the peer. */
  get hasMoreAtHand(): boolean {
    return this.#from.remaining > 0;
  }

  /**
   * One record, by a function that may be called again from its start with more bytes at hand.
   *
   * @param bytesMax The record is never longer.
   * @param parse Throws a `RangeError`, as {@linkcode ByteReader} does, where bytes are missing or wrong.
   * @throws {ProtocolError} for a record that `parse` refuses, and at the end.
   */
  record<T>(bytesMax: number, parse: (from: ByteReader) => T): T | Promise<T> {
    const from = this.#from;
    const start = from.offset;
    if (from.remaining > 0) {
      try {
        return parse(from);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        from.offset = start;
        if (from.remaining >= bytesMax) throw refused(error);
      }
    }
    return this.#recordAcross(bytesMax, parse);
  }

  /** @throws {ProtocolError} at the end. */
  async u8(): Promise<number> {
    return await this.record(1, readU8);
  }

  /** A QUIC varint up to 2^53 - 1. @throws {ProtocolError} */
  async varint(): Promise<number> {
    return await this.record(VARINT_BYTES_MAX, readVarint);
  }

  /** Exactly `length` bytes: a view where they lie in one block, else a copy. Use before the next call. */
  take(length: number): Uint8Array | Promise<Uint8Array> {
    return this.#from.remaining >= length ? this.#from.take(length) : this.#takeAcross(length);
  }

  /** A varint length up to `max`, then that many bytes, as {@linkcode take}. @throws {ProtocolError} */
  async lv(max: number): Promise<Uint8Array> {
    const length = await this.varint();
    if (length > max) throw new ProtocolError(`Field of ${length} bytes is over ${max}`);
    return await this.take(length);
  }

  /** UTF-8 text with a varint length. @throws {ProtocolError} */
  async text(maxBytes: number): Promise<string> {
    const text = decodeUtf8(await this.lv(maxBytes));
    if (text === undefined) throw new ProtocolError("Text is not valid UTF-8");
    return text;
  }

  /** One to `max` bytes, as many as are at hand, as a view. @throws {ProtocolError} at the end. */
  chunk(max: number): Uint8Array | Promise<Uint8Array> {
    const { remaining } = this.#from;
    if (remaining > 0) return this.#from.take(Math.min(remaining, max));
    return this.#needBlock().then(() => this.chunk(max));
  }

  async #recordAcross<T>(bytesMax: number, parse: (from: ByteReader) => T): Promise<T> {
    for (;;) {
      await this.#joinBlock();
      const start = this.#from.offset;
      try {
        return parse(this.#from);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        this.#from.offset = start;
        if (this.#from.remaining >= bytesMax) throw refused(error);
      }
    }
  }

  async #takeAcross(length: number): Promise<Uint8Array> {
    // More only when so much has come: a length is quickly said.
    let whole = new Uint8Array(Math.min(length, RESERVED_BYTES));
    for (let have = 0; have < length;) {
      if (have === whole.length) {
        const larger = new Uint8Array(Math.min(length, 2 * have));
        larger.set(whole);
        whole = larger;
      }
      const part = await this.chunk(whole.length - have);
      whole.set(part, have);
      have += part.length;
    }
    return whole;
  }

  /** Puts the next block behind what is left of this one. */
  async #joinBlock(): Promise<void> {
    // A copy: what is left would be overwritten.
    const left = this.#from.take(this.#from.remaining).slice();
    await this.#needBlock();
    if (left.length === 0) return;
    const block = this.#from.take(this.#from.remaining);
    const joined = new Uint8Array(left.length + block.length);
    joined.set(left);
    joined.set(block, left.length);
    this.#from = new ByteReader(joined);
  }

  async #needBlock(): Promise<void> {
    if (!(await this.#nextBlock())) {
      throw new ProtocolError("Stream ends in the middle of a record");
    }
  }

  async #nextBlock(): Promise<boolean> {
    const block = await this.#blocks.next();
    this.#from = new ByteReader(block ?? NOTHING);
    return block !== null;
  }
}

function refused(error: RangeError): ProtocolError {
  return new ProtocolError(`Record refused: ${error.message}`, undefined, error);
}

function readU8(from: ByteReader): number {
  return from.u8();
}

function readVarint(from: ByteReader): number {
  return from.varint();
}
