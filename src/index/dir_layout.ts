import { type Digest, DIGEST_BYTES } from "../base/digest.ts";
import type { ByteReader } from "../base/varint.ts";
import { type Checksum, checksum32, digest32 } from "./checksum.ts";
import type { EntryKind } from "./dir_record.ts";

/**
 * The byte form of directory records in the database, made for reading 20 000 entries before the
 * compiler has warmed up: numbers lie in rows of fixed width, all names in one text (decoded in one
 * call), equal version vectors are kept once, and digests come last in one block that is found without
 * decoding the rest.
 *
 * Layout: checksum u32 of all that follows | format u8 | flags u8 | varints: entries, tombstones,
 * removed names, digests, scannedAtMs | shape, if flagged | varint vector count, vectors | lv names
 * of entries, tombstones and removed, joined by "/" | varint link count, lv targets | entry rows |
 * tombstone rows | digests. Numbers in rows are big-endian; f64 holds every integer to 2^53.
 *
 * Entry row: kind and flags u8 | mode u16 | mtimeNs u32 | ctimeNs u32 | vector u32 | digest of a file
 * or target of a link u32 | size f64 | mtimeMs f64 | ctimeMs f64 | ino f64. Tombstone row: kind u8 |
 * vector u32 | deletedAtMs f64. Vectors, digests and targets are named by their place in their list,
 * counted from 1; 0 is none.
 */
export const FORMAT = 2;
export const CHECKSUM_BYTES = 4;
/** By format; the first had another, and is still read. */
const CHECKSUMS: readonly (Checksum | undefined)[] = [undefined, checksum32, digest32];
/** In the flags of the head. */
export const HAS_SHAPE = 1;

/** Offsets in an entry row; the kind and flags come first. */
export const MODE_AT = 1;
export const MTIME_NS_AT = 3;
export const CTIME_NS_AT = 7;
export const VECTOR_AT = 11;
export const EXTRA_AT = 15;
export const SIZE_AT = 19;
export const MTIME_MS_AT = 27;
export const CTIME_MS_AT = 35;
export const INO_AT = 43;
export const ENTRY_ROW_BYTES = 51;

/** In the first byte of an entry row. */
export const KIND_MASK = 3;
export const IS_RACY = 4;

/** Offsets in a tombstone row; the kind comes first. */
export const TOMBSTONE_VECTOR_AT = 1;
export const DELETED_AT_MS_AT = 5;
export const TOMBSTONE_ROW_BYTES = 13;

const KINDS: readonly (EntryKind | undefined)[] = [undefined, "file", "dir", "link"];

/** Kinds as they are in rows. */
export const KIND_CODE: Readonly<Record<EntryKind, number>> = { file: 1, dir: 2, link: 3 };

/** The kind of a row. @throws {RangeError} for a code that is none. */
export function kindOf(code: number): EntryKind {
  const kind = KINDS[code];
  if (kind === undefined) throw new RangeError(`unknown kind ${code}`);
  return kind;
}

/** What comes before the vectors. */
export interface Head {
  /** Reckons what the record should begin with, of all that follows. */
  readonly checksum: Checksum;
  readonly entries: number;
  readonly tombstones: number;
  readonly removed: number;
  readonly digests: number;
  readonly scannedAtMs: number;
  readonly shape: Digest | undefined;
}

/**
 * Reads the head, checksum included, which is not looked at. Counts are checked against the bytes that
 * are there, before anybody reserves memory by them.
 *
 * @throws {RangeError}
 */
export function readHead(reader: ByteReader): Head {
  reader.u32();
  const format = reader.u8();
  const checksum = CHECKSUMS[format];
  if (checksum === undefined) throw new RangeError(`unknown record format ${format}`);
  const flags = reader.u8();
  const entries = reader.varint();
  const tombstones = reader.varint();
  const removed = reader.varint();
  const digests = reader.varint();
  const scannedAtMs = reader.varint();
  const shape = (flags & HAS_SHAPE) !== 0 ? reader.take(DIGEST_BYTES) as Digest : undefined;
  const bytesMin = entries * ENTRY_ROW_BYTES + tombstones * TOMBSTONE_ROW_BYTES + removed +
    digests * DIGEST_BYTES;
  if (digests > entries || bytesMin > reader.remaining) throw new RangeError("input ends early");
  return { checksum, entries, tombstones, removed, digests, scannedAtMs, shape };
}
