import { Buffer } from "node:buffer";
import { decodeUtf8 } from "../../base/bytes.ts";
import type { DirListing, FileStat, KnownEntries, ListedEntry } from "../file_stat.ts";
import { AT, E, failure, type Libc, nameOfErrno } from "./libc.ts";
import { addressOf, EMPTY, scratch } from "./scratch.ts";
import { readListedStatx, readStatx, STATX_MASK, statxBuffer, statxView } from "./statx.ts";

/** Bytes of directory entries read at once: some 1500 names. */
const DIRENTS_BYTES = 64 * 1024;
/** Offset of the name in `struct linux_dirent64`; before it u64 inode, i64 offset, u16 length, u8 type. */
const NAME_OFFSET = 19;

// One buffer for all: listing is synchronous, and a name is copied out before anything else runs.
const dirents = scratch(DIRENTS_BYTES);
const direntsText = Buffer.from(dirents.buffer);
let direntsAddress: number | undefined;
const direntsU16 = new Uint16Array(dirents.buffer);

/**
 * Reads an open directory: names by `getdents64`, states by `statx` relative to it.
 *
 * Of hundreds of thousands of entries nearly all are as they were, so one loop, with what `known` does in
 * it, is all that runs for those.
 *
 * @param fd Open for reading, at its start; stays open.
 * @param dir.path For messages.
 */
export function listDirectory(
  libc: Libc,
  fd: number,
  dir: { readonly path: string; readonly known: KnownEntries | undefined },
): DirListing {
  const { call } = libc;
  const { path, known } = dir;
  const address = direntsAddress ??= addressOf(dirents);
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
      const result = call.statxAt(
        fd,
        address + start,
        AT.SYMLINK_NOFOLLOW | AT.NO_AUTOMOUNT,
        STATX_MASK,
        statxBuffer,
      );
      const end = nameEnd(start, at);
      if (result !== 0) {
        if (libc.errno() !== E.NOENT) {
          faults.push({ name: textOf(start, end), systemCode: nameOfErrno(libc.errno()) });
        }
      } else if (known === undefined || !known.takeAsKnown(dirents, start, end, statxView)) {
        entries.push(listedEntry(start, end));
      }
    }
  }
}

/** The entry that was examined last. */
function listedEntry(start: number, end: number): ListedEntry {
  const name = textOf(start, end);
  return name.includes("\ufffd") ? listOdd(start, end) : readListedStatx(name, undefined);
}

function textOf(start: number, end: number): string {
  return direntsText.toString("utf8", start, end);
}

/** The state of an open descriptor, of any kind. */
export function statDescriptor(libc: Libc, fd: number, path: string): FileStat {
  lookAtDescriptor(libc, fd, path);
  return readStatx();
}

/** The same for who looks at {@linkcode statxView} before the next call and keeps nothing. */
export function lookAtDescriptor(libc: Libc, fd: number, path: string): void {
  if (libc.call.statx(fd, EMPTY, AT.EMPTY_PATH, STATX_MASK, statxBuffer) !== 0) {
    throw failure(libc, "examine", path);
  }
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
