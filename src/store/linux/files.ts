import type { RelPath } from "../../base/paths.ts";
import type { FileStat } from "../file_stat.ts";
import type { HandedFile, ReadFile, StagedFile } from "../root.ts";
import { copyThroughBuffer } from "../copy_range.ts";
import { actionOn, StoreError } from "../store_error.ts";
import { E, failure, type Libc } from "./libc.ts";
import { statDescriptor } from "./listing.ts";
import { TimeBuffer } from "./statx.ts";

/** Ranges up to this size are copied at once; longer ones beside the event loop. */
const COPY_SYNC_BYTES_MAX = 256 * 1024;
/** Bytes copied in one system call beside the event loop. */
const COPY_STEP_BYTES = 16 * 1024 * 1024;
/** Largest single read or write; the kernel's own limit is just below 2 GiB. */
const IO_STEP_BYTES = 1024 * 1024 * 1024;
/** `fcntl`: another descriptor of the same file, closed in programs that are started. */
const F_DUPFD_CLOEXEC = 1030;
/** `FICLONE`: share all blocks of another file. */
const FICLONE = 0x4004_9409;

/** Stands for the path of a file that has none yet. */
const STAGED = "a staged file";

const times = new TimeBuffer();

/** A regular file open for reading through a descriptor. */
export class LinuxReadFile implements ReadFile {
  readonly #libc: Libc;
  readonly #path: string;
  #fd: number;

  /** Takes over the descriptor. */
  constructor(libc: Libc, fd: number, readonly openedStat: FileStat, path: string) {
    this.#libc = libc;
    this.#fd = fd;
    this.#path = path;
  }

  /** The descriptor, for copies inside the kernel. */
  get fd(): number {
    return this.#fd;
  }

  get size(): number {
    return this.openedStat.size;
  }

