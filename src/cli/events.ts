/** The events of the command line: what `--json` prints and what text output is made of. */
import type { ErrorCode } from "../base/errors.ts";
import type { EventPath } from "./escape.ts";

/** One event. JSON output adds `time` and `run`, and `…Base64` beside a path that is not UTF-8. */
export type CliEvent =
  | IdEvent
  | PairingEvent
  | PairedEvent
  | PeerEvent
  | ListeningEvent
  | SessionStartEvent
  | SessionEndEvent
  | ConnectedEvent
  | PlanEvent
  | ItemEvent
  | ProgressEvent
  | ConflictEvent
  | FileErrorEvent
  | SummaryEvent
  | SkippedEvent
  | DisconnectedEvent
  | ErrorEvent
  | DeviceEvent
  | StatusEvent
  | PeerStatusEvent
  | VerifiedEvent
  | ComparedEvent
  | CheckEvent
  | BenchEvent;

/** This device (`id`). */
export interface IdEvent {
  readonly event: "id";
  readonly id: string;
  readonly name: string;
  /** Of the public key, in hex. */
  readonly fingerprint: string;
  /** Where this device may be reached, `HOST:PORT` each. */
  readonly addresses: readonly string[];
  /** The id it is moving to, and from when on (RFC 3339), while its key changes. */
  readonly nextId?: string;
  readonly nextFrom?: string;
}

/** A code and an invitation are open (`pair`). */
export interface PairingEvent {
  readonly event: "pairing";
  readonly code: string;
  readonly invitation: string;
  /** RFC 3339. */
  readonly expires: string;
  /** UDP port on which this device waits. */
  readonly port: number;
}

/** A peer was paired with (`pair`). */
export interface PairedEvent {
  readonly event: "paired";
  readonly id: string;
  readonly name: string;
  readonly address: string;
}

/** One trusted peer (`peers`). */
export interface PeerEvent {
  readonly event: "peer";
  readonly name: string;
  readonly id: string;
  readonly address: string | null;
  /** RFC 3339; null where it was never seen. */
  readonly lastSeen: string | null;
  readonly online: boolean;
}

/** Connections are accepted from now on (`serve`). */
export interface ListeningEvent {
  readonly event: "listening";
  /** The address without its port. */
  readonly address: string;
  readonly port: number;
  readonly id: string;
  /** Names of the shares. */
  readonly shares: readonly string[];
  /** Where metrics are, `http://HOST:PORT/metrics`, if they were asked for. */
  readonly metrics?: string;
}

/** Which way files go, as the syncing side asked for it. */
export type Direction = "both" | "push" | "pull";

/** Which session of `serve` it is about. */
export interface SessionFields {
  readonly peer: string;
  readonly share: string;
  /** `compare` where nothing moves (`verify PEER`). */
  readonly direction: Direction | "compare";
  /** One of many by a peer that stays connected (`sync --watch`). */
  readonly watch: boolean;
}

/** A peer began to sync with a share (`serve`). */
export interface SessionStartEvent extends SessionFields {
  readonly event: "session-start";
}

/** A session ended (`serve`), with what it did. Seen from the serving device: sent is to the peer. */
export interface SessionEndEvent extends SessionFields, SummaryFields {
  readonly event: "session-end";
}

/** The peer was reached and is who it should be (`sync`). */
export interface ConnectedEvent {
  readonly event: "connected";
  readonly peer: string;
  readonly address: string;
  readonly rttMs: number;
}

/** What a sync is going to do, and bytes of files to move. */
export interface PlanEvent {
  readonly event: "plan";
  /** Whom it is about, where a run syncs with several peers. */
  readonly peer?: string;
  /** Files and links, as in the summary. */
  readonly send: number;
  readonly receive: number;
  readonly delete: number;
  readonly rename: number;
  /** Folders to make or remove, permissions and times to set. */
  readonly adjust: number;
  /** Of those to send and receive: files that are compared first, and may only have a new time. */
  readonly compare: number;
  readonly conflicts: number;
  readonly bytes: number;
}

/**
 * What happens to one path: `+` create, `M` content, `m` metadata only, `R` rename, `-` delete, `C`
 * conflict, `!` error, `s` skipped.
 */
export type ItemAction = "+" | "M" | "m" | "R" | "-" | "C" | "!" | "s";

/** One change, planned (dry run) or done. */
export interface ItemEvent {
  readonly event: "item";
  /** Whom it is about, where a run syncs with several peers. */
  readonly peer?: string;
  readonly action: ItemAction;
  /** After a rename, the new path. */
  readonly path: EventPath;
  /** The size of the file; 0 for folders and links. */
  readonly bytes: number;
  /** `>` to the peer, `<` to this device. */
  readonly direction: ">" | "<";
  /** File, directory or link. */
  readonly type: "f" | "d" | "l";
  /** The old path of a rename. */
  readonly from?: EventPath;
  /** Why it is skipped, failed or in conflict. */
  readonly reason?: string;
}

/** How far a sync is; totals grow while folders are still being compared. */
export interface ProgressEvent {
  readonly event: "progress";
  /** Whom it is about, where a run syncs with several peers. */
  readonly peer?: string;
  readonly files: number;
  readonly totalFiles: number;
  readonly bytes: number;
  readonly totalBytes: number;
  /** Bytes a second, lately. */
  readonly rate: number;
}

