import { builtin } from "../../base/builtin.ts";
import type { RelPath } from "../../base/paths.ts";
import { copyThroughBuffer } from "../copy_range.ts";
import type { FileStat } from "../file_stat.ts";
import type { ReadFile, StagedFile } from "../root.ts";
import { actionOn, asStoreError } from "../store_error.ts";
import { flushDescriptor } from "./flush.ts";
import { setFileTimes, statOf } from "./stat.ts";

const fs = builtin("node:fs");

/** A regular file open for reading through `node:fs`. */
export class PortableReadFile implements ReadFile {
  readonly #path: RelPath;
  #fd: number;

  /** Takes over the descriptor. */
  constructor(fd: number, readonly openedStat: FileStat, path: RelPath) {
    this.#fd = fd;
    this.#path = path;
  }

  get size(): number {
    return this.openedStat.size;
  }

  readAt(buffer: Uint8Array<ArrayBuffer>, offset: number): number {
    return readFully(this.#fd, buffer, { offset, path: this.#path });
  }

  stat(): FileStat {
    return statOf(fs.fstatSync(this.#fd));
  }

  [Symbol.dispose](): void {
    if (this.#fd >= 0) fs.closeSync(this.#fd);
    this.#fd = -1;
  }
}

/** A new file under a temporary name. */
export class PortableStagedFile implements StagedFile {
  readonly path: RelPath;
  readonly #at: string;
  #fd: number;
  #size: number;
  #remove: (() => void) | undefined;

  /**
   * Takes over the descriptor.
   *
   * @param options.at Its absolute path.
   * @param options.remove Removes the name again, unless the file has been published.
   */
  constructor(
    fd: number,
    options: { path: RelPath; at: string; remove: () => void; size: number },
  ) {
    this.#fd = fd;
    this.path = options.path;
    this.#at = options.at;
    this.#remove = options.remove;
    this.#size = options.size;
  }

  get size(): number {
    return this.#size;
  }

  writeAt(bytes: Uint8Array<ArrayBuffer>, offset: number): void {
    try {
      for (let written = 0; written < bytes.length;) {
        written += fs.writeSync(this.#fd, bytes, written, bytes.length - written, offset + written);
      }
    } catch (error) {
      throw asStoreError(error, actionOn("write", this.path));
    }
    this.#size = Math.max(this.#size, offset + bytes.length);
  }

  readAt(buffer: Uint8Array<ArrayBuffer>, offset: number): number {
    return readFully(this.#fd, buffer, { offset, path: this.path });
  }

  truncate(size: number): void {
    try {
      fs.ftruncateSync(this.#fd, size);
    } catch (error) {
      throw asStoreError(error, actionOn("write", this.path));
    }
    this.#size = size;
  }

  // deno-lint-ignore require-await
  async copyRangeFrom(
    source: ReadFile,
    range: { sourceOffset: number; offset: number; length: number },
  ): Promise<void> {
    copyThroughBuffer(this, source, range);
  }

  cloneFrom(_source: ReadFile): Promise<boolean> {
    return Promise.resolve(false);
  }

  finish(attributes: { mode: number; mtimeMs: number }): void {
    try {
      fs.fchmodSync(this.#fd, attributes.mode & 0o777);
      setFileTimes(this.#at, attributes.mtimeMs);
    } catch (error) {
      throw asStoreError(error, actionOn("finish", this.path));
    }
  }

  stat(): FileStat {
    return statOf(fs.fstatSync(this.#fd));
  }

  async flush(): Promise<void> {
    await flushDescriptor(this.#fd, "a staged file");
  }

  /** Closes the file but keeps its name. */
  close(): void {
    if (this.#fd >= 0) fs.closeSync(this.#fd);
    this.#fd = -1;
  }

  /** From now on the file stays when this handle is disposed. */
  markPublished(): void {
    this.#remove = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
    this.#remove?.();
    this.#remove = undefined;
  }
}

function readFully(
  fd: number,
  buffer: Uint8Array,
  at: { offset: number; path: RelPath },
): number {
  try {
    let filled = 0;
    while (filled < buffer.length) {
      const rest = buffer.length - filled;
      const count = fs.readSync(fd, buffer, filled, rest, at.offset + filled);
      if (count === 0) break;
      filled += count;
    }
    return filled;
  } catch (error) {
    throw asStoreError(error, actionOn("read", at.path));
  }
}
