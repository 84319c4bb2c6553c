import { builtin } from "../../base/builtin.ts";
import type { Bytes } from "../../base/bytes.ts";
import type { DirPath, RelPath } from "../../base/paths.ts";
import { EMPTY_PAGE, type FileEntry } from "../../base/tree.ts";
import {
  BlockWriter,
  type ByteRange,
  type DigestAnswer,
  type DirAnswer,
  encodeDirHistory,
  FILE_FRAME_BYTES,
  type GetDigests,
  type GetDirs,
  type GetEarlier,
  type GetFiles,
  type GetRanges,
  type GetRecipe,
  ProtocolError,
  type Request,
  STATUS,
  type Status,
  type WantedFile,
  type WriteBytes,
  writeDigest,
  writeDir,
  writeFileEnd,
  writeFileHead,
  writeRecipe,
} from "../../protocol/mod.ts";
import type { RootIndex } from "../../index/mod.ts";
import { type ReadFile, reasonOf, type Root } from "../../store/mod.ts";
import { type DuplexStream, URGENCY } from "../link/transport.ts";
import type { Snapshot } from "../scan/snapshot.ts";
import { digestOfDir } from "../content/dir_content.ts";
import { historyOf, historyOfGone } from "../content/dir_history.ts";
import type { ShareContent } from "../content/share_content.ts";
import { MovedPaths } from "./moved_paths.ts";
import type { RateLimiter } from "./rate_limiter.ts";

const zlib = builtin("node:zlib");

/** Files up to this size are read by one combined call. */
const SMALL_FILE_BYTES = 64 * 1024;

/** Answers with a file over this size give way to those with many small ones. */
const LARGE_FILE_BYTES = 1024 * 1024;

/** What a {@linkcode Provider} serves from. */
export interface ProviderOptions {
  readonly root: Root;
  readonly snapshot: Snapshot;
  readonly content: ShareContent;
  /** Knows what the names of a directory have seen. */
  readonly index: RootIndex;
  readonly compress: boolean;
  /** Holds back what is sent, if there is a limit. */
  readonly limiter?: RateLimiter | undefined;
}

/**
 * Answers a peer's requests out of one share: only what the session's snapshot holds, so a peer learns
 * nothing of ignored files or of other shares. Files are read again at the moment they are asked for;
 * one that no longer is what the snapshot says is answered "changed" and never sent mixed.
 */
export class Provider {
  readonly #options: ProviderOptions;
  readonly #moves = new MovedPaths();
  #fileBytes = 0;
  #filesSent = 0;
  /** Ranges of one file come in requests one after the other, and count it once. */
  #rangesOf: RelPath | undefined;

  constructor(options: ProviderOptions) {
    this.#options = options;
  }

  /** File bytes sent so far. */
  get fileBytes(): number {
    return this.#fileBytes;
  }

  /** Files sent so far, whole or in part. */
  get filesSent(): number {
    return this.#filesSent;
  }

  /**
   * Says that something is about to be moved on this side, so that what the peer asks for by its path in
   * the snapshot is still found, before and after.
   */
  addMove(from: RelPath, to: RelPath): void {
    this.#moves.add(from, to);
  }

  /** Serves one request on its stream, to the end. */
  async handleRequest(request: Request, stream: DuplexStream): Promise<void> {
    const { limiter, compress } = this.#options;
    stream.send.setPriority(this.#urgencyOf(request), true);
    const write: WriteBytes = (bytes) => stream.send.write(bytes);
    const out = new BlockWriter(limiter ? limiter.limit(write) : write, { compress });
    await this.#answer(request, out);
    await out.finish();
    await stream.send.finish();
  }

  /** What others wait for goes before what is merely long. */
  #urgencyOf(request: Request): number {
    switch (request.kind) {
      case "get-ranges":
        return URGENCY.largeFiles;
      case "get-files": {
        const isLarge = ({ path }: WantedFile) =>
          (this.#fileEntry(path)?.size ?? 0) > LARGE_FILE_BYTES;
        return request.files.some(isLarge) ? URGENCY.largeFiles : URGENCY.smallFiles;
      }
      default:
        return URGENCY.plan;
    }
  }

  #answer(request: Request, out: BlockWriter): Promise<void> {
    switch (request.kind) {
      case "get-dirs":
        return this.#sendDirs(request, out);
      case "get-digests":
        return this.#sendDigests(request, out);
      case "get-earlier":
        return this.#sendEarlier(request, out);
      case "get-recipe":
        return this.#sendRecipe(request, out);
      case "get-files":
        return this.#sendFiles(request, out);
      case "get-ranges":
        return this.#sendRanges(request, out);
      case "apply":
      case "remember":
      case "bench":
        throw new ProtocolError("Operations are not for this side of the session");
    }
  }

