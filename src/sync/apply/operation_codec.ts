import { decodeUtf8 } from "../../base/bytes.ts";
import { DIGEST_BYTES } from "../../base/digest.ts";
import {
  LINK_TARGET_BYTES_MAX,
  linkFault,
  parseRelPath,
  PATH_BYTES_MAX,
  type RelPath,
} from "../../base/paths.ts";
import { unzigzag, zigzag } from "../../base/tree.ts";
import { ByteReader, ByteWriter } from "../../base/varint.ts";
import { readVector, writeVector } from "../../base/version_vector.ts";
import { ProtocolError } from "../../protocol/mod.ts";
import type { Before, Operation, Outcome } from "./operation.ts";

/** Bytes in one encoded operation or outcome. */
export const OPERATION_BYTES_MAX = 16 * 1024;

const OPS = [
  "make-dir",
  "write-file",
  "make-link",
  "move",
  "copy-file",
  "set-attributes",
  "remove",
] as const;
const BEFORE_KINDS = ["absent", "file", "dir", "link"] as const;
const RESULTS = ["done", "changed", "failed"] as const;
const CODE_BYTES_MAX = 64;
const MESSAGE_CHARS_MAX = 500;

/** Encodes one operation: `op u8 | lv path | before | vector | fields of its kind`. */
export function encodeOperation(operation: Operation, into = new ByteWriter(256)): Uint8Array {
  into.clear();
  into.u8(OPS.indexOf(operation.op)).text(operation.path);
  writeBefore(into, operation.before);
  writeVector(into, operation.vector);
  switch (operation.op) {
    case "make-dir":
      into.varint(operation.mode);
      writeOptional(into, operation.mtimeMs, zigzag);
      break;
    case "write-file":
      // Mostly it is the same path on both sides.
      into.text(operation.source === operation.path ? "" : operation.source).varint(operation.mode)
        .varint(operation.size)
        .varint(zigzag(operation.mtimeMs)).u8(operation.digest ? 1 : 0);
      if (operation.digest) into.raw(operation.digest);
      break;
    case "make-link":
      into.text(operation.target).varint(zigzag(operation.mtimeMs));
      break;
    case "move":
      into.text(operation.from);
      break;
    case "copy-file":
      into.text(operation.from).varint(operation.mode).varint(operation.size)
        .varint(zigzag(operation.mtimeMs)).raw(operation.digest);
      break;
    case "set-attributes":
      writeOptional(into, operation.mode, (mode) => mode);
      writeOptional(into, operation.mtimeMs, zigzag);
      break;
    case "remove":
      break;
  }
  return into.view();
}

/** Reads an operation back, as strictly as anything from a peer. @throws {ProtocolError} */
export function decodeOperation(bytes: Uint8Array): Operation {
  return strictly(bytes, (from) => readOperation(from, parseRelPath));
}

/** The same for one that this very process has encoded: paths are what they were. */
export function decodeOwnOperation(bytes: Uint8Array): Operation {
  return readOperation(new ByteReader(bytes), (path) => path as RelPath);
}

/** Makes a path of a text, or refuses it. */
type PathCheck = (text: string) => RelPath;

function readOperation(from: ByteReader, check: PathCheck): Operation {
  const op = OPS[from.u8()];
  if (op === undefined) throw new ProtocolError("Operation of unknown kind");
  const path = readPath(from, check);
  const before = readBefore(from);
  const vector = readVector(from);
  const common = { path, before, vector };
  switch (op) {
    case "make-dir":
      return { op, ...common, mode: readMode(from), mtimeMs: readOptional(from, unzigzag) };
    case "write-file":
      return {
        op,
        ...common,
        source: readSource(from, path, check),
        mode: readMode(from),
        size: from.varint(),
        mtimeMs: unzigzag(from.varint()),
        digest: from.u8() === 1 ? from.take(DIGEST_BYTES).slice() : undefined,
      };
    case "make-link": {
      const target = readText(from, LINK_TARGET_BYTES_MAX);
      const fault = linkFault(path, target);
      if (fault !== undefined) throw new ProtocolError(`Symbolic link refused: ${fault}`);
      return { op, ...common, target, mtimeMs: unzigzag(from.varint()) };
    }
    case "move":
      return { op, ...common, from: readPath(from, check) };
    case "copy-file":
      return {
        op,
        ...common,
        from: readPath(from, check),
        mode: readMode(from),
        size: from.varint(),
        mtimeMs: unzigzag(from.varint()),
        digest: from.take(DIGEST_BYTES).slice(),
      };
    case "set-attributes": {
      const mode = readOptional(from, (value) => value);
      if (mode !== undefined && mode > 0o777) throw new ProtocolError("Mode over 0o777");
      return { op, ...common, mode, mtimeMs: readOptional(from, unzigzag) };
    }
    case "remove":
      return { op, ...common };
  }
}

