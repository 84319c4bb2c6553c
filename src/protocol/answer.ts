import { type Bytes, utf8 } from "../base/bytes.ts";
import { type Digest, DIGEST_BYTES } from "../base/digest.ts";
import { NAME_BYTES_MAX } from "../base/paths.ts";
import { DIR_ENTRIES_MAX, unzigzag, zigzag } from "../base/tree.ts";
import { type ByteReader, ByteWriter } from "../base/varint.ts";
import type { BlockWriter } from "./block.ts";
import { ProtocolError } from "./errors.ts";
import type { RecordReader } from "./record.ts";

/** Bytes in one directory page: 100 000 entries with long names. */
export const PAGE_BYTES_MAX = 48 * 1024 * 1024;
/** Bytes in one list of groups or chunks: 1 M chunks. */
export const RECIPE_BYTES_MAX = 48 * 1024 * 1024;
/** Bytes in the history of one directory: as many tombstones as there may be entries. */
const HISTORY_BYTES_MAX = 32 * 1024 * 1024;
const FLAG_INCOMPLETE = 1;
/** Status, size, time. */
const FILE_HEAD_BYTES_MAX = 17;
/** Status, CRC. */
const FILE_END_BYTES = 5;
/** What comes with a file's bytes at most: the head before them, the end behind them. */
export const FILE_FRAME_BYTES = FILE_HEAD_BYTES_MAX + FILE_END_BYTES;

/** What is there already, or comes with the peer's next bytes. */
type MaybeLater<T> = T | Promise<T>;

// Short enough for BlockWriter.write() to be done with it on return.
const scratch = new ByteWriter(64);

/** How a requested thing turned out. */
export const STATUS = {
  ok: 0,
  /** No longer there, or another version than asked for. */
  changed: 1,
  /** Not part of what this session shares. */
  denied: 2,
  /** Could not be read. */
  io: 3,
} as const;
/** See {@linkcode STATUS}. */
export type Status = typeof STATUS[keyof typeof STATUS];

/** A directory as its owner sees it: the page, and what the page leaves out. */
export interface DirAnswer {
  /** The canonical page; its digest is what the parent's page says. */
  readonly page: Bytes;
  /** Of the directory itself; not part of the page. */
  readonly mtimeMs: number;
  /** Some of the directory could not be read: nothing missing from the page counts as absent. */
  readonly isIncomplete: boolean;
  /** Names that exist and are not in the page: unreadable, ignored, of a kind that is not synced. */
  readonly opaque: readonly string[];
  /** What its names have seen, as `encodeDirHistory` writes it. */
  readonly history: Bytes;
}

/** Writes a directory, or only a status other than ok. */
export async function writeDir(out: BlockWriter, answer: DirAnswer | Status): Promise<void> {
  if (typeof answer === "number") return await out.write(new Uint8Array([answer]));
  const head = new ByteWriter(256).u8(STATUS.ok).varint(zigzag(answer.mtimeMs))
    .u8(answer.isIncomplete ? FLAG_INCOMPLETE : 0).varint(answer.opaque.length);
  for (const name of answer.opaque) head.lv(utf8(name));
  head.lv(answer.history).varint(answer.page.length);
  await out.write(head.finish());
  await out.write(answer.page);
}

/** Reads what {@linkcode writeDir} wrote; the page is a copy, unverified. @throws {ProtocolError} */
export async function readDir(from: RecordReader): Promise<DirAnswer | Exclude<Status, 0>> {
  const status = await readStatus(from);
  if (status !== STATUS.ok) return status;
  const mtimeMs = unzigzag(await from.varint());
  const isIncomplete = (await from.u8() & FLAG_INCOMPLETE) !== 0;
  const opaque: string[] = [];
  for (let left = await count(from); left > 0; left--) {
    opaque.push(await from.text(NAME_BYTES_MAX * 4));
  }
  const history = (await from.lv(HISTORY_BYTES_MAX)).slice();
  const page = (await from.lv(PAGE_BYTES_MAX)).slice();
  return { page, mtimeMs, isIncomplete, opaque, history };
}

/** One version of a file's contents. */
export interface FileVersion {
  readonly size: number;
  readonly mtimeMs: number;
}

/** The digest of one version of a file. */
export interface DigestAnswer extends FileVersion {
  readonly digest: Digest;
}

