import type { ContentGetter, WantedContent } from "../delta/mod.ts";
import { type Job, wantedOf } from "./job.ts";
import type { JobPipeline } from "./job_pipeline.ts";
import type { CopyFile, WriteFile } from "./operation.ts";
import type { Room } from "./room.ts";
import { WaitingFiles } from "./waiting_files.ts";

/** What {@linkcode SingleFiles} work with. */
export interface SingleFilesOptions {
  readonly getter: ContentGetter;
  readonly room: Room;
  readonly pipeline: JobPipeline;
  readonly signal: AbortSignal;
}

/** Gets files one by one: those worth a look at what is at hand, and those that waited for room. */
export class SingleFiles {
  readonly #getter: ContentGetter;
  readonly #room: Room;
  readonly #pipeline: JobPipeline;
  readonly #signal: AbortSignal;
  readonly #waiting: WaitingFiles<Job<WriteFile>>;

  constructor({ getter, room, pipeline, signal }: SingleFilesOptions) {
    this.#getter = getter;
    this.#room = room;
    this.#pipeline = pipeline;
    this.#signal = signal;
    this.#waiting = new WaitingFiles(room, getter);
  }

  /** Makes a file out of another one of the share. */
  async copy(job: Job<CopyFile>): Promise<void> {
    const { from, digest, size } = job.operation;
    try {
      const { atHand } = this.#getter;
      const staged = await atHand.copy(digest, size) ?? await atHand.copyChecked(from, digest);
      if (staged === undefined) {
        return this.#pipeline.fail(job, "changed", "The file to copy has changed");
      }
      job.bytesReused = size;
      this.#pipeline.addStaged(job, staged);
    } catch (error) {
      return this.#pipeline.failBy(job, error);
    }
    await this.#pipeline.ready();
  }

  /** Gets a file, or has it wait for room on the disk. */
  async getIfRoom(job: Job<WriteFile>, wanted: WantedContent): Promise<void> {
    const room = await this.#room.take(this.#getter.diskBytesFor(wanted));
    using _ = room;
    if (room === undefined) return this.wait(job);
    await this.#get(job, wanted);
  }

  /** Puts a file off until all others are through. */
  wait(job: Job<WriteFile>): void {
    const { size } = job.operation;
    if (!this.#waiting.add(job, wantedOf(job.operation))) this.#failForRoom(job, size);
  }

  /** True if there are files that wait for room. */
  get areWaiting(): boolean {
    return !this.#waiting.isEmpty;
  }

  /** Gets what there is room for by now. */
  async getWaiting(): Promise<void> {
    for await (const { item: job, wanted, bytes, hasRoom } of this.#waiting.inTurn()) {
      this.#signal.throwIfAborted();
      const { stopped } = this.#pipeline;
      if (stopped?.code === "read_only") this.#pipeline.fail(job, "read_only", stopped.message);
      else if (!hasRoom || stopped !== undefined) this.#failForRoom(job, bytes);
      else await this.#get(job, wanted);
    }
  }

  async #get(job: Job<WriteFile>, wanted: WantedContent): Promise<void> {
    try {
      const got = await this.#getter.get(wanted, job);
      job.close = got.close;
      job.digest = got.digest;
      if (got.recipe !== undefined) job.recipe = got.recipe;
      this.#pipeline.addStaged(job, got.staged);
    } catch (error) {
      return this.#pipeline.failBy(job, error);
    }
    await this.#pipeline.ready();
  }

  #failForRoom(job: Job<WriteFile>, bytes: number): void {
    const free = Math.max(0, this.#room.freeBytes);
    const message = `It takes ${megabytes(bytes)} more, and ${
      megabytes(free)
    } are free on the disk`;
    this.#pipeline.fail(job, "no_space", message);
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
