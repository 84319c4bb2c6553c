import { delay } from "../base/clock.ts";
import { type ErrorCode, LandropicError, messageOf } from "../base/errors.ts";
import { CLOSE_CODE } from "../base/wire_codes.ts";
import type { TrustEntry } from "../identity/mod.ts";
import { ConnectionLost, type QuicConnection } from "../quic/mod.ts";
import {
  FolderWatches,
  InitiatorSession,
  NOTHING_DONE,
  type OpenShare,
  roleOfInitiator,
  ShareWatch,
  type SyncObserver,
  type SyncRequest,
  type SyncSummary,
} from "../sync/mod.ts";
import { backoffMs } from "./backoff.ts";
import { isWorthAnotherTry, type ReachOptions } from "./dialer.ts";
import { IndexUpkeep } from "./index_upkeep.ts";
import type { Orchestrator } from "./orchestrator.ts";
import { type ConnectedPeer, isMarked, openOwnFolder } from "./peer_call.ts";
import { watchSilence } from "./peer_silence.ts";
import type { Reached } from "./pool/connection_pool.ts";
import type { PooledPeer } from "./pool/pooled_peer.ts";
import { explainRefusal } from "./refusal.ts";
import { RoundReport } from "./round_report.ts";
import { sessionOptions } from "./session_options.ts";
import { SessionWire } from "./session_wire.ts";
import type { SyncRunSummary } from "./sync_run.ts";

/** How often both sides are compared though nobody has told of a change. */
export const FULL_CHECK_MS = 60_000;
/** The same where this system tells of no changes. */
export const UNWATCHED_CHECK_MS = 10_000;
/** Pause before a folder that another run works on is tried again, on average. */
const LOCK_RETRY_MS = 500;
/** A round is followed by a pause as long as it took, up to this: a busy folder does not keep two cores busy. */
const PAUSE_MS_MAX = 1_000;
/** Rounds in a row that may fail for no reason that is known to pass. */
const FAILURES_MAX = 5;

/** Hears what a watch is doing. */
export interface WatchObserver extends SyncObserver {
  /** The peer is there, at first or again. */
  connected(peer: ConnectedPeer): void;
  /** The peer is gone; once for each absence. */
  disconnected(loss: { peer: string; code: ErrorCode; message: string }): void;
  /** A round is over that changed something or has something to tell; the first one always. */
  round(summary: SyncRunSummary): void;
}

/** What a watch is asked to do. */
export interface WatchRunOptions extends ReachOptions {
  readonly request: SyncRequest;
  /** The local folder. */
  readonly dir: string;
  /** Connections to move many bytes over; chosen if left out. */
  readonly connections?: number | undefined;
  readonly observer: WatchObserver;
  /** Hears what its last round had done, where that broke off and ended the watch. */
  readonly onFailure?: (done: SyncRunSummary) => void;
  /** For tests. */
  readonly fullCheckMs?: number;
}

/**
 * Syncs a folder with a peer again and again: when files change on this side, when the peer says that they
 * do on its side, and from time to time anyway. Holds the connection in between. An absent peer is waited
 * for, however long.
 *
 * @throws {LandropicError} for what no waiting cures: a safety limit, a peer that no longer trusts this
 * device; the signal's reason in the end.
 */
export async function runWatch(
  orchestrator: Orchestrator,
  entry: TrustEntry,
  options: WatchRunOptions,
): Promise<never> {
  const run = new WatchRun(orchestrator, entry, options);
  using _ = run;
  return await run.run();
}

class WatchRun implements Disposable {
  readonly #orchestrator: Orchestrator;
  readonly #options: WatchRunOptions;
  readonly #report: RoundReport;
  readonly #watches: FolderWatches;
  readonly #upkeep: IndexUpkeep;
  #entry: TrustEntry;
  #watch: ShareWatch | undefined;
  #isDirty = true;
  /** When both sides are to be read as a whole again. */
  #checkDueMs = -Infinity;
  #wake = Promise.withResolvers<void>();
  /** A round went through. */
  #hasSynced = false;
  /** The peer was there and is gone. */
  #isLost = false;
  /** What the last round had done, if it broke off. */
  #broken: SyncRunSummary | undefined;
  #failures = 0;
  #losses = 0;

  constructor(orchestrator: Orchestrator, entry: TrustEntry, options: WatchRunOptions) {
    const { clock, logger } = orchestrator.options;
    this.#orchestrator = orchestrator;
    this.#entry = entry;
    this.#options = options;
    this.#report = new RoundReport(options.observer);
    this.#watches = new FolderWatches({ clock, logger });
    this.#upkeep = new IndexUpkeep(() => orchestrator.index(), { clock, logger });
  }