/** Both sides changed a path. */
export interface ConflictEvent {
  readonly event: "conflict";
  /** Whom it is about, where a run syncs with several peers. */
  readonly peer?: string;
  readonly path: EventPath;
  /** Whose version stays under `path`, or that both versions were kept. */
  readonly kept: "both" | "local" | "remote";
  /** Where the other version went, if it was kept. */
  readonly copy?: EventPath;
}

/** One file could not be synced, or verified; the others go on. */
export interface FileErrorEvent {
  readonly event: "file-error";
  /** Whom it is about, where a run syncs with several peers. */
  readonly peer?: string;
  readonly path: EventPath;
  /** Short and stable, say `changed` or `denied`. */
  readonly code: string;
  readonly message: string;
}

/** What a sync did. Seen from this device: sent is to the peer. */
export interface SummaryFields {
  /** Nothing failed and nothing is in conflict. */
  readonly ok: boolean;
  readonly sent: number;
  readonly received: number;
  readonly deleted: number;
  readonly renamed: number;
  /** Folders made or removed, permissions and times set. */
  readonly adjusted: number;
  readonly conflicts: number;
  readonly errors: number;
  /** File bytes. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** File bytes that were already on the target. */
  readonly bytesReused: number;
  /** UDP payload bytes. */
  readonly wireSent: number;
  readonly wireReceived: number;
  /** Files that are in sync now. */
  readonly files: number;
  readonly seconds: number;
  readonly connections: number;
}

/** The end of a sync; the last event of `sync`. With `--watch`, the end of a round. */
export interface SummaryEvent extends SummaryFields {
  readonly event: "summary";
  /** Whom it is about, where a run syncs with several peers. */
  readonly peer?: string;
}

/** A peer that `sync --all` left out, since it was not to be reached. */
export interface SkippedEvent {
  readonly event: "skipped";
  readonly peer: string;
  readonly code: ErrorCode;
  readonly message: string;
}

/** The peer is gone, and waited for (`sync --watch`); `connected` says that it is back. */
export interface DisconnectedEvent {
  readonly event: "disconnected";
  readonly peer: string;
  readonly code: ErrorCode;
  readonly message: string;
}

/** Why a command failed. */
export interface ErrorEvent {
  readonly event: "error";
  /** Whom it is about, where a run syncs with several peers. */
  readonly peer?: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | null;
}

/** A device that announces itself (`discover`); nothing of it is proved. */
export interface DeviceEvent {
  readonly event: "device";
  /** Of the trusted peer whose id begins like this; else empty. */
  readonly name: string;
  /** As much of the id as it announces. */
  readonly id: string;
  readonly address: string;
  readonly trusted: boolean;
  /** The public number of its pairing code, while it shows one. */
  readonly slot?: number;
}

/** This device's state (`status`). */
export interface StatusEvent {
  readonly event: "status";
  readonly id: string;
  readonly name: string;
  /** The folders of identity and index. */
  readonly configDir: string;
  readonly stateDir: string;
  readonly indexBytes: number;
  readonly peers: number;
}

/** The connection to a peer (`status PEER`). */
export interface PeerStatusEvent {
  readonly event: "peer-status";
  readonly peer: string;
  readonly id: string;
  readonly address: string;
  readonly rttMs: number;
  /** Bytes of UDP payload. */
  readonly pathMtu: number;
  /** Packets since the handshake. */
  readonly packetsSent: number;
  readonly packetsLost: number;
  /** The peer's shares and what this device may do with each. */
  readonly shares: readonly { readonly name: string; readonly access: "read" | "read-write" }[];
}

/** The end of `verify`; each bad file was a `file-error`. */
export interface VerifiedEvent {
  readonly event: "verified";
  readonly ok: boolean;
  readonly files: number;
  readonly bytes: number;
  readonly errors: number;
  readonly seconds: number;
  /** Files of which no digest was known: read, and remembered for the next time. */
  readonly learned: number;
}

/** The end of `verify PEER`; each path that differs was a `file-error`. */
export interface ComparedEvent {
  readonly event: "compared";
  readonly ok: boolean;
  readonly peer: string;
  readonly share: string;
  /** Digests of names and contents in hex: this device's folder, and the peer's. */
  readonly root: string;
  readonly peerRoot: string;
  /** Files and their bytes here. */
  readonly files: number;
  readonly bytes: number;
  /** Paths that differ. */
  readonly differences: number;
  /** Paths that could not be read, on either side. */
  readonly errors: number;
  readonly seconds: number;
}

/** One check of `doctor`. */
export interface CheckEvent {
  readonly event: "check";
  readonly name: string;
  readonly ok: boolean;
  readonly message: string;
  readonly hint: string | null;
}

/** What `bench` measured. */
export interface BenchEvent {
  readonly event: "bench";
  readonly peer: string;
  readonly address: string;
  readonly handshakeMs: number;
  readonly rttMs: number;
  readonly pathMtu: number;
  /** Bytes a second. */
  readonly uploadRate: number;
  readonly downloadRate: number;
  readonly seconds: number;
}
