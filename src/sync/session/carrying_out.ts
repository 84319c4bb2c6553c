import type { Clock } from "../../base/clock.ts";
import { sendOperations } from "../apply/apply_stream.ts";
import { Executor } from "../apply/executor.ts";
import type { ExecutorOptions } from "../apply/executor_options.ts";
import type { Operation } from "../apply/operation.ts";
import type { SessionLink } from "../link/requester.ts";
import { type DuplexStream, URGENCY } from "../link/transport.ts";
import type { DigestAnswers } from "../plan/digest_answers.ts";
import { LateComparison } from "../plan/late_comparison.ts";
import type { Side, SyncPlan } from "../plan/sync_plan.ts";
import type { IsDone } from "../reconcile/mod.ts";
import type { OpenShare } from "../share/open_share.ts";
import type { Provider } from "../transfer/provider.ts";
import type { RemoteShare } from "../transfer/remote_share.ts";
import { abortOf } from "./asking_side.ts";
import { keepFor } from "./kept_files.ts";
import type { Pulse } from "./pulse.ts";
import type { SyncRequest } from "./sync_request.ts";
import type { Tally } from "./tally.ts";

const PROGRESS_INTERVAL_MS = 100;
/** Own operations that are decoded at once. */
const PORTION_OPERATIONS = 256;

/** What a {@linkcode CarryingOut} works with. */
export interface CarryingOutOptions {
  readonly request: SyncRequest;
  readonly link: SessionLink;
  readonly session: number;
  readonly share: OpenShare;
  readonly remote: RemoteShare;
  /** Serves the peer what it is to write. */
  readonly provider: Provider;
  readonly pulse: Pulse;
  /** Of what the plan leaves to be compared. */
  readonly answers: DigestAnswers;
  /** Hears of each outcome. */
  readonly tally: Tally;
  readonly clock: Clock;
  /** Ends it; follows `stop`, too. */
  readonly signal: AbortSignal;
  /** Ends all that is under way for this plan, once a part of it has failed. */
  readonly stop: AbortController;
  /** Hears of each operation on the own folder, before any is begun. */
  readonly onOperation?: ((operation: Operation) => void) | undefined;
  readonly onStep?: ExecutorOptions["onStep"];
}

/** Has both sides do what a plan says, side by side. */
export class CarryingOut {
  readonly #plan: SyncPlan;
  readonly #options: CarryingOutOptions;
  readonly #comparison: LateComparison;

  constructor(plan: SyncPlan, options: CarryingOutOptions) {
    this.#plan = plan;
    this.#options = options;
    const { answers, tally } = options;
    const onSame = (side: Side, index: number) => tally.noteSame(side, index);
    this.#comparison = new LateComparison({ answers, onSame });
  }

  /** Runs to the end of it; when it fails, nothing works in the own folder any more. */
  async run(): Promise<IsDone> {
    const { share, tally, signal, stop } = this.#options;
    const timer = setInterval(() => tally.report(), PROGRESS_INTERVAL_MS);
    const isDone = new AbortController();
    const sent = Promise.withResolvers<void>();
    let tidying: Promise<void> | undefined;
    let executing: Promise<void> | undefined;
    try {
      const work: Promise<void>[] = [];
      this.#tellOfLocal();
      if (this.#plan.remote.length > 0) {
        work.push(this.#sendRemote(await this.#openRemote(), sent.resolve));
      }
      if (this.#plan.local.length > 0) work.push(executing = this.#executeLocal());
      // Not while the peer still waits for operations.
      else tidying = sent.promise.then(() => share.tidy(isDone.signal));
      await Promise.race([Promise.all(work), abortOf(signal)]);
    } catch (error) {
      stop.abort(error);
      await Promise.allSettled([executing]);
      throw error;
    } finally {
      clearInterval(timer);
      isDone.abort();
      sent.resolve();
      await tidying;
    }
    return tally.finish();
  }

  #tellOfLocal(): void {
    const { provider, onOperation } = this.#options;
    for (const operation of this.#plan.local) {
      onOperation?.(operation);
      if (operation.op === "move") provider.addMove(operation.from, operation.path);
    }
  }

  #openRemote(): Promise<DuplexStream> {
    const { link, session, pulse } = this.#options;
    return pulse.waitFor(link.request({ kind: "apply", session }, URGENCY.plan));
  }

  #sendRemote(stream: DuplexStream, onSent: () => void): Promise<void> {
    const { request, pulse, tally } = this.#options;
    const parts = this.#comparison.parts(this.#plan.remote, "remote");
    const sending = sendOperations(stream, parts, {
      compress: request.compress,
      onSent,
      onOutcome: (outcome) => {
        pulse.handleSign();
        tally.take("remote", outcome);
      },
    });
    return pulse.waitFor(sending);
  }

  #executeLocal(): Promise<void> {
    const { request, link, share, remote, tally, clock, signal, onStep } = this.#options;
    const executor = new Executor({
      root: share.root,
      index: share.index,
      member: share.member,
      content: share.content,
      remote,
      lanes: link,
      keep: keepFor(request.mode, request.versions),
      versionsMax: request.versions,
      fsync: true,
      clock,
      signal,
      onOutcome: (outcome) => tally.take("local", outcome),
      onBytes: (bytes) => tally.received(bytes),
      ...(onStep && { onStep }),
    });
    return executor.run(this.#comparison.parts(this.#plan.local, "local", PORTION_OPERATIONS));
  }
}
