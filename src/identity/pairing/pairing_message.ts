import { type Bytes, decodeUtf8, utf8 } from "../../base/bytes.ts";
import { NAME_CHARS_MAX, sanitizeName } from "../../base/names.ts";
import { ByteReader, ByteWriter, varintLength } from "../../base/varint.ts";
import { CPACE_KEY_BYTES, CPACE_SHARE_BYTES } from "./cpace.ts";
import type { PairingFailure } from "./pairing_error.ts";
import type { PairingMethod } from "./pairing_secret.ts";

/** Bytes of each side's contribution to the session id. */
export const NONCE_BYTES = 16;
/** Largest payload of a message: a share and a name of 64 four-byte characters fit well. */
export const PAYLOAD_BYTES_MAX = 512;

const NAME_BYTES_MAX = NAME_CHARS_MAX * 4;
/** Goes up when a later landropic adds to the associated data; the ALPN carries what breaks. */
const PAIRING_MINOR = 1;

/** Why one side tells the other that the run is over. A hint: nothing has authenticated it. */
export type Refusal = Extract<
  PairingFailure,
  | "expired"
  | "used"
  | "attempts_spent"
  | "busy"
  | "rate_limited"
  | "wrong_secret"
  | "protocol"
  | "timed_out"
  | "peer_failed"
>;

/**
 * The messages of a run, in order. The enterer typed the code, the displayer showed it. Every type
 * belongs to one direction (but `done` and `refusal`), so a reflected message is out of place.
 */
export type PairingMessage =
  | { readonly type: "enterer_nonce"; readonly method: PairingMethod; readonly nonce: Uint8Array }
  | { readonly type: "displayer_nonce"; readonly nonce: Uint8Array }
  | ShareMessage<"enterer_share">
  | ShareMessage<"displayer_share">
  | { readonly type: "enterer_tag"; readonly tag: Uint8Array }
  | { readonly type: "displayer_tag"; readonly tag: Uint8Array }
  | { readonly type: "done" }
  | { readonly type: "refusal"; readonly reason: Refusal };

interface ShareMessage<Type extends string> {
  readonly type: Type;
  readonly share: Uint8Array;
  /** {@linkcode encodeAssociatedData}; kept as bytes, since the tags cover exactly these. */
  readonly associatedData: Uint8Array;
}

/**
 * Encodes one message as `type varint | length varint | payload`.
 *
 * Payloads: nonces `[method u8 |] nonce 16`; shares `share 32 | associated data`; tags 64 bytes;
 * done nothing; refusal one byte.
 */
export function encodePairingMessage(message: PairingMessage): Bytes {
  const payload = encodePayload(message);
  return new ByteWriter(payload.length + 4).varint(TYPES.indexOf(message.type)).lv(payload)
    .finish();
}

/**
 * Decodes one whole message.
 *
 * @throws {RangeError} for an unknown type, a wrong length, a length not in its shortest form, or
 * bytes left over.
 */
export function decodePairingMessage(bytes: Uint8Array): PairingMessage {
  const reader = new ByteReader(bytes);
  const type = TYPES[reader.varint()];
  if (type === undefined) throw new RangeError("unknown message type");
  const payload = reader.lv(PAYLOAD_BYTES_MAX);
  const shortest = 1 + varintLength(payload.length) + payload.length;
  if (bytes.length !== shortest) throw new RangeError("the message is not in its one form");
  return decodePayload(type, new ByteReader(payload));
}

/** What a side says about itself: `name: varint length, bytes | minor version varint`. */
export function encodeAssociatedData(name: string): Bytes {
  return new ByteWriter(64).lv(utf8(sanitizeName(name))).varint(PAIRING_MINOR).finish();
}

/**
 * Reads the peer's name, made printable.
 *
 * @throws {RangeError} for anything that {@linkcode encodeAssociatedData} of some version never
 * wrote. Bytes behind the known fields are a later version's, and skipped.
 */
export function decodeAssociatedData(bytes: Uint8Array): { name: string } {
  const reader = new ByteReader(bytes);
  const name = decodeUtf8(reader.lv(NAME_BYTES_MAX));
  if (name === undefined) throw new RangeError("the name is not UTF-8");
  if (reader.varint() < PAIRING_MINOR) throw new RangeError("no such version");
  return { name: sanitizeName(name) };
}

