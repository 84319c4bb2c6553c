import type { ByteReader, ByteWriter } from "./varint.ts";
import { readVector, type VersionVector, writeVector } from "./version_vector.ts";

/** The distinct vectors of a record, each with its place; most directories have one or two. */
export class VectorTable {
  readonly #places = new Map<VersionVector, number>();
  readonly #placeOfText = new Map<string, number>();
  readonly #vectors: VersionVector[] = [];
  // Neighbours mostly share one vector object, which then needs no look-up.
  #last: VersionVector | undefined;

  /** Gives a vector its place; equal ones share it. */
  add(vector: VersionVector | undefined): void {
    if (vector === undefined || vector === this.#last) return;
    this.#last = vector;
    if (vector.length === 0 || this.#places.has(vector)) return;
    let text = "";
    for (const { member, counter } of vector) text += member + counter + ",";
    let place = this.#placeOfText.get(text);
    if (place === undefined) {
      place = this.#vectors.push(vector);
      this.#placeOfText.set(text, place);
    }
    this.#places.set(vector, place);
  }

  /** Counted from 1; 0 for no vector and for the empty one. */
  placeOf(vector: VersionVector | undefined): number {
    return vector === undefined ? 0 : this.#places.get(vector) ?? 0;
  }

  /** Appends: varint count, then the vectors in the order of their places. */
  write(writer: ByteWriter): void {
    writer.varint(this.#vectors.length);
    for (const vector of this.#vectors) writeVector(writer, vector);
  }
}

/** Reads what {@linkcode VectorTable.write} wrote. @throws {RangeError} */
export function readVectors(reader: ByteReader): VersionVector[] {
  const count = reader.varint();
  if (count > reader.remaining) throw new RangeError("input ends early");
  const vectors: VersionVector[] = [];
  for (let i = 0; i < count; i++) vectors.push(readVector(reader));
  return vectors;
}

/** The vector at a place, `undefined` for place 0. @throws {RangeError} where there is none. */
export function vectorAt(
  vectors: readonly VersionVector[],
  place: number,
): VersionVector | undefined {
  if (place === 0) return undefined;
  const vector = vectors[place - 1];
  if (vector === undefined) throw new RangeError(`no vector ${place}`);
  return vector;
}
