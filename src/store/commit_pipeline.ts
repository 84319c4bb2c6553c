import {
  BATCH_TIME_MS,
  type Change,
  type ChangeResult,
  CommitBatch,
  type CommitOptions,
} from "./commit_batch.ts";
import type { Root } from "./root.ts";
import { Keeper } from "./trash.ts";

/** Batches flushing or waiting to, besides the one being filled. */
const BATCHES_WAITING_MAX = 2;
/**
 * Files in the first batch, and in each that follows twice as many: files come slowly at first, and a few are
 * in place before the last of them has come.
 */
const FIRST_BATCH_FILES = 32;

/** What a pipeline takes besides the options of each batch. */
export interface PipelineOptions extends Omit<CommitOptions, "keeper"> {
  /**
   * Gets the results of each batch, in the order of the batches, and commits them to the index. The
   * next batch's names change only when it is done.
   */
  readonly onBatch: (results: ChangeResult[]) => void | Promise<void>;
  /** How long a batch waits for more; {@linkcode BATCH_TIME_MS} if left out. */
  readonly delayMs?: number;
  /** The wall clock, for the dates in the trash. */
  readonly wallMs?: () => number;
}

/**
 * Cuts a stream of changes into batches: full by count or bytes, or a moment old. While one batch is
 * flushed to the disk the next one fills; names change strictly in order.
 */
export class CommitPipeline implements AsyncDisposable {
  readonly #root: Root;
  readonly #options: PipelineOptions;
  readonly #keeper: Keeper;
  #filling: CommitBatch | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Ends when the last batch cut has been handed over. Never rejects. */
  #tail: Promise<void> = Promise.resolve();
  #waiting = 0;
  #filesAim = FIRST_BATCH_FILES;
  #wakers: (() => void)[] = [];
  #failure: { error: unknown } | undefined;

  constructor(root: Root, options: PipelineOptions) {
    this.#root = root;
    this.#options = options;
    this.#keeper = new Keeper(root, options.wallMs ?? Date.now);
  }

  /** Adds a change; the pipeline owns its staged file from now on. */
  add(change: Change): void {
    this.#filling ??= this.#begin();
    this.#filling.add(change);
    const isEnough = change.kind === "file" && this.#filling.size >= this.#filesAim;
    if (isEnough) this.#filesAim *= 2;
    if (isEnough || this.#filling.isFull) this.#cut();
  }

  /** True if {@linkcode ready} has nothing to wait for, and nothing to throw. */
  get isReady(): boolean {
    return this.#waiting <= BATCHES_WAITING_MAX && this.#failure === undefined;
  }

  /**
   * Waits while too much is on its way to the disk; call it between changes.
   *
   * @throws What `onBatch` threw.
   */
  async ready(): Promise<void> {
    while (this.#waiting > BATCHES_WAITING_MAX && this.#failure === undefined) {
      await new Promise<void>((resolve) => this.#wakers.push(resolve));
    }
    this.#throwFailure();
  }

  /**
   * Commits what has been added and waits until all of it has been handed over.
   *
   * @throws What `onBatch` threw.
   */
  async flush(): Promise<void> {
    this.#cut();
    await this.#tail;
    this.#throwFailure();
  }

  /** Waits for what is on its way; what has not been cut off yet is discarded. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    this.#filling?.[Symbol.dispose]();
    this.#filling = undefined;
    await this.#tail;
  }

  #begin(): CommitBatch {
    this.#timer = setTimeout(() => this.#cut(), this.#options.delayMs ?? BATCH_TIME_MS);
    return new CommitBatch(this.#root, { ...this.#options, keeper: this.#keeper });
  }

  #cut(): void {
    clearTimeout(this.#timer);
    const batch = this.#filling;
    if (batch === undefined) return;
    this.#filling = undefined;
    this.#waiting++;
    this.#tail = this.#finish(batch, { flushed: batch.flushData(), before: this.#tail });
  }

  async #finish(
    batch: CommitBatch,
    { flushed, before }: { flushed: Promise<void>; before: Promise<void> },
  ): Promise<void> {
    try {
      // Both waited for, whichever fails: nothing of a batch may run on unattended.
      await Promise.allSettled([flushed, before]);
      await flushed;
      // After a failure of the index nothing more is made visible.
      if (this.#failure === undefined) await this.#options.onBatch(await batch.apply());
    } catch (error) {
      this.#failure ??= { error };
    } finally {
      batch[Symbol.dispose]();
      this.#waiting--;
      for (const wake of this.#wakers.splice(0)) wake();
    }
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