  async run(): Promise<never> {
    try {
      return await this.#run();
    } catch (error) {
      if (this.#broken !== undefined) this.#options.onFailure?.(this.#broken);
      throw error;
    }
  }

  async #run(): Promise<never> {
    const { signal } = this.#options;
    const { pool } = this.#orchestrator;
    let reached = await pool.reach(this.#entry, this.#options);
    for (;;) {
      try {
        await this.#stay(await pool.open(this.#entry, reached));
      } catch (error) {
        signal.throwIfAborted();
        this.#handleLoss(reached.connection, error);
      } finally {
        await reached.connection.close(CLOSE_CODE.normal);
      }
      await delay(backoffMs(this.#losses, Math.random()), signal);
      reached = await this.#reachAgain();
    }
  }

  [Symbol.dispose](): void {
    this.#watch?.[Symbol.dispose]();
    this.#watches[Symbol.dispose]();
  }

  /** As often as it takes; only a bound that the user has set ends it. */
  async #reachAgain(): Promise<Reached> {
    const { signal } = this.#options;
    const options = { ...this.#options, retries: Infinity };
    for (let failures = 1;; failures++) {
      this.#entry = this.#orchestrator.trust.get(this.#entry.fingerprint) ?? this.#entry;
      try {
        return await this.#orchestrator.pool.reach(this.#entry, options);
      } catch (error) {
        signal.throwIfAborted();
        // Somebody else is where the peer was, for now.
        const isStranger = error instanceof LandropicError && error.code === "peer_untrusted";
        if (!isStranger || this.#orchestrator.keysOf(this.#entry).length === 0) throw error;
        await delay(backoffMs(failures, Math.random()), signal);
      }
    }
  }

  /** Rounds over one connection, until it ends or has to be replaced. */
  async #stay(peer: PooledPeer): Promise<void> {
    const { clock } = this.#orchestrator.options;
    const { signal } = this.#options;
    peer.router.onChanged = () => this.#noteChange();
    peer.connected.then((found) => this.#handleConnected(found), () => {});
    using stop = new Stop(signal);
    const ended = peer.group.ended.then((error) => stop.abort(error ?? closed()));
    const wire = new SessionWire(() => peer.wire());
    // What changed there meanwhile was told to nobody.
    this.#isDirty = true;
    this.#checkDueMs = -Infinity;
    try {
      while (peer.isUsable) {
        const isCheck = await this.#untilDue(stop.signal);
        this.#isDirty = false;
        const startMs = clock.nowMs();
        peer.probe();
        const isThrough = await this.#round(peer, { wire, signal: stop.signal, isCheck });
        if (isCheck && isThrough) this.#checkDueMs = startMs + this.#checkMs;
        await delay(Math.min(PAUSE_MS_MAX, clock.nowMs() - startMs), stop.signal);
      }
    } catch (error) {
      // What broke in a session because the connection did is told by the connection.
      if (peer.connection.isClosed) await ended;
      signal.throwIfAborted();
      throw stop.signal.aborted ? stop.signal.reason : error;
    }
  }

  /** @returns True if it went through. */
  async #round(
    peer: PooledPeer,
    on: {
      readonly wire: SessionWire;
      readonly signal: AbortSignal;
      /** Both sides read all there is. */
      readonly isCheck: boolean;
    },
  ): Promise<boolean> {
    const { clock } = this.#orchestrator.options;
    const startMs = clock.nowMs();
    this.#broken = undefined;
    using stop = new Stop(on.signal);
    const { id, session } = peer.router.begin((id) =>
      new InitiatorSession(id, {
        request: {
          ...this.#options.request,
          watch: true,
          whole: on.isCheck,
          // One file that is too large later on does not end the watch.
          fillDisk: this.#options.request.fillDisk || this.#hasSynced,
        },
        observer: this.#report.begin(),
        ...sessionOptions(this.#orchestrator, peer, {
          entry: this.#entry,
          connections: this.#options.connections,
          rateLimit: this.#options.request.rateLimit,
        }),
        onOperation: (operation) => this.#watch?.handleOperation(operation),
        signal: stop.signal,
      })
    );
    on.wire.sessionStart();
    using _silence = watchSilence(this.#orchestrator, this.#entry, { peer, reach: this.#options });
    let share: OpenShare | undefined;
    try {
      const summary = await session.run(peer.group, {
        isNew: !isMarked(this.#options.dir),
        path: this.#options.dir,
        open: async () => share = await this.#openFolder(stop.signal),
        scan: (share) => {
          const { checksum } = this.#options.request;
          return this.#watch!.scan(share, { checksum, isWhole: on.isCheck });
        },
      });
      this.#failures = 0;
      this.#losses = 0;
      this.#hasSynced = true;
      this.#watch?.sessionEnd(share?.index, true);
      this.#tell(summary, {
        ...on.wire.sessionEnd(),
        seconds: (clock.nowMs() - startMs) / 1000,
        connections: peer.group.size,
      });
      return true;
    } catch (error) {
      this.#broken = {
        ...session.summarySoFar ?? NOTHING_DONE,
        ok: false,
        ...on.wire.sessionEnd(),
        seconds: (clock.nowMs() - startMs) / 1000,
        connections: peer.group.size,
      };
      this.#watch?.sessionEnd(share?.index);
      await this.#handleFailure(peer, id, error, on.signal);
      return false;
    } finally {
      peer.endTransfer();
      peer.router.end(id);
    }
  }

  async #openFolder(signal: AbortSignal): Promise<OpenShare> {
    const { dir, request } = this.#options;
    const share = await openOwnFolder(this.#orchestrator, {
      dir,
      role: roleOfInitiator(request.mode, request.dryRun),
      activity: `sync with "${this.#entry.alias}"`,
      // The peer holds its own folder meanwhile: two that wait for each other would wait for ever.
      lockWaitMs: 0,
      signal,
    });
    this.#watch ??= new ShareWatch({
      watches: this.#watches,
      path: dir,
      filters: request.filters,
      clock: this.#orchestrator.options.clock,
      logger: this.#orchestrator.options.logger,
      onChange: () => this.#noteChange(),
    });
    this.#watch.sessionStart();
    return share;
  }

  #tell(
    summary: SyncSummary,
    more: Pick<SyncRunSummary, "wireSent" | "wireReceived" | "seconds" | "connections">,
  ): void {
    // Files that changed under the plan are worth another round.
    if (summary.changed > 0) this.#noteChange();
    if (!this.#report.end(summary)) return;
    const ok = summary.errors === 0 && summary.conflicts === 0;
    this.#options.observer.round({ ...summary, ok, ...more });
  }

  /** Returns if the next round may go better; throws what ends the connection, or the watch. */
  async #handleFailure(
    peer: PooledPeer,
    session: number,
    error: unknown,
    signal: AbortSignal,
  ): Promise<void> {
    signal.throwIfAborted();
    const { logger } = this.#orchestrator.options;
    const code = error instanceof LandropicError ? error.code : undefined;
    const isOpen = code === "failed" && ++this.#failures <= FAILURES_MAX;
    if (code !== "locked" && !isOpen) throw error;
    logger.log(code === "locked" ? "info" : "warn", messageOf(error));
    // It may not know yet, and holds its folder.
    const wireCode = code === "locked" ? "locked" : "failed";
    await peer.group.send({ type: "error", session, code: wireCode, message: messageOf(error) });
    this.#isDirty = true;
    const pauseMs = code === "locked"
      ? LOCK_RETRY_MS * (0.5 + Math.random())
      : backoffMs(this.#failures, Math.random());
    await delay(pauseMs, signal);
  }

  #handleConnected(peer: ConnectedPeer): void {
    this.#isLost = false;
    this.#options.observer.connected(peer);
  }

  /** Says once that the peer is gone. @throws what no waiting cures. */
  #handleLoss(connection: QuicConnection, error: unknown): void {
    if (!isPassing(connection, error)) {
      throw explainRefusal(this.#orchestrator, this.#entry, error);
    }
    this.#losses++;
    if (this.#isLost) return;
    this.#isLost = true;
    const code = error instanceof LandropicError ? error.code : "failed";
    this.#options.observer.disconnected({
      peer: this.#entry.alias,
      code: code === "failed" ? "peer_unreachable" : code,
      message: messageOf(error),
    });
  }

  #noteChange(): void {
    this.#isDirty = true;
    this.#wake.resolve();
  }

  get #checkMs(): number {
    const { fullCheckMs = FULL_CHECK_MS } = this.#options;
    return this.#watch?.hasEvents ? fullCheckMs : Math.min(fullCheckMs, UNWATCHED_CHECK_MS);
  }

  /**
   * Waits for a change, or for the time of a check. Changes come first, since a check takes long in a large
   * folder; one that is overdue comes with the next change.
   *
   * @returns True for a check.
   */
  async #untilDue(signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#orchestrator.options;
    signal.throwIfAborted();
    if (!this.#isDirty) {
      this.#wake = Promise.withResolvers();
      using stop = new Stop(signal);
      const leftMs = Math.max(0, this.#checkDueMs - clock.nowMs());
      const upkeep = this.#upkeep.handlePause(stop.signal);
      try {
        await Promise.race([this.#wake.promise, delay(leftMs, stop.signal)]);
      } finally {
        stop[Symbol.dispose]();
        await upkeep;
      }
    }
    const graceMs = this.#isDirty ? this.#checkMs : 0;
    return clock.nowMs() >= this.#checkDueMs + graceMs;
  }
}

/** Ends with a block, or with the signal it was made of: what is listening to it is let go either way. */
class Stop implements Disposable {
  readonly #controller = new AbortController();
  readonly signal: AbortSignal;

  constructor(outer: AbortSignal) {
    this.signal = AbortSignal.any([outer, this.#controller.signal]);
  }

  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  [Symbol.dispose](): void {
    this.#controller.abort(new LandropicError("interrupted", "It is over"));
  }
}

/** True if the connection broke for a reason that may pass: nobody has refused anybody. */
function isPassing(connection: QuicConnection, error: unknown): boolean {
  if (isWorthAnotherTry(error)) return true;
  if (!connection.isClosed || !(error instanceof ConnectionLost)) return false;
  const { isApplication, code } = error.info;
  return isApplication && code === CLOSE_CODE.normal;
}

function closed(): LandropicError {
  return new LandropicError("peer_unreachable", "The peer closed the connection");
}
