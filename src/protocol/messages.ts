import type { Bytes } from "../base/bytes.ts";
import { type Digest, DIGEST_BYTES } from "../base/digest.ts";
import { PLACE_BYTES } from "../base/place.ts";
import { type CborMap, type CborValue, decodeCbor, encodeCbor, Fields } from "./cbor.ts";
import { ProtocolError } from "./errors.ts";
import { encodeFrame, type Frame } from "./frame.ts";

/** The application protocol of sync connections, major version included (ALPN, RFC 7301). */
export const ALPN_SYNC = "landropic/1";
/** The application protocol of pairing connections. */
export const ALPN_PAIR = "landropic-pair/1";
/** Minor version spoken here; both sides use the lower one. */
export const MINOR_VERSION = 0;
/** Characters in a share's name. */
export const SHARE_NAME_MAX = 64;
/** Characters in a device's announced name. */
export const DEVICE_NAME_MAX = 64;
/** Shares that one peer may list. */
export const SHARES_MAX = 256;
/** Feature of a Hello: several connections may carry the answers of one session. */
export const FEATURE_GROUPS = "groups";
/** Feature of a Hello: its device answers `get-earlier`. */
export const FEATURE_EARLIER = "earlier";
/** Feature of a Hello: its device answers `get-disk-bytes`. */
export const FEATURE_DISK_BYTES = "disk-bytes";
/** Feature of a Hello: its device says {@linkcode Working}, so that its silence means something. */
export const FEATURE_WORKING = "working";
/** Things that could not be read, or are left out, which a SyncAccept tells one by one. */
export const PROBLEMS_MAX = 100;
/** Bytes of all of them. */
export const PROBLEM_BYTES_MAX = 64 * 1024;
/** Bytes that stand for the shape of an ancestor in a SyncAccept. */
export const AGREED_PREFIX_BYTES = 8;
/** Ancestors that a SyncAccept names. */
export const AGREED_MAX = 32;
/** Folders that a SyncAccept names: the share's, and all above it. */
export const PLACES_MAX = 128;
/** Bytes of the id of a group of connections. */
export const GROUP_ID_BYTES = 16;

/** First message on each control stream, within 10 s. */
export interface Hello {
  readonly type: "hello";
  readonly minor: number;
  readonly features: readonly string[];
  /** Program and version, for logs. */
  readonly implementation: string;
  /** The device's own idea of its name; hostile until stripped. */
  readonly name: string;
  /** Chosen by the side that dials: names the connections that work together ({@linkcode FEATURE_GROUPS}). */
  readonly group?: Bytes;
  /** True on a connection that joins a group, false on the one that founds it. */
  readonly joins?: boolean;
}

/** What the initiator wants: one way, both ways, or only a comparison. */
export type SyncMode = "push" | "pull" | "two-way" | "compare";

/** Opens a session: one sync of one share. */
export interface SyncOpen {
  readonly type: "sync-open";
  /** Chosen by the initiator, unique on its connection. */
  readonly session: number;
  /** "" asks for the peer's only share. */
  readonly share: string;
  readonly mode: SyncMode;
  /** Compare contents: pages carry file digests. */
  readonly checksum: boolean;
  /** The initiator's run id, repeated in the events of both sides. */
  readonly run: string;
  /** Version of the chunking parameters. */
  readonly chunker: number;
  /** Earlier versions the target keeps of what it replaces or deletes; 0 for its own default. */
  readonly versions: number;
  /** False for `--no-compress`. */
  readonly compress: boolean;
  /** The initiator will change nothing: a dry run. */
  readonly dryRun: boolean;
  /** Tell the initiator with {@linkcode Changed} of changes after this session, while the connection lasts. */
  readonly watch: boolean;
  /** Bytes a second that the responder may send in its answers; 0 for no limit. */
  readonly rateLimit: number;
  /** Read all of the share, and trust nothing that an earlier session of the connection has seen. */
  readonly whole: boolean;
}

