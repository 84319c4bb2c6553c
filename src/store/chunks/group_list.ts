import { equalBytes } from "../../base/bytes.ts";
import { type Digest, DIGEST_BYTES, sha256 } from "../../base/digest.ts";
import { RecipeError } from "./errors.ts";
import { GROUP_CHUNKS_MAX, GROUP_CHUNKS_MIN } from "./group.ts";
import { FILE_DOMAIN, GROUP_ENTRY_BYTES, HEAD_BYTES, readU32, writeU32 } from "./layout.ts";
import {
  chunkerFor,
  type ChunkerParameters,
  CHUNKS_PER_FILE_MAX,
  FILE_BYTES_MAX,
} from "./parameters.ts";

/** Groups in one file. */
export const GROUPS_PER_FILE_MAX = CHUNKS_PER_FILE_MAX / GROUP_CHUNKS_MIN;
/** Bytes in the longest group list: 4.6 MiB. */
export const GROUP_LIST_BYTES_MAX = HEAD_BYTES + GROUPS_PER_FILE_MAX * GROUP_ENTRY_BYTES;

const SIZE_AT = FILE_DOMAIN.length + 1;
const COUNT_AT = SIZE_AT + 8;

/**
 * A file as a list of groups of chunks: 37 bytes for 1.1 MiB. Its SHA-256 is the file digest.
 *
 * Made by {@linkcode decodeGroupList} and by the recipe builder, which see to it that it is valid.
 */
export class GroupList {
  readonly chunker: ChunkerParameters;
  /** Bytes in the file. */
  readonly size: number;
  readonly groupCount: number;
  #digest: Digest | undefined;
  #firstChunks: Uint32Array | undefined;

  /**
   * @param bytes The encoded list; kept, not copied.
   * @param digest Its SHA-256 if known, else computed when asked for.
   */
  constructor(readonly bytes: Uint8Array, digest?: Digest) {
    this.size = readU32(bytes, SIZE_AT) * 2 ** 32 + readU32(bytes, SIZE_AT + 4);
    this.chunker = chunkerFor(this.size);
    this.groupCount = readU32(bytes, COUNT_AT);
    this.#digest = digest;
  }

  /** The file digest. */
  get digest(): Digest {
    return this.#digest ??= sha256(this.bytes);
  }

  /** Chunks in the file. */
  get chunkCount(): number {
    // Of small files there are many, and they need no table.
    return this.groupCount === 1 ? this.groupChunks(0) : this.firstChunk(this.groupCount);
  }

  /** A view of the group's hash. */
  groupHash(group: number): Uint8Array {
    const at = HEAD_BYTES + group * GROUP_ENTRY_BYTES;
    return this.bytes.subarray(at, at + DIGEST_BYTES);
  }

  /** Hashes of all groups that have a chunk list, to find this file by; copies. */
  listedGroups(): Digest[] {
    const hashes: Digest[] = [];
    for (let g = 0; g < this.groupCount; g++) {
      if (this.groupChunks(g) > 1) hashes.push(this.groupHash(g).slice());
    }
    return hashes;
  }

  /** Chunks in the group; a group of one has no chunk list, its hash is the chunk's. */
  groupChunks(group: number): number {
    return this.bytes[HEAD_BYTES + group * GROUP_ENTRY_BYTES + DIGEST_BYTES]!;
  }

  /** Bytes of the file in the group. */
  groupBytes(group: number): number {
    return readU32(this.bytes, HEAD_BYTES + group * GROUP_ENTRY_BYTES + DIGEST_BYTES + 1);
  }

  /** Number of the group's first chunk in the file; for `groupCount`, the number of chunks. */
  firstChunk(group: number): number {
    if (group === 0) return 0;
    let first = this.#firstChunks;
    if (first === undefined) {
      first = new Uint32Array(this.groupCount + 1);
      for (let g = 0; g < this.groupCount; g++) first[g + 1] = first[g]! + this.groupChunks(g);
      this.#firstChunks = first;
    }
    return first[group]!;
  }
}

