import type { Bytes } from "../../base/bytes.ts";
import { crc32 } from "../../base/crc32.ts";
import type { RelPath } from "../../base/paths.ts";
import {
  type BlockWriter,
  type ByteRange,
  FILE_FRAME_BYTES,
  type FileVersion,
  type GetFiles,
  type GetRanges,
  ProtocolError,
  STATUS,
  type Status,
  type WantedFile,
  writeFileEnd,
  writeFileHead,
} from "../../protocol/mod.ts";
import type { BulkRequest } from "../link/bulk.ts";
import { type SendSide, URGENCY } from "../link/transport.ts";
import { type ReadFile, reasonOf, type Root, SMALL_FILE_BYTES } from "../../store/mod.ts";

/** Answers with a file over this size give way to those with many small ones. */
const LARGE_FILE_BYTES = 1024 * 1024;
/** A request with more files than this has small ones. */
const LARGE_FILES_MAX = 8;
/**
 * From so many bytes on a large answer takes turns with others of its kind, or it would keep them waiting:
 * 5 s at 100 Mbit/s.
 */
const SHARING_BYTES_MIN = 64 * 1024 * 1024;

/** A file that may be sent: the version meant, and where it may be by now, likeliest first. */
export interface ServedFile extends FileVersion {
  readonly places: readonly RelPath[];
}

/** What a {@linkcode FileServer} serves from, and what it tells. */
export interface FileServerOptions {
  readonly root: Root;
  /** What may be sent, by the path that a peer asks for. */
  find(path: RelPath): ServedFile | undefined;
  /** Asks once more for a file that was in none of its places: it may have been moved since. */
  findAgain?(path: RelPath): Promise<ServedFile | undefined>;
  /** Bytes were read to be sent. */
  onBytes(bytes: number): void;
  /** A file was sent, whole or in part. */
  onFile(path: RelPath): void;
  /** A file can't be read. */
  onUnreadable?(path: RelPath, error: unknown): void;
}

/**
 * Sends the bytes of files. They are read at the moment they are asked for; one that no longer is the
 * version meant is answered "changed" and never sent mixed.
 */
export class FileServer {
  readonly #options: FileServerOptions;

  constructor(options: FileServerOptions) {
    this.#options = options;
  }

  /** Answers a request for whole files, or their ends. */
  async sendFiles(request: GetFiles, out: BlockWriter): Promise<void> {
    // Each request has its own: others are being answered at the same time.
    const scratch: Bytes = new Uint8Array(SMALL_FILE_BYTES);
    for (const wanted of request.files) {
      const { path, offset } = wanted;
      const file = this.#options.find(path);
      if (file === undefined || offset > file.size) await writeFileHead(out, STATUS.denied);
      else if (file.size <= SMALL_FILE_BYTES) {
        if (!out.fits(file.size + FILE_FRAME_BYTES)) await out.flush();
        let status = this.#sendSmall(wanted, file, { out, scratch });
        if (status === STATUS.changed) {
          const moved = await this.#options.findAgain?.(path);
          if (moved !== undefined) status = this.#sendSmall(wanted, moved, { out, scratch });
        }
        if (status !== STATUS.ok) await writeFileHead(out, status);
      } else await this.#sendBody(path, [{ offset, length: file.size - offset }], { file, out });
    }
  }

  /** Answers a request for parts of one version of a file. */
  async sendRanges({ path, ranges, ...version }: GetRanges, out: BlockWriter): Promise<void> {
    const file = this.#options.find(path);
    if (file === undefined) return await writeFileHead(out, STATUS.denied);
    if (!isVersion(file, version)) return await writeFileHead(out, STATUS.changed);
    for (const range of ranges) {
      if (range.offset + range.length > file.size) {
        throw new ProtocolError("Range lies beyond the file");
      }
    }
    await this.#sendBody(path, ranges, { file, out });
  }

