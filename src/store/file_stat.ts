/** What a path is. `other` covers devices, fifos and sockets, which are never opened. */
export type FileKind = "file" | "dir" | "link" | "other";

/** What the file system says about one path, without following a symbolic link. */
export interface FileStat {
  readonly kind: FileKind;
  /** Bytes; for a link, the length of its target. */
  readonly size: number;
  /** Permission bits with setuid, setgid and sticky: 0 to 0o7777. */
  readonly mode: number;
  /** Whole milliseconds since the Unix epoch, rounded down; negative before 1970. */
  readonly mtimeMs: number;
  /** Nanoseconds on top of `mtimeMs`, 0 to 999 999; 0 where the platform has no more to tell. */
  readonly mtimeNs: number;
  /** Time of the last change to the inode, as `mtimeMs`. */
  readonly ctimeMs: number;
  /** Nanoseconds on top of `ctimeMs`. */
  readonly ctimeNs: number;
  /** The inode number, folded to 53 bits where it is wider; 0 where there is none. */
  readonly ino: number;
  /** The file system it lies on. */
  readonly dev: number;
  /** Hard links. */
  readonly nlink: number;
  /** Units of 512 bytes on the disk: fewer than `size` says for a sparse file. */
  readonly blocks: number;
  /** True for the root of another mount, bind mounts included where the system tells. */
  readonly mountPoint: boolean;
}

/** One name in a directory. */
export interface ListedEntry extends FileStat {
  /** The name, or `undefined` where its bytes are not valid UTF-8: see `rawName`. */
  readonly name: string | undefined;
  /** The bytes of a name that is not valid UTF-8, to show to somebody; otherwise absent. */
  readonly rawName: Uint8Array | undefined;
}

/**
 * What somebody remembers of a directory that is about to be listed: entries that are still so need not
 * become objects.
 */
export interface KnownEntries {
  /**
   * Takes note of an entry that is as it was, which is then left out of the listing.
   *
   * @param names Holds the entry's name from `start` to `end`; valid during the call, like `stat`.
   * @returns False for an entry that is new or changed, or to be listed for another reason.
   */
  takeAsKnown(names: Uint8Array, start: number, end: number, stat: FileStat): boolean;
}

/** One directory, read in one pass. */
export interface DirListing {
  /** The directory itself. An entry whose `dev` differs lies on another file system. */
  readonly stat: FileStat;
  /** In the file system's order, without `.` and `..` and what {@linkcode KnownEntries} took. */
  readonly entries: ListedEntry[];
  /**
   * Names that could be listed but not examined, with the system's error. Nothing may be concluded
   * from their absence in `entries`.
   */
  readonly faults: { readonly name: string; readonly systemCode: string }[];
}

/**
 * What a path must be for an operation on it to go ahead: nothing at all, or the state seen before,
 * as a {@linkcode FileStat} or kept from one.
 */
export type Expected = "absent" | ExpectedState;

/** The state seen before. A field left out is not compared. */
export interface ExpectedState {
  readonly kind: FileKind;
  readonly size?: number;
  readonly mtimeMs?: number;
  readonly mtimeNs?: number;
  readonly ino?: number;
  readonly mode?: number;
}

/**
 * True if what is there is what was expected (docs/protocol.md, deletion safety). Directories are
 * compared by kind alone: their times change with their contents.
 */
export function isAsExpected(expected: Expected, actual: FileStat | undefined): boolean {
  if (expected === "absent") return actual === undefined;
  if (actual === undefined || actual.kind !== expected.kind) return false;
  if (actual.kind === "dir") return true;
  return (expected.size === undefined || expected.size === actual.size) &&
    (expected.mtimeMs === undefined || expected.mtimeMs === actual.mtimeMs) &&
    (expected.mtimeNs === undefined || expected.mtimeNs === actual.mtimeNs) &&
    (!expected.ino || expected.ino === actual.ino) &&
    (expected.mode === undefined || ((expected.mode ^ actual.mode) & 0o777) === 0);
}

/**
 * The permission bits to set for a mode from elsewhere: setuid, setgid and sticky are never taken
 * over, but a directory keeps its own, which it may have inherited.
 */
export function keptBits(stat: FileStat, mode: number): number {
  return (mode & 0o777) | (stat.kind === "dir" ? stat.mode & 0o3000 : 0);
}
