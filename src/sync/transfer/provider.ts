import { messageOf } from "../../base/errors.ts";
import type { DirPath, RelPath } from "../../base/paths.ts";
import { EMPTY_PAGE } from "../../base/tree.ts";
import {
  BlockWriter,
  type DigestAnswer,
  type DirAnswer,
  encodeDirHistory,
  type GetDigests,
  type GetDirs,
  type GetDiskBytes,
  type GetEarlier,
  type GetRecipe,
  ProtocolError,
  type Request,
  STATUS,
  type Status,
  type WriteBytes,
  writeDigest,
  writeDir,
  writeDiskBytes,
  writeRecipe,
} from "../../protocol/mod.ts";
import type { RootIndex } from "../../index/mod.ts";
import type { Root } from "../../store/mod.ts";
import { type DuplexStream, type SendSide, URGENCY } from "../link/transport.ts";
import type { Snapshot } from "../scan/snapshot.ts";
import { digestOfDir } from "../content/dir_content.ts";
import { historyOf, historyOfGone } from "../content/dir_history.ts";
import type { ShareContent } from "../content/share_content.ts";
import { type BulkGrant, rootRef } from "../lane/lane_messages.ts";
import { type BulkRequest, isBulk } from "../link/bulk.ts";
import { FileServer, type ServedFile, setBulkPriority } from "./file_server.ts";
import { diskBytesOf } from "./disk_bytes.ts";
import { MovedPaths } from "./moved_paths.ts";
import type { RateLimiter } from "./rate_limiter.ts";

/** Files of which is kept why they could not be read. */
const UNREADABLE_MAX = 1000;

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
 * nothing of ignored files or of other shares.
 */
export class Provider {
  readonly #options: ProviderOptions;
  readonly #moves = new MovedPaths();
  #fileBytes = 0;
  #filesSent = 0;
  /** Ranges of one file come in requests one after the other, and count it once. */
  #rangesOf: RelPath | undefined;

  readonly #files: FileServer;
  readonly #unreadable = new Map<RelPath, string>();

  constructor(options: ProviderOptions) {
    this.#options = options;
    this.#files = new FileServer({
      root: options.root,
      find: (path) => this.find(path),
      onBytes: (bytes) => this.countBytes(bytes),
      onFile: (path) => this.countFile(path),
      onUnreadable: (path, error) => this.#noteUnreadable(path, error),
    });
  }

  /** File bytes sent so far. */
  get fileBytes(): number {
    return this.#fileBytes;
  }

  /** Files sent so far, whole or in part. */
  get filesSent(): number {
    return this.#filesSent;
  }

  /** Why a file that the peer asked for could not be read, in words; `undefined` if nothing is known of that. */
  whyUnreadable(path: RelPath): string | undefined {
    return this.#unreadable.get(path);
  }

  /**
   * Says that something is about to be moved on this side, so that what the peer asks for by its path in
   * the snapshot is still found, before and after.
   */
  addMove(from: RelPath, to: RelPath): void {
    this.#moves.add(from, to);
  }

  /** A file that the peer may have, where it is after the moves under way and where it was before them. */
  find(path: RelPath): ServedFile | undefined {
    const file = this.#options.snapshot.file(path);
    if (file === undefined) return undefined;
    const moved = this.#moves.find(path);
    const places = moved === path ? [path] : [moved, path];
    return { ...file, places };
  }

  /**
   * What another thread needs to answer a request for bytes in this one's place; `undefined` where what is
   * sent is held to a rate, which only one thread can see to.
   */
  grant(request: BulkRequest): BulkGrant | undefined {
    const { root, compress, limiter } = this.#options;
    if (limiter !== undefined) return undefined;
    const asked = request.kind === "get-files" ? request.files : [request];
    return { root: rootRef(root), compress, files: asked.map(({ path }) => this.find(path)) };
  }

  /** Counts what is sent from elsewhere than here. */
  countBytes(bytes: number): void {
    this.#fileBytes += bytes;
  }

  /** Counts a file that was sent, whole or in part. */
  countFile(path: RelPath): void {
    if (this.#rangesOf !== path) this.#filesSent++;
    this.#rangesOf = path;
  }

  #noteUnreadable(path: RelPath, error: unknown): void {
    if (this.#unreadable.size < UNREADABLE_MAX) this.#unreadable.set(path, messageOf(error));
  }

  /** Serves one request on its stream, to the end. */
  async handleRequest(request: Request, stream: DuplexStream): Promise<void> {
    const { limiter, compress } = this.#options;
    this.#setPriority(request, stream.send);
    const write: WriteBytes = (bytes) => stream.send.write(bytes);
    const out = new BlockWriter(limiter ? limiter.limit(write) : write, { compress });
    await this.#answer(request, out);
    await out.finish();
    await stream.send.finish();
  }

  /** What others wait for goes before what is merely long. */
  #setPriority(request: Request, stream: SendSide): void {
    if (isBulk(request)) setBulkPriority(stream, request, (path) => this.find(path));
    else stream.setPriority(URGENCY.plan, true);
  }

  #answer(request: Request, out: BlockWriter): Promise<void> {
    switch (request.kind) {
      case "get-dirs":
        return this.#sendDirs(request, out);
      case "get-digests":
        return this.#sendDigests(request, out);
      case "get-earlier":
        return this.#sendEarlier(request, out);
      case "get-disk-bytes":
        return this.#sendDiskBytes(request, out);
      case "get-recipe":
        return this.#sendRecipe(request, out);
      case "get-files":
        return this.#files.sendFiles(request, out);
      case "get-ranges":
        return this.#files.sendRanges(request, out);
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
        const page = snapshot.page(path)!;
        const history = encodeDirHistory(historyOf(index, path, page));
        await writeDir(out, { ...dir, page, history });
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
    const { snapshot, index } = this.#options;
    for (const { path, ...version } of versions) {
      const digest = snapshot.file(path) && index.earlierDigest(path, version);
      await writeDigest(out, digest ? { ...version, digest } : STATUS.changed);
    }
  }

  async #sendDiskBytes({ paths }: GetDiskBytes, out: BlockWriter): Promise<void> {
    for (const path of paths) {
      const isShared = this.#options.snapshot.file(path) !== undefined;
      await writeDiskBytes(out, isShared ? this.#diskBytesOf(path) : STATUS.denied);
    }
  }

  #diskBytesOf(path: RelPath): { bytes: number } | Status {
    const bytes = diskBytesOf(this.#options.root, path);
    return bytes === undefined ? STATUS.changed : { bytes };
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
    const { snapshot, content } = this.#options;
    const file = snapshot.file(request.path);
    const answer = file
      ? await content.recipeOf(request.path, file, request.groups)
      : STATUS.denied;
    await writeRecipe(out, answer);
  }
}