/** Writes what stands in front of the groups. `into` has at least {@linkcode HEAD_BYTES}. */
export function writeGroupListHead(into: Uint8Array, size: number, groupCount: number): void {
  into.set(FILE_DOMAIN);
  into[FILE_DOMAIN.length] = chunkerFor(size).id;
  writeU32(into, SIZE_AT, Math.floor(size / 2 ** 32));
  writeU32(into, SIZE_AT + 4, size >>> 0);
  writeU32(into, COUNT_AT, groupCount);
}

/** Writes one group at its place. */
export function writeGroup(
  into: Uint8Array,
  at: number,
  group: { hash: Uint8Array; chunks: number; bytes: number },
): void {
  into.set(group.hash, at);
  writeGroupSizes(into, at, group.chunks, group.bytes);
}

/** Writes what stands behind a group's hash: its chunks, and its bytes. */
export function writeGroupSizes(into: Uint8Array, at: number, chunks: number, bytes: number): void {
  into[at + DIGEST_BYTES] = chunks;
  writeU32(into, at + DIGEST_BYTES + 1, bytes);
}

/**
 * Reads a group list, strictly: one form for one file, sums checked, nothing behind it.
 *
 * @param bytes Kept, not copied; must not change afterwards.
 * @param expected The file digest it must have, where known.
 * @throws {RecipeError} if it is malformed, over a limit, or has another digest.
 */
export function decodeGroupList(bytes: Uint8Array, expected?: Digest): GroupList {
  const list = decodeGroupListHead(bytes);
  if (bytes.length > list.bytes.length) throw new RecipeError("bytes behind the group list");
  checkGroups(list);
  if (expected !== undefined && !equalBytes(list.digest, expected)) {
    throw new RecipeError("group list is not that of the file asked for");
  }
  return list;
}

/** Reads the fixed part and checks it; more bytes may follow the list, none of the list is missing. */
export function decodeGroupListHead(bytes: Uint8Array): GroupList {
  if (bytes.length < HEAD_BYTES) throw new RecipeError("group list ends early");
  if (!equalBytes(bytes.subarray(0, FILE_DOMAIN.length), FILE_DOMAIN)) {
    throw new RecipeError("not a group list");
  }
  const size = readU32(bytes, SIZE_AT) * 2 ** 32 + readU32(bytes, SIZE_AT + 4);
  if (size > FILE_BYTES_MAX) throw new RecipeError(`file of ${size} bytes, over ${FILE_BYTES_MAX}`);
  if (bytes[FILE_DOMAIN.length] !== chunkerFor(size).id) {
    throw new RecipeError(`chunker ${bytes[FILE_DOMAIN.length]} is not the one for ${size} bytes`);
  }
  const groups = readU32(bytes, COUNT_AT);
  if (groups > GROUPS_PER_FILE_MAX) {
    throw new RecipeError(`${groups} groups, over ${GROUPS_PER_FILE_MAX}`);
  }
  const length = HEAD_BYTES + groups * GROUP_ENTRY_BYTES;
  if (bytes.length < length) throw new RecipeError("group list ends early");
  return new GroupList(bytes.subarray(0, length));
}

/** Checks counts and lengths of all groups against the chunker's bounds and the file's size. */
export function checkGroups(list: GroupList): void {
  const { minBytes, maxBytes } = list.chunker;
  let size = 0;
  let chunks = 0;
  for (let g = 0; g < list.groupCount; g++) {
    const isLast = g === list.groupCount - 1;
    const count = list.groupChunks(g);
    const bytes = list.groupBytes(g);
    if (count > GROUP_CHUNKS_MAX || count < (isLast ? 1 : GROUP_CHUNKS_MIN)) {
      throw new RecipeError(`group ${g} has ${count} chunks`);
    }
    const least = isLast ? (count - 1) * minBytes + 1 : count * minBytes;
    if (bytes < least || bytes > count * maxBytes) {
      throw new RecipeError(`group ${g} has ${bytes} bytes in ${count} chunks`);
    }
    size += bytes;
    chunks += count;
  }
  if (size !== list.size) throw new RecipeError(`groups have ${size} bytes, not ${list.size}`);
  if (chunks > CHUNKS_PER_FILE_MAX) {
    throw new RecipeError(`${chunks} chunks, over ${CHUNKS_PER_FILE_MAX}`);
  }
}
