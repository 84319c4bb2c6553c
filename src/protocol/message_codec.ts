import type { Bytes } from "../base/bytes.ts";
import { DIGEST_BYTES } from "../base/digest.ts";
import { PLACE_BYTES } from "../base/place.ts";
import { type CborMap, type CborValue, decodeCbor, encodeCbor, Fields } from "./cbor.ts";
import { ProtocolError } from "./errors.ts";
import { encodeFrame, type Frame } from "./frame.ts";
import {
  AGREED_MAX,
  AGREED_PREFIX_BYTES,
  DEVICE_NAME_MAX,
  GROUP_ID_BYTES,
  type Message,
  PLACES_MAX,
  PROBLEM_BYTES_MAX,
  PROBLEMS_MAX,
  SHARE_NAME_MAX,
  SHARES_MAX,
  type SyncMode,
  WIRE_ERRORS,
} from "./messages.ts";

const MODES: readonly SyncMode[] = ["push", "pull", "two-way", "compare"];
const MESSAGE_CHARS_MAX = 256;
const PROBLEM_CODE_MAX = 64;

interface Codec<M extends Message> {
  readonly id: number;
  encode(message: M): [number, CborValue][];
  decode(fields: Fields): M;
}

const CODECS: { readonly [T in Message["type"]]: Codec<Extract<Message, { type: T }>> } = {
  "hello": {
    id: 0,
    encode: (m) => [
      [0, m.minor],
      [1, m.features],
      [2, m.implementation],
      [3, m.name],
      [4, m.group],
      [5, m.joins || undefined],
    ],
    decode: (f) => {
      // Who knows nothing of groups leaves these two out.
      const group = f.optionalBytes(4, GROUP_ID_BYTES, GROUP_ID_BYTES);
      const joins = f.flag(5);
      if (joins && group === undefined) throw new ProtocolError("Peer joins a group without an id");
      return {
        type: "hello",
        minor: f.uint(0, 0xffff),
        features: f.list(1, 64, (item) => item.text(0, 64)),
        implementation: f.text(2, 128),
        name: f.text(3, DEVICE_NAME_MAX),
        ...(group && { group, joins }),
      };
    },
  },
  "sync-open": {
    id: 1,
    encode: (m) => [
      [0, m.session],
      [1, m.share],
      [2, MODES.indexOf(m.mode)],
      [3, m.checksum],
      [4, m.run],
      [6, m.chunker],
      [7, m.versions],
      [8, m.compress],
      [9, m.dryRun],
      [10, m.watch],
      [11, m.rateLimit],
      [12, m.whole],
    ],
    decode: (f) => ({
      type: "sync-open",
      session: f.uint(0, 0xffff_ffff),
      share: f.text(1, SHARE_NAME_MAX),
      mode: MODES[f.uint(2, MODES.length - 1)]!,
      checksum: f.flag(3),
      run: f.text(4, 64),
      chunker: f.uint(6, 255),
      versions: f.uint(7, 1000),
      compress: f.flag(8),
      dryRun: f.flag(9),
      // These came later: a peer that leaves them out wants none of them.
      watch: f.flag(10),
      rateLimit: f.optionalUint(11) ?? 0,
      whole: f.flag(12),
    }),
  },
  "sync-accept": {
    id: 17,
    encode: (m) => [
      [0, m.session],
      [1, m.share],
      [2, m.shape],
      [3, m.rootId],
      [4, m.files],
      [5, m.bytes],
      [6, m.writable],
      [7, m.foldsCase],
      [8, m.foldsUnicode],
      [9, m.scanErrors],
      [10, m.freeBytes],
      [11, m.windows],
      [
        12,
        m.problems?.map((problem) =>
          new Map<number, CborValue>([
            [0, problem.pathBytes],
            [1, problem.code],
            [2, problem.message.slice(0, MESSAGE_CHARS_MAX).toWellFormed()],
            [3, problem.isHarmless],
          ])
        ),
      ],
      [13, m.agreed],
      [14, m.places],
    ],
    decode: (f) => ({
      type: "sync-accept",
      session: f.uint(0, 0xffff_ffff),
      share: f.text(1, SHARE_NAME_MAX),
      shape: f.bytes(2, DIGEST_BYTES, DIGEST_BYTES),
      rootId: f.bytes(3, 0, 64),
      files: f.uint(4),
      bytes: f.uint(5),
      writable: f.flag(6),
      foldsCase: f.flag(7),
      foldsUnicode: f.flag(8),
      scanErrors: f.uint(9),
      freeBytes: f.uint(10),
      windows: f.flag(11),
      problems: f.list(12, PROBLEMS_MAX, (item) => {
        const problem = item.fields(0);
        return {
          pathBytes: problem.bytes(0, 0, PROBLEM_BYTES_MAX),
          code: problem.text(1, PROBLEM_CODE_MAX),
          message: problem.text(2, MESSAGE_CHARS_MAX),
          isHarmless: problem.flag(3),
        };
      }),
      ...optional("agreed", f.optionalBytes(13, 0, AGREED_MAX * AGREED_PREFIX_BYTES)),
      ...optional("places", f.optionalBytes(14, 0, PLACES_MAX * PLACE_BYTES)),
    }),
  },
  "sync-result": {
    id: 7,
    encode: (m) => [
      [0, m.session],
      [1, m.ok],
      [2, m.files],
      [3, m.bytesSent],
      [4, m.bytesReceived],
      [5, m.bytesReused],
      [6, m.deleted],
      [7, m.renamed],
      [8, m.conflicts],
      [9, m.errors],
      [10, m.adjusted],
    ],
    decode: (f) => ({
      type: "sync-result",
      session: f.uint(0, 0xffff_ffff),
      ok: f.flag(1),
      files: f.uint(2),
      bytesSent: f.uint(3),
      bytesReceived: f.uint(4),
      bytesReused: f.uint(5),
      deleted: f.uint(6),
      renamed: f.uint(7),
      conflicts: f.uint(8),
      errors: f.uint(9),
      adjusted: f.optionalUint(10) ?? 0,
    }),
  },
  "sync-ack": {
    id: 9,
    encode: (m) => [[0, m.session]],
    decode: (f) => ({ type: "sync-ack", session: f.uint(0, 0xffff_ffff) }),
  },
  "working": {
    id: 10,
    encode: (m) => [[0, m.session]],
    decode: (f) => ({ type: "working", session: f.uint(0, 0xffff_ffff) }),
  },
  "error": {
    id: 11,
    encode: (m) => [
      [0, m.session],
      [1, WIRE_ERRORS.indexOf(m.code)],
      [2, m.message.slice(0, MESSAGE_CHARS_MAX).toWellFormed()],
    ],
    decode: (f) => ({
      type: "error",
      session: f.uint(0, 0xffff_ffff),
      // A code from a newer peer is still a failure, of a kind unknown here.
      code: WIRE_ERRORS[f.uint(1, 0xffff)] ?? "failed",
      message: f.text(2, MESSAGE_CHARS_MAX),
    }),
  },
  "ping": {
    id: 2,
    encode: (m) => [[0, m.token]],
    decode: (f) => ({ type: "ping", token: f.uint(0) }),
  },
  "pong": {
    id: 4,
    encode: (m) => [[0, m.token]],
    decode: (f) => ({ type: "pong", token: f.uint(0) }),
  },
  "enough": {
    id: 8,
    encode: (m) => [[0, m.stream]],
    decode: (f) => ({ type: "enough", stream: f.uint(0) }),
  },
  "shares-query": { id: 19, encode: () => [], decode: () => ({ type: "shares-query" }) },
  "shares": {
    id: 21,
    encode: (
      m,
    ) => [[
      0,
      m.shares.map((share) => new Map<number, CborValue>([[0, share.name], [1, share.writable]])),
    ]],
    decode: (f) => ({
      type: "shares",
      shares: f.list(0, SHARES_MAX, (item) => {
        const share = item.fields(0);
        return { name: share.text(0, SHARE_NAME_MAX), writable: share.flag(1) };
      }),
    }),
  },
  "go-away": { id: 15, encode: () => [], decode: () => ({ type: "go-away" }) },
  "changed": {
    id: 6,
    encode: (m) => [[0, m.share]],
    decode: (f) => ({ type: "changed", share: f.text(0, SHARE_NAME_MAX) }),
  },
  "rotate-key": {
    id: 13,
    encode: (m) => [[0, m.newSpki], [1, m.signatureOld], [2, m.signatureNew]],
    decode: (f) => ({
      type: "rotate-key",
      newSpki: f.bytes(0, 44, 44),
      signatureOld: f.bytes(1, 64, 64),
      signatureNew: f.bytes(2, 64, 64),
    }),
  },
};

