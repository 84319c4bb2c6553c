/**
 * Byte layout of recipes. All integers are big-endian.
 *
 * ```
 * group list = "LDR-file/1" ‖ chunker id u8 ‖ size u64 ‖ group count u32 ‖ group*
 * group      = group hash 32 ‖ chunk count u8 ‖ length u32                          37 bytes
 * chunk list = chunk*
 * chunk      = chunk hash 32 ‖ length u32                                           36 bytes
 * recipe     = group list ‖ chunk list of each group, in order
 *
 * chunk hash  = SHA-256(the chunk's bytes)
 * group hash  = SHA-256("LDR-group/1" ‖ chunk list of the group); for one chunk, its chunk hash
 * file digest = SHA-256(group list)
 * ```
 *
 * A group of one chunk (only a file's last group can be one) takes the chunk's own hash, so that the
 * group list of a small file is already its whole recipe. No bytes can pass for both: a chunk whose
 * bytes are "LDR-group/1" and a list of n ≥ 2 chunks is 11 + 36 n long, and that group would have to
 * be as long, where n - 1 chunks have at least `minBytes` each.
 */
import { utf8 } from "../../base/bytes.ts";
import { DIGEST_BYTES } from "../../base/digest.ts";

/** What a group list starts with; keeps file digests apart from every other hash. */
export const FILE_DOMAIN = utf8("LDR-file/1");
/** What a chunk list is hashed with. */
export const GROUP_DOMAIN = utf8("LDR-group/1");

/** Bytes in front of the first group. */
export const HEAD_BYTES = FILE_DOMAIN.length + 1 + 8 + 4;
/** Bytes of one group in a group list. */
export const GROUP_ENTRY_BYTES = DIGEST_BYTES + 1 + 4;
/** Bytes of one chunk in a chunk list. */
export const CHUNK_ENTRY_BYTES = DIGEST_BYTES + 4;

/** Reads a big-endian u32. The caller has checked that it is there. */
export function readU32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>>
    0;
}

/** Writes a big-endian u32. */
export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
