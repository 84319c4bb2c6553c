import { type Bytes, concat } from "../base/bytes.ts";
import { varintAt, varintLength, varintLengthAt, writeVarint } from "../base/varint.ts";
import { ProtocolError } from "./errors.ts";

/** Payload bytes in one control frame. */
export const FRAME_BYTES_MAX = 256 * 1024;

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
  #pending: Bytes = new Uint8Array(0);

  /** True while a frame has begun and not ended: the peer owes us bytes. */
  get isMidFrame(): boolean {
    return this.#pending.length > 0;
  }

  /**
   * Takes bytes in, gives whole frames out. Payloads are copies.
   *
   * @throws {ProtocolError} if a frame announces more than {@linkcode FRAME_BYTES_MAX}.
   */
  *handleBytes(bytes: Uint8Array): Generator<Frame> {
    let rest = this.#pending.length === 0 ? bytes : concat([this.#pending, bytes]);
    for (;;) {
      const frame = cutFrame(rest);
      if (frame === undefined) break;
      yield { type: frame.type, payload: rest.slice(frame.start, frame.end) };
      rest = rest.subarray(frame.end);
    }
    this.#pending = rest.slice();
  }
}

function cutFrame(bytes: Uint8Array): { type: number; start: number; end: number } | undefined {
  const type = peekVarint(bytes, 0);
  if (type === undefined) return undefined;
  const length = peekVarint(bytes, type.next);
  if (length === undefined) return undefined;
  if (length.value > FRAME_BYTES_MAX) {
    throw new ProtocolError(`Frame of ${length.value} bytes is over ${FRAME_BYTES_MAX}`);
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
