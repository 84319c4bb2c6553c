import { equalBytes } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { OWN_FOLDER, type RelPath } from "../../base/paths.ts";
import { type Digest, digestKey } from "../../base/digest.ts";
import { nextTurn } from "../../base/turn.ts";
import type { VectorMember } from "../../base/version_vector.ts";
import { URGENCY } from "../link/transport.ts";
import { GET_FILES_MAX } from "../../protocol/mod.ts";
import {
  type Change,
  type ChangeResult,
  CommitPipeline,
  type CommitStep,
  decodeRecipe,
  type Expected,
  type ExpectedState,
  type Keep,
  reasonOf,
  type Recipe,
  type Root,
  type StagedFile,
  StoreError,
} from "../../store/mod.ts";
import type { DigestLocation, RootIndex } from "../../index/mod.ts";
import type { ShareContent } from "../content/share_content.ts";
import { ContentError, ContentGetter, StagingSink, type WantedContent } from "../delta/mod.ts";
import { decodeFailure } from "../lane/lane_failure.ts";
import { LaneFetcher } from "../lane/lane_fetcher.ts";
import type { Lanes } from "../link/requester.ts";
import type { RemoteShare } from "../transfer/remote_share.ts";
import { IndexWriter } from "./index_writer.ts";
import type { Before, CopyFile, Operation, Outcome, WriteFile } from "./operation.ts";
import { Room } from "./room.ts";
import { WaitingFiles } from "./waiting_files.ts";

/** Requests for bytes under way at once. */
const REQUESTS_MAX = 8;
/** Bytes of small files in one request. */
const REQUEST_BYTES_AIM = 4 * 1024 * 1024;
/** Even the smallest file takes about so much. */
const DISK_BLOCK_BYTES = 4096;

/** What an {@linkcode Executor} works with. */
export interface ExecutorOptions {
  readonly root: Root;
  readonly index: RootIndex;
  /** Stands for this device in version vectors. */
  readonly member: VectorMember;
  readonly content: ShareContent;
  /** Where bytes come from. */
  readonly remote: RemoteShare;
  /** Threads that fetch beside this one. */
  readonly lanes?: Lanes;
  /** Where replaced and deleted files go. */
  readonly keep: Keep;
  readonly versionsMax: number;
  readonly fsync: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Gets each outcome once it is final: done means durable. */
  readonly onOutcome: (outcome: Outcome) => void;
  /** File bytes that just arrived. */
  readonly onBytes: (bytes: number) => void;
  /** For tests, which end the process there. */
  readonly onStep?: (step: CommitStep, path?: RelPath) => void;
}

/** One operation under way. */
interface Job<T extends Operation = Operation> {
  readonly index: number;
  readonly operation: T;
  /** What must be at its path, of a file to be put there. */
  expected?: Expected;
  recipe?: Recipe;
  /** Learned on the way, where the operation does not have it. */
  digest?: Digest;
  bytesFetched: number;
  bytesReused: number;
  /** Called once it is known what became of the contents. */
  close?: (isDone: boolean) => void;
}

/**
 * Carries out operations on one share: pulls the bytes it lacks, stages, flushes and renames them into
 * place, and reports each outcome when it is durable. Every operation is checked against what is really
 * there right before it is done; what does not fit is left alone and reported.
 *
 * Cost of a small file: 2 µs of bookkeeping here, one part in 256 of a request, the store's 20 µs.
 */
export class Executor {
  readonly #options: ExecutorOptions;
  readonly #pipeline: CommitPipeline;
  readonly #writer: IndexWriter;
  readonly #getter: ContentGetter;
  readonly #lanes: LaneFetcher | undefined;
  /** Ends what is under way once one thing has failed for good. */
  readonly #abort = new AbortController();
  readonly #jobs = new Map<Change, Job>();
  readonly #dirsLast: Job[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #room: Room;
  readonly #waiting: WaitingFiles<Job<WriteFile>>;
  #batch: Job<WriteFile>[] = [];
  #batchBytes = 0;
  #phase: Operation["op"] | undefined;
  #stopped: { code: string; message: string } | undefined;

