import { equalBytes } from "../../base/bytes.ts";
import { crc32 } from "../../base/crc32.ts";
import type { Digest } from "../../base/digest.ts";
import { type DirPath, parseRelPath, type RelPath } from "../../base/paths.ts";
import { shapeOf } from "../../base/tree.ts";
import { varintAt } from "../../base/varint.ts";
import { STREAM_CODE } from "../../base/wire_codes.ts";
import {
  BlockReader,
  type ByteRange,
  type DigestAnswer,
  type DirAnswer,
  FEATURE_DISK_BYTES,
  FEATURE_EARLIER,
  type FileVersion,
  GET_DIRS_MAX,
  GET_FILES_MAX,
  type GetEarlier,
  ProtocolError,
  readDigest,
  readDir,
  readDiskBytes,
  readFileEnd,
  readFileHead,
  readRecipe,
  RecordReader,
  type Request,
  STATUS,
  type Status,
  type WantedFile,
} from "../../protocol/mod.ts";
import { isBulk } from "../link/bulk.ts";
import { type Answer, AnswerCut, type AskOptions, type Requester } from "../link/requester.ts";
import { URGENCY } from "../link/transport.ts";
import { Incoming, rangesFrom } from "./incoming.ts";
import { isVersion } from "./file_server.ts";

/** Times in a row that an answer may be cut off without having brought anything. */
const CUTS_MAX = 4;

/** Names in all directories that one session fetches: those of a tree that holds itself have no end. */
export const NAMES_MAX = 8_000_000;

/** A status that says why there is nothing. */
export type Failure = Exclude<Status, 0>;

/** Where the bytes of requested files go. Calls come in the order of the request, never overlapping. */
export interface FileSink {
  /** The file's bytes follow, `version.size - offset` of them. */
  begin(index: number): void;
  /** A piece, good only during the call. May wait, to slow the peer down. */
  bytes(index: number, piece: Uint8Array): Promise<void> | void;
  /** All bytes came, and they are of the version wanted. */
  end(index: number): Promise<void> | void;
  /** They did not; what came before is to be dropped. */
  fail(index: number, status: Failure): void;
}

/** A file wanted at one version. */
export interface WantedVersion extends WantedFile, FileVersion {}

/** The peer's side of a session: what may be asked of its share. Everything that comes back is checked. */
export class RemoteShare {
  readonly #peer: Requester;
  readonly #session: number;
  readonly #signal: AbortSignal | undefined;
  readonly #options: AskOptions & { readonly namesMax?: number };
  #names = 0;
  #questions = 0;
  #readings = 0;

  /**
   * @param signal Ends all requests under way when it is aborted, and lets no new one begin.
   * @param options What holds of all answers; `namesMax` for tests.
   */
  constructor(
    peer: Requester,
    session: number,
    signal?: AbortSignal,
    options: AskOptions & { readonly namesMax?: number } = {},
  ) {
    this.#peer = peer;
    this.#session = session;
    this.#signal = signal;
    this.#options = options;
  }

  /** Requests that the peer has not answered yet, but for those whose bytes have a pace to keep. */
  get questions(): number {
    return this.#questions;
  }

  /** How often something has come of their answers. */
  get readings(): number {
    return this.#readings;
  }

  /** The session's number on its connection. */
  get session(): number {
    return this.#session;
  }

