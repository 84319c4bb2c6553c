import type { Bytes } from "../base/bytes.ts";
import type { Digest } from "../base/digest.ts";

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