/** Cuts a byte stream into whole messages, however the bytes arrive. Holds one message at most. */
export class PairingMessageSplitter {
  #held: Bytes = new Uint8Array(0);

  /**
   * @returns The messages completed by these bytes, still encoded.
   * @throws {RangeError} as soon as a length is over {@linkcode PAYLOAD_BYTES_MAX}.
   */
  push(chunk: Uint8Array): Bytes[] {
    let bytes = new Uint8Array(this.#held.length + chunk.length);
    bytes.set(this.#held);
    bytes.set(chunk, this.#held.length);
    const messages: Bytes[] = [];
    for (let length; (length = messageLength(bytes)) !== undefined;) {
      messages.push(bytes.slice(0, length));
      bytes = bytes.subarray(length);
    }
    this.#held = bytes.slice();
    return messages;
  }
}

/** Length of the first message, or `undefined` while it is not all there. */
function messageLength(bytes: Uint8Array): number | undefined {
  const typeBytes = varintLengthAt(bytes, 0);
  const headerBytes = typeBytes + varintLengthAt(bytes, typeBytes);
  if (bytes.length < headerBytes) return undefined;
  const payloadBytes = new ByteReader(bytes.subarray(typeBytes)).varint();
  if (payloadBytes > PAYLOAD_BYTES_MAX) {
    throw new RangeError(`length ${payloadBytes} is over ${PAYLOAD_BYTES_MAX}`);
  }
  const length = headerBytes + payloadBytes;
  return length <= bytes.length ? length : undefined;
}

/** Bytes of the varint that starts there, by its first byte; 1 where that is still missing. */
function varintLengthAt(bytes: Uint8Array, offset: number): number {
  return 1 << ((bytes[offset] ?? 0) >>> 6);
}

function encodePayload(message: PairingMessage): Bytes {
  const writer = new ByteWriter(128);
  switch (message.type) {
    case "enterer_nonce":
      return writer.u8(METHODS.indexOf(message.method)).raw(message.nonce).finish();
    case "displayer_nonce":
      return writer.raw(message.nonce).finish();
    case "enterer_share":
    case "displayer_share":
      return writer.raw(message.share).raw(message.associatedData).finish();
    case "enterer_tag":
    case "displayer_tag":
      return writer.raw(message.tag).finish();
    case "done":
      return writer.finish();
    case "refusal":
      return writer.u8(REFUSALS.indexOf(message.reason)).finish();
  }
}

function decodePayload(type: PairingMessage["type"], payload: ByteReader): PairingMessage {
  switch (type) {
    case "enterer_nonce": {
      const method = METHODS[payload.u8()];
      if (method === undefined) throw new RangeError("unknown pairing method");
      return { type, method, nonce: rest(payload, NONCE_BYTES) };
    }
    case "displayer_nonce":
      return { type, nonce: rest(payload, NONCE_BYTES) };
    case "enterer_share":
    case "displayer_share": {
      const share = payload.take(CPACE_SHARE_BYTES).slice();
      return { type, share, associatedData: rest(payload, payload.remaining) };
    }
    case "enterer_tag":
    case "displayer_tag":
      return { type, tag: rest(payload, CPACE_KEY_BYTES) };
    case "done":
      rest(payload, 0);
      return { type };
    case "refusal": {
      // A reason of a later version says at least that the run is over.
      const reason = REFUSALS[payload.u8()] ?? "peer_failed";
      rest(payload, 0);
      return { type, reason };
    }
  }
}

/** The last `length` bytes of a payload, as a copy. */
function rest(payload: ByteReader, length: number): Uint8Array {
  if (payload.remaining !== length) throw new RangeError("payload has another length");
  return payload.take(length).slice();
}

/** Index is the number on the wire. */
const TYPES: readonly PairingMessage["type"][] = [
  "refusal",
  "enterer_nonce",
  "displayer_nonce",
  "enterer_share",
  "displayer_share",
  "enterer_tag",
  "displayer_tag",
  "done",
];
const METHODS: readonly PairingMethod[] = ["code", "token"];
const REFUSALS: readonly Refusal[] = [
  "protocol",
  "expired",
  "used",
  "attempts_spent",
  "busy",
  "rate_limited",
  "wrong_secret",
  "timed_out",
  "peer_failed",
];