  /**
   * Fetches directories, each verified against the digest that its parent gives, where that is known.
   *
   * @throws {ProtocolError} for a page that is not what the digest names, or more of them than any folder
   * has. A path that is too deep for a share throws, too.
   */
  async getDirs(
    wanted: readonly { readonly path: DirPath; readonly shape?: Digest }[],
  ): Promise<(DirAnswer | Failure)[]> {
    const answers: (DirAnswer | Failure)[] = [];
    for (let from = 0; from < wanted.length; from += GET_DIRS_MAX) {
      const part = wanted.slice(from, from + GET_DIRS_MAX);
      for (const { path } of part) if (path !== "") parseRelPath(path);
      const request = {
        kind: "get-dirs",
        session: this.#session,
        dirs: part.map((d) => d.path),
      } as const;
      await this.#ask(request, URGENCY.plan, async (records) => {
        for (const { path, shape } of part) {
          const answer = await readDir(records);
          if (typeof answer === "object" && shape && !equalBytes(shapeOf(answer.page), shape)) {
            throw new ProtocolError(`Directory ${JSON.stringify(path)} does not match its digest`);
          }
          if (typeof answer === "object") this.#countNames(answer);
          answers.push(answer);
        }
      });
    }
    return answers;
  }

  #countNames({ page, opaque }: DirAnswer): void {
    this.#names += varintAt(page, 0) + opaque.length;
    const { namesMax = NAMES_MAX } = this.#options;
    if (this.#names > namesMax) throw new ProtocolError(`Peer's folder has over ${namesMax} names`);
  }

  /** Fetches file digests, in order. */
  async getDigests(paths: readonly RelPath[]): Promise<(DigestAnswer | Failure)[]> {
    return await this.#getDigests(paths, (part) => ({
      kind: "get-digests",
      session: this.#session,
      paths: part,
    }));
  }

  /**
   * Fetches the digests of versions that the peer no longer has, in order. A peer that does not know of
   * such questions is not asked, and is as one that has forgotten them.
   */
  async getEarlier(versions: GetEarlier["versions"]): Promise<(DigestAnswer | Failure)[]> {
    if (!this.#peer.knows(FEATURE_EARLIER)) return versions.map(() => STATUS.changed);
    return await this.#getDigests(versions, (part) => ({
      kind: "get-earlier",
      session: this.#session,
      versions: part,
    }));
  }

  /**
   * Asks what files take on the peer's disk, in order; `undefined` for what is no file there any more, and
   * instead of all where the peer does not know of such questions.
   */
  async getDiskBytes(
    paths: readonly RelPath[],
  ): Promise<readonly (number | undefined)[] | undefined> {
    if (!this.#peer.knows(FEATURE_DISK_BYTES)) return undefined;
    const answers: (number | undefined)[] = [];
    for (let from = 0; from < paths.length; from += GET_FILES_MAX) {
      const part = paths.slice(from, from + GET_FILES_MAX);
      const request = { kind: "get-disk-bytes", session: this.#session, paths: part } as const;
      await this.#ask(request, URGENCY.plan, async (records) => {
        for (let i = 0; i < part.length; i++) answers.push(await readDiskBytes(records));
      });
    }
    return answers;
  }

  async #getDigests<T>(
    wanted: readonly T[],
    requestFor: (part: readonly T[]) => Request,
  ): Promise<(DigestAnswer | Failure)[]> {
    const answers: (DigestAnswer | Failure)[] = [];
    for (let from = 0; from < wanted.length; from += GET_FILES_MAX) {
      const part = wanted.slice(from, from + GET_FILES_MAX);
      await this.#ask(requestFor(part), URGENCY.plan, async (records) => {
        for (let i = 0; i < part.length; i++) answers.push(await readDigest(records));
      });
    }
    return answers;
  }

  /** Fetches a list of groups (none named), or the chunk lists of the groups named by position. */
  async getRecipe(path: RelPath, groups: readonly number[]): Promise<Uint8Array | Failure> {
    let answer: Uint8Array | Failure = STATUS.io;
    const request = { kind: "get-recipe", session: this.#session, path, groups } as const;
    await this.#ask(request, URGENCY.plan, async (records) => {
      answer = await readRecipe(records);
    });
    return answer;
  }

  /** Fetches files, or their ends, into the sink. At most {@linkcode GET_FILES_MAX}. */
  async getFiles(files: readonly WantedVersion[], sink: FileSink, urgency: number): Promise<void> {
    const incoming = new Incoming(files.length);
    const rest = (): Request => ({
      kind: "get-files",
      session: this.#session,
      files: files.slice(incoming.index).map(({ path, offset }, i) => ({
        path,
        offset: i === 0 ? offset + incoming.bytes : offset,
      })),
    });
    await this.#askOn(incoming, rest, urgency, async (records) => {
      for (; !incoming.isComplete; incoming.next()) {
        await readFile(records, files[incoming.index]!, sink, incoming);
      }
    });
  }

  /** Fetches parts of one version of a file, into the sink under index 0, in the order of the ranges. */
  async getRanges(
    file: WantedVersion,
    ranges: readonly ByteRange[],
    sink: FileSink,
  ): Promise<void> {
    const { path, size, mtimeMs } = file;
    const incoming = new Incoming(1);
    const total = ranges.reduce((sum, { length }) => sum + length, 0);
    const rest = (): Request => ({
      kind: "get-ranges",
      session: this.#session,
      path,
      size,
      mtimeMs,
      ranges: rangesFrom(ranges, incoming.bytes),
    });
    await this.#askOn(incoming, rest, URGENCY.largeFiles, async (records) => {
      const head = await readFileHead(records);
      if (typeof head === "number") sink.fail(0, head);
      else await readBody(records, total, sink, incoming);
      incoming.next();
    });
  }

  /** Asks for what is still missing, again and again where an answer is cut off. */
  async #askOn(
    incoming: Incoming,
    rest: () => Request,
    urgency: number,
    read: (records: RecordReader) => Promise<void>,
  ): Promise<void> {
    let cuts = 0;
    while (!incoming.isComplete) {
      const before = incoming.total;
      try {
        await this.#ask(rest(), urgency, read);
      } catch (error) {
        if (!(error instanceof AnswerCut)) throw error;
        cuts = incoming.total > before ? 0 : cuts + 1;
        if (cuts === CUTS_MAX) throw error.cause;
      }
    }
  }

  async #ask(
    request: Request,
    urgency: number,
    read: (records: RecordReader) => Promise<void>,
  ): Promise<void> {
    using asking = this.#noteQuestion();
    using answer = await this.#open(request, urgency);
    if (isBulk(request)) asking[Symbol.dispose]();
    const stop = () => answer.stop(STREAM_CODE.cancelled);
    this.#signal?.addEventListener("abort", stop, { once: true });
    try {
      const records = new RecordReader(
        new BlockReader((into) => {
          this.#readings++;
          return answer.read(into);
        }),
      );
      await read(records);
      if (!(await records.atEnd())) throw new ProtocolError("Answer has bytes behind its end");
    } catch (error) {
      stop();
      this.#signal?.throwIfAborted();
      throw error;
    } finally {
      this.#signal?.removeEventListener("abort", stop);
    }
  }

  /** Counts a request until it is disposed of, as often as that may be. */
  #noteQuestion(): Disposable {
    let isOpen = true;
    this.#questions++;
    return {
      [Symbol.dispose]: () => {
        if (isOpen) this.#questions--;
        isOpen = false;
      },
    };
  }

  /** Opens a stream; a peer that gives no credit for one must not keep anybody from giving up. */
  async #open(request: Request, urgency: number): Promise<Answer> {
    const signal = this.#signal;
    signal?.throwIfAborted();
    const opening = this.#peer.ask(request, urgency, this.#options);
    if (signal === undefined) return await opening;
    const aborted = Promise.withResolvers<never>();
    const onAbort = () => aborted.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await Promise.race([opening, aborted.promise]);
    } catch (error) {
      opening.then((late) => {
        late.stop(STREAM_CODE.cancelled);
        late[Symbol.dispose]();
      }, () => {});
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }
}

