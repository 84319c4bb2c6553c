import type { Bytes } from "./bytes.ts";

/** The largest value that QUIC varints and JavaScript integers both hold: 2^53 - 1. */
export const VARINT_MAX = Number.MAX_SAFE_INTEGER;

/** Bytes that `value` takes as a QUIC variable-length integer (RFC 9000 section 16): 1, 2, 4 or 8. */
export function varintLength(value: number): 1 | 2 | 4 | 8 {
  if (value < 0x40) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x4000_0000) return 4;
  return 8;
}

/**
 * Writes a QUIC varint (RFC 9000 section 16) and returns the offset behind it.
 *
 * @throws {RangeError} if `value` is no integer from 0 to 2^53 - 1, or does not fit.
 */
export function writeVarint(into: Uint8Array, offset: number, value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`no varint: ${value}`);
  const length = varintLength(value);
  if (offset + length > into.length) throw new RangeError("varint does not fit");
  switch (length) {
    case 1:
      into[offset] = value;
      break;
    case 2:
      into[offset] = 0x40 | (value >>> 8);
      into[offset + 1] = value;
      break;
    case 4:
      into[offset] = 0x80 | (value >>> 24);
      into[offset + 1] = value >>> 16;
      into[offset + 2] = value >>> 8;
      into[offset + 3] = value;
      break;
    case 8: {
      const high = Math.floor(value / 0x1_0000_0000);
      const low = value >>> 0;
      into[offset] = 0xc0 | (high >>> 24);
      into[offset + 1] = high >>> 16;
      into[offset + 2] = high >>> 8;
      into[offset + 3] = high;
      into[offset + 4] = low >>> 24;
      into[offset + 5] = low >>> 16;
      into[offset + 6] = low >>> 8;
      into[offset + 7] = low;
      break;
    }
  }
  return offset + length;
}

/** Bytes that the varint at an offset takes, by its first one; 1 behind the end. */
export function varintLengthAt(bytes: Uint8Array, at: number): number {
  return 1 << (bytes[at]! >>> 6);
}

/** The varint at an offset, all of which must be there; may be above {@linkcode VARINT_MAX}. */
export function varintAt(bytes: Uint8Array, at: number): number {
  const length = varintLengthAt(bytes, at);
  let value = bytes[at]! & 0x3f;
  for (let i = 1; i < length; i++) value = value * 256 + bytes[at + i]!;
  return value;
}

/** Encodes one QUIC varint into a new array. */
export function encodeVarint(value: number): Bytes {
  const bytes = new Uint8Array(varintLength(value));
  writeVarint(bytes, 0, value);
  return bytes;
}

/**
 * Reads bytes from front to back, refusing to run past the end. All hand-written binary formats
 * (directory pages, recipes, data frames) are read through this one class.
 */
export class ByteReader {
  #view: DataView;
  #offset = 0;

