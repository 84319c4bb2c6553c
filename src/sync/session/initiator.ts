import { equalBytes } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { LandropicError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { nextTurn } from "../../base/turn.ts";
import { type Message, ProtocolError, type Request, type SyncAccept } from "../../protocol/mod.ts";
import type { ExecutorOptions } from "../apply/executor_options.ts";
import type { Operation } from "../apply/operation.ts";
import type { SessionLink } from "../link/requester.ts";
import type { DuplexStream } from "../link/transport.ts";
import { hasForgotten, isOutOfStep as isOutOfStepWith } from "../plan/memory_check.ts";
import { type Planned, type PlanOptions, planSync, remembersPlan } from "../plan/planner.ts";
import type { SyncPlan } from "../plan/sync_plan.ts";
import type { IsDone, Plan } from "../reconcile/mod.ts";
import type { Snapshot } from "../scan/snapshot.ts";
import type { OpenShare } from "../share/open_share.ts";
import { Provider } from "../transfer/provider.ts";
import { RateLimiter } from "../transfer/rate_limiter.ts";
import { RemoteShare } from "../transfer/remote_share.ts";
import { abortOf, CHUNKER_ID, endOf } from "./asking_side.ts";
import { CarryingOut, type CarryingOutOptions } from "./carrying_out.ts";
import { refuseOverlap } from "./overlap.ts";
import { PeerAnswers } from "./peer_answers.ts";
import { checkRoom, checkSafety, type PlannedSides } from "./plan_checks.ts";
import { ProblemTeller } from "./problem_teller.ts";
import { Pulse, type PulseTimes } from "./pulse.ts";
import { remember } from "./remembering.ts";
import type { RoutedSession } from "./session_router.ts";
import type { SyncObserver } from "./sync_observer.ts";
import type { SyncRequest } from "./sync_request.ts";
import { NOTHING_DONE, syncResultOf, type SyncSummary } from "./sync_summary.ts";
import { Tally } from "./tally.ts";

/** The initiator's own folder, not opened yet. */
export interface OwnFolder {
  /** Opening it creates something in it, which waits until the peer has accepted the session. */
  readonly isNew: boolean;
  /** Absolute. */
  readonly path: string;
  open(): Promise<OpenShare>;
  /** Reads it, if that is not simply done. */
  scan?(share: OpenShare): Promise<Snapshot>;
}

/** What an {@linkcode InitiatorSession} works with. */
export interface InitiatorOptions {
  readonly request: SyncRequest;
  readonly observer: SyncObserver;
  /** Who the peer is, for messages and for what is remembered of it. */
  readonly peer: PlanOptions["peer"];
  readonly shortIdOf: PlanOptions["shortIdOf"];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Hears of each operation on the own folder, before any is begun. */
  readonly onOperation?: (operation: Operation) => void;
  /** Hears how many file bytes are about to move, both ways together. */
  readonly onTransfer?: (bytes: number) => void;
  /** True if the peer is a process of this machine; taken for granted if left out. */
  readonly isSameMachine?: () => boolean;
  /** For tests, which break off at a step of a commit. */
  readonly onStep?: ExecutorOptions["onStep"];
  /** For tests. */
  readonly times?: Partial<PulseTimes>;
}

/**
 * The planning side of one session: compares both folders, decides everything, then has both sides carry
 * it out. Made before the link exists, since the peer's first words are for it.
 */
export class InitiatorSession implements RoutedSession {
  readonly #options: InitiatorOptions;
  readonly #session: number;
  readonly #answers: PeerAnswers;
  #provider: Provider | undefined;
  #remote: RemoteShare | undefined;
  #pulse: Pulse | undefined;
  #summary: SyncSummary | undefined;
  #tally: Tally | undefined;
  #providerReady = Promise.withResolvers<Provider>();

  constructor(session: number, options: InitiatorOptions) {
    this.#session = session;
    this.#options = options;
    this.#answers = new PeerAnswers(options.peer.name);
  }

  handleMessage(message: Message): void {
    this.#pulse?.handleSign();
    this.#answers.handleMessage(message);
  }

  async handleRequest(request: Request, stream: DuplexStream): Promise<void> {
    if (request.session !== this.#session) throw new ProtocolError("Request for another session");
    this.#pulse?.handleSign();
    const provider = await this.provider;
    await provider.handleRequest(request, stream);
  }

  get provider(): Promise<Provider> {
    return this.#providerReady.promise;
  }

  /** What it has done so far, for when it breaks off; `undefined` before its folder was read. */
  get summarySoFar(): SyncSummary | undefined {
    const summary = this.#summary;
    return summary && {
      ...summary,
      // Of files under way, too. What another connection had to send again is in it twice.
      bytesSent: Math.max(summary.bytesSent, this.#provider?.fileBytes ?? 0),
      bytesReceived: Math.max(summary.bytesReceived, this.#tally?.bytesReceived ?? 0),
    };
  }

  /**
   * Runs the session to its end.
   *
   * @throws {LandropicError} what keeps the whole session from going on; single files are in the summary.
   */
  async run(link: SessionLink, own: OwnFolder): Promise<SyncSummary> {
    const { request, peer, clock, signal } = this.#options;
    using pulse = this.#pulse = this.#newPulse(link);
    const during = this.#answers.untilEnd([endOf(link), abortOf(signal), pulse.givenUp]);
    await during(this.#open(link));
    if (own.isNew) {
      this.#refuseOverlap(own.path, await during(pulse.waitFor(this.#answers.accepted)));
    }
    using share = await own.open();
    await nextTurn();
    const scanning = own.scan?.(share) ??
      share.scan({ checksum: request.checksum, filters: request.filters });
    scanning.catch(() => {});
    const accepted = pulse.waitFor(this.#answers.accepted);
    const [snapshot, accept] = await during(Promise.all([scanning, accepted]));
    this.#refuseOverlap(share.root.path, accept);
    this.#provide(share, snapshot);
    const summary = this.#summary = { ...NOTHING_DONE, files: snapshot.files };
    const teller = this.#tellerOf(snapshot, accept);
    teller.tellOfScans(summary);
    if (this.#isEqual(snapshot, accept)) {
      await during(this.#finish(link, summary));
      return summary;
    }
    const stop = new AbortController();
    const { rateLimit } = request;
    const ended = AbortSignal.any([signal, stop.signal]);
    const remote = this.#remote = new RemoteShare(link, this.#session, ended, { rateLimit });
    const sides = { request, peer, share, snapshot, accept, remote };
    const planOptions = { ...this.#planOptions(sides), signal: ended };
    // In a process that has just started each step takes long: its code is compiled in it.
    await nextTurn();
    const { plan, answers } = await during(this.#plan(planOptions, sides)).catch((error) => {
      // Nobody wants it any more.
      stop.abort(error);
      throw error;
    });
    await nextTurn();
    this.#announce(plan, summary);
    teller.tellOfPlan(plan, summary);
    if (request.dryRun) { for (const item of plan.items) this.#options.observer.item(item); }
    checkSafety(plan, sides);
    if (!request.fillDisk) await during(checkRoom(plan, sides));
    if (!request.dryRun) {
      this.#options.onTransfer?.(plan.bytesToSend + plan.bytesToReceive);
      const by = { ...sides, answers, link, signal: ended, stop };
      const carryingOut = this.#carryOut(plan, summary, by);
      const isDone = await during(carryingOut).catch(async (error) => {
        // The folder is not let go of while anything works in it.
        stop.abort(error);
        await carryingOut.catch(() => {});
        throw error;
      });
      if (remembersPlan(planOptions)) {
        const by = { link, session: this.#session, peerId: peer.id, clock };
        const remembering = remember(plan, isDone, { ...sides, ...by });
        await during(pulse.waitFor(remembering));
      }
    }
    await during(this.#finish(link, summary));
    return summary;
  }

  /** Leaves small files to be compared when their turn comes, where what is safe does not depend on them. */
  async #plan(options: PlanOptions, sides: PlannedSides): Promise<Planned> {
    const { dryRun, checksum } = options;
    if (dryRun || checksum) return await planSync(options);
    const planned = await planSync({ ...options, comparesLater: true });
    if (toCompare(planned.plan) === 0) return planned;
    try {
      checkSafety(planned.plan, sides);
      return planned;
    } catch (error) {
      if (!(error instanceof LandropicError)) throw error;
      // All of them may be the same.
      return await planSync(options);
    }
  }

  /** The initiator leads: as long as it goes on at all it is at work, if only to wait. */
  #newPulse(link: SessionLink): Pulse {
    const { peer, clock, times } = this.#options;
    return new Pulse(link, {
      session: this.#session,
      peerName: peer.name,
      clock,
      isWorking: () => true,
      isWaiting: () => (this.#remote?.questions ?? 0) > 0,
      progress: () =>
        (this.#remote?.readings ?? 0) + (this.#provider?.fileBytes ?? 0) +
        (this.#tally?.bytesReceived ?? 0),
      times,
    });
  }

  async #open(link: SessionLink): Promise<void> {
    const { request } = this.#options;
    await link.send({
      type: "sync-open",
      session: this.#session,
      share: request.share,
      mode: request.mode,
      checksum: request.checksum,
      run: request.run,
      chunker: CHUNKER_ID,
      versions: request.versions,
      compress: request.compress,
      dryRun: request.dryRun,
      watch: request.watch ?? false,
      rateLimit: request.rateLimit ?? 0,
      whole: request.whole ?? false,
    });
  }

  #provide(share: OpenShare, snapshot: Snapshot): void {
    const { request: { compress, rateLimit }, clock, signal } = this.#options;
    this.#provider = new Provider({
      root: share.root,
      snapshot,
      content: share.content,
      index: share.index,
      compress,
      limiter: rateLimit ? new RateLimiter(rateLimit, { clock, signal }) : undefined,
    });
    this.#providerReady.resolve(this.#provider);
  }

  #refuseOverlap(path: string, accept: SyncAccept): void {
    const { peer, isSameMachine = () => true } = this.#options;
    refuseOverlap(path, accept, { peer: peer.name, isSameMachine });
  }

  #tellerOf(snapshot: Snapshot, accept: SyncAccept): ProblemTeller {
    const { request: { mode }, peer, observer, logger } = this.#options;
    return new ProblemTeller({
      mode,
      snapshot,
      accept,
      peerName: peer.name,
      observer,
      logger,
    });
  }

  /** Equal trees need no plan; both ways there may still be a first agreement to remember. */
  #isEqual(snapshot: Snapshot, accept: SyncAccept): boolean {
    return this.#options.request.mode !== "two-way" && equalBytes(snapshot.shape, accept.shape);
  }

  #planOptions({ request, peer, share, snapshot, accept, remote }: PlannedSides): PlanOptions {
    const { shortIdOf, clock, signal } = this.#options;
    const isOutOfStep = isOutOfStepWith(share.index, peer.id, accept);
    if (request.mode === "two-way") this.#sayWhatIsForgotten(share, accept, isOutOfStep);
    const sides = { share, snapshot, accept, remote, peer, shortIdOf, isOutOfStep };
    return { ...request, ...sides, clock, signal };
  }

  /** Why deletions don't travel this once, to whom that matters. */
  #sayWhatIsForgotten(share: OpenShare, accept: SyncAccept, isOutOfStep: boolean): void {
    const { logger, peer } = this.#options;
    const { index } = share;
    const isCopy = index.voided === "folder_copied" || index.voided === "folder_replaced";
    const what = isCopy
      ? "This folder is a copy, or was restored"
      : isOutOfStep
      ? `This device and "${peer.name}" remember different states, as after a restored backup`
      : hasForgotten(index, peer.id, accept)
      ? `The folder on "${peer.name}" is a copy, or was restored, or what was known of it is lost`
      : undefined;
    if (what === undefined) return;
    logger.log("warn", `${what}: both sides are united, and nothing is deleted`);
  }

  #announce(plan: Plan, summary: SyncSummary): void {
    const { observer } = this.#options;
    summary.conflicts = plan.conflicts.length;
    observer.plan({
      send: plan.send,
      receive: plan.receive,
      delete: plan.deletions.local + plan.deletions.remote,
      rename: plan.renames,
      adjust: plan.adjustments,
      compare: toCompare(plan),
      conflicts: plan.conflicts.length,
      bytes: plan.bytesToSend + plan.bytesToReceive,
    });
    for (const conflict of plan.conflicts) observer.conflict(conflict);
  }

  #carryOut(
    plan: SyncPlan,
    summary: SyncSummary,
    on: Pick<CarryingOutOptions, "answers" | "link" | "share" | "remote" | "signal" | "stop">,
  ): Promise<IsDone> {
    const { request, peer, observer, clock, onOperation, onStep } = this.#options;
    const provider = this.#provider!;
    const telling = { observer, provider, clock, peerName: peer.name };
    const tally = this.#tally = new Tally(plan, summary, telling);
    const carryingOut = new CarryingOut(plan, {
      ...on,
      request,
      session: this.#session,
      provider,
      pulse: this.#pulse!,
      tally,
      clock,
      onOperation,
      onStep,
    });
    return carryingOut.run();
  }

  async #finish(link: SessionLink, summary: SyncSummary): Promise<void> {
    await link.send(syncResultOf(this.#session, summary));
    await this.#pulse!.waitFor(this.#answers.acked);
  }
}

/** Files that the plan leaves to be compared. */
function toCompare({ local, remote }: SyncPlan): number {
  return local.countToCompare + remote.countToCompare;
}
