import { type Bytes, utf8 } from "./bytes.ts";
import { sha256Of } from "./digest.ts";
import { ByteReader, ByteWriter, encodeVarint } from "./varint.ts";

/**
 * One writer in a version vector: 8 bytes of a digest as 16 lower-case hex digits. It names a device
 * *and* the epoch of its memory, so a device that lost its state never counts on from a wrong number.
 */
export type VectorMember = string & { readonly __brand: "VectorMember" };

/** The last edit of an entry that one member has made. */
export interface VectorItem {
  readonly member: VectorMember;
  /** 1 to 2^53 - 1. */
  readonly counter: number;
}

/**
 * Members number their edits in multiples of this. The numbers in between are for decisions about a version
 * (`decided()` of the reconciler), which its member may never hear of: had it only counted on, its next edit
 * would look like what was decided about the last one, and be taken for older than that.
 */
export const EDIT_STEP = 256;

/**
 * Which edits a version of an entry has seen: sorted by member, each member once, at most
 * {@linkcode VECTOR_MEMBERS_MAX}. Immutable, and shared freely between entries.
 */
export type VersionVector = readonly VectorItem[];

/** What comparing two vectors tells: `dominates` means the first has seen all the second has, and more. */
export type VectorOrder = "equal" | "dominates" | "dominated" | "concurrent";

/** Members in one vector. */
export const VECTOR_MEMBERS_MAX = 64;

/** The vector of an entry nobody has edited yet; every other vector dominates it. */
export const EMPTY_VECTOR: VersionVector = [];

const MEMBER_DOMAIN = utf8("LDR-vector/1");
const MEMBER_PATTERN = /^[0-9a-f]{16}$/;

/** Derives the member that stands for a device during one epoch of its memory of a folder. */
export function vectorMember(deviceId: string, epoch: string): VectorMember {
  const id = utf8(deviceId);
  const digest = sha256Of([MEMBER_DOMAIN, encodeVarint(id.length), id, utf8(epoch)]);
  return memberAt(new ByteReader(digest));
}

/** Checks and brands a member written as text, or returns `undefined`. */
export function parseVectorMember(text: string): VectorMember | undefined {
  return MEMBER_PATTERN.test(text) ? text as VectorMember : undefined;
}

/** Compares what two versions have seen. One pass over both, no allocation. */
export function compareVectors(a: VersionVector, b: VersionVector): VectorOrder {
  if (a === b) return "equal";
  let aSeesMore = false;
  let bSeesMore = false;
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const x = a[i];
    const y = b[j];
    if (y === undefined || (x !== undefined && x.member < y.member)) {
      aSeesMore = true;
      i++;
    } else if (x === undefined || y.member < x.member) {
      bSeesMore = true;
      j++;
    } else {
      if (x.counter > y.counter) aSeesMore = true;
      else if (x.counter < y.counter) bSeesMore = true;
      i++;
      j++;
    }
  }
  if (aSeesMore) return bSeesMore ? "concurrent" : "dominates";
  return bSeesMore ? "dominated" : "equal";
}

/** True for a version that knows all that another one does. */
export function hasSeen(vector: VersionVector, other: VersionVector): boolean {
  const order = compareVectors(vector, other);
  return order === "dominates" || order === "equal";
}

/**
 * The least vector that has seen all that either has: what a version gets that settles both.
 *
 * @returns One of the arguments where it already is the answer.
 * @throws {RangeError} if that takes over {@linkcode VECTOR_MEMBERS_MAX} members. Dropping one instead
 * could make an older version dominate, which loses an edit.
 */
export function mergeVectors(a: VersionVector, b: VersionVector): VersionVector {
  const order = compareVectors(a, b);
  if (order === "equal" || order === "dominates") return a;
  if (order === "dominated") return b;
  const merged: VectorItem[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const x = a[i];
    const y = b[j];
    if (y === undefined || (x !== undefined && x.member < y.member)) {
      merged.push(x!);
      i++;
    } else if (x === undefined || y.member < x.member) {
      merged.push(y);
      j++;
    } else {
      merged.push(x.counter >= y.counter ? x : y);
      i++;
      j++;
    }
  }
  needRoom(merged.length);
  return merged;
}

