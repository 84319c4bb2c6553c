import { messageOf } from "../../base/errors.ts";
import { OWN_FOLDER, type RelPath } from "../../base/paths.ts";
import {
  type Change,
  type ChangeResult,
  CommitPipeline,
  reasonOf,
  type StagedFile,
  StoreError,
} from "../../store/mod.ts";
import { ContentError } from "../delta/mod.ts";
import type { ExecutorOptions } from "./executor_options.ts";
import { IndexWriter } from "./index_writer.ts";
import { type Job, outcomeOf, withDigest } from "./job.ts";
import type { CopyFile, Outcome, WriteFile } from "./operation.ts";

/**
 * The end that every job comes to: puts what it changes into place, remembers that in the index, and tells
 * its outcome once it is final. Disposing it drops what is not in place yet.
 */
export class JobPipeline implements AsyncDisposable {
  readonly #options: ExecutorOptions;
  readonly #commits: CommitPipeline;
  readonly #writer: IndexWriter;
  readonly #jobs = new Map<Change, Job>();
  #stopped: { readonly code: string; readonly message: string } | undefined;

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#writer = new IndexWriter(options.index, options);
    this.#commits = new CommitPipeline(options.root, {
      fsync: options.fsync,
      versionsMax: options.versionsMax,
      wallMs: () => options.clock.wallMs(),
      onBatch: (results) => this.#handleBatch(results),
      ...(options.onStep && { onStep: options.onStep }),
    });
  }

  /** Why nothing more can be written, where that is so. */
  get stopped(): { readonly code: string; readonly message: string } | undefined {
    return this.#stopped;
  }

  /** True if {@linkcode ready} has nothing to wait for, and nothing to throw. */
  get isReady(): boolean {
    return this.#commits.isReady;
  }

  /** Waits while too much is on its way to the disk. @throws What ended the session. */
  ready(): Promise<void> {
    return this.#commits.ready();
  }

  /** Waits until all that was added is in place, and told. @throws What ended the session. */
  flush(): Promise<void> {
    return this.#commits.flush();
  }

  /** Adds what is to change for a job. */
  add(job: Job, change: Change): void {
    this.#jobs.set(change, job);
    this.#commits.add(change);
  }

  /** Adds a file that is complete; it is closed where that fails. */
  addStaged(job: Job<WriteFile | CopyFile>, staged: StagedFile): void {
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
    this.add(job, {
      kind: "file",
      path,
      staged,
      expected: job.expected!,
      keep: this.#options.keep,
    });
  }

  /** Ends a job that nothing was added for. */
  fail(job: Job, code: string, message: string): void {
    job.close?.(false);
    const { onOutcome, onFailure } = this.#options;
    if (code !== "changed") onFailure?.(job.operation.path, message);
    onOutcome(outcomeOf(job, code === "changed" ? "changed" : "failed", code, message));
  }

  /** As {@linkcode fail}. @throws The error itself, where it is not of this job alone. */
  failBy(job: Job, error: unknown): void {
    const reason = error instanceof ContentError ? error.reason : reasonOf(error);
    if (reason === undefined) throw error;
    if (error instanceof StoreError) this.#checkFolder();
    const message = reason === "no_space"
      ? "No space is left on the disk for it"
      : messageOf(error);
    if (reason === "no_space" || reason === "read_only") {
      this.#stopped ??= { code: reason, message };
    }
    this.fail(job, reason, message);
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
      const { reason: code, message } = result.error;
      if (code === "no_space" || code === "read_only") {
        this.#stopped ??= { code, message };
      }
      if (result.outcome === "failed") this.#options.onFailure?.(job.operation.path, message);
      if (!isDirLast) outcomes.push(outcomeOf(job, result.outcome, code, message));
    }
    // Files are durable by now; only then may they be remembered, and only then are they done.
    this.#writer.commit();
    for (const outcome of outcomes) this.#options.onOutcome(outcome);
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#commits[Symbol.asyncDispose]();
  }
}
