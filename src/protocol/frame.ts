import type { Bytes } from "../base/bytes.ts";
import { varintAt, varintLength, varintLengthAt, writeVarint } from "../base/varint.ts";
import { ProtocolError } from "./errors.ts";

/** Payload bytes in one control frame. */
export const FRAME_BYTES_MAX = 256 * 1024;
/** The same of the first one, which is from somebody who has said nothing yet. */
export const HELLO_BYTES_MAX = 8 * 1024;

/** A control frame: what arrived, not yet understood. */
export interface Frame {
  /** Frame type; unknown even types are skipped, unknown odd ones are fatal. */
  readonly type: number;
  readonly payload: Uint8Array;
}

/** Encodes `varint type | varint length | payload` (QUIC varints, RFC 9000 section 16). */
export function encodeFrame(type: number, payload: Uint8Array): Bytes {
  if (payload.length > FRAME_BYTES_MAX) {
    throw new RangeError(`frame of ${payload.length} bytes is over ${FRAME_BYTES_MAX}`);
  }
  const header = varintLength(type) + varintLength(payload.length);
  const frame = new Uint8Array(header + payload.length);
  writeVarint(frame, writeVarint(frame, 0, type), payload.length);
  frame.set(payload, header);
  return frame;
}

/**
 * Cuts a byte stream into frames. Sans-IO: any split of the input gives the same frames, and a length
 * over the limit is refused before anything is reserved for it.
 */
export class FrameDecoder {
  /** Payload bytes that a frame may have; may be changed between two frames. */
  bytesMax = FRAME_BYTES_MAX;
  /** Of the frame that has begun; grows by doubling, so that a byte at a time costs no more than all at once. */
  #pending: Bytes = new Uint8Array(0);
  #length = 0;

  /** True while a frame has begun and not ended: the peer owes us bytes. */
  get isMidFrame(): boolean {
    return this.#length > 0;
  }

  /**
   * Takes bytes in, gives whole frames out. Payloads are copies.
   *
   * @throws {ProtocolError} if a frame announces more than {@linkcode FrameDecoder.bytesMax}.
   */
  *handleBytes(bytes: Uint8Array): Generator<Frame> {
    let rest = this.#length === 0 ? bytes : this.#append(bytes);
    for (;;) {
      const frame = cutFrame(rest, this.bytesMax);
      if (frame === undefined) break;
      yield { type: frame.type, payload: rest.slice(frame.start, frame.end) };
      rest = rest.subarray(frame.end);
    }
    if (rest.buffer === this.#pending.buffer && rest.byteOffset === 0) return;
    const left = rest.slice();
    this.#length = left.length;
    this.#pending = left;
  }

  /** All that there is of the frame, as a view. */
  #append(bytes: Uint8Array): Uint8Array {
    const length = this.#length + bytes.length;
    if (length > this.#pending.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#pending.length));
      larger.set(this.#pending.subarray(0, this.#length));
      this.#pending = larger;
    }
    this.#pending.set(bytes, this.#length);
    this.#length = length;
    return this.#pending.subarray(0, length);
  }
}

function cutFrame(
  bytes: Uint8Array,
  bytesMax: number,
): { type: number; start: number; end: number } | undefined {
  const type = peekVarint(bytes, 0);
  if (type === undefined) return undefined;
  const length = peekVarint(bytes, type.next);
  if (length === undefined) return undefined;
  if (length.value > bytesMax) {
    throw new ProtocolError(`Frame of ${length.value} bytes is over ${bytesMax}`);
  }
  const end = length.next + length.value;
  return bytes.length < end ? undefined : { type: type.value, start: length.next, end };
}

function peekVarint(
  bytes: Uint8Array,
  offset: number,
): { value: number; next: number } | undefined {
  if (offset >= bytes.length) return undefined;
  const next = offset + varintLengthAt(bytes, offset);
  return bytes.length < next ? undefined : { value: varintAt(bytes, offset), next };
}
