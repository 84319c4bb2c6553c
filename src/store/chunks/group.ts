import { sha256Into } from "../../base/digest.ts";
import { CHUNK_ENTRY_BYTES, GROUP_DOMAIN, readU32 } from "./layout.ts";

/** Chunks in any group but a file's last, at least. */
export const GROUP_CHUNKS_MIN = 8;
/** Chunks in one group; 31 on average. */
export const GROUP_CHUNKS_MAX = 128;

/** One chunk in 24 ends its group, past the minimum. */
const END_BELOW = Math.floor(2 ** 32 / 24);
/** The word of a chunk hash that decides; the first words are what tables are keyed by. */
const END_WORD_AT = 28;

const input = new Uint8Array(GROUP_DOMAIN.length + GROUP_CHUNKS_MAX * CHUNK_ENTRY_BYTES);
input.set(GROUP_DOMAIN);

/**
 * True if a chunk closes its group. Decided by the chunk's hash alone, between the limits, so groups
 * fall back in step after a change as chunks do.
 *
 * @param chunks A chunk list; the entry at byte `at` is asked about.
 * @param count Chunks in the group so far, this one included.
 */
export function isGroupEnd(chunks: Uint8Array, at: number, count: number): boolean {
  if (count >= GROUP_CHUNKS_MAX) return true;
  return count >= GROUP_CHUNKS_MIN && readU32(chunks, at + END_WORD_AT) < END_BELOW;
}

/** Writes the hash of one group's chunk list to `into[at .. at + 32)`. See layout.ts. */
export function groupHashInto(into: Uint8Array, at: number, chunkList: Uint8Array): void {
  if (chunkList.length === CHUNK_ENTRY_BYTES) {
    into.set(chunkList.subarray(0, CHUNK_ENTRY_BYTES - 4), at);
    return;
  }
  input.set(chunkList, GROUP_DOMAIN.length);
  sha256Into(into, at, input.subarray(0, GROUP_DOMAIN.length + chunkList.length));
}