const CODEC_BY_ID = new Map<number, Codec<Message>>(
  Object.values(CODECS).map((codec) => [codec.id, codec as unknown as Codec<Message>]),
);

/** A field that is left out where there is nothing to say. */
function optional<K extends string, V>(key: K, value: V | undefined): { readonly [k in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [k in K]?: V };
}

/** Encodes a message as one control frame. */
export function encodeMessage(message: Message): Bytes {
  const codec = CODECS[message.type] as Codec<Message>;
  const map: CborMap = new Map(codec.encode(message).filter(([, value]) => value !== undefined));
  return encodeFrame(codec.id, encodeCbor(map));
}

/**
 * Understands a frame.
 *
 * @returns The message, or `undefined` for an unknown type that may be skipped (even).
 * @throws {ProtocolError} for an unknown critical type (odd), bad CBOR, or wrong fields.
 */
export function decodeMessage(frame: Frame): Message | undefined {
  const codec = CODEC_BY_ID.get(frame.type);
  if (codec === undefined) {
    if (frame.type % 2 === 0) return undefined;
    throw new ProtocolError(
      `Peer sent a message of unknown type ${frame.type}`,
      "update landropic on the device with the older version",
    );
  }
  return codec.decode(new Fields(decodeCbor(frame.payload), `message ${frame.type}`));
}
