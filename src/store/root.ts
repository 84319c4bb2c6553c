import type { DirPath, RelPath } from "../base/paths.ts";
import type { DirListing, FileStat, KnownEntries } from "./file_stat.ts";
import { loadLibc } from "./linux/libc.ts";
import { LinuxRoot } from "./linux/linux_root.ts";
import { PortableRoot } from "./portable/portable_root.ts";
import { asStoreError } from "./store_error.ts";

/**
 * The root of a share, and the only way to the files in it.
 *
 * Every path is relative to the root and no symbolic link in it is ever followed: where the system
 * can, the kernel itself refuses (`openat2` beneath the root's descriptor), so that nobody can
 * redirect a read or a write by swapping a parent for a link; elsewhere each parent is examined right
 * before use, which leaves a window to somebody who can write in the share.
 *
 * All methods throw a {@linkcode StoreError} that names the path. Synchronous ones take microseconds
 * on a local disk. A root belongs to the thread that opened it.
 */
export interface Root extends Disposable {
  /** Absolute path, symbolic links resolved once when the root was opened. */
  readonly path: string;
  /** Which implementation this is. */
  readonly implementation: RootImplementation;
  /** The root directory when it was opened; `dev` tells mount points apart. */
  readonly stat: FileStat;

  /**
   * Reads one directory with the state of each entry. Cost: about 4 µs an entry, of which the system
   * takes 2.
   *
   * @param known Asked about entries before they are listed, by an implementation that gains by it.
   */
  list(dir: DirPath, known?: KnownEntries): DirListing;
  /** The state of a path, or `undefined` where there is nothing (a missing parent included). */
  lstat(path: DirPath): FileStat | undefined;
  /** A link's target, byte for byte, or `undefined` where it is not valid UTF-8. */
  readLink(path: RelPath): string | undefined;
  /** Opens a regular file for reading, and nothing else: a fifo is refused, not waited for. */
  openFile(path: RelPath): ReadFile;
  /**
   * Reads a regular file from its start, for files that fit. Equal to `openFile`, `readAt`, `stat`
   * and dispose, in fewer system calls.
   *
   * @param into Filled as far as the file goes.
   */
  readSmall(path: RelPath, into: Uint8Array<ArrayBuffer>): SmallRead;

  /** Creates one directory; `exists` if there is anything. `mode` holds whatever the umask. */
  makeDir(path: RelPath, mode: number): void;
  /** Removes an empty directory. */
  removeDir(path: RelPath): void;
  /** Removes a file or link for good. */
  removeFile(path: RelPath): void;
  /** Creates a symbolic link with its own time; `exists` if there is anything. */
  symlink(target: string, path: RelPath, mtimeMs: number): void;
  /** Sets permission bits of a file or directory, 0 to 0o777; setuid and its kin are dropped. */
  chmod(path: DirPath, mode: number): void;
  /** Sets the modification time, also of a link itself. */
  setTimes(path: RelPath, mtimeMs: number): void;
  /**
   * Renames. Without `replace` it never overwrites: `exists` if there is anything at `to`, other than
   * `from` itself spelt differently, which is a change of case on a file system that ignores it.
   */
  rename(from: RelPath, to: RelPath, options: { replace: boolean }): void;
  /** Swaps two paths at once, whatever they are. Only where `features.exchange`. */
  exchange(a: RelPath, b: RelPath): void;
  /** Gives a file a second name. Only where `features.hardLinks`; `exists` if there is anything. */
  link(from: RelPath, to: RelPath): void;

  /**
   * Starts a new file in landropic's own folder, which only the owner can enter. It has no name that
   * survives the process, or one that is swept later.
   *
   * @param mode What `finish` will be told, if known: that saves a system call.
   */
  stage(mode?: number): StagedFile;
  /** Opens a file in landropic's own folder for writing, as {@linkcode StagedFile}; see PartialStore. */
  openOwnFile(path: RelPath, options: { create: boolean }): StagedFile;
  /**
   * Gives a staged file its final name, never overwriting: `exists` if there is anything. From then
   * on the file stays when the handle is disposed.
   */
  publish(staged: StagedFile, path: RelPath): void;

  /**
   * Gives a staged file to another thread of this process that has the same root open, to be taken
   * over there. From then on the handle given is closed.
   *
   * @returns `undefined` where files can't cross threads; the file then stays the caller's.
   */
  handOver(staged: StagedFile): HandedFile | undefined;
  /** A second handle of a staged file for another thread, which can write to it and no more. */
  share(staged: StagedFile): HandedFile | undefined;
  /** Takes over what another thread has handed over or shares. */
  takeOver(handed: HandedFile): StagedFile;

  /**
   * Makes files durable: their bytes, size, mode and times. Runs beside the event loop.
   *
   * @throws {StoreError} `io` or `no_space`. The files are then of unknown content: discard them.
   */
  flushFiles(files: readonly StagedFile[]): Promise<void>;
  /**
   * Keeps parent directories open until {@linkcode Root.endChanges}, for a synchronous run of
   * changes, and notes which directories change.
   */
  beginChanges(): void;
  /** Ends the run; the directories it changed are yet to be flushed. */
  endChanges(): TouchedDirs;

