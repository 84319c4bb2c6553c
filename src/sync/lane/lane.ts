import { LandropicError } from "../../base/errors.ts";
import { CLOSE_CODE } from "../../base/wire_codes.ts";
import { ProtocolError } from "../../protocol/mod.ts";
import { discardHanded } from "../../store/mod.ts";
import { errorOfStatus } from "../delta/content_error.ts";
import type { Provider } from "../transfer/provider.ts";
import { decodeFailure } from "./lane_failure.ts";
import type { FileReport, FromLane, JobEnd, LaneJob, LaneStats, ToLane } from "./lane_messages.ts";

/** A busy thread answers within tens of milliseconds. */
const CLOSE_TIMEOUT_MS = 3000;

/** Finds what a session sends from. */
export interface Providers {
  /** Waits until the session knows what it may send; `undefined` for one that is over. */
  providerOf(session: number): Promise<Provider | undefined>;
}

/** Hears of a job on its way. What a handler throws calls the job off and is thrown by `run`. */
export interface JobEvents {
  /** A file was staged, or will not come. Others wait until this resolves. */
  report?(report: FileReport): Promise<void> | void;
  /** Bytes from the front that are written. */
  written?(bytes: number): void;
  chunks?(chunks: readonly number[], bytes: number): void;
}

/** How a {@linkcode Lane} reaches its thread. */
export interface LaneOptions {
  readonly post: (message: ToLane) => void;
  readonly providers: Providers;
}

interface RunningJob {
  readonly events: JobEvents;
  readonly ended: PromiseWithResolvers<JobEnd>;
  /** Reports are handled one after the other. */
  handling: Promise<void>;
  failure: { readonly error: unknown } | undefined;
}

/**
 * A lane as the session's thread sees it: takes jobs, asks what the peer may have, and ends. The other
 * half is {@linkcode LaneHost}, in a thread of its own.
 */
export class Lane {
  readonly #options: LaneOptions;
  readonly #jobs = new Map<number, RunningJob>();
  readonly #pings = new Map<number, () => void>();
  readonly #ended = Promise.withResolvers<Error | undefined>();
  #stats: LaneStats = { sentBytes: 0, receivedBytes: 0, sentPackets: 0, receivedPackets: 0 };
  #next = 1;
  #serving = 0;
  #isEnded = false;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** Jobs that run, and answers to the peer. */
  get load(): number {
    return this.#jobs.size + this.#serving;
  }

