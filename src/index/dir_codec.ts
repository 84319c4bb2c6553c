import { type Bytes, utf8 } from "../base/bytes.ts";
import { DIGEST_BYTES } from "../base/digest.ts";
import { ByteReader, ByteWriter } from "../base/varint.ts";
import { checksum32 } from "./checksum.ts";
import {
  CHECKSUM_BYTES,
  CTIME_MS_AT,
  CTIME_NS_AT,
  DELETED_AT_MS_AT,
  ENTRY_ROW_BYTES,
  EXTRA_AT,
  FORMAT,
  HAS_SHAPE,
  INO_AT,
  IS_RACY,
  KIND_CODE,
  MODE_AT,
  MTIME_MS_AT,
  MTIME_NS_AT,
  readHead,
  SIZE_AT,
  TOMBSTONE_ROW_BYTES,
  TOMBSTONE_VECTOR_AT,
  VECTOR_AT,
} from "./dir_layout.ts";
import { checkNames, type DirPatch, type DirRecord, type EntryRecord } from "./dir_record.ts";
import { DirView } from "./dir_view.ts";
import { VectorTable } from "../base/vector_table.ts";

/** Permission bits with setuid, setgid and sticky. */
const MODE_MAX = 0o7777;

const NO_NAMES: readonly string[] = [];

/**
 * Encodes a record, or a patch if `removed` is there. About 0.5 µs an entry. Layout in dir_layout.ts.
 *
 * @throws {RangeError} if names are no names or out of order, or a number is outside its documented range.
 */
export function encodeDir(dir: DirRecord | DirPatch): Bytes {
  const { entries, tombstones } = dir;
  const removed = "removed" in dir ? dir.removed : NO_NAMES;
  checkNames(entries);
  checkNames(tombstones);
  checkNames(removed.map((name) => ({ name })));
  const vectors = new VectorTable();
  const names: string[] = [];
  const targets: string[] = [];
  let digests = 0;
  for (const entry of entries) {
    names.push(entry.name);
    vectors.add(entry.vector);
    if (hasDigest(entry)) digests++;
    if (hasTarget(entry)) targets.push(entry.target);
  }
  for (const tombstone of tombstones) {
    names.push(tombstone.name);
    vectors.add(tombstone.vector);
  }
  for (const name of removed) names.push(name);

  const front = frontWriter(names.length);
  front.u32(0).u8(FORMAT).u8(dir.shape === undefined ? 0 : HAS_SHAPE);
  front.varint(entries.length).varint(tombstones.length).varint(removed.length);
  front.varint(digests).varint(dir.scannedAtMs);
  if (dir.shape !== undefined) front.raw(dir.shape);
  vectors.write(front);
  writeNames(front, names);
  front.varint(targets.length);
  for (const target of targets) front.lv(utf8(target));

  const rowsBytes = entries.length * ENTRY_ROW_BYTES + tombstones.length * TOMBSTONE_ROW_BYTES;
  const digestsFrom = front.length + rowsBytes;
  const bytes = new Uint8Array(digestsFrom + digests * DIGEST_BYTES);
  bytes.set(front.view());
  const view = new DataView(bytes.buffer);
  let at = front.length;
  let digestPlace = 0;
  let targetPlace = 0;
  for (const entry of entries) {
    let extra = 0;
    if (hasDigest(entry)) {
      bytes.set(entry.digest, digestsFrom + digestPlace * DIGEST_BYTES);
      extra = ++digestPlace;
    } else if (hasTarget(entry)) {
      extra = ++targetPlace;
    }
    writeRow(view, at, entry, { vector: vectors.placeOf(entry.vector), extra });
    at += ENTRY_ROW_BYTES;
  }
  for (const tombstone of tombstones) {
    view.setUint8(at, KIND_CODE[tombstone.kind]);
    view.setUint32(at + TOMBSTONE_VECTOR_AT, vectors.placeOf(tombstone.vector));
    view.setFloat64(at + DELETED_AT_MS_AT, tombstone.deletedAtMs);
    at += TOMBSTONE_ROW_BYTES;
  }
  view.setUint32(0, checksum32(bytes, CHECKSUM_BYTES));
  return bytes;
}

/**
 * Decodes what {@linkcode encodeDir} wrote; `removed` is empty for a full record. About 0.5 µs an entry.
 * Digests are views into `bytes`, which the result therefore keeps alive.
 *
 * @throws {RangeError} on a wrong checksum or anything malformed behind a right one.
 */
export function decodeDir(bytes: Uint8Array): DirPatch {
  return new DirView(bytes).decode();
}

/**
 * The file digests in an encoded record, joined, as a view; without decoding the rest.
 *
 * @throws {RangeError} if the head is malformed. The checksum is not looked at.
 */
export function digestsOf(bytes: Uint8Array): Uint8Array {
  const { digests } = readHead(new ByteReader(bytes));
  return bytes.subarray(bytes.length - digests * DIGEST_BYTES);
}

/** How many entries and tombstones are in an encoded record. @throws {RangeError} */
export function countsOf(bytes: Uint8Array): { entries: number; tombstones: number } {
  const { entries, tombstones } = readHead(new ByteReader(bytes));
  return { entries, tombstones };
}

/** A writer for the front of a record. For most of them it is one and the same, which spares garbage. */
function frontWriter(names: number): ByteWriter {
  if (names > POOLED_NAMES_MAX) return new ByteWriter(128 + 24 * names);
  pooledFront.clear();
  return pooledFront;
}

/** Appends the names joined by "/", with their length in front. */
function writeNames(front: ByteWriter, names: readonly string[]): void {
  const text = names.join("/");
  if (text.length * 3 > pooledText.length) {
    front.lv(utf8(text));
  } else {
    // Into memory that is there: TextEncoder.encode() reserves some for each record.
    const { written } = encoder.encodeInto(text, pooledText);
    front.lv(pooledText.subarray(0, written));
  }
}

const POOLED_NAMES_MAX = 4096;
const pooledFront = new ByteWriter(64 * 1024);
const pooledText = new Uint8Array(64 * 1024);
const encoder = new TextEncoder();

function writeRow(
  view: DataView,
  at: number,
  entry: EntryRecord,
  places: { readonly vector: number; readonly extra: number },
): void {
  const { mode, mtimeNs, ctimeNs } = entry;
  if (!(mode >= 0 && mode <= MODE_MAX && isNanos(mtimeNs) && isNanos(ctimeNs))) {
    throw new RangeError(`${JSON.stringify(entry.name)} has a mode or time out of range`);
  }
  view.setUint8(at, KIND_CODE[entry.kind] | (entry.racy ? IS_RACY : 0));
  view.setUint16(at + MODE_AT, mode);
  view.setUint32(at + MTIME_NS_AT, mtimeNs);
  view.setUint32(at + CTIME_NS_AT, ctimeNs);
  view.setUint32(at + VECTOR_AT, places.vector);
  view.setUint32(at + EXTRA_AT, places.extra);
  view.setFloat64(at + SIZE_AT, entry.size);
  view.setFloat64(at + MTIME_MS_AT, entry.mtimeMs);
  view.setFloat64(at + CTIME_MS_AT, entry.ctimeMs);
  view.setFloat64(at + INO_AT, entry.ino);
}

function hasDigest(entry: EntryRecord): entry is EntryRecord & { digest: Uint8Array } {
  return entry.kind === "file" && entry.digest !== undefined;
}

function hasTarget(entry: EntryRecord): entry is EntryRecord & { target: string } {
  return entry.kind === "link" && entry.target !== undefined;
}

function isNanos(value: number): boolean {
  return value >= 0 && value < 1_000_000;
}