/**
 * The vector after one more edit by `member`; it dominates the old one.
 *
 * @param counterMin The counter is at least this. A number that grows with every edit of the member keeps
 * an entry that was forgotten and made anew from counting like an old version of itself.
 * @throws {RangeError} where there is no room for another member, or the counter is at its end.
 */
export function bumpVector(
  vector: VersionVector,
  member: VectorMember,
  counterMin = 1,
): VersionVector {
  const bumped = [...vector];
  const at = vector.findIndex((item) => item.member >= member);
  const found = at < 0 ? undefined : vector[at];
  const known = found?.member === member ? found.counter : 0;
  const counter = Math.max(known + 1, counterMin);
  if (!Number.isSafeInteger(counter)) throw new RangeError("vector counter at its end");
  if (known > 0) {
    bumped[at] = { member, counter };
  } else {
    needRoom(vector.length + 1);
    bumped.splice(at < 0 ? vector.length : at, 0, { member, counter });
  }
  return bumped;
}

/**
 * As {@linkcode bumpVector}, for an edit that has happened whatever its vector can say. Where there is no room,
 * after 64 members or by a number that somebody made up, it is {@linkcode EMPTY_VECTOR}: a version of which
 * nothing is known is never taken for an old one.
 */
export function editedVector(
  vector: VersionVector,
  member: VectorMember,
  counterMin: number,
): VersionVector {
  try {
    return bumpVector(vector, member, counterMin);
  } catch (error) {
    if (error instanceof RangeError) return EMPTY_VECTOR;
    throw error;
  }
}

/** Appends: varint count, then for each item 8 bytes of member and a varint counter. */
export function writeVector(writer: ByteWriter, vector: VersionVector): void {
  writer.varint(vector.length);
  for (const { member, counter } of vector) {
    writer.u32(parseInt(member.slice(0, 8), 16)).u32(parseInt(member.slice(8), 16)).varint(counter);
  }
}

/**
 * Reads what {@linkcode writeVector} wrote, and nothing else: bytes from a peer may come here.
 *
 * @throws {RangeError} on too many members, wrong order, a counter of 0, or an early end.
 */
export function readVector(reader: ByteReader): VersionVector {
  const count = reader.varint();
  needRoom(count);
  if (count === 0) return EMPTY_VECTOR;
  const vector: VectorItem[] = [];
  let previous = "";
  for (let i = 0; i < count; i++) {
    const member = memberAt(reader);
    if (member <= previous) throw new RangeError("vector members out of order");
    const counter = reader.varint();
    if (counter === 0) throw new RangeError("vector counter of 0");
    vector.push({ member, counter });
    previous = member;
  }
  return vector;
}

/** A vector as bytes of its own; see {@linkcode writeVector}. */
export function encodeVector(vector: VersionVector): Bytes {
  const writer = new ByteWriter(1 + 16 * vector.length);
  writeVector(writer, vector);
  return writer.finish();
}

/** @throws {RangeError} as {@linkcode readVector}, and on trailing bytes. */
export function decodeVector(bytes: Uint8Array): VersionVector {
  const reader = new ByteReader(bytes);
  const vector = readVector(reader);
  if (reader.remaining > 0) throw new RangeError("bytes behind the vector");
  return vector;
}

function memberAt(reader: ByteReader): VectorMember {
  return (hex32(reader.u32()) + hex32(reader.u32())) as VectorMember;
}

function hex32(value: number): string {
  return value.toString(16).padStart(8, "0");
}

function needRoom(members: number): void {
  if (members > VECTOR_MEMBERS_MAX) {
    throw new RangeError(`${members} vector members, over ${VECTOR_MEMBERS_MAX}`);
  }
}
