import type { TouchedDirs } from "../root.ts";
import { StoreError } from "../store_error.ts";
import type { Dirs } from "./dirs.ts";
import { type Libc, O } from "./libc.ts";
import type { RootDescriptor } from "./root_descriptor.ts";
import { scratch } from "./scratch.ts";

/**
 * From so many files or directories on, the whole file system is flushed at once instead of each of
 * them. Measured on ext4, 2 cores: 16 files of 8 KiB 1.5 ms each way, 256 files 8 ms against 23.
 */
const SYNCFS_MIN = 16;
/** Flushes under way at once, each on a thread of its own. */
const FLUSHES_MAX = 8;

/**
 * File systems on which `syncfs` is known to wait for everything and to report what failed:
 * ext2 to ext4, XFS, Btrfs, F2FS, tmpfs.
 */
const SYNCFS_TYPES = new Set([0xef53, 0x5846_5342, 0x9123_683e, 0xf2f5_2010, 0x0102_1994]);

/** Makes files and directories durable, on threads beside the event loop. */
export class Flusher {
  readonly #libc: Libc;
  readonly #root: RootDescriptor;
  readonly #dirs: Dirs;
  readonly #bySyncfs: boolean;

  constructor(libc: Libc, root: RootDescriptor, dirs: Dirs) {
    this.#libc = libc;
    this.#root = root;
    this.#dirs = dirs;
    this.#bySyncfs = reportsWriteErrors() && SYNCFS_TYPES.has(this.#fileSystemType());
  }

  /**
   * Flushes open files.
   *
   * @param freeBytes Asked after a failure only: the error number of a call on another thread can't
   *   be read, and a full disk is the one cause worth telling apart.
   */
  async flushFiles(fds: readonly number[], freeBytes: () => number): Promise<void> {
    const flushed = fds.length >= SYNCFS_MIN && this.#bySyncfs
      ? await this.#libc.call.syncfs(this.#root.fd) === 0
      : await this.#flushEach(fds);
    if (flushed) return;
    throw new StoreError(freeBytes() === 0 ? "no_space" : "io", "Cannot flush files to the disk");
  }

  /** Directories yet to be flushed. */
  touched(paths: Set<string>): TouchedDirs {
    return {
      count: paths.size,
      flush: () => this.#flushDirs([...paths]),
      [Symbol.dispose]: () => {},
    };
  }

  async #flushDirs(paths: string[]): Promise<void> {
    if (paths.length >= SYNCFS_MIN && this.#bySyncfs) return await this.#flushAll();
    const fds: number[] = [];
    try {
      let unsure = false;
      for (const path of paths) {
        // Files too, whose mode or time was changed.
        const fd = this.#dirs.open(path, O.RDONLY | O.NOFOLLOW | O.NONBLOCK | O.CLOEXEC);
        if (fd < 0) unsure = true;
        else fds.push(fd);
      }
      // Removed, moved or unreadable by now, so its names can be flushed only with everything else.
      if (unsure) return await this.#flushAll();
      if (!await this.#flushEach(fds)) {
        throw new StoreError("io", "Cannot flush directories to the disk");
      }
    } finally {
      for (const fd of fds) this.#libc.call.close(fd);
    }
  }

  async #flushAll(): Promise<void> {
    if (await this.#libc.call.syncfs(this.#root.fd) !== 0) {
      throw new StoreError("io", "Cannot flush the file system");
    }
  }

  async #flushEach(fds: readonly number[]): Promise<boolean> {
    const waiting = [...fds];
    let ok = true;
    const worker = async () => {
      for (let fd; (fd = waiting.pop()) !== undefined;) {
        if (await this.#libc.call.fsync(fd) !== 0) ok = false;
      }
    };
    await Promise.all(Array.from({ length: Math.min(FLUSHES_MAX, fds.length) }, worker));
    return ok;
  }

  #fileSystemType(): number {
    const buffer = scratch(120);
    if (this.#libc.call.fstatfs(this.#root.fd, buffer) !== 0) return 0;
    return new Uint32Array(buffer.buffer)[0]!;
  }
}

/** Before Linux 5.8 `syncfs` says nothing about writes that failed. */
function reportsWriteErrors(): boolean {
  try {
    const [major, minor] = Deno.osRelease().split(".").map(Number);
    return major! > 5 || (major === 5 && minor! >= 8);
  } catch {
    return false;
  }
}
