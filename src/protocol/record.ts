import { type Bytes, decodeUtf8 } from "../base/bytes.ts";
import { VARINT_MAX } from "../base/varint.ts";
import type { BlockReader } from "./block.ts";
import { ProtocolError } from "./errors.ts";

const NOTHING: Bytes = new Uint8Array(0);

/**
 * Reads records from a stream of blocks, whatever the block boundaries: small fields whole, long bodies
 * piece by piece without copying.
 */
export class RecordReader {
  readonly #blocks: BlockReader;
  #block: Uint8Array = NOTHING;
  #offset = 0;

  constructor(blocks: BlockReader) {
    this.#blocks = blocks;
  }

  /** True once everything has been read and the end mark was seen. */
  async atEnd(): Promise<boolean> {
    return this.#offset === this.#block.length && !(await this.#nextBlock());
  }

  /** @throws {ProtocolError} at the end. */
  async u8(): Promise<number> {
    if (this.#offset === this.#block.length) await this.#needBlock();
    return this.#block[this.#offset++]!;
  }

  /** A QUIC varint up to 2^53 - 1. @throws {ProtocolError} */
  async varint(): Promise<number> {
    const first = await this.u8();
    let value = first & 0x3f;
    for (let left = (1 << (first >>> 6)) - 1; left > 0; left--) {
      value = value * 256 + await this.u8();
    }
    if (value > VARINT_MAX) throw new ProtocolError("Integer above 2^53 - 1");
    return value;
  }

  /** Exactly `length` bytes: a view where they lie in one block, else a copy. Use before the next call. */
  async take(length: number): Promise<Uint8Array> {
    if (this.#block.length - this.#offset >= length) {
      return this.#block.subarray(this.#offset, this.#offset += length);
    }
    const whole = new Uint8Array(length);
    for (let have = 0; have < length;) {
      const part = await this.chunk(length - have);
      whole.set(part, have);
      have += part.length;
    }
    return whole;
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
  async chunk(max: number): Promise<Uint8Array> {
    if (this.#offset === this.#block.length) await this.#needBlock();
    const end = Math.min(this.#block.length, this.#offset + max);
    return this.#block.subarray(this.#offset, this.#offset = end);
  }

  async #needBlock(): Promise<void> {
    if (!(await this.#nextBlock())) {
      throw new ProtocolError("Stream ends in the middle of a record");
    }
  }

  async #nextBlock(): Promise<boolean> {
    const block = await this.#blocks.next();
    this.#block = block ?? NOTHING;
    this.#offset = 0;
    return block !== null;
  }
}