  async #sendDirs(request: GetDirs, out: BlockWriter): Promise<void> {
    const { snapshot, index } = this.#options;
    for (const path of request.dirs) {
      const dir = snapshot.dirs.get(path);
      if (dir === undefined) await writeDir(out, this.#goneDir(path));
      else {
        const history = encodeDirHistory(historyOf(index, path, snapshot.list(path)));
        await writeDir(out, { ...dir, history });
      }
    }
  }

  /** What is known of the deletions in a directory that is gone, and not merely out of sight. */
  #goneDir(path: DirPath): DirAnswer | Status {
    const { snapshot, index } = this.#options;
    if (!snapshot.isGone(path)) return STATUS.changed;
    const known = historyOfGone(index, path);
    if (known === undefined) return STATUS.changed;
    const history = encodeDirHistory(known);
    return { page: EMPTY_PAGE, opaque: [], isIncomplete: false, mtimeMs: 0, history };
  }

  async #sendDigests(request: GetDigests, out: BlockWriter): Promise<void> {
    for (const path of request.paths) {
      await writeDigest(out, await this.#digestOf(path));
    }
  }

  async #sendEarlier({ versions }: GetEarlier, out: BlockWriter): Promise<void> {
    const { index } = this.#options;
    for (const { path, ...version } of versions) {
      const digest = this.#fileEntry(path) && index.earlierDigest(path, version);
      await writeDigest(out, digest ? { ...version, digest } : STATUS.changed);
    }
  }

  async #digestOf(path: RelPath): Promise<DigestAnswer | Status> {
    const { snapshot, content } = this.#options;
    const entry = snapshot.entry(path);
    if (entry?.kind === "file") return await content.digestOf(path, entry);
    if (entry?.kind !== "dir") return STATUS.denied;
    const digest = await digestOfDir(path, snapshot, content);
    return digest === undefined ? STATUS.changed : { size: 0, mtimeMs: 0, digest };
  }

  async #sendRecipe(request: GetRecipe, out: BlockWriter): Promise<void> {
    const entry = this.#fileEntry(request.path);
    const answer = entry
      ? await this.#options.content.recipeOf(request.path, entry, request.groups)
      : STATUS.denied;
    await writeRecipe(out, answer);
  }

  async #sendFiles(request: GetFiles, out: BlockWriter): Promise<void> {
    // Each request has its own: others are being answered at the same time.
    const scratch: Bytes = new Uint8Array(SMALL_FILE_BYTES);
    for (const wanted of request.files) {
      const entry = this.#fileEntry(wanted.path);
      if (entry === undefined || wanted.offset > entry.size) {
        await writeFileHead(out, STATUS.denied);
      } else if (entry.size <= SMALL_FILE_BYTES) {
        if (!out.fits(entry.size + FILE_FRAME_BYTES)) await out.flush();
        this.#sendSmall(wanted, entry, { out, scratch });
      } else await this.#sendLarge(wanted, entry, out);
    }
  }

  /** Puts a file into the open block, which has room for it. */
  #sendSmall(
    wanted: WantedFile,
    entry: FileEntry,
    { out, scratch }: { out: BlockWriter; scratch: Bytes },
  ): void {
    const status = this.#tryPlaces(wanted.path, (path) => {
      const read = this.#options.root.readSmall(path, scratch);
      return read.settled && read.length === entry.size && isVersion(read.stat, entry);
    });
    if (status !== STATUS.ok) return void writeFileHead(out, status);
    const bytes = scratch.subarray(wanted.offset, entry.size);
    void writeFileHead(out, entry);
    void out.write(bytes);
    void writeFileEnd(out, STATUS.ok, zlib.crc32(bytes));
    this.#fileBytes += bytes.length;
    this.#filesSent++;
  }

  async #sendLarge(wanted: WantedFile, entry: FileEntry, out: BlockWriter): Promise<void> {
    const file = this.#open(wanted.path, entry);
    if (typeof file === "number") return await writeFileHead(out, file);
    using opened = file;
    await writeFileHead(out, entry);
    const range = { offset: wanted.offset, length: entry.size - wanted.offset };
    await this.#sendBody(opened, entry, [range], out);
    this.#filesSent++;
  }

  async #sendRanges(request: GetRanges, out: BlockWriter): Promise<void> {
    const entry = this.#fileEntry(request.path);
    if (entry === undefined) return await writeFileHead(out, STATUS.denied);
    if (!isVersion(entry, request)) return await writeFileHead(out, STATUS.changed);
    for (const range of request.ranges) {
      if (range.offset + range.length > entry.size) {
        throw new ProtocolError("Range lies beyond the file");
      }
    }
    const file = this.#open(request.path, entry);
    if (typeof file === "number") return await writeFileHead(out, file);
    using opened = file;
    await writeFileHead(out, entry);
    await this.#sendBody(opened, entry, request.ranges, out);
    if (this.#rangesOf !== request.path) this.#filesSent++;
    this.#rangesOf = request.path;
  }

  /** Sends as many bytes as were announced whatever happens to the file, then how it went. */
  async #sendBody(
    file: ReadFile,
    entry: FileEntry,
    ranges: readonly ByteRange[],
    out: BlockWriter,
  ): Promise<void> {
    const body = new Body(file, out, (bytes) => this.#fileBytes += bytes);
    for (const range of ranges) await body.send(range);
    const status = body.status === STATUS.ok && !isVersion(file.stat(), entry)
      ? STATUS.changed
      : body.status;
    await writeFileEnd(out, status, body.crc);
  }

  /** Opens the version meant, wherever it is by now. */
  #open(path: RelPath, entry: FileEntry): ReadFile | Status {
    let found: ReadFile | undefined;
    const status = this.#tryPlaces(path, (place) => {
      const file = this.#options.root.openFile(place);
      if (isVersion(file.openedStat, entry)) found = file;
      else file[Symbol.dispose]();
      return found !== undefined;
    });
    return found ?? status;
  }

  /** Tries where a path is after the moves under way, then where it was in the snapshot. */
  #tryPlaces(path: RelPath, isIt: (place: RelPath) => boolean): Status {
    const moved = this.#moves.find(path);
    let status: Status = STATUS.changed;
    for (const place of moved === path ? [path] : [moved, path]) {
      try {
        if (isIt(place)) return STATUS.ok;
        status = STATUS.changed;
      } catch (error) {
        status = statusOf(error);
      }
    }
    return status;
  }

  #fileEntry(path: RelPath): FileEntry | undefined {
    const entry = this.#options.snapshot.entry(path);
    return entry?.kind === "file" ? entry : undefined;
  }
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
      this.crc = zlib.crc32(part.subarray(0, count), this.crc);
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
export function isVersion(
  actual: { readonly size: number; readonly mtimeMs: number },
  meant: { readonly size: number; readonly mtimeMs: number },
): boolean {
  return actual.size === meant.size && actual.mtimeMs === meant.mtimeMs;
}

function statusOf(error: unknown): Status {
  const reason = reasonOf(error);
  return reason === "not_found" || reason === "not_regular" || reason === "symlink"
    ? STATUS.changed
    : STATUS.io;
}