/** Encodes one outcome: `varint index | result u8 | lv code | lv message | varint fetched | varint reused`. */
export function encodeOutcome(outcome: Outcome, into = new ByteWriter(64)): Uint8Array {
  into.clear();
  into.varint(outcome.index).u8(RESULTS.indexOf(outcome.result)).text(outcome.code)
    .text(outcome.message.slice(0, MESSAGE_CHARS_MAX)).varint(outcome.bytesFetched)
    .varint(outcome.bytesReused);
  return into.view();
}

/** Reads an outcome back. @throws {ProtocolError} */
export function decodeOutcome(bytes: Uint8Array): Outcome {
  return strictly(bytes, (from) => {
    const index = from.varint();
    const result = RESULTS[from.u8()];
    if (result === undefined) throw new ProtocolError("Unknown outcome");
    return {
      index,
      result,
      code: readText(from, CODE_BYTES_MAX),
      message: readText(from, MESSAGE_CHARS_MAX * 3),
      bytesFetched: from.varint(),
      bytesReused: from.varint(),
    };
  });
}

function strictly<T>(bytes: Uint8Array, read: (from: ByteReader) => T): T {
  const from = new ByteReader(bytes);
  try {
    const value = read(from);
    if (from.remaining > 0) throw new ProtocolError("Operation has bytes behind its end");
    return value;
  } catch (error) {
    if (error instanceof RangeError) {
      throw new ProtocolError(`Operation refused: ${error.message}`, undefined, error);
    }
    throw error;
  }
}

function writeBefore(into: ByteWriter, before: Before): void {
  into.u8(BEFORE_KINDS.indexOf(before.kind));
  if (before.kind === "file") into.varint(before.size).varint(zigzag(before.mtimeMs));
  if (before.kind === "link") into.text(before.target);
}

function readBefore(from: ByteReader): Before {
  const kind = BEFORE_KINDS[from.u8()];
  switch (kind) {
    case "absent":
    case "dir":
      return { kind };
    case "file":
      return { kind, size: from.varint(), mtimeMs: unzigzag(from.varint()) };
    case "link":
      return { kind, target: readText(from, LINK_TARGET_BYTES_MAX) };
    default:
      throw new ProtocolError("Unknown kind of entry");
  }
}

function writeOptional(
  into: ByteWriter,
  value: number | undefined,
  map: (value: number) => number,
): void {
  into.u8(value === undefined ? 0 : 1);
  if (value !== undefined) into.varint(map(value));
}

function readOptional(from: ByteReader, map: (value: number) => number): number | undefined {
  return from.u8() === 0 ? undefined : map(from.varint());
}

function readMode(from: ByteReader): number {
  const mode = from.varint();
  if (mode > 0o777) throw new ProtocolError("Mode over 0o777");
  return mode;
}

function readPath(from: ByteReader, check: PathCheck): RelPath {
  return check(readText(from, PATH_BYTES_MAX));
}

/** Empty where it is the path itself. */
function readSource(from: ByteReader, path: RelPath, check: PathCheck): RelPath {
  const text = readText(from, PATH_BYTES_MAX);
  return text === "" ? path : check(text);
}

function readText(from: ByteReader, maxBytes: number): string {
  const text = decodeUtf8(from.lv(maxBytes));
  if (text === undefined) throw new ProtocolError("Text is not valid UTF-8");
  return text;
}
