import { equalBytes } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import { nextTurn } from "../../base/turn.ts";
import {
  BlockWriter,
  type Message,
  ProtocolError,
  type Request,
  type SyncAccept,
  type SyncMode,
} from "../../protocol/mod.ts";
import { sendOperations } from "../apply/apply_stream.ts";
import { Executor } from "../apply/executor.ts";
import type { ExecutorOptions } from "../apply/executor_options.ts";
import type { Operation } from "../apply/operation.ts";
import type { SessionLink } from "../link/requester.ts";
import { type DuplexStream, URGENCY } from "../link/transport.ts";
import { type Agreement, peerFolder, storeAgreement, writeAgreement } from "../plan/agreement.ts";
import { isOutOfStep as isOutOfStepWith } from "../plan/memory_check.ts";
import { type PlanOptions, planSync, remembersPlan } from "../plan/planner.ts";
import { checkSpace } from "../plan/space.ts";
import { checkDeletions, checkReplacements, type DeleteLimit } from "../plan/safety.ts";
import type { IsDone, Plan } from "../reconcile/mod.ts";
import type { PlanConflict, PlanItem, Side, SyncPlan } from "../plan/sync_plan.ts";
import type { Snapshot } from "../scan/snapshot.ts";
import type { OpenShare, ShareRole } from "../share/open_share.ts";
import { Provider } from "../transfer/provider.ts";
import { Tally } from "./tally.ts";
import { diskBytesOf } from "../transfer/disk_bytes.ts";
import { RateLimiter } from "../transfer/rate_limiter.ts";
import { RemoteShare } from "../transfer/remote_share.ts";
import { abortOf, CHUNKER_ID, endOf, errorFromPeer, untilFailure } from "./asking_side.ts";
import { keepFor } from "./kept_files.ts";
import { refuseOverlap } from "./overlap.ts";
import { ProblemTeller } from "./problem_teller.ts";
import { Pulse, type PulseTimes } from "./pulse.ts";
import type { RoutedSession } from "./session_router.ts";

const PROGRESS_INTERVAL_MS = 100;
/** Own operations that are decoded at once. */
const PORTION_OPERATIONS = 256;

/** What a sync is asked to do. */
export interface SyncRequest {
  /** "" for the peer's default or only share. */
  readonly share: string;
  readonly mode: Exclude<SyncMode, "compare">;
  /** One way: delete what the source does not have. */
  readonly deleteExtra: boolean;
  readonly deleteLimit: DeleteLimit;
  /** Both ways: go on though every file of a side has changed since the last sync. */
  readonly replaceAll?: boolean;
  /** Go on though not all of it fits on the disk. */
  readonly fillDisk?: boolean;
  readonly dryRun: boolean;
  readonly checksum: boolean;
  /** Earlier versions to keep; 0 for none. */
  readonly versions: number;
  readonly conflict: PlanOptions["conflict"];
  readonly compress: boolean;
  /** Hear of later changes of the peer's share, as long as the connection lasts. */
  readonly watch?: boolean;
  /** Have the peer read all of its share again, also what it watches. */
  readonly whole?: boolean;
  /** Bytes a second each way; no limit if left out. */
  readonly rateLimit?: number | undefined;
  /** Ignore rules of the command line, weakest first. */
  readonly filters: readonly string[];
  readonly run: string;
}

/** Hears what a session is doing. */
export interface SyncObserver {
  /** The plan stands; nothing has changed yet. */
  plan(
    sums: {
      send: number;
      receive: number;
      delete: number;
      rename: number;
      /** Folders to make or remove, permissions and times to set. */
      adjust: number;
      conflicts: number;
      bytes: number;
    },
  ): void;
  /** One line, in the plan's order: when it is done, or, in a dry run, would be. */
  item(item: PlanItem): void;
  conflict(conflict: PlanConflict): void;
  fileError(error: { path: string; pathBytes?: Uint8Array; code: string; message: string }): void;
  /** `rate` is in bytes a second, over the last few seconds. */
  progress(
    now: { files: number; totalFiles: number; bytes: number; totalBytes: number; rate: number },
  ): void;
}

/** What a session did. `sent` and `received` count files and links, seen from the initiator. */
export interface SyncSummary {
  sent: number;
  received: number;
  deleted: number;
  renamed: number;
  /** Folders made or removed, permissions and times set. */
  adjusted: number;
  conflicts: number;
  errors: number;
  bytesSent: number;
  bytesReceived: number;
  bytesReused: number;
  /** Files in the synced folder. */
  files: number;
  /** Paths that changed under the plan; another session may succeed with them. */
  changed: number;
}