  constructor(readonly bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Offset of the next byte. Set it to read something again, or to pass over what is known. */
  get offset(): number {
    return this.#offset;
  }

  set offset(offset: number) {
    this.#offset = offset;
  }

  /** Bytes left. */
  get remaining(): number {
    return this.bytes.length - this.#offset;
  }

  /** @throws {RangeError} past the end. */
  u8(): number {
    this.#need(1);
    return this.bytes[this.#offset++]!;
  }

  /** Big-endian. @throws {RangeError} past the end. */
  u32(): number {
    this.#need(4);
    const value = this.#view.getUint32(this.#offset);
    this.#offset += 4;
    return value;
  }

  /**
   * A QUIC varint (RFC 9000 section 16); longer forms than needed are read too.
   *
   * @throws {RangeError} past the end, or above 2^53 - 1.
   */
  varint(): number {
    this.#need(1);
    const length = varintLengthAt(this.bytes, this.#offset);
    this.#need(length);
    const value = varintAt(this.bytes, this.#offset);
    this.#offset += length;
    if (value > VARINT_MAX) throw new RangeError("varint above 2^53 - 1");
    return value;
  }

  /** A view (not a copy) of the next `length` bytes. @throws {RangeError} past the end. */
  take(length: number): Uint8Array {
    this.#need(length);
    const part = this.bytes.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    return part;
  }

  /** A varint length, then that many bytes, as a view. @throws {RangeError} past the end or over `max`. */
  lv(max: number): Uint8Array {
    const length = this.varint();
    if (length > max) throw new RangeError(`length ${length} is over ${max}`);
    return this.take(length);
  }

  #need(length: number): void {
    if (this.remaining < length) throw new RangeError("input ends early");
  }
}

const encoder = new TextEncoder();

/** Writes bytes front to back into a buffer that grows; the counterpart of {@linkcode ByteReader}. */
export class ByteWriter {
  #buffer: Bytes;
  #view: DataView | undefined;
  #length = 0;

  constructor(initialBytes = 256) {
    this.#buffer = new Uint8Array(initialBytes);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** One byte. */
  u8(value: number): this {
    this.#grow(1);
    this.#buffer[this.#length++] = value;
    return this;
  }

  /** Big-endian. */
  u32(value: number): this {
    this.#grow(4);
    const buffer = this.#buffer;
    const at = this.#length;
    buffer[at] = value >>> 24;
    buffer[at + 1] = value >>> 16;
    buffer[at + 2] = value >>> 8;
    buffer[at + 3] = value;
    this.#length = at + 4;
    return this;
  }

  /** A QUIC varint. @throws {RangeError} as {@linkcode writeVarint}. */
  varint(value: number): this {
    this.#grow(8);
    this.#length = writeVarint(this.#buffer, this.#length, value);
    return this;
  }

  /** The bytes as they are. */
  raw(bytes: Uint8Array): this {
    this.#grow(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** A varint length, then the bytes. */
  lv(bytes: Uint8Array): this {
    return this.varint(bytes.length).raw(bytes);
  }

  /** As {@linkcode lv} for a few bytes out of many, without a view of them. */
  lvOf(bytes: Uint8Array, start: number, end: number): this {
    const length = end - start;
    this.#grow(8 + length);
    let at = writeVarint(this.#buffer, this.#length, length);
    const buffer = this.#buffer;
    for (let from = start; from < end; from++) buffer[at++] = bytes[from]!;
    this.#length = at;
    return this;
  }

  /** A varint length, then the text in UTF-8; lone surrogates become U+FFFD. */
  text(text: string): this {
    const lengthBytes = varintLength(text.length);
    this.#grow(8 + text.length * 3);
    const start = this.#length + lengthBytes;
    const end = this.#ascii(text, start);
    if (end < 0) return this.lv(encoder.encode(text));
    writeVarint(this.#buffer, this.#length, text.length);
    this.#length = end;
    return this;
  }

  /** The text in UTF-8, without a length. */
  utf8(text: string): this {
    this.#grow(text.length);
    const end = this.#ascii(text, this.#length);
    if (end < 0) return this.raw(encoder.encode(text));
    this.#length = end;
    return this;
  }

  /** Room for bytes that the caller sets in {@linkcode buffer} or {@linkcode dataView}. @returns Where. */
  reserve(length: number): number {
    this.#grow(length);
    const at = this.#length;
    this.#length += length;
    return at;
  }

  /** The bytes written, and more behind them; to be used until the next call that writes. */
  get buffer(): Bytes {
    return this.#buffer;
  }

  /** The same as numbers. */
  get dataView(): DataView {
    return this.#view ??= new DataView(this.#buffer.buffer);
  }

  /** What was written, as a copy of exactly its length. */
  finish(): Bytes {
    return this.#buffer.slice(0, this.#length);
  }

  /** What was written, as a view that holds until the next call. */
  view(): Bytes {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Forgets what was written and keeps the buffer. */
  clear(): void {
    this.#length = 0;
  }

  /** Most names and paths need no encoder, whose call costs more than a loop. Negative for the others. */
  #ascii(text: string, start: number): number {
    const buffer = this.#buffer;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return -1;
      buffer[start + i] = code;
    }
    return start + text.length;
  }

  #grow(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
    this.#view = undefined;
  }
}
