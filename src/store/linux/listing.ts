import { Buffer } from "node:buffer";
import { decodeUtf8 } from "../../base/bytes.ts";
import type { DirListing, FileStat, ListedEntry } from "../file_stat.ts";
import { AT, E, failure, type Libc, nameOfErrno } from "./libc.ts";
import { EMPTY, scratch } from "./scratch.ts";
import { readListedStatx, readStatx, STATX_MASK, statxBuffer } from "./statx.ts";

/** Bytes of directory entries read at once: some 1500 names. */
const DIRENTS_BYTES = 64 * 1024;
/** Offset of the name in `struct linux_dirent64`; before it u64 inode, i64 offset, u16 length, u8 type. */
const NAME_OFFSET = 19;

// One buffer for all: listing is synchronous, and a name is copied out before anything else runs.
const dirents = scratch(DIRENTS_BYTES);
const direntsText = Buffer.from(dirents.buffer);
const direntsU16 = new Uint16Array(dirents.buffer);

/**
 * Reads an open directory: names by `getdents64`, states by `statx` relative to it.
 *
 * @param fd Open for reading, at its start; stays open.
 */
export function listDirectory(libc: Libc, fd: number, path: string): DirListing {
  const { call } = libc;
  const stat = statDescriptor(libc, fd, path);
  const entries: ListedEntry[] = [];
  const faults: DirListing["faults"] = [];
  while (true) {
    const filled = call.getdents64(fd, dirents, DIRENTS_BYTES);
    if (filled < 0) throw failure(libc, "list", path);
    if (filled === 0) return { stat, entries, faults };
    for (let at = 0; at < filled;) {
      const length = direntsU16[(at + 16) >> 1]!;
      const start = at + NAME_OFFSET;
      at += length;
      if (isDots(start)) continue;
      const result = call.statx(
        fd,
        dirents.subarray(start, at),
        AT.SYMLINK_NOFOLLOW | AT.NO_AUTOMOUNT,
        STATX_MASK,
        statxBuffer,
      );
      if (result === 0) {
        const name = direntsText.toString("utf8", start, nameEnd(start, at));
        if (name.includes("\ufffd")) entries.push(listOdd(start, nameEnd(start, at)));
        else entries.push(readListedStatx(name, undefined));
      } else if (libc.errno() !== E.NOENT) {
        faults.push({
          name: direntsText.toString("utf8", start, nameEnd(start, at)),
          systemCode: nameOfErrno(libc.errno()),
        });
      }
    }
  }
}

/** The state of an open descriptor, of any kind. */
export function statDescriptor(libc: Libc, fd: number, path: string): FileStat {
  if (libc.call.statx(fd, EMPTY, AT.EMPTY_PATH, STATX_MASK, statxBuffer) !== 0) {
    throw failure(libc, "examine", path);
  }
  return readStatx();
}

/** A name with U+FFFD in it: really, or because its bytes are no UTF-8. */
function listOdd(start: number, end: number): ListedEntry {
  const rawName = dirents.slice(start, end);
  const name = decodeUtf8(rawName);
  return name === undefined
    ? readListedStatx(undefined, rawName)
    : readListedStatx(name, undefined);
}

/** Entries are padded to 8 bytes, so the closing NUL is the first one in the last 8. */
function nameEnd(start: number, next: number): number {
  let end = Math.max(start, next - 8);
  while (dirents[end] !== 0) end++;
  return end;
}

/** True for `.` and `..`. */
function isDots(start: number): boolean {
  if (dirents[start] !== 0x2e) return false;
  const second = dirents[start + 1];
  return second === 0 || (second === 0x2e && dirents[start + 2] === 0);
}
