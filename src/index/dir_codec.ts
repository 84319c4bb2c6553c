import type { Bytes } from "../base/bytes.ts";
import { DIGEST_BYTES } from "../base/digest.ts";
import { searchNames, sortByName } from "../base/paths.ts";
import { ByteReader } from "../base/varint.ts";
import { DirBuilder, newBuffers } from "./dir_builder.ts";
import { readHead } from "./dir_layout.ts";
import { checkNames, type DirPatch, type DirRecord, type Tombstone } from "./dir_record.ts";
import { DirView } from "./dir_view.ts";

const NO_NAMES: readonly string[] = [];

/** For most directories the same buffers do. */
const POOLED_ENTRIES_MAX = 4096;
const pooled = newBuffers();

/**
 * Encodes a record, or a patch if `removed` is there. About 0.5 µs an entry. Layout in dir_layout.ts.
 *
 * @throws {RangeError} if names are no names or out of order, or a number is outside its documented range.
 */
export function encodeDir(dir: DirRecord | DirPatch): Bytes {
  const { entries, tombstones, scannedAtMs, shape } = dir;
  const removed = "removed" in dir ? dir.removed : NO_NAMES;
  checkNames(entries);
  checkNames(tombstones);
  checkNames(removed.map((name) => ({ name })));
  const builder = builderFor(entries.length);
  for (const entry of entries) builder.add(entry);
  for (const tombstone of tombstones) builder.addTombstone(tombstone);
  return builder.finish({ scannedAtMs, shape, removed });
}

/**
 * What {@linkcode encodeDir} makes of a record after a patch. Entries that the patch does not name are
 * copied as they lie there, 0.05 µs each.
 *
 * @throws {RangeError} as {@linkcode encodeDir}, or if rows of `base` are malformed.
 */
export function mergeDir(base: DirView, patch: DirPatch): Bytes {
  checkNames(patch.entries);
  checkNames(patch.tombstones);
  const builder = builderFor(base.length + patch.entries.length);
  const named = new Set<string>(patch.removed);
  for (const { name } of patch.entries) named.add(name);
  for (const { name } of patch.tombstones) named.add(name);
  const replaced = [...named].map((name) => base.rowOf(name)).filter((row) => row >= 0);
  replaced.sort((a, b) => a - b);
  let next = 0;
  let skipped = 0;
  const copyTo = (row: number) => {
    for (; skipped < replaced.length && replaced[skipped]! < row; skipped++) {
      builder.copy(base, next, replaced[skipped]!);
      next = replaced[skipped]! + 1;
    }
    builder.copy(base, next, row);
    next = Math.max(next, row);
  };
  for (const entry of patch.entries) {
    copyTo(placeIn(base, entry.name));
    builder.add(entry);
  }
  copyTo(base.length);
  for (const tombstone of mergedTombstones(base, patch, named)) builder.addTombstone(tombstone);
  return builder.finish({ ...patch, removed: NO_NAMES });
}

/** The row of a name, or of the first name behind it. */
function placeIn(base: DirView, name: string): number {
  const row = base.rowOf(name);
  if (row >= 0) return row;
  const place = searchNames(base.length, (at) => base.name(at), name);
  return place < 0 ? ~place : place;
}

function mergedTombstones(
  base: DirView,
  patch: DirPatch,
  named: ReadonlySet<string>,
): readonly Tombstone[] {
  if (base.tombstoneCount === 0) return patch.tombstones;
  const kept = Array.from({ length: base.tombstoneCount }, (_, i) => base.tombstone(i))
    .filter(({ name }) => !named.has(name));
  return sortByName([...kept, ...patch.tombstones]);
}

function builderFor(entries: number): DirBuilder {
  return new DirBuilder(entries > POOLED_ENTRIES_MAX ? undefined : pooled);
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
