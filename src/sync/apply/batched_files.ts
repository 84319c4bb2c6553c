import { equalBytes } from "../../base/bytes.ts";
import { type Digest, digestKey } from "../../base/digest.ts";
import type { DigestLocation } from "../../index/mod.ts";
import { GET_FILES_MAX } from "../../protocol/mod.ts";
import { decodeRecipe, type Recipe, type StagedFile } from "../../store/mod.ts";
import { type ContentGetter, StagingSink } from "../delta/mod.ts";
import { decodeFailure } from "../lane/lane_failure.ts";
import type { LaneFetcher } from "../lane/lane_fetcher.ts";
import { URGENCY } from "../link/transport.ts";
import type { ExecutorOptions } from "./executor_options.ts";
import { type Job, wantedOf } from "./job.ts";
import type { JobPipeline } from "./job_pipeline.ts";
import type { WriteFile } from "./operation.ts";
import type { Room } from "./room.ts";

/**
 * Files in the first request, and in each that follows up to twice as many: the peer is to be at work while
 * the other operations are understood, and this side while the peer still sends.
 */
const FIRST_REQUEST_FILES = 32;
const REQUEST_FILES_AIM = GET_FILES_MAX / 2;
/** Bytes of small files in one request. */
const REQUEST_BYTES_AIM = 4 * 1024 * 1024;
/** Even the smallest file takes about so much. */
const DISK_BLOCK_BYTES = 4096;

/** What {@linkcode BatchedFiles} work with. */
export interface BatchedFilesOptions
  extends Pick<ExecutorOptions, "root" | "remote" | "signal" | "onBytes"> {
  readonly getter: ContentGetter;
  readonly lanes: LaneFetcher | undefined;
  readonly room: Room;
  readonly pipeline: JobPipeline;
  /** Gets each file that there is no room for now. */
  readonly onNoRoom: (job: Job<WriteFile>) => void;
}

/** Gets small files, many in one request: those at hand by a copy, the others from a lane or the peer. */
export class BatchedFiles {
  readonly #options: BatchedFilesOptions;
  readonly #getter: ContentGetter;
  readonly #pipeline: JobPipeline;
  #next: Job<WriteFile>[] = [];
  #nextBytes = 0;
  #filesAim = FIRST_REQUEST_FILES;

  constructor(options: BatchedFilesOptions) {
    this.#options = options;
    this.#getter = options.getter;
    this.#pipeline = options.pipeline;
  }

  /** True if no file is left for the next request. */
  get isEmpty(): boolean {
    return this.#next.length === 0;
  }

  /** Takes a file for the next request. @returns True once that is worth sending. */
  add(job: Job<WriteFile>): boolean {
    this.#next.push(job);
    this.#nextBytes += job.operation.size;
    return this.#next.length >= this.#filesAim || this.#nextBytes >= REQUEST_BYTES_AIM;
  }

  /** Gets what was added since the last time. */
  getNext(): Promise<void> {
    const jobs = this.#next;
    this.#next = [];
    this.#nextBytes = 0;
    this.#filesAim = Math.min(2 * this.#filesAim, REQUEST_FILES_AIM);
    return this.#get(jobs);
  }

  async #get(jobs: readonly Job<WriteFile>[]): Promise<void> {
    const { remote, signal, onBytes, onNoRoom } = this.#options;
    const room = await this.#options.room.take(diskBytesOf(jobs));
    using _ = room;
    if (room === undefined) return jobs.forEach((job) => onNoRoom(job));
    const missing = await this.#getByLane(await this.#copyAtHand(jobs));
    if (missing.length === 0) return;
    using sink = new StagingSink(missing.map(({ operation }) => operation.size), {
      open: (at) => {
        const { operation } = missing[at]!;
        return this.#getter.stageForBatch(wantedOf(operation), operation.mode);
      },
      onBytes: (at, bytes) => {
        signal.throwIfAborted();
        missing[at]!.bytesFetched += bytes;
        onBytes(bytes);
      },
      onStaged: (at, staged, recipe) => {
        this.#takeFetched(missing[at]!, staged, recipe);
        return this.#pipeline.isReady ? undefined : this.#pipeline.ready();
      },
      onFailed: (at, error) => {
        this.#getter.dropFromBatch(wantedOf(missing[at]!.operation));
        this.#pipeline.failBy(missing[at]!, error);
      },
    });
    const wanted = missing.map(({ operation: { source, size, mtimeMs } }) => ({
      path: source,
      offset: 0,
      size,
      mtimeMs,
    }));
    await remote.getFiles(wanted, sink, URGENCY.smallFiles);
  }

  /** Has a lane get what it can; gives back the rest. */
  async #getByLane(jobs: readonly Job<WriteFile>[]): Promise<readonly Job<WriteFile>[]> {
    const { lanes, root, onBytes } = this.#options;
    if (lanes === undefined || jobs.length === 0) return jobs;
    const missing = new Set(jobs);
    const files = jobs.map(({ operation: { source: path, size, mtimeMs, mode } }) => ({
      path,
      size,
      mtimeMs,
      mode,
    }));
    await lanes.getFiles(files, (report) => {
      const job = jobs[report.index]!;
      missing.delete(job);
      job.bytesFetched += report.bytes;
      onBytes(report.bytes);
      if ("failure" in report) return this.#pipeline.failBy(job, decodeFailure(report.failure));
      this.#takeFetched(job, root.takeOver(report.file), decodeRecipe(report.recipe));
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
      this.#pipeline.addStaged(job, staged);
    } catch (error) {
      this.#pipeline.failBy(job, error);
    }
    return true;
  }

  #takeFetched(job: Job<WriteFile>, staged: StagedFile, recipe: Recipe): void {
    const { digest } = job.operation;
    if (digest !== undefined && !equalBytes(digest, recipe.digest)) {
      staged[Symbol.dispose]();
      this.#getter.dropFromBatch(wantedOf(job.operation));
      const message = "The contents that came are not those announced";
      return this.#pipeline.fail(job, "changed", message);
    }
    job.recipe = recipe;
    try {
      this.#pipeline.addStaged(job, staged);
    } catch (error) {
      this.#pipeline.failBy(job, error);
    }
  }
}

function diskBytesOf(jobs: readonly Job<WriteFile>[]): number {
  let bytes = 0;
  for (const { operation: { size } } of jobs) {
    bytes += Math.ceil(size / DISK_BLOCK_BYTES) * DISK_BLOCK_BYTES;
  }
  return bytes;
}
