import type { RelPath } from "../../base/paths.ts";
import { nextTurn } from "../../base/turn.ts";
import type { Expected, ExpectedState } from "../../store/mod.ts";
import { ContentGetter } from "../delta/mod.ts";
import { LaneFetcher } from "../lane/lane_fetcher.ts";
import { BatchedFiles } from "./batched_files.ts";
import type { ExecutorOptions } from "./executor_options.ts";
import { expectedAt } from "./expected_state.ts";
import { type Job, wantedOf } from "./job.ts";
import { JobPipeline } from "./job_pipeline.ts";
import type { CopyFile, Operation, WriteFile } from "./operation.ts";
import { Room } from "./room.ts";
import { RunningWork } from "./running_work.ts";
import { SingleFiles } from "./single_files.ts";

/** Requests for bytes under way at once. */
const REQUESTS_MAX = 8;

/**
 * Carries out operations on one share: pulls the bytes it lacks, stages, flushes and renames them into
 * place, and reports each outcome when it is durable. Every operation is checked against what is really
 * there right before it is done; what does not fit is left alone and reported.
 *
 * Cost of a small file: 2 µs of bookkeeping here, one part in 256 of a request, the store's 20 µs.
 */
export class Executor {
  readonly #options: ExecutorOptions;
  readonly #pipeline: JobPipeline;
  readonly #getter: ContentGetter;
  readonly #singles: SingleFiles;
  readonly #batches: BatchedFiles;
  readonly #work = new RunningWork(REQUESTS_MAX);
  /** Ends what is under way once one thing has failed for good. */
  readonly #abort = new AbortController();
  readonly #dirsLast: Job[] = [];
  #phase: Operation["op"] | undefined;

  constructor(given: ExecutorOptions) {
    const signal = AbortSignal.any([given.signal, this.#abort.signal]);
    const options = this.#options = { ...given, signal };
    const { lanes: threads, root, remote } = options;
    const lanes = threads &&
      new LaneFetcher({ lanes: threads, root, session: remote.session, signal });
    const room = new Room(() => root.space().freeBytes);
    const getter = this.#getter = new ContentGetter({
      ...options,
      lanes,
      onBytes: (bytes) => {
        room.handleBytes(bytes);
        options.onBytes(bytes);
      },
    });
    const pipeline = this.#pipeline = new JobPipeline(options);
    const singles = this.#singles = new SingleFiles({ getter, room, pipeline, signal });
    this.#batches = new BatchedFiles({
      ...options,
      getter,
      lanes,
      room,
      pipeline,
      onNoRoom: (job) => singles.wait(job),
    });
  }

  /**
   * Takes operations, in portions of any size, in the order of {@linkcode Operation} until there are no
   * more, and sees them through. Failures of single operations are outcomes; what is thrown is the end of the session.
   */
  async run(
    portions: AsyncIterable<Iterable<Operation>> | Iterable<Iterable<Operation>>,
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
      await this.#getAll();
      // New directories have to be there; others can wait for the same flush as what is in them.
      if (this.#dirsLast.some(({ operation }) => operation.op === "make-dir")) {
        await this.#pipeline.flush();
      }
      this.#finishDirs();
      await this.#pipeline.flush();
    } catch (error) {
      this.#abort.abort(error);
      getter[Symbol.dispose]();
      // Nothing may go on working in the folder when its owner is told that this is over.
      await this.#work.settle();
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
    const phase = this.#phaseOf(job.operation);
    if (phase === this.#phase && this.#pipeline.isReady) return this.#begin(job);
    return this.#enterPhase(phase).then(() => this.#begin(job));
  }

  /** A file that turned out to be the same on both sides gets its attributes among those that are written. */
  #phaseOf({ op, before }: Operation): Operation["op"] {
    const isAside = op === "set-attributes" && before.kind === "file" &&
      this.#phase === "write-file";
    return isAside ? "write-file" : op;
  }

  #begin(job: Job): Promise<void> | undefined {
    const { operation } = job;
    const { stopped } = this.#pipeline;
    // What is to go needs no room, and may make some.
    if (stopped !== undefined && operation.op !== "remove") {
      this.#pipeline.fail(job, stopped.code, stopped.message);
      return undefined;
    }
    switch (operation.op) {
      case "make-dir":
        this.#pipeline.add(job, {
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
        this.#pipeline.add(job, {
          kind: "move",
          from: operation.from,
          path: operation.path,
          expected: this.#expected(operation, operation.from) as ExpectedState,
        });
        return undefined;
      case "copy-file":
        job.expected = this.#expected(operation);
        return this.#work.start(this.#singles.copy(job as Job<CopyFile>));
      case "write-file":
        // Now, in the order of the tree: contents come in any order, and each look into another directory
        // has its price.
        job.expected = this.#expected(operation);
        return this.#write(job as Job<WriteFile>);
      case "make-link":
        this.#pipeline.add(job, {
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
        this.#pipeline.add(job, {
          kind: "remove",
          path: operation.path,
          expected: this.#expected(operation) as ExpectedState,
          keep: this.#options.keep,
        });
        return undefined;
    }
  }

  #expected({ path, before }: Operation, at: RelPath = path): Expected {
    return expectedAt(at, before, this.#options);
  }

  #write(job: Job<WriteFile>): Promise<void> | undefined {
    const wanted = wantedOf(job.operation);
    this.#getter.noteWanted(wanted);
    if (!this.#getter.isForBatch(wanted)) {
      return this.#work.start(this.#singles.getIfRoom(job, wanted));
    }
    return this.#batches.add(job) ? this.#sendBatch() : undefined;
  }

  async #sendBatch(): Promise<void> {
    if (this.#batches.isEmpty) return;
    await this.#work.start(this.#batches.getNext());
    // What was asked for is on its way while the next operations are understood.
    await nextTurn();
  }

  /** Sees one kind of operation through before the next kind begins: later ones rely on it. */
  async #enterPhase(op: Operation["op"]): Promise<void> {
    await this.#pipeline.ready();
    if (op === this.#phase) return;
    const isWorking = !this.#work.isIdle || !this.#batches.isEmpty;
    // Names change in the order they are added; only what is read from the disk must be there before.
    if (isWorking || this.#phase === "move") await this.#settle();
    this.#phase = op;
  }

  async #settle(): Promise<void> {
    await this.#getAdded();
    await this.#pipeline.flush();
  }

  /** Gets what is wanted so far, as far as there is room for it. */
  async #getAdded(): Promise<void> {
    await this.#sendBatch();
    await this.#work.finish();
  }

  /** Gets the rest, and what has waited for room. */
  async #getAll(): Promise<void> {
    await this.#getAdded();
    if (!this.#singles.areWaiting) return;
    // Room is what the others leave.
    await this.#pipeline.flush();
    await this.#singles.getWaiting();
    await this.#getAdded();
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
    this.#pipeline.add(job, {
      kind: "attributes",
      path: operation.path,
      expected: operation.op === "make-dir"
        ? { kind: "dir" }
        : this.#expected(operation) as ExpectedState,
      ...(mode !== undefined && { mode }),
      ...(mtimeMs !== undefined && { mtimeMs }),
    });
  }
}