  readAt(buffer: Uint8Array<ArrayBuffer>, offset: number): number {
    return readFully(this.#libc, this.#fd, buffer, offset, this.#path);
  }

  stat(): FileStat {
    return statDescriptor(this.#libc, this.#fd, this.#path);
  }

  [Symbol.dispose](): void {
    if (this.#fd >= 0) this.#libc.call.close(this.#fd);
    this.#fd = -1;
  }
}

/** Where a staged file's name is, and how to remove it. */
export interface StagedName {
  readonly path: RelPath;
  remove(): void;
}

/** A new file, without a name (`O_TMPFILE`) or with a temporary one. */
export class LinuxStagedFile implements StagedFile {
  readonly #libc: Libc;
  #fd: number;
  #size: number;
  #mode: number;
  #name: StagedName | undefined;

  /**
   * Takes over the descriptor.
   *
   * @param name Undefined for a file that has none.
   */
  constructor(
    libc: Libc,
    fd: number,
    options: { name: StagedName | undefined; mode: number; size: number },
  ) {
    this.#libc = libc;
    this.#fd = fd;
    this.#name = options.name;
    this.#mode = options.mode;
    this.#size = options.size;
  }

  /** The descriptor; negative once disposed. */
  get fd(): number {
    return this.#fd;
  }

  /** Its temporary name, if it has one. */
  get name(): StagedName | undefined {
    return this.#name;
  }

  get size(): number {
    return this.#size;
  }

  /** Closes this handle and leaves the file, with its name, to whoever gets this. */
  handOver(): HandedFile {
    const handed = { ...this.#handed(this.#fd), path: this.#name?.path };
    this.#fd = -1;
    this.#name = undefined;
    return handed;
  }

  /** A handle for somebody else, who does not own the file. */
  share(): HandedFile {
    const fd = this.#libc.call.fcntl(this.#fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) throw failure(this.#libc, "share", STAGED);
    return { ...this.#handed(fd), path: undefined };
  }

  #handed(descriptor: number): Omit<HandedFile, "path"> {
    return { descriptor, mode: this.#mode, size: this.#size };
  }

  /** From now on the file stays when this handle is disposed. */
  markPublished(): void {
    this.#name = undefined;
  }

  writeAt(bytes: Uint8Array<ArrayBuffer>, offset: number): void {
    const { call } = this.#libc;
    let written = 0;
    while (written < bytes.length) {
      const rest = written === 0 ? bytes : bytes.subarray(written);
      const count = call.pwrite(
        this.#fd,
        rest,
        Math.min(rest.length, IO_STEP_BYTES),
        offset + written,
      );
      if (count < 0) {
        if (this.#libc.errno() === E.INTR) continue;
        throw failure(this.#libc, "write", STAGED);
      }
      written += count;
    }
    if (offset + written > this.#size) this.#size = offset + written;
  }

  readAt(buffer: Uint8Array<ArrayBuffer>, offset: number): number {
    return readFully(this.#libc, this.#fd, buffer, offset, STAGED);
  }

  truncate(size: number): void {
    if (this.#libc.call.ftruncate(this.#fd, size) !== 0) throw failure(this.#libc, "write", STAGED);
    this.#size = size;
  }

  async copyRangeFrom(
    source: ReadFile,
    range: { sourceOffset: number; offset: number; length: number },
  ): Promise<void> {
    let { sourceOffset, offset, length } = range;
    if (source instanceof LinuxReadFile && length > COPY_SYNC_BYTES_MAX) {
      const from = new BigInt64Array([BigInt(sourceOffset)]);
      const to = new BigInt64Array([BigInt(offset)]);
      while (length > 0) {
        const count = Number(
          await this.#libc.call.copy_file_range(
            source.fd,
            new Uint8Array(from.buffer),
            this.#fd,
            new Uint8Array(to.buffer),
            Math.min(length, COPY_STEP_BYTES),
            0,
          ),
        );
        // Refused or at its end: reading and writing goes on from here and says which.
        if (count <= 0) break;
        sourceOffset += count;
        offset += count;
        length -= count;
      }
      if (offset > this.#size) this.#size = offset;
    }
    if (length > 0) copyThroughBuffer(this, source, { sourceOffset, offset, length });
  }

  async cloneFrom(source: ReadFile): Promise<boolean> {
    if (!(source instanceof LinuxReadFile)) return false;
    if (await this.#libc.call.ioctl(this.#fd, FICLONE, source.fd) !== 0) return false;
    this.#size = this.stat().size;
    return true;
  }

  finish(attributes: { mode: number; mtimeMs: number }): void {
    const { call } = this.#libc;
    const mode = attributes.mode & 0o777;
    if (mode !== this.#mode) {
      if (call.fchmod(this.#fd, mode) !== 0) throw failure(this.#libc, "write", STAGED);
      this.#mode = mode;
    }
    times.set(attributes.mtimeMs);
    if (call.futimens(this.#fd, times.bytes) !== 0) throw failure(this.#libc, "write", STAGED);
  }

  stat(): FileStat {
    return statDescriptor(this.#libc, this.#fd, STAGED);
  }

  async flush(): Promise<void> {
    // The error number stays on the thread that made the call; what matters is that it failed.
    if (await this.#libc.call.fsync(this.#fd) !== 0) {
      throw new StoreError("io", actionOn("flush", STAGED));
    }
  }

  [Symbol.dispose](): void {
    if (this.#fd < 0) return;
    this.#libc.call.close(this.#fd);
    this.#fd = -1;
    this.#name?.remove();
    this.#name = undefined;
  }
}

/** Reads until the buffer is full or the file ends. */
export function readFully(
  libc: Libc,
  fd: number,
  buffer: Uint8Array<ArrayBuffer>,
  offset: number,
  path: string,
): number {
  let filled = 0;
  while (filled < buffer.length) {
    const rest = filled === 0 ? buffer : buffer.subarray(filled);
    const count = libc.call.pread(fd, rest, Math.min(rest.length, IO_STEP_BYTES), offset + filled);
    if (count < 0) {
      if (libc.errno() === E.INTR) continue;
      throw failure(libc, "read", path);
    }
    if (count === 0) break;
    filled += count;
  }
  return filled;
}
