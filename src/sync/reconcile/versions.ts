import {
  bumpVector,
  compareVectors,
  EDIT_STEP,
  EMPTY_VECTOR,
  mergeVectors,
  type VectorMember,
  type VersionVector,
} from "../../base/version_vector.ts";
import type { DirView } from "./tree_view.ts";

/** A vector, or nothing known: a missing and an empty one are the same here. */
export type MaybeVector = VersionVector | undefined;

/** What a view says of a name: its version, or the tombstone it left. */
export function vectorIn(view: DirView, name: string): MaybeVector {
  return unlessEmpty(view.versions?.get(name) ?? view.tombstones?.get(name));
}

/** The same for the entry of a row, of a view that has rows. */
export function vectorOfRow({ rows, tombstones }: DirView, row: number): MaybeVector {
  const version = rows?.versionAt?.(row);
  if (version !== undefined || !tombstones?.size) return unlessEmpty(version);
  return unlessEmpty(tombstones.get(rows!.page.name(row)));
}

function unlessEmpty(vector: MaybeVector): MaybeVector {
  return vector?.length === 0 ? undefined : vector;
}

/**
 * True if version `a` was made by someone who had seen `b`. Where one of them is unknown nothing outranks
 * anything: a device that lost its memory must not look outdated.
 */
export function outranks(a: MaybeVector, b: MaybeVector): boolean {
  return a !== undefined && b !== undefined && compareVectors(a, b) === "dominates";
}

/** True if both are known and say the same, or both are unknown. */
export function sameVector(a: MaybeVector, b: MaybeVector): boolean {
  if (a === undefined || b === undefined) return a === b;
  return compareVectors(a, b) === "equal";
}

/**
 * What a state gets that settles both versions. A vector that would hold too many members is given up:
 * knowing nothing is safe, dropping a member is not.
 */
export function joined(a: MaybeVector, b: MaybeVector): MaybeVector {
  if (a === undefined || b === undefined) return a ?? b;
  return unlessFull(() => mergeVectors(a, b));
}

/**
 * The vector after a decision in favour of the member's version. Given up where no number is left before the
 * member's next edit.
 */
export function decided(vector: MaybeVector, member: VectorMember): MaybeVector {
  if (vector === undefined) return undefined;
  const after = unlessFull(() => bumpVector(vector, member));
  const isFree = after?.every((item) => item.member !== member || item.counter % EDIT_STEP !== 0);
  return isFree ? after : undefined;
}

/** The vector as operations carry it. */
export function carried(vector: MaybeVector): VersionVector {
  return vector ?? EMPTY_VECTOR;
}

function unlessFull(make: () => VersionVector): MaybeVector {
  try {
    return make();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