// A small file is one of hundreds in a block: what is at hand is taken without waiting.

async function readFile(
  records: RecordReader,
  file: WantedVersion,
  sink: FileSink,
  incoming: Incoming,
): Promise<void> {
  const coming = readFileHead(records);
  const head = coming instanceof Promise ? await coming : coming;
  if (typeof head === "number") return sink.fail(incoming.index, head);
  if (!isVersion(head, file)) {
    // Another version than planned: its bytes still come, and go nowhere.
    const offset = file.offset + incoming.bytes;
    for (let left = head.size - offset; left > 0;) left -= (await records.chunk(left)).length;
    await readFileEnd(records);
    return sink.fail(incoming.index, STATUS.changed);
  }
  await readBody(records, file.size - file.offset, sink, incoming);
}

/** Reads what has not come of `total` bytes, and how it ended. */
async function readBody(
  records: RecordReader,
  total: number,
  sink: FileSink,
  incoming: Incoming,
): Promise<void> {
  const { index } = incoming;
  if (!incoming.isBegun) sink.begin(index);
  incoming.isBegun = true;
  let crc = 0;
  while (incoming.bytes < total) {
    const coming = records.chunk(total - incoming.bytes);
    const piece = coming instanceof Promise ? await coming : coming;
    crc = crc32(piece, crc);
    const pending = sink.bytes(index, piece);
    incoming.take(piece.length);
    if (pending !== undefined) await pending;
  }
  const coming = readFileEnd(records);
  const end = coming instanceof Promise ? await coming : coming;
  // What was read there is not what arrived here: a fault in one of the two programs, or in a memory.
  if (end.status === STATUS.ok && end.crc !== crc) return sink.fail(index, STATUS.io);
  if (end.status !== STATUS.ok) return sink.fail(index, end.status);
  const pending = sink.end(index);
  if (pending !== undefined) await pending;
}