/** What a session has done that got no further than to reach its peer. */
export const NOTHING_DONE: SyncSummary = {
  sent: 0,
  received: 0,
  deleted: 0,
  renamed: 0,
  adjusted: 0,
  conflicts: 0,
  errors: 0,
  bytesSent: 0,
  bytesReceived: 0,
  bytesReused: 0,
  files: 0,
  changed: 0,
};

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
  readonly #accepted = Promise.withResolvers<SyncAccept>();
  readonly #acked = Promise.withResolvers<void>();
  readonly #failed = Promise.withResolvers<never>();
  #provider: Provider | undefined;
  #remote: RemoteShare | undefined;
  #pulse: Pulse | undefined;
  #summary: SyncSummary | undefined;
  #tally: Tally | undefined;
  #providerReady = Promise.withResolvers<Provider>();

  constructor(session: number, options: InitiatorOptions) {
    this.#session = session;
    this.#options = options;
    for (const waiting of [this.#accepted, this.#acked, this.#failed, this.#providerReady]) {
      waiting.promise.catch(() => {});
    }
  }

  handleMessage(message: Message): void {
    this.#pulse?.handleSign();
    switch (message.type) {
      case "sync-accept":
        return this.#accepted.resolve(message);
      case "sync-ack":
        return this.#acked.resolve();
      case "error":
        return this.#failed.reject(errorFromPeer(message, this.#options.peer.name));
      case "working":
      case "changed":
      case "go-away":
        return;
      default:
        throw new ProtocolError(`Message ${message.type} is not for the syncing side`);
    }
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
    const { request, signal } = this.#options;
    using pulse = this.#pulse = this.#newPulse(link);
    const failure = Promise.race([
      this.#failed.promise,
      endOf(link),
      abortOf(signal),
      pulse.givenUp,
    ]);
    failure.catch(() => {});
    const during = <T>(work: Promise<T>): Promise<T> =>
      untilFailure(work, failure, this.#options.peer.name);
    await during(this.#open(link));
    if (own.isNew) {
      this.#refuseOverlap(own.path, await during(pulse.waitFor(this.#accepted.promise)));
    }
    using share = await own.open();
    await nextTurn();
    const scanning = own.scan?.(share) ??
      share.scan({ checksum: request.checksum, filters: request.filters });
    scanning.catch(() => {});
    const accepted = pulse.waitFor(this.#accepted.promise);
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
    const planOptions = { ...this.#planOptions(share, snapshot, accept, remote), signal: ended };
    // In a process that has just started each step takes long: its code is compiled in it.
    await nextTurn();
    const plan = await during(planSync(planOptions)).catch((error) => {
      // Nobody wants it any more.
      stop.abort(error);
      throw error;
    });
    await nextTurn();
    this.#announce(plan, summary);
    teller.tellOfPlan(plan, summary);
    if (request.dryRun) { for (const item of plan.items) this.#options.observer.item(item); }
    this.#checkSafety(plan, { snapshot, accept, share });
    if (!request.fillDisk) await during(this.#checkSpace(plan, { accept, share, remote }));
    if (!request.dryRun) {
      this.#options.onTransfer?.(plan.bytesToSend + plan.bytesToReceive);
      const carryingOut = this.#carryOut(plan, link, share, { remote, summary, stop });
      const isDone = await during(carryingOut).catch(async (error) => {
        // The folder is not let go of while anything works in it.
        stop.abort(error);
        await carryingOut.catch(() => {});
        throw error;
      });
      if (remembersPlan(planOptions)) {
        const remembering = this.#remember(plan, isDone, { link, share, snapshot, accept });
        await during(pulse.waitFor(remembering));
      }
    }
    await during(this.#finish(link, summary));
    return summary;
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

  #planOptions(
    share: OpenShare,
    snapshot: Snapshot,
    accept: SyncAccept,
    remote: RemoteShare,
  ): PlanOptions {
    const { request, peer, shortIdOf, clock, signal } = this.#options;
    const isOutOfStep = isOutOfStepWith(share.index, peer.id, accept);
    if (request.mode === "two-way") this.#sayWhatIsForgotten(share, isOutOfStep);
    const sides = { share, snapshot, accept, remote, peer, shortIdOf, isOutOfStep };
    return { ...request, ...sides, clock, signal };
  }

  /** Why deletions don't travel this once, to whom that matters. */
  #sayWhatIsForgotten(share: OpenShare, isOutOfStep: boolean): void {
    const { logger, peer } = this.#options;
    const { voided } = share.index;
    const isCopy = voided === "folder_copied" || voided === "folder_replaced";
    if (!isOutOfStep && !isCopy) return;
    const what = isCopy
      ? "This folder is a copy, or was restored"
      : `This device and "${peer.name}" remember different states, as after a restored backup`;
    logger.log("warn", `${what}: both sides are united, and nothing is deleted`);
  }

  #checkSafety(
    plan: SyncPlan,
    { snapshot, accept, share }: { snapshot: Snapshot; accept: SyncAccept; share: OpenShare },
  ): void {
    const { request, peer } = this.#options;
    const sides = {
      local: { name: "this device", files: snapshot.files },
      remote: { name: `"${peer.name}"`, files: accept.files },
    };
    checkDeletions(plan, request.deleteLimit, sides);
    if (request.mode !== "two-way" || request.replaceAll) return;
    // Folders that never were in step may differ as they like.
    if (share.index.ancestor(peerFolder(peer.id, accept.rootId)) === undefined) return;
    checkReplacements(plan, sides);
  }

  async #checkSpace(
    plan: SyncPlan,
    { accept, share, remote }: {
      readonly accept: SyncAccept;
      readonly share: OpenShare;
      readonly remote: RemoteShare;
    },
  ): Promise<void> {
    const { request: { mode, versions }, peer } = this.#options;
    const freesDeleted = keepFor(mode, versions) === "none";
    await checkSpace(plan, {
      local: {
        name: "this device",
        get freeBytes() {
          return share.freeBytes;
        },
        freesDeleted,
        diskBytesOf: (sources) => remote.getDiskBytes(sources),
      },
      remote: {
        name: `"${peer.name}"`,
        freeBytes: accept.freeBytes,
        freesDeleted,
        diskBytesOf: (sources) =>
          Promise.resolve(sources.map((path) => diskBytesOf(share.root, path))),
      },
    });
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
      conflicts: plan.conflicts.length,
      bytes: plan.bytesToSend + plan.bytesToReceive,
    });
    for (const conflict of plan.conflicts) observer.conflict(conflict);
  }

  async #carryOut(
    plan: SyncPlan,
    link: SessionLink,
    share: OpenShare,
    by: { remote: RemoteShare; summary: SyncSummary; stop: AbortController },
  ): Promise<IsDone> {
    const { request, clock } = this.#options;
    const { remote, summary, stop } = by;
    const signal = AbortSignal.any([this.#options.signal, stop.signal]);
    const tally = this.#tally = new Tally(plan, summary, {
      observer: this.#options.observer,
      provider: this.#provider!,
      clock,
    });
    const timer = setInterval(() => tally.report(), PROGRESS_INTERVAL_MS);
    let executing: Promise<void> | undefined;
    try {
      const work: Promise<void>[] = [];
      for (const operation of plan.local) {
        this.#options.onOperation?.(operation);
        if (operation.op === "move") this.#provider!.addMove(operation.from, operation.path);
      }
      if (plan.remote.length > 0) {
        const pulse = this.#pulse!;
        const opening = link.request({ kind: "apply", session: this.#session }, URGENCY.plan);
        const stream = await pulse.waitFor(opening);
        const sending = sendOperations(stream, plan.remote.framed(), {
          compress: request.compress,
          onOutcome: (outcome) => {
            pulse.handleSign();
            tally.take("remote", outcome);
          },
        });
        work.push(pulse.waitFor(sending));
      }
      if (plan.local.length > 0) {
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
          ...(this.#options.onStep && { onStep: this.#options.onStep }),
        });
        work.push(executing = executor.run(plan.local.portions(PORTION_OPERATIONS)));
      }
      await Promise.race([Promise.all(work), abortOf(signal)]);
    } catch (error) {
      stop.abort(error);
      await Promise.allSettled([executing]);
      throw error;
    } finally {
      clearInterval(timer);
    }
    return tally.finish();
  }

  /** Both sides remember what they now have in common, each durably, the responder first. */
  async #remember(
    plan: Plan,
    isDone: IsDone,
    on: { link: SessionLink; share: OpenShare; snapshot: Snapshot; accept: SyncAccept },
  ): Promise<void> {
    const { link, share, snapshot, accept } = on;
    const settlement = plan.settle(isDone);
    const folder = peerFolder(this.#options.peer.id, accept.rootId);
    const known = share.index.ancestor(folder);
    const { stamps } = settlement;
    const isNew = stamps.local.length + stamps.remote.length > 0 || !known ||
      !equalBytes(known.shape, settlement.root);
    if (!isNew) return;
    const agreementFor = (side: Side): Agreement => ({
      rootId: share.rootId,
      root: settlement.root,
      pages: [...settlement.pages.values()],
      adopted: settlement.adopted,
      stamps: stamps[side],
    });
    const stream = await link.request({ kind: "remember", session: this.#session }, URGENCY.plan);
    const out = new BlockWriter((bytes) => stream.send.write(bytes), { compress: true });
    await writeAgreement(out, agreementFor("remote"));
    await out.finish();
    await stream.send.finish();
    // The answer is the end of the stream: it is on the peer's disk.
    while (await stream.recv.read(new Uint8Array(16)) !== null);
    storeAgreement(share.index, folder, agreementFor("local"), {
      snapshot,
      clock: this.#options.clock,
    });
  }

  async #finish(link: SessionLink, summary: SyncSummary): Promise<void> {
    const {
      sent,
      received,
      bytesSent,
      bytesReceived,
      bytesReused,
      deleted,
      renamed,
      adjusted,
      conflicts,
      errors,
    } = summary;
    await link.send({
      type: "sync-result",
      session: this.#session,
      ok: errors === 0 && conflicts === 0,
      files: sent + received,
      bytesSent,
      bytesReceived,
      bytesReused,
      deleted,
      renamed,
      adjusted,
      conflicts,
      errors,
    });
    await this.#pulse!.waitFor(this.#acked.promise);
  }
}

/** How a session uses the initiator's own folder. */
export function roleOfInitiator(mode: SyncMode, dryRun: boolean): ShareRole {
  if (mode === "push" || mode === "compare" || dryRun) return "source";
  return mode === "pull" ? "target" : "both";
}
