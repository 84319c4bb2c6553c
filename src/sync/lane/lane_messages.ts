/**
 * What a session's thread and a lane say to each other. Bytes of files never travel here: they go from
 * the lane's connection to the disk, or the other way, and only what is to be known of them is told.
 */
import type { RelPath } from "../../base/paths.ts";
import type { ByteRange, FileVersion } from "../../protocol/mod.ts";
import type { HandedFile, Root, StoreReason } from "../../store/mod.ts";
import type { ChunkRun } from "../delta/chunk_progress.ts";
import type { ContentReason } from "../delta/content_error.ts";
import type { BulkRequest } from "../link/bulk.ts";
import type { ServedFile } from "../transfer/file_server.ts";
import type { Failure } from "../transfer/remote_share.ts";

/** A folder that several threads have open: the path, and what must be there. */
export interface RootRef {
  readonly path: string;
  readonly dev: number;
  readonly ino: number;
}

/** The reference of an open root. */
export function rootRef({ path, stat }: Root): RootRef {
  return { path, dev: stat.dev, ino: stat.ino };
}

/** A version of a file that a peer has. */
export interface LaneFile extends FileVersion {
  readonly path: RelPath;
}

/** Whole files into staged files of the lane's own. */
export interface FilesJob {
  readonly kind: "files";
  readonly root: RootRef;
  readonly session: number;
  readonly files: readonly (LaneFile & { readonly mode: number })[];
}

/** One file, from its first byte to its last, into a staged file of the session's. */
export interface WholeJob {
  readonly kind: "whole";
  readonly root: RootRef;
  readonly session: number;
  readonly file: LaneFile;
  readonly target: HandedFile;
  readonly front: WholeFront;
}

/** What there is of a file already: bytes from its front, and the chunks that are complete in them. */
export interface WholeFront {
  readonly bytes: number;
  readonly chunks: Uint8Array;
}

/** Chunks of one file into a staged file of the session's. */
export interface RangesJob {
  readonly kind: "ranges";
  readonly root: RootRef;
  readonly session: number;
  readonly file: LaneFile;
  readonly target: HandedFile;
  readonly ranges: readonly ByteRange[];
  readonly runs: readonly ChunkRun[];
  /** The entries of the runs in the chunk list, one after the other. */
  readonly chunks: Uint8Array;
  readonly chunkBytesMax: number;
}

/** Bytes to be fetched by a lane. */
export type LaneJob = FilesJob | WholeJob | RangesJob;

/** What a lane needs to answer a request of the peer's: the files that it may send, in the order asked for. */
export interface BulkGrant {
  readonly root: RootRef;
  readonly compress: boolean;
  readonly files: readonly (ServedFile | undefined)[];
}

/** What the session's thread tells a lane. */
export type ToLane =
  | { readonly type: "job"; readonly id: number; readonly job: LaneJob }
  | { readonly type: "cancel"; readonly id: number }
  /** So many staged files of a job were taken over. */
  | { readonly type: "taken"; readonly count: number }
  | { readonly type: "grant"; readonly id: number; readonly grant: BulkGrant | undefined }
  | { readonly type: "found"; readonly id: number; readonly file: ServedFile | undefined }
  | { readonly type: "ping"; readonly id: number }
  | { readonly type: "close"; readonly code: number };

/** An expected failure on its way between threads. */
export type LaneFailure =
  | { readonly kind: "store"; readonly reason: StoreReason; readonly message: string }
  | { readonly kind: "content"; readonly reason: ContentReason; readonly message: string };

/** One file of a {@linkcode FilesJob}. */
export type FileReport =
  & { readonly index: number; readonly bytes: number }
  & ({ readonly file: HandedFile; readonly recipe: Uint8Array } | {
    readonly failure: LaneFailure;
  });

/** How a job ended. */
export type JobEnd =
  | { readonly kind: "done" }
  /** Of a {@linkcode WholeJob}. */
  | { readonly kind: "whole"; readonly recipe: Uint8Array }
  /** Of a {@linkcode RangesJob}: chunks that did not come, or not as the recipe says. */
  | { readonly kind: "ranges"; readonly missing: number }
  /** The peer has no such version. */
  | { readonly kind: "status"; readonly status: Failure }
  | { readonly kind: "failure"; readonly failure: LaneFailure }
  /** What has not come is to be asked for elsewhere. */
  | { readonly kind: "cut"; readonly why: string; readonly front?: WholeFront }
  /** The peer broke the protocol. */
  | { readonly kind: "protocol"; readonly message: string };

/** What a lane's connection has moved and how it is doing. */
export interface LaneStats {
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly sentPackets: number;
  readonly receivedPackets: number;
}

/** What a lane tells the session's thread. */
export type FromLane =
  | { readonly type: "reports"; readonly id: number; readonly reports: readonly FileReport[] }
  /** Bytes of a {@linkcode WholeJob} that are written, from the front. */
  | { readonly type: "written"; readonly id: number; readonly bytes: number }
  /** Bytes that came for a {@linkcode RangesJob}, and chunks that are written. */
  | {
    readonly type: "chunks";
    readonly id: number;
    readonly bytes: number;
    readonly chunks: readonly number[];
  }
  | { readonly type: "end"; readonly id: number; readonly end: JobEnd }
  /** The peer asks for bytes. */
  | { readonly type: "ask"; readonly id: number; readonly request: BulkRequest }
  /** One of its requests is through, one way or another. */
  | { readonly type: "answered" }
  | {
    readonly type: "find";
    readonly id: number;
    readonly session: number;
    readonly path: RelPath;
  }
  /** Bytes and files that were sent for a session. */
  | {
    readonly type: "served";
    readonly session: number;
    readonly bytes: number;
    readonly paths: readonly RelPath[];
  }
  | { readonly type: "pong"; readonly id: number }
  | { readonly type: "stats"; readonly stats: LaneStats };
