import { type Bytes, decodeUtf8, utf8 } from "../base/bytes.ts";
import { type DirPath, parseRelPath, PATH_BYTES_MAX, type RelPath } from "../base/paths.ts";
import { unzigzag, zigzag } from "../base/tree.ts";
import { ByteReader, ByteWriter } from "../base/varint.ts";
import { ProtocolError } from "./errors.ts";

/** Bytes in one request. */
export const REQUEST_BYTES_MAX = 1024 * 1024;
/** Directories in one {@linkcode GetDirs}. */
export const GET_DIRS_MAX = 256;
/** Files in one {@linkcode GetFiles}, {@linkcode GetDigests} or {@linkcode GetDiskBytes}. */
export const GET_FILES_MAX = 512;
/** Groups in one {@linkcode GetRecipe}. */
export const GET_GROUPS_MAX = 4096;
/** Ranges in one {@linkcode GetRanges}. */
export const GET_RANGES_MAX = 4096;
/** Milliseconds that one {@linkcode Bench} lasts at most. */
export const BENCH_MS_MAX = 60_000;

/**
 * Asks for directories of the snapshot that the session began with. By path and not by digest: two
 * directories with equal pages may differ in what is left out of them, such as unreadable names.
 */
export interface GetDirs {
  readonly kind: "get-dirs";
  readonly session: number;
  readonly dirs: readonly DirPath[];
}

/** Asks for file digests, so that equal contents need not travel. */
export interface GetDigests {
  readonly kind: "get-digests";
  readonly session: number;
  readonly paths: readonly RelPath[];
}

/**
 * Asks for the digests that paths had with a size and time that they no longer have: whether the asker's
 * own version is still the one that was last in common.
 */
export interface GetEarlier {
  readonly kind: "get-earlier";
  readonly session: number;
  readonly versions: readonly {
    readonly path: RelPath;
    readonly size: number;
    readonly mtimeMs: number;
  }[];
}

/**
 * Asks how a file is made of chunks: the list of groups when `groups` is empty, else the chunks of the
 * groups named by their position.
 */
export interface GetRecipe {
  readonly kind: "get-recipe";
  readonly session: number;
  readonly path: RelPath;
  readonly groups: readonly number[];
}

/** One file of {@linkcode GetFiles}. */
export interface WantedFile {
  readonly path: RelPath;
  /** Bytes to leave out at the front, since the getter holds them. */
  readonly offset: number;
}

/** Asks for whole files, or their ends, in one answer. */
export interface GetFiles {
  readonly kind: "get-files";
  readonly session: number;
  readonly files: readonly WantedFile[];
}

/** A stretch of bytes in a file. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** Asks for parts of one version of a file. */
export interface GetRanges {
  readonly kind: "get-ranges";
  readonly session: number;
  readonly path: RelPath;
  /** The version meant; another one is answered "changed". */
  readonly size: number;
  readonly mtimeMs: number;
  readonly ranges: readonly ByteRange[];
}

/** Announces operations for the responder to carry out; they follow on the same stream. */
export interface Apply {
  readonly kind: "apply";
  readonly session: number;
}

/** Announces what both sides now agree on, for the responder to remember; it follows on the stream. */
export interface Remember {
  readonly kind: "remember";
  readonly session: number;
}

/** Which way the bytes of a {@linkcode Bench} go, seen from the asker. */
export type BenchDirection = "upload" | "download";

/** Measures the path: bytes without meaning, for a time. Belongs to no session. */
export interface Bench {
  readonly kind: "bench";
  readonly session: 0;
  readonly direction: BenchDirection;
  /** From 1 to {@linkcode BENCH_MS_MAX}. */
  readonly durationMs: number;
}

/** Asks what files take on the disk there, for an asker with little room (`FEATURE_DISK_BYTES`). */
export interface GetDiskBytes {
  readonly kind: "get-disk-bytes";
  readonly session: number;
  readonly paths: readonly RelPath[];
}

/** What opens a bidirectional stream. */
export type Request =
  | GetDirs
  | GetDigests
  | GetEarlier
  | GetDiskBytes
  | GetRecipe
  | GetFiles
  | GetRanges
  | Apply
  | Remember
  | Bench;

const KINDS = [
  "get-dirs",
  "get-digests",
  "get-recipe",
  "get-files",
  "get-ranges",
  "apply",
  "remember",
  "bench",
  "get-earlier",
  "get-disk-bytes",
] as const;

const BENCH_DIRECTIONS: readonly BenchDirection[] = ["upload", "download"];

/** Encodes `kind u8 | varint session | varint length | payload`. */
export function encodeRequest(request: Request): Bytes {
  const payload = new ByteWriter(1024);
  writePayload(payload, request);
  if (payload.length > REQUEST_BYTES_MAX) throw new RangeError("request is too long");
  return new ByteWriter(payload.length + 16).u8(KINDS.indexOf(request.kind) + 1)
    .varint(request.session).lv(payload.finish()).finish();
}

function writePayload(into: ByteWriter, request: Request): void {
  switch (request.kind) {
    case "get-dirs":
      into.varint(request.dirs.length);
      for (const dir of request.dirs) into.lv(utf8(dir));
      return;
    case "get-digests":
    case "get-disk-bytes":
      into.varint(request.paths.length);
      for (const path of request.paths) into.lv(utf8(path));
      return;
    case "get-earlier":
      into.varint(request.versions.length);
      for (const { path, size, mtimeMs } of request.versions) {
        into.lv(utf8(path)).varint(size).varint(zigzag(mtimeMs));
      }
      return;
    case "get-recipe":
      into.lv(utf8(request.path)).varint(request.groups.length);
      for (const group of request.groups) into.varint(group);
      return;
    case "get-files":
      into.varint(request.files.length);
      for (const file of request.files) into.lv(utf8(file.path)).varint(file.offset);
      return;
    case "get-ranges":
      into.lv(utf8(request.path)).varint(request.size).varint(zigzag(request.mtimeMs))
        .varint(request.ranges.length);
      for (const range of request.ranges) into.varint(range.offset).varint(range.length);
      return;
    case "bench":
      into.u8(BENCH_DIRECTIONS.indexOf(request.direction)).varint(request.durationMs);
      return;
    case "apply":
    case "remember":
      return;
  }
}