  /** Jobs that run. */
  get jobs(): number {
    return this.#jobs.size;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Resolves when its connection has ended: with the reason, or `undefined` for a wanted end. */
  get ended(): Promise<Error | undefined> {
    return this.#ended.promise;
  }

  /** As {@linkcode ended}. */
  get closed(): Promise<unknown> {
    return this.#ended.promise;
  }

  /** As it told last. */
  stats(): LaneStats {
    return this.#stats;
  }

  /**
   * Has a job done.
   *
   * @returns How it ended; `cut` if the rest is to be asked for elsewhere, never a failure of the file.
   * @throws {ContentError} {@linkcode StoreError} if the file of the job can't be had or written.
   * @throws {ProtocolError} if the peer broke the protocol.
   * @throws What an event handler throws, and the signal's reason.
   */
  async run(
    job: LaneJob,
    { signal, events }: { readonly signal: AbortSignal; readonly events: JobEvents },
  ): Promise<Exclude<JobEnd, { kind: "status" | "failure" | "protocol" }>> {
    if (this.#isEnded || signal.aborted) {
      if ("target" in job) discardHanded(job.target);
      signal.throwIfAborted();
      return { kind: "cut", why: "The lane has ended" };
    }
    const id = this.#next++;
    const running: RunningJob = {
      events,
      ended: Promise.withResolvers(),
      handling: Promise.resolve(),
      failure: undefined,
    };
    this.#jobs.set(id, running);
    const cancel = () => this.#post({ type: "cancel", id });
    signal.addEventListener("abort", cancel, { once: true });
    this.#post({ type: "job", id, job });
    try {
      const end = await running.ended.promise;
      await running.handling;
      if (running.failure !== undefined) throw running.failure.error;
      signal.throwIfAborted();
      switch (end.kind) {
        case "status":
          throw errorOfStatus(end.status);
        case "failure":
          throw decodeFailure(end.failure);
        case "protocol":
          throw new ProtocolError(end.message);
        default:
          return end;
      }
    } finally {
      signal.removeEventListener("abort", cancel);
    }
  }

  /** Has all jobs end where they are: their rest is fetched elsewhere. */
  callOff(): void {
    for (const id of this.#jobs.keys()) this.#post({ type: "cancel", id });
  }

  /** Asks the peer whether it is there. Resolves with its answer, rejects with the end of the lane. */
  async ping(): Promise<void> {
    const id = this.#next++;
    const answered = new Promise<void>((resolve) => this.#pings.set(id, resolve));
    this.#post({ type: "ping", id });
    await Promise.race([answered, this.ended]);
    if (this.#isEnded) throw new LandropicError("peer_unreachable", "Connection ended");
  }

  /** Ends the connection. A thread that does not answer is waited for no longer than it may take. */
  async close(code: number = CLOSE_CODE.normal, error?: Error): Promise<void> {
    if (this.#isEnded) return;
    this.#post({ type: "close", code });
    if (error !== undefined) this.handleEnd(error);
    const timer = setTimeout(() => this.handleEnd(undefined), CLOSE_TIMEOUT_MS);
    await this.ended;
    clearTimeout(timer);
  }

  /** Takes what the thread says. */
  handleMessage(message: FromLane): void {
    switch (message.type) {
      case "reports":
        return this.#handleReports(message.id, message.reports);
      case "written":
        return this.#tell(message.id, ({ written }) => written?.(message.bytes));
      case "chunks":
        return this.#tell(message.id, ({ chunks }) => chunks?.(message.chunks, message.bytes));
      case "end":
        this.#jobs.get(message.id)?.ended.resolve(message.end);
        return void this.#jobs.delete(message.id);
      case "ask":
        this.#serving++;
        return void this.#grant(message);
      case "answered":
        return void this.#serving--;
      case "find":
        return void this.#find(message);
      case "served":
        return void this.#count(message);
      case "pong":
        this.#pings.get(message.id)?.();
        return void this.#pings.delete(message.id);
      case "stats":
        this.#stats = message.stats;
    }
  }

  /** The thread has ended, or its connection. */
  handleEnd(error: Error | undefined): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    for (const { ended } of this.#jobs.values()) {
      ended.resolve({ kind: "cut", why: "The lane ended" });
    }
    this.#jobs.clear();
    for (const resolve of this.#pings.values()) resolve();
    this.#ended.resolve(error);
  }

  /** Once the lane has ended its thread may serve another peer, whose requests have the same numbers. */
  #post(message: ToLane): void {
    if (!this.#isEnded) this.#options.post(message);
  }

  #handleReports(id: number, reports: readonly FileReport[]): void {
    const job = this.#jobs.get(id);
    if (job === undefined) {
      for (const report of reports) if ("file" in report) discardHanded(report.file);
      return this.#post({ type: "taken", count: reports.length });
    }
    job.handling = job.handling.then(async () => {
      for (const report of reports) {
        if (job.failure !== undefined) {
          if ("file" in report) discardHanded(report.file);
          continue;
        }
        try {
          const pending = job.events.report?.(report);
          if (pending !== undefined) await pending;
        } catch (error) {
          this.#fail(id, job, error);
        }
      }
      this.#post({ type: "taken", count: reports.length });
    });
  }

  #tell(id: number, tell: (events: JobEvents) => void): void {
    const job = this.#jobs.get(id);
    if (job === undefined || job.failure !== undefined) return;
    try {
      tell(job.events);
    } catch (error) {
      this.#fail(id, job, error);
    }
  }

  #fail(id: number, job: RunningJob, error: unknown): void {
    job.failure ??= { error };
    this.#post({ type: "cancel", id });
  }

  async #grant({ id, request }: FromLane & { type: "ask" }): Promise<void> {
    try {
      const provider = await this.#options.providers.providerOf(request.session);
      const grant = provider?.grant(request);
      this.#post({ type: "grant", id, grant });
    } catch (error) {
      if (error instanceof ProtocolError) await this.close(CLOSE_CODE.protocolError, error);
      else this.#post({ type: "grant", id, grant: undefined });
    }
  }

  async #find({ id, session, path }: FromLane & { type: "find" }): Promise<void> {
    const provider = await this.#options.providers.providerOf(session).catch(() => undefined);
    this.#post({ type: "found", id, file: provider?.find(path) });
  }

  async #count({ session, bytes, paths }: FromLane & { type: "served" }): Promise<void> {
    const provider = await this.#options.providers.providerOf(session).catch(() => undefined);
    provider?.countBytes(bytes);
    for (const path of paths) provider?.countFile(path);
  }
}
