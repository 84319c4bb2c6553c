import { type Bytes, decodeUtf8, utf8 } from "../base/bytes.ts";
import { NAME_BYTES_MAX, nameFault } from "../base/paths.ts";
import { DIR_ENTRIES_MAX } from "../base/tree.ts";
import { ByteReader, ByteWriter } from "../base/varint.ts";
import { readVectors, vectorAt, VectorTable } from "../base/vector_table.ts";
import { EMPTY_VECTOR, type VersionVector } from "../base/version_vector.ts";
import { ProtocolError } from "./errors.ts";

/** What the names of a directory have seen; see `src/base/version_vector.ts`. */
export interface DirHistory {
  /** By position in the page; `undefined` where nothing is known. Neighbours often share one object. */
  readonly versions: readonly (VersionVector | undefined)[];
  /** What the deletions of missing names have seen. */
  readonly tombstones: ReadonlyMap<string, VersionVector>;
}

/**
 * Encodes a history: most directories have one or two distinct vectors, and cost a few bytes.
 *
 * Layout: varint vector count, vectors | runs of entries with one vector, as many as cover the page:
 * varint length, varint place | varint tombstone count, for each lv name, varint place. A place counts
 * vectors from 1; 0 is none.
 */
export function encodeDirHistory({ versions, tombstones }: DirHistory): Bytes {
  const table = new VectorTable();
  for (const vector of versions) table.add(vector);
  for (const vector of tombstones.values()) table.add(vector);
  const out = new ByteWriter(256);
  table.write(out);
  for (let from = 0; from < versions.length;) {
    const place = table.placeOf(versions[from]);
    let to = from + 1;
    while (to < versions.length && table.placeOf(versions[to]) === place) to++;
    out.varint(to - from).varint(place);
    from = to;
  }
  out.varint(tombstones.size);
  for (const [name, vector] of tombstones) out.lv(utf8(name)).varint(table.placeOf(vector));
  return out.finish();
}

/**
 * Reads what {@linkcode encodeDirHistory} wrote.
 *
 * @param entries Number of entries in the page.
 * @throws {ProtocolError}
 */
export function decodeDirHistory(bytes: Uint8Array, entries: number): DirHistory {
  try {
    return readHistory(new ByteReader(bytes), entries);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ProtocolError(`History of a directory refused: ${error.message}`, undefined, error);
  }
}

function readHistory(reader: ByteReader, entries: number): DirHistory {
  const vectors = readVectors(reader);
  const versions = new Array<VersionVector | undefined>(entries);
  for (let from = 0; from < entries;) {
    const length = reader.varint();
    if (length === 0 || length > entries - from) throw new RangeError("bad run");
    versions.fill(vectorAt(vectors, reader.varint()), from, from += length);
  }
  const count = reader.varint();
  if (count > DIR_ENTRIES_MAX) throw new RangeError(`${count} deleted names`);
  const tombstones = new Map<string, VersionVector>();
  for (let i = 0; i < count; i++) {
    const name = decodeUtf8(reader.lv(NAME_BYTES_MAX));
    if (name === undefined || nameFault(name) !== undefined) throw new RangeError("bad name");
    tombstones.set(name, vectorAt(vectors, reader.varint()) ?? EMPTY_VECTOR);
  }
  if (reader.remaining > 0) throw new RangeError("bytes behind the last name");
  return { versions, tombstones };
}