/** Answers {@linkcode SyncOpen}: the share as it is now. */
export interface SyncAccept {
  readonly type: "sync-accept";
  readonly session: number;
  readonly share: string;
  /** Shape of the share's root, by the same rules as the initiator's. */
  readonly shape: Digest;
  /** Binds what is remembered to this very folder: folder id and index epoch. */
  readonly rootId: Bytes;
  readonly files: number;
  readonly bytes: number;
  /** The initiator may change this share. */
  readonly writable: boolean;
  /** Names differing only in case, or only in Unicode form, are one name here. */
  readonly foldsCase: boolean;
  readonly foldsUnicode: boolean;
  /** Paths that could not be read; none of them counts as absent. */
  readonly scanErrors: number;
  /** Bytes that files may take on its disk, those of earlier runs that are not complete included. */
  readonly freeBytes: number;
  /** Windows forbids more names than others. */
  readonly windows: boolean;
  /** What could not be read or is left out on purpose, the failures first; not all where there are many. */
  readonly problems?: readonly ShareProblem[];
  /**
   * The beginnings of the shapes that this device remembers to have agreed on with the initiator, of each
   * of its folders the last one and the one before. Left out by those that don't tell.
   */
  readonly agreed?: Bytes;
  /** Names the share's folder and those above it, to be compared on the same machine only. */
  readonly places?: Bytes;
}

/** Something in a share that can't be had. */
export interface ShareProblem {
  /** In UTF-8, if it is valid at all. */
  readonly pathBytes: Uint8Array;
  /** Stable word for scripts. */
  readonly code: string;
  /** For people. */
  readonly message: string;
  /** Left out on purpose. */
  readonly isHarmless: boolean;
}

/** The initiator is through: what it did, and the state both now agree on. */
export interface SyncResult {
  readonly type: "sync-result";
  readonly session: number;
  readonly ok: boolean;
  readonly files: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly bytesReused: number;
  readonly deleted: number;
  readonly renamed: number;
  /** Folders made or removed, permissions and times set. */
  readonly adjusted: number;
  readonly conflicts: number;
  readonly errors: number;
}

/** The responder has made durable what it was asked to. */
export interface SyncAck {
  readonly type: "sync-ack";
  readonly session: number;
}

/**
 * The sender is at work on the session, and has nothing else to say: reads files, or carries out what it was
 * asked to. Said every few seconds, also to peers that don't know it ({@linkcode FEATURE_WORKING}).
 */
export interface Working {
  readonly type: "working";
  readonly session: number;
}

/** A recoverable failure of one session; the connection lives on. */
export interface ErrorMessage {
  readonly type: "error";
  /** 0 for the connection, else the session. */
  readonly session: number;
  /** One of {@linkcode WIRE_ERRORS}. */
  readonly code: WireError;
  /** For people; at most 256 characters. */
  readonly message: string;
}

/** Asks for {@linkcode Pong}. */
export interface Ping {
  readonly type: "ping";
  readonly token: number;
}
/** Answers {@linkcode Ping}. */
export interface Pong {
  readonly type: "pong";
  readonly token: number;
}

/**
 * The rest of an answer is not wanted any more: its sender ends the stream where it is. For peers with
 * {@linkcode FEATURE_GROUPS}; what others do is read on, or stop the stream.
 */
export interface Enough {
  readonly type: "enough";
  /** The QUIC stream of the answer, on this very connection. */
  readonly stream: number;
}

/** Asks which shares this peer may use. */
export interface SharesQuery {
  readonly type: "shares-query";
}
/** One share as its peer may use it. */
export interface ShareInfo {
  readonly name: string;
  readonly writable: boolean;
}
/** Answers {@linkcode SharesQuery}. */
export interface Shares {
  readonly type: "shares";
  readonly shares: readonly ShareInfo[];
}

/** The sender will take no new sessions on this connection. */
export interface GoAway {
  readonly type: "go-away";
}

/** The share has changed since the last sync (for `--watch`). */
export interface Changed {
  readonly type: "changed";
  readonly share: string;
}

/** The peer moves to a new key, proven by both (docs/protocol.md). */
export interface RotateKey {
  readonly type: "rotate-key";
  readonly newSpki: Bytes;
  readonly signatureOld: Bytes;
  readonly signatureNew: Bytes;
}

/** Everything that travels on control streams. */
export type Message =
  | Hello
  | SyncOpen
  | SyncAccept
  | SyncResult
  | SyncAck
  | Working
  | ErrorMessage
  | Ping
  | Pong
  | Enough
  | SharesQuery
  | Shares
  | GoAway
  | Changed
  | RotateKey;

/** Failures that a peer reports, in words both sides share. */
export const WIRE_ERRORS = [
  "failed",
  "no_such_share",
  "not_allowed",
  "locked",
  "storage",
  "busy",
  "root_missing",
  "safety_limit",
  "protocol",
  "no_such_group",
  "stopping",
  "timed_out",
] as const;
/** See {@linkcode WIRE_ERRORS}; an index into it travels. */
export type WireError = typeof WIRE_ERRORS[number];

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