  /**
   * Bytes an ordinary user may still write, and the size of the file system; both 0 where it has no
   * limit or does not tell.
   */
  space(): { freeBytes: number; totalBytes: number };
  /** What the file system below the root can do. Probed once; creates files in the own folder. */
  features(): RootFeatures;
  /** A name in the own folder's `tmp` that nobody uses, for what is moved into place later. */
  temporaryPath(): RelPath;
}

/**
 * How a root reaches the file system. `linux-plain` does without what newer kernels and better file
 * systems have (openat2, files without a name, swapping); `linux` finds out by itself what is
 * missing, so that is for tests.
 */
export type RootImplementation = "linux" | "linux-plain" | "portable";

/** What a file system can do. */
export interface RootFeatures {
  /** Two names in one directory may differ by case alone. */
  readonly caseSensitive: boolean;
  /** Names come back as they were written, whatever their Unicode normal form. */
  readonly keepsNormalForm: boolean;
  /** Two paths can be swapped in one step. */
  readonly exchange: boolean;
  /** A file can have two names. */
  readonly hardLinks: boolean;
  /** Symbolic links can be created. */
  readonly symlinks: boolean;
  /** Permission bits are kept. */
  readonly modes: boolean;
}

/** A regular file open for reading. */
export interface ReadFile extends Disposable {
  /** Size in bytes when it was opened. */
  readonly size: number;
  /** State when it was opened. */
  readonly openedStat: FileStat;
  /** Reads at an offset until the buffer is full or the file ends; returns the bytes read. */
  readAt(buffer: Uint8Array<ArrayBuffer>, offset: number): number;
  /** The state now; compare with `openedStat` to see whether it changed while being read. */
  stat(): FileStat;
}

/** Files up to this size are worth {@linkcode Root.readSmall}. */
export const SMALL_FILE_BYTES = 64 * 1024;

/** What {@linkcode Root.readSmall} found. */
export interface SmallRead {
  /** Bytes read; equal to the buffer's length where the file has as many or more. */
  readonly length: number;
  /** After the last byte was read. */
  readonly stat: FileStat;
  /** False if size or time changed while it was read: the bytes may be a mixture. */
  readonly settled: boolean;
}

/**
 * A new file on its way: filled, finished, then published by a commit batch. Disposing it before
 * that removes it.
 */
export interface StagedFile extends Disposable {
  /** Writes all bytes at the offset; a gap stays a hole. */
  writeAt(bytes: Uint8Array<ArrayBuffer>, offset: number): void;
  /** Reads back; as {@linkcode ReadFile.readAt}. */
  readAt(buffer: Uint8Array<ArrayBuffer>, offset: number): number;
  /** Sets the size; what is new is a hole of zeros. */
  truncate(size: number): void;
  /** Copies a range out of another file, inside the kernel where possible. Bytes are not verified. */
  copyRangeFrom(
    source: ReadFile,
    range: { sourceOffset: number; offset: number; length: number },
  ): Promise<void>;
  /**
   * Makes this file share all blocks of another one, in no time.
   *
   * @returns False where the file system can't; nothing has changed then.
   */
  cloneFrom(source: ReadFile): Promise<boolean>;
  /** Sets the mode, 0 to 0o777, and the time. The last call before it is committed. */
  finish(attributes: { mode: number; mtimeMs: number }): void;
  /** The state now. */
  stat(): FileStat;
  /** Flushes this file alone; see {@linkcode Root.flushFiles}. */
  flush(): Promise<void>;
  /** Largest offset written so far, bytes. */
  readonly size: number;
}

/** A staged file on its way from one thread to another. Lost where nobody takes it over. */
export interface HandedFile {
  /** The file descriptor, which all threads of a process have in common. */
  readonly descriptor: number;
  readonly mode: number;
  readonly size: number;
  /** Its temporary name, if it has one that goes with it. */
  readonly path: RelPath | undefined;
}

/** Directories in which names changed. */
export interface TouchedDirs extends Disposable {
  /** How many. */
  readonly count: number;
  /** Makes the names durable, beside the event loop. Call once. */
  flush(): Promise<void>;
}

/** What {@linkcode openRoot} takes. */
export interface OpenRootOptions {
  /** Create the directory, and its parents, if there is nothing. */
  create?: boolean;
  /** For tests; the best one for the platform otherwise. */
  implementation?: RootImplementation;
}

/**
 * Opens the root of a share.
 *
 * @param path Any path to a directory; symbolic links in it are resolved now, once.
 * @throws {StoreError} `not_found`, `not_a_directory`, `denied`, …
 */
export function openRoot(path: string, options: OpenRootOptions = {}): Root {
  const resolved = resolveRoot(path, options.create ?? false);
  const implementation = options.implementation ?? bestImplementation();
  return implementation === "portable"
    ? new PortableRoot(resolved)
    : new LinuxRoot(resolved, loadLibc()!, implementation);
}

/** Closes a staged file that was handed over, where nobody has the root open any more. */
export function discardHanded({ descriptor }: HandedFile): void {
  loadLibc()?.call.close(descriptor);
}

function resolveRoot(path: string, create: boolean): string {
  try {
    if (create) Deno.mkdirSync(path, { recursive: true });
    return Deno.realPathSync(path);
  } catch (error) {
    throw asStoreError(error, `Cannot open folder ${JSON.stringify(path)}`);
  }
}

function bestImplementation(): RootImplementation {
  return loadLibc() === undefined ? "portable" : "linux";
}