  /** Puts a file into the open block, which has room for it; anything but `ok` writes nothing. */
  #sendSmall(
    { path, offset }: WantedFile,
    file: ServedFile,
    { out, scratch }: { out: BlockWriter; scratch: Bytes },
  ): Status {
    const status = this.#tryPlaces(path, file, (place) => {
      const read = this.#options.root.readSmall(place, scratch);
      return read.settled && read.length === file.size && isVersion(read.stat, file);
    });
    if (status !== STATUS.ok) return status;
    const bytes = scratch.subarray(offset, file.size);
    void writeFileHead(out, file);
    void out.write(bytes);
    void writeFileEnd(out, STATUS.ok, crc32(bytes));
    this.#options.onBytes(bytes.length);
    this.#options.onFile(path);
    return STATUS.ok;
  }

  /** Sends as many bytes as were announced whatever happens to the file, then how it went. */
  async #sendBody(
    path: RelPath,
    ranges: readonly ByteRange[],
    { file, out }: { file: ServedFile; out: BlockWriter },
  ): Promise<void> {
    let opened = this.#open(path, file);
    if (opened === STATUS.changed) {
      const moved = await this.#options.findAgain?.(path);
      if (moved !== undefined) opened = this.#open(path, moved);
    }
    if (typeof opened === "number") return await writeFileHead(out, opened);
    using source = opened;
    await writeFileHead(out, file);
    const body = new Body(source, out, (bytes) => this.#options.onBytes(bytes));
    for (const range of ranges) await body.send(range);
    const status = body.status === STATUS.ok && !isVersion(source.stat(), file)
      ? STATUS.changed
      : body.status;
    await writeFileEnd(out, status, body.crc);
    this.#options.onFile(path);
  }

  /** Opens the version meant, wherever it is by now. */
  #open(path: RelPath, file: ServedFile): ReadFile | Status {
    let found: ReadFile | undefined;
    const status = this.#tryPlaces(path, file, (place) => {
      const opened = this.#options.root.openFile(place);
      if (isVersion(opened.openedStat, file)) found = opened;
      else opened[Symbol.dispose]();
      return found !== undefined;
    });
    return found ?? status;
  }

  /** Tries one place after the other; `ok` if one of them is it. */
  #tryPlaces(
    path: RelPath,
    { places }: ServedFile,
    isIt: (place: RelPath) => boolean,
  ): Status {
    let status: Status = STATUS.changed;
    for (const place of places) {
      try {
        if (isIt(place)) return STATUS.ok;
        status = STATUS.changed;
      } catch (error) {
        status = statusOf(error);
        if (status === STATUS.io) this.#options.onUnreadable?.(path, error);
      }
    }
    return status;
  }
}

/**
 * Says which answers go first: those with small files, since a getter that has them in the order of the tree
 * puts a folder in place at once and not in many pieces; then large files. They go one after the other, which
 * keeps one answer's buffers in the caches of both sides instead of eight; only very long ones take turns.
 */
export function setBulkPriority(
  stream: SendSide,
  request: BulkRequest,
  find: FileServerOptions["find"],
): void {
  const sizes = sizesIn(request, find);
  const isLarge = request.kind === "get-ranges" || sizes.some((size) => size > LARGE_FILE_BYTES);
  const isVeryLong = sizes.reduce((sum, size) => sum + size, 0) >= SHARING_BYTES_MIN;
  stream.setPriority(isLarge ? URGENCY.largeFiles : URGENCY.smallFiles, isLarge && isVeryLong);
}

/** As far as they tell anything: nobody asks for large files together with so many others. */
function sizesIn(request: BulkRequest, find: FileServerOptions["find"]): number[] {
  if (request.kind === "get-ranges") return request.ranges.map(({ length }) => length);
  if (request.files.length > LARGE_FILES_MAX) return [];
  return request.files.map(({ path }) => find(path)?.size ?? 0);
}

/** File bytes on their way into blocks, with the checksum that the getter holds against what it wrote. */
class Body {
  readonly #file: ReadFile;
  readonly #out: BlockWriter;
  readonly #onRead: (bytes: number) => void;
  status: Status = STATUS.ok;
  crc = 0;

  constructor(file: ReadFile, out: BlockWriter, onRead: (bytes: number) => void) {
    this.#file = file;
    this.#out = out;
    this.#onRead = onRead;
  }

  async send({ offset, length }: ByteRange): Promise<void> {
    const end = offset + length;
    while (offset < end) {
      const room = this.#out.room();
      const part = room.length > end - offset ? room.subarray(0, end - offset) as Bytes : room;
      const count = this.#fill(part, offset);
      this.crc = crc32(part.subarray(0, count), this.crc);
      offset += count;
      await this.#out.advance(count);
    }
  }

  /** Reads from the file; what can't be read any more is zeros, which nobody will keep. */
  #fill(part: Bytes, offset: number): number {
    try {
      const count = this.status === STATUS.ok ? this.#file.readAt(part, offset) : 0;
      this.#onRead(count);
      if (count > 0) return count;
      if (this.status === STATUS.ok) this.status = STATUS.changed;
    } catch (error) {
      if (reasonOf(error) === undefined) throw error;
      this.status = STATUS.io;
    }
    part.fill(0);
    return part.length;
  }
}

/** True if size and time are those of the version meant. */
export function isVersion(actual: FileVersion, meant: FileVersion): boolean {
  return actual.size === meant.size && actual.mtimeMs === meant.mtimeMs;
}

function statusOf(error: unknown): Status {
  const reason = reasonOf(error);
  return reason === "not_found" || reason === "not_regular" || reason === "symlink"
    ? STATUS.changed
    : STATUS.io;
}