/** What {@linkcode readRequest} needs of a stream. */
export interface RequestSource {
  /** Fills part of the buffer; `null` at the end. */
  read(into: Uint8Array): Promise<number | null>;
}

/**
 * Reads the request at the head of a stream; not one byte behind it.
 *
 * @throws {ProtocolError} on an unknown kind, a length over {@linkcode REQUEST_BYTES_MAX}, bad fields.
 */
export async function readRequest(source: RequestSource): Promise<Request> {
  const kind = KINDS[(await readExactly(source, 1))[0]! - 1];
  if (kind === undefined) throw new ProtocolError("Request of unknown kind");
  const session = await readVarint(source);
  const length = await readVarint(source);
  if (length > REQUEST_BYTES_MAX) {
    throw new ProtocolError(`Request of ${length} bytes is over ${REQUEST_BYTES_MAX}`);
  }
  return decodeRequest(kind, session, await readExactly(source, length));
}

/** Understands a request's payload. @throws {ProtocolError} */
export function decodeRequest(
  kind: Request["kind"],
  session: number,
  payload: Uint8Array,
): Request {
  const reader = new ByteReader(payload);
  try {
    const request = readPayload(reader, kind, session);
    if (reader.remaining > 0) throw new ProtocolError("Request has bytes behind its end");
    return request;
  } catch (error) {
    if (error instanceof RangeError) {
      throw new ProtocolError(`Request refused: ${error.message}`, undefined, error);
    }
    throw error;
  }
}

function readPayload(reader: ByteReader, kind: Request["kind"], session: number): Request {
  switch (kind) {
    case "get-dirs":
      return { kind, session, dirs: many(reader, GET_DIRS_MAX, readDir) };
    case "get-digests":
    case "get-disk-bytes":
      return { kind, session, paths: many(reader, GET_FILES_MAX, readPath) };
    case "get-earlier":
      return {
        kind,
        session,
        versions: many(reader, GET_FILES_MAX, () => ({
          path: readPath(reader),
          size: reader.varint(),
          mtimeMs: unzigzag(reader.varint()),
        })),
      };
    case "get-recipe":
      return {
        kind,
        session,
        path: readPath(reader),
        groups: many(reader, GET_GROUPS_MAX, () => reader.varint()),
      };
    case "get-files":
      return {
        kind,
        session,
        files: many(reader, GET_FILES_MAX, () => ({
          path: readPath(reader),
          offset: reader.varint(),
        })),
      };
    case "get-ranges":
      return {
        kind,
        session,
        path: readPath(reader),
        size: reader.varint(),
        mtimeMs: unzigzag(reader.varint()),
        ranges: many(reader, GET_RANGES_MAX, () => ({
          offset: reader.varint(),
          length: reader.varint(),
        })),
      };
    case "bench":
      return readBench(reader, session);
    case "apply":
    case "remember":
      return { kind, session };
  }
}

function readBench(reader: ByteReader, session: number): Bench {
  const direction = BENCH_DIRECTIONS[reader.u8()];
  const durationMs = reader.varint();
  if (session !== 0 || direction === undefined) throw new ProtocolError("Bench of unknown form");
  if (durationMs < 1 || durationMs > BENCH_MS_MAX) {
    throw new ProtocolError(`Bench of ${durationMs} ms is over ${BENCH_MS_MAX}`);
  }
  return { kind: "bench", session, direction, durationMs };
}

function many<T>(reader: ByteReader, max: number, read: (reader: ByteReader) => T): T[] {
  const count = reader.varint();
  if (count > max) throw new ProtocolError(`Request names ${count} items, over ${max}`);
  return Array.from({ length: count }, () => read(reader));
}

function readPath(reader: ByteReader): RelPath {
  return parseRelPath(readText(reader));
}

function readDir(reader: ByteReader): DirPath {
  const text = readText(reader);
  return text === "" ? "" : parseRelPath(text);
}

function readText(reader: ByteReader): string {
  const text = decodeUtf8(reader.lv(PATH_BYTES_MAX));
  if (text === undefined) throw new ProtocolError("Path is not valid UTF-8");
  return text;
}

async function readVarint(source: RequestSource): Promise<number> {
  const first = await readExactly(source, 1);
  const length = 1 << (first[0]! >>> 6);
  const rest = await readExactly(source, length - 1);
  let value = first[0]! & 0x3f;
  for (const byte of rest) value = value * 256 + byte;
  if (!Number.isSafeInteger(value)) throw new ProtocolError("Integer above 2^53 - 1");
  return value;
}

async function readExactly(source: RequestSource, length: number): Promise<Bytes> {
  // More only when so much has come: a length is quickly said.
  let bytes = new Uint8Array(Math.min(length, RESERVED_BYTES));
  for (let have = 0; have < length;) {
    if (have === bytes.length) {
      const larger = new Uint8Array(Math.min(length, 2 * have));
      larger.set(bytes);
      bytes = larger;
    }
    const count = await source.read(bytes.subarray(have));
    if (count === null) throw new ProtocolError("Stream ends in the middle of a request");
    have += count;
  }
  return bytes;
}

/** Reserved at once for a request. */
const RESERVED_BYTES = 16 * 1024;