  constructor(options: ExecutorOptions) {
    this.#writer = new IndexWriter(options.index, options);
    const signal = AbortSignal.any([options.signal, this.#abort.signal]);
    this.#options = { ...options, signal };
    const { lanes, root, remote } = options;
    this.#lanes = lanes && new LaneFetcher({ lanes, root, session: remote.session, signal });
    this.#room = new Room(() => root.space().freeBytes);
    this.#getter = new ContentGetter({
      ...this.#options,
      lanes: this.#lanes,
      onBytes: (bytes) => {
        this.#room.handleBytes(bytes);
        options.onBytes(bytes);
      },
    });
    this.#waiting = new WaitingFiles(this.#room, this.#getter);
    this.#pipeline = new CommitPipeline(options.root, {
      fsync: options.fsync,
      versionsMax: options.versionsMax,
      wallMs: () => options.clock.wallMs(),
      onBatch: (results) => this.#handleBatch(results),
      ...(options.onStep && { onStep: options.onStep }),
    });
  }

  /**
   * Takes operations, in portions of any size, in the order of {@linkcode Operation} until there are no
   * more, and sees them through. Failures of single operations are outcomes; what is thrown is the end of the session.
   */
  async run(
    portions: AsyncIterable<readonly Operation[]> | Iterable<readonly Operation[]>,
  ): Promise<void> {
    await using _ = this.#pipeline;
    using getter = this.#getter;
    try {
      let index = 0;
      for await (const operations of portions) {
        for (const operation of operations) {
          this.#options.signal.throwIfAborted();
          const job = { index: index++, operation, bytesFetched: 0, bytesReused: 0 };
          const pending = this.#take(job);
          if (pending !== undefined) await pending;
        }
      }
      await this.#settle();
      await this.#getWaiting();
      this.#finishDirs();
      await this.#pipeline.flush();
    } catch (error) {
      this.#abort.abort(error);
      getter[Symbol.dispose]();
      // Nothing may go on working in the folder when its owner is told that this is over.
      await Promise.allSettled(this.#running);
      await this.#keepStaged();
      throw error;
    }
  }

  /** Puts in place what is complete: it would have to travel again. */
  async #keepStaged(): Promise<void> {
    try {
      await this.#pipeline.flush();
    } catch {
      // What ended the session is told; this can't be helped and is made up for by the next.
    }
  }

  /** Something to wait for only where one kind of operation ends, or too much is under way. */
  #take(job: Job): Promise<void> | undefined {
    const { op } = job.operation;
    if (op === this.#phase && this.#pipeline.isReady) return this.#begin(job);
    return this.#enterPhase(op).then(() => this.#begin(job));
  }

  #begin(job: Job): Promise<void> | undefined {
    const { operation } = job;
    // What is to go needs no room, and may make some.
    if (this.#stopped !== undefined && operation.op !== "remove") {
      this.#fail(job, this.#stopped.code, this.#stopped.message);
      return undefined;
    }
    switch (operation.op) {
      case "make-dir":
        this.#add(job, {
          kind: "dir",
          path: operation.path,
          // Ours must stay able to fill it; the mode proper is set at the end.
          mode: operation.mode | 0o700,
          expected: this.#expected(operation),
          keep: this.#options.keep,
        });
        this.#dirsLast.push(job);
        return undefined;
      case "move":
        this.#add(job, {
          kind: "move",
          from: operation.from,
          path: operation.path,
          expected: this.#expected(operation, operation.from) as ExpectedState,
        });
        return undefined;
      case "copy-file":
        job.expected = this.#expected(operation);
        return this.#start(this.#copy(job as Job<CopyFile>));
      case "write-file":
        // Now, in the order of the tree: contents come in any order, and each look into another directory
        // has its price.
        job.expected = this.#expected(operation);
        return this.#enqueue(job as Job<WriteFile>);
      case "make-link":
        this.#add(job, {
          kind: "link",
          path: operation.path,
          target: operation.target,
          mtimeMs: operation.mtimeMs,
          expected: this.#expected(operation),
          keep: this.#options.keep,
        });
        return undefined;
      case "set-attributes":
        if (operation.before.kind === "dir") this.#dirsLast.push(job);
        else this.#addAttributes(job);
        return undefined;
      case "remove":
        this.#add(job, {
          kind: "remove",
          path: operation.path,
          expected: this.#expected(operation) as ExpectedState,
          keep: this.#options.keep,
        });
        return undefined;
    }
  }

  /** Sees one kind of operation through before the next kind begins: later ones rely on it. */
  async #enterPhase(op: Operation["op"]): Promise<void> {
    await this.#pipeline.ready();
    if (op === this.#phase) return;
    const isWorking = this.#running.size > 0 || this.#batch.length > 0;
    // Names change in the order they are added; only what is read from the disk must be there before.
    if (isWorking || this.#phase === "move") await this.#settle();
    this.#phase = op;
  }

  async #settle(): Promise<void> {
    await this.#sendBatch();
    while (this.#running.size > 0) await Promise.all(this.#running);
    await this.#pipeline.flush();
  }

  #finishDirs(): void {
    const jobs = this.#dirsLast.filter(({ operation }) =>
      operation.op === "set-attributes" || operation.op === "make-dir"
    );
    // Deepest first: a parent may become unwritable.
    jobs.sort((a, b) => b.operation.path.length - a.operation.path.length);
    for (const job of jobs) this.#addAttributes(job);
  }

  #addAttributes(job: Job): void {
    const { operation } = job;
    if (operation.op !== "set-attributes" && operation.op !== "make-dir") return;
    if (operation.op === "make-dir" && this.#options.root.lstat(operation.path)?.kind !== "dir") {
      return;
    }
    const { mode, mtimeMs } = operation;
    this.#add(job, {
      kind: "attributes",
      path: operation.path,
      expected: operation.op === "make-dir"
        ? { kind: "dir" }
        : this.#expected(operation) as ExpectedState,
      ...(mode !== undefined && { mode }),
      ...(mtimeMs !== undefined && { mtimeMs }),
    });
  }

  #add(job: Job, change: Change): void {
    this.#jobs.set(change, job);
    this.#pipeline.add(change);
  }

  /** What must be at a path: the planner's view of it, sharpened by what the index knows. */
  #expected(operation: Operation, path: RelPath = operation.path): Expected {
    const { before } = operation;
    switch (before.kind) {
      case "absent":
        return "absent";
      case "dir":
        return { kind: "dir" };
      case "link":
        return this.#isLinkTo(path, before) ? { kind: "link" } : NEVER;
      case "file": {
        const record = this.#options.content.recordOf(path, before);
        const { size, mtimeMs } = before;
        return record
          ? { kind: "file", size, mtimeMs, mtimeNs: record.mtimeNs, ino: record.ino }
          : { kind: "file", size, mtimeMs };
      }
    }
  }

  #isLinkTo(path: RelPath, before: Before & { kind: "link" }): boolean {
    try {
      return this.#options.root.readLink(path) === before.target;
    } catch {
      return false;
    }
  }

  #enqueue(job: Job<WriteFile>): Promise<void> | undefined {
    const wanted = wantedOf(job.operation);
    this.#getter.noteWanted(wanted);
    if (!this.#getter.isForBatch(wanted)) return this.#start(this.#getIfRoom(job, wanted));
    this.#batch.push(job);
    this.#batchBytes += wanted.size;
    const isFull = this.#batch.length >= GET_FILES_MAX / 2 || this.#batchBytes >= REQUEST_BYTES_AIM;
    return isFull ? this.#sendBatch() : undefined;
  }

  async #sendBatch(): Promise<void> {
    if (this.#batch.length === 0) return;
    const jobs = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    await this.#start(this.#getBatch(jobs));
    // What was asked for is on its way while the next operations are understood.
    await nextTurn();
  }

  /** Lets work run beside the rest, unless too much does already. */
  async #start(work: Promise<void>): Promise<void> {
    const running: Promise<void> = work.finally(() => this.#running.delete(running));
    // Whoever waits for the set gets the error.
    running.catch(() => {});
    this.#running.add(running);
    while (this.#running.size >= REQUESTS_MAX) await Promise.race(this.#running);
  }

  async #copy(job: Job<CopyFile>): Promise<void> {
    const { from, digest, size } = job.operation;
    try {
      const { atHand } = this.#getter;
      const staged = await atHand.copy(digest, size) ?? await atHand.copyChecked(from, digest);
      if (staged === undefined) return this.#fail(job, "changed", "The file to copy has changed");
      job.bytesReused = size;
      this.#tryAddStaged(job, staged);
    } catch (error) {
      return this.#failBy(job, error);
    }
    await this.#pipeline.ready();
  }

  async #getIfRoom(job: Job<WriteFile>, wanted: WantedContent): Promise<void> {
    const room = await this.#room.take(this.#getter.diskBytesFor(wanted));
    using _ = room;
    if (room === undefined) return this.#wait(job);
    await this.#get(job, wanted);
  }

  /** Puts a file off until all others are through. */
  #wait(job: Job<WriteFile>): void {
    const { size } = job.operation;
    if (!this.#waiting.add(job, wantedOf(job.operation))) this.#failForRoom(job, size);
  }

  /** Gets what there is room for by now. */
  async #getWaiting(): Promise<void> {
    for await (const { item: job, wanted, bytes, hasRoom } of this.#waiting.inTurn()) {
      this.#options.signal.throwIfAborted();
      if (this.#stopped?.code === "read_only") this.#fail(job, "read_only", this.#stopped.message);
      else if (!hasRoom || this.#stopped !== undefined) this.#failForRoom(job, bytes);
      else await this.#get(job, wanted);
    }
    await this.#settle();
  }

  #failForRoom(job: Job<WriteFile>, bytes: number): void {
    const free = Math.max(0, this.#room.freeBytes);
    const message = `It takes ${megabytes(bytes)} more, and ${
      megabytes(free)
    } are free on the disk`;
    this.#fail(job, "no_space", message);
  }

  /** Gets a file that is worth a look at what is at hand, or requests of its own. */
  async #get(job: Job<WriteFile>, wanted: WantedContent): Promise<void> {
    try {
      const got = await this.#getter.get(wanted, job);
      job.close = got.close;
      job.digest = got.digest;
      if (got.recipe !== undefined) job.recipe = got.recipe;
      this.#tryAddStaged(job, got.staged);
    } catch (error) {
      return this.#failBy(job, error);
    }
    await this.#pipeline.ready();
  }

  /** Gets small files: those at hand by a copy, the others in one request. */
  async #getBatch(jobs: readonly Job<WriteFile>[]): Promise<void> {
    const room = await this.#room.take(diskBytesOf(jobs));
    using _ = room;
    if (room === undefined) return jobs.forEach((job) => this.#wait(job));
    const missing = await this.#getByLane(await this.#copyAtHand(jobs));
    if (missing.length === 0) return;
    using sink = new StagingSink(missing.map(({ operation }) => operation.size), {
      open: (at) => {
        const { operation } = missing[at]!;
        return this.#getter.stageForBatch(wantedOf(operation), operation.mode);
      },
      onBytes: (at, bytes) => {
        this.#options.signal.throwIfAborted();
        missing[at]!.bytesFetched += bytes;
        this.#options.onBytes(bytes);
      },
      onStaged: (at, staged, recipe) => {
        this.#takeFetched(missing[at]!, staged, recipe);
        return this.#pipeline.isReady ? undefined : this.#pipeline.ready();
      },
      onFailed: (at, error) => {
        this.#getter.dropFromBatch(wantedOf(missing[at]!.operation));
        this.#failBy(missing[at]!, error);
      },
    });
    const wanted = missing.map(({ operation: { source, size, mtimeMs } }) => ({
      path: source,
      offset: 0,
      size,
      mtimeMs,
    }));
    await this.#options.remote.getFiles(wanted, sink, URGENCY.smallFiles);
  }

  /** Has a lane get what it can; gives back the rest. */
  async #getByLane(jobs: readonly Job<WriteFile>[]): Promise<readonly Job<WriteFile>[]> {
    if (this.#lanes === undefined || jobs.length === 0) return jobs;
    const missing = new Set(jobs);
    const files = jobs.map(({ operation: { source: path, size, mtimeMs, mode } }) => ({
      path,
      size,
      mtimeMs,
      mode,
    }));
    await this.#lanes.getFiles(files, (report) => {
      const job = jobs[report.index]!;
      missing.delete(job);
      job.bytesFetched += report.bytes;
      this.#options.onBytes(report.bytes);
      if ("failure" in report) return this.#failBy(job, decodeFailure(report.failure));
      this.#takeFetched(job, this.#options.root.takeOver(report.file), decodeRecipe(report.recipe));
      return this.#pipeline.isReady ? undefined : this.#pipeline.ready();
    });
    return [...missing];
  }

  /** Copies what the share holds already; gives back the rest. */
  async #copyAtHand(jobs: readonly Job<WriteFile>[]): Promise<readonly Job<WriteFile>[]> {
    const digests = jobs.flatMap(({ operation }) => operation.digest ?? []);
    if (digests.length === 0) return jobs;
    const places = this.#getter.atHand.locate(digests);
    const missing: Job<WriteFile>[] = [];
    for (const job of jobs) {
      const { digest } = job.operation;
      const locations = digest && places.get(digestKey(digest));
      if (!locations || !(await this.#copyFrom(job, digest, locations))) missing.push(job);
      await this.#pipeline.ready();
    }
    return missing;
  }

  /** False if the bytes have to be fetched after all. */
  async #copyFrom(
    job: Job<WriteFile>,
    digest: Digest,
    locations: readonly DigestLocation[],
  ): Promise<boolean> {
    try {
      const staged = await this.#getter.atHand.copy(digest, job.operation.size, locations);
      if (staged === undefined) return false;
      job.bytesReused = job.operation.size;
      this.#tryAddStaged(job, staged);
    } catch (error) {
      this.#failBy(job, error);
    }
    return true;
  }

  #takeFetched(job: Job<WriteFile>, staged: StagedFile, recipe: Recipe): void {
    const { digest } = job.operation;
    if (digest !== undefined && !equalBytes(digest, recipe.digest)) {
      staged[Symbol.dispose]();
      this.#getter.dropFromBatch(wantedOf(job.operation));
      const message = "The contents that came are not those announced";
      return this.#fail(job, "changed", message);
    }
    job.recipe = recipe;
    try {
      this.#tryAddStaged(job, staged);
    } catch (error) {
      this.#failBy(job, error);
    }
  }

  #tryAddStaged(job: Job<WriteFile | CopyFile>, staged: StagedFile): void {
    try {
      this.#addStaged(job, staged);
    } catch (error) {
      staged[Symbol.dispose]();
      throw error;
    }
  }

  #addStaged(job: Job<WriteFile | CopyFile>, staged: StagedFile): void {
    const { path, mode, mtimeMs } = job.operation;
    staged.finish({ mode, mtimeMs });
    this.#add(job, {
      kind: "file",
      path,
      staged,
      expected: job.expected!,
      keep: this.#options.keep,
    });
  }

  #handleBatch(results: ChangeResult[]): void {
    const isMissing = results.some((result) =>
      result.outcome !== "done" && result.error.reason === "not_found"
    );
    if (isMissing) this.#checkFolder();
    const outcomes: Outcome[] = [];
    for (const result of results) {
      const job = this.#jobs.get(result.change)!;
      this.#jobs.delete(result.change);
      const isDirLast = job.operation.op === "make-dir" && result.change.kind === "attributes";
      job.close?.(result.outcome === "done");
      if (result.outcome === "done") {
        this.#writer.note(result, withDigest(job), job.recipe);
        // A new directory is reported once, when it exists.
        if (!isDirLast) outcomes.push(outcomeOf(job, "done", "", ""));
        continue;
      }
      const code = result.error.reason;
      if (code === "no_space" || code === "read_only") {
        this.#stopped ??= { code, message: result.error.message };
      }
      if (!isDirLast) {
        outcomes.push(outcomeOf(job, result.outcome, code, result.error.message));
      }
    }
    // Files are durable by now; only then may they be remembered, and only then are they done.
    this.#writer.commit();
    for (const outcome of outcomes) this.#options.onOutcome(outcome);
  }

  #failBy(job: Job, error: unknown): void {
    const reason = error instanceof ContentError ? error.reason : reasonOf(error);
    if (reason === undefined) throw error;
    if (error instanceof StoreError) this.#checkFolder();
    const message = reason === "no_space"
      ? "No space is left on the disk for it"
      : messageOf(error);
    if (reason === "no_space" || reason === "read_only") {
      this.#stopped ??= { code: reason, message };
    }
    this.#fail(job, reason, message);
  }

  /** @throws {StoreError} if the folder itself is gone: no file will do better. */
  #checkFolder(): void {
    const { root } = this.#options;
    if (root.lstat(OWN_FOLDER as RelPath) !== undefined) return;
    throw new StoreError("not_found", `Folder ${JSON.stringify(root.path)} is gone`, {
      detail: "it was removed, or its disk taken away, while it was synced",
      hint: "Bring it back, or make it anew, then sync again.",
    });
  }

  #fail(job: Job, code: string, message: string): void {
    job.close?.(false);
    this.#options.onOutcome(
      outcomeOf(job, code === "changed" ? "changed" : "failed", code, message),
    );
  }
}

/** Matches nothing: what was seen is no longer there. */
const NEVER: ExpectedState = { kind: "file", size: -1 };

function outcomeOf(job: Job, result: Outcome["result"], code: string, message: string): Outcome {
  const { index, bytesFetched, bytesReused } = job;
  return { index, result, code, message, bytesFetched, bytesReused };
}

function wantedOf({ path, source, size, mtimeMs, digest, before }: WriteFile): WantedContent {
  const old = before.kind === "file" ? before : undefined;
  return { path, source, size, mtimeMs, digest, old };
}

function diskBytesOf(jobs: readonly Job<WriteFile>[]): number {
  let bytes = 0;
  for (const { operation: { size } } of jobs) {
    bytes += Math.ceil(size / DISK_BLOCK_BYTES) * DISK_BLOCK_BYTES;
  }
  return bytes;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** The operation with what was learned about the contents while they were got. */
function withDigest({ operation, digest }: Job): Operation {
  if (operation.op !== "write-file" || digest === undefined) return operation;
  return { ...operation, digest };
}