/** Writes a file digest, or only a status other than ok. */
export async function writeDigest(out: BlockWriter, answer: DigestAnswer | Status): Promise<void> {
  if (typeof answer === "number") return await out.write(new Uint8Array([answer]));
  await out.write(
    new ByteWriter(64).u8(STATUS.ok).varint(answer.size).varint(zigzag(answer.mtimeMs))
      .raw(answer.digest).finish(),
  );
}

/** Reads what {@linkcode writeDigest} wrote. @throws {ProtocolError} */
export async function readDigest(from: RecordReader): Promise<DigestAnswer | Exclude<Status, 0>> {
  const status = await readStatus(from);
  if (status !== STATUS.ok) return status;
  const version = await readVersion(from);
  return { ...version, digest: (await from.take(DIGEST_BYTES)).slice() };
}

/** Writes what a file takes on the disk, or only a status other than ok. */
export async function writeDiskBytes(
  out: BlockWriter,
  answer: { readonly bytes: number } | Status,
): Promise<void> {
  const head = new ByteWriter(16);
  if (typeof answer === "number") head.u8(answer);
  else head.u8(STATUS.ok).varint(answer.bytes);
  await out.write(head.finish());
}

/** Reads what {@linkcode writeDiskBytes} wrote; `undefined` for a status other than ok. @throws {ProtocolError} */
export async function readDiskBytes(from: RecordReader): Promise<number | undefined> {
  return await readStatus(from) === STATUS.ok ? await from.varint() : undefined;
}

/** Writes `status ok | size | time`, the head of a file's bytes. */
export function writeFileHead(
  out: BlockWriter,
  answer: FileVersion | Status,
): Promise<void> | undefined {
  scratch.clear();
  if (typeof answer === "number") scratch.u8(answer);
  else scratch.u8(STATUS.ok).varint(answer.size).varint(zigzag(answer.mtimeMs));
  return out.write(scratch.view());
}

/** Reads what {@linkcode writeFileHead} wrote; at once where it is at hand. @throws {ProtocolError} */
export function readFileHead(from: RecordReader): MaybeLater<FileVersion | Exclude<Status, 0>> {
  return from.record(FILE_HEAD_BYTES_MAX, parseFileHead);
}

/** Writes the end of a file's bytes: `status u8 | CRC-32 of the bytes u32`. */
export function writeFileEnd(
  out: BlockWriter,
  status: Status,
  crc: number,
): Promise<void> | undefined {
  scratch.clear();
  return out.write(scratch.u8(status).u32(crc).view());
}

/** Reads what {@linkcode writeFileEnd} wrote; at once where it is at hand. @throws {ProtocolError} */
export function readFileEnd(from: RecordReader): MaybeLater<{ status: Status; crc: number }> {
  return from.record(FILE_END_BYTES, parseFileEnd);
}

/** Writes a list of groups or chunks, or only a status other than ok. */
export async function writeRecipe(out: BlockWriter, answer: Uint8Array | Status): Promise<void> {
  if (typeof answer === "number") return await out.write(new Uint8Array([answer]));
  await out.write(new ByteWriter(16).u8(STATUS.ok).varint(answer.length).finish());
  await out.write(answer);
}

/** Reads what {@linkcode writeRecipe} wrote, as a copy. @throws {ProtocolError} */
export async function readRecipe(from: RecordReader): Promise<Uint8Array | Exclude<Status, 0>> {
  const status = await readStatus(from);
  return status === STATUS.ok ? (await from.lv(RECIPE_BYTES_MAX)).slice() : status;
}

function parseFileHead(from: ByteReader): FileVersion | Exclude<Status, 0> {
  const status = statusOf(from.u8());
  if (status !== STATUS.ok) return status;
  const size = from.varint();
  return { size, mtimeMs: unzigzag(from.varint()) };
}

function parseFileEnd(from: ByteReader): { status: Status; crc: number } {
  const status = statusOf(from.u8());
  return { status, crc: from.u32() };
}

async function readStatus(from: RecordReader): Promise<Status> {
  return statusOf(await from.u8());
}

function statusOf(code: number): Status {
  if (code > STATUS.io) throw new ProtocolError(`Unknown status ${code}`);
  return code as Status;
}

async function readVersion(from: RecordReader): Promise<FileVersion> {
  const size = await from.varint();
  return { size, mtimeMs: unzigzag(await from.varint()) };
}

async function count(from: RecordReader): Promise<number> {
  const value = await from.varint();
  if (value > DIR_ENTRIES_MAX) throw new ProtocolError(`${value} names in a directory`);
  return value;
}
