import { delay } from "../base/clock.ts";
import { LandropicError, messageOf } from "../base/errors.ts";
import type { TrustEntry } from "../identity/mod.ts";
import {
  InitiatorSession,
  NOTHING_DONE,
  roleOfInitiator,
  type SyncObserver,
  type SyncRequest,
  type SyncSummary,
} from "../sync/mod.ts";
import { backoffMs } from "./backoff.ts";
import { isWorthAnotherTry, type ReachOptions } from "./dialer.ts";
import type { Orchestrator } from "./orchestrator.ts";
import { noticeProgress, Outage } from "./outage.ts";
import { type ConnectedPeer, isMarked, openOwnFolder } from "./peer_call.ts";
import { watchSilence } from "./peer_silence.ts";
import type { Reached } from "./pool/connection_pool.ts";
import type { PooledPeer } from "./pool/pooled_peer.ts";
import { explainRefusal } from "./refusal.ts";
import { sessionOptions } from "./session_options.ts";
import type { WireCounters } from "./session_wire.ts";

/** Sessions that a run spends on files which change while they are synced. */
const ROUNDS_MAX = 3;
const LOCK_RETRY_MS = 250;

/** What a run of `sync` is asked to do. */
export interface SyncRunOptions extends ReachOptions {
  readonly request: SyncRequest;
  /** The local folder. */
  readonly dir: string;
  readonly lockWaitMs: number;
  /** Connections to move many bytes over; chosen if left out. */
  readonly connections?: number | undefined;
  readonly observer: SyncObserver & { connected(peer: ConnectedPeer): void };
  /** Hears what was done until then, where the run fails. */
  readonly onFailure?: (done: SyncRunSummary) => void;
}

/** What a run did, over all its sessions and connections. */
export interface SyncRunSummary extends SyncSummary {
  ok: boolean;
  /** UDP payload bytes. */
  wireSent: number;
  wireReceived: number;
  seconds: number;
  connections: number;
}

/**
 * Syncs one folder with one peer: reaches it, runs a session, and goes on where it was when the connection
 * breaks. What changed while it was synced gets another session.
 */
export async function runSync(
  orchestrator: Orchestrator,
  entry: TrustEntry,
  options: SyncRunOptions,
): Promise<SyncRunSummary> {
  return await new SyncRun(orchestrator, entry, options).run();
}

interface Before extends WireCounters {
  readonly connections: number;
}

const NOTHING_BEFORE: Before = { sentBytes: 0, receivedBytes: 0, connections: 0 };

class SyncRun {
  readonly #orchestrator: Orchestrator;
  readonly #entry: TrustEntry;
  readonly #options: SyncRunOptions;
  readonly #startMs: number;
  #peer: PooledPeer | undefined;
  /** What the connection had done before this run. */
  #before: Before = NOTHING_BEFORE;
  #connections = 0;
  #wireSent = 0;
  #wireReceived = 0;
  readonly #outage: Outage;
  /** Of all sessions so far, those that broke off among them. */
  #total: SyncSummary | undefined;

  constructor(orchestrator: Orchestrator, entry: TrustEntry, options: SyncRunOptions) {
    this.#orchestrator = orchestrator;
    this.#entry = entry;
    this.#options = options;
    this.#outage = new Outage(options);
    this.#startMs = orchestrator.options.clock.nowMs();
  }

  async run(): Promise<SyncRunSummary> {
    try {
      await this.#rounds().finally(() => this.#leave());
      await (await this.#orchestrator.index()).collectGarbage({ signal: this.#options.signal });
    } catch (error) {
      this.#options.onFailure?.({ ...this.#summary(), ok: false });
      throw error;
    }
    return this.#summary();
  }

  #summary(): SyncRunSummary {
    const total = this.#total ?? NOTHING_DONE;
    return {
      ...total,
      ok: total.errors === 0 && total.conflicts === 0,
      wireSent: this.#wireSent,
      wireReceived: this.#wireReceived,
      seconds: (this.#orchestrator.options.clock.nowMs() - this.#startMs) / 1000,
      connections: this.#connections,
    };
  }

  async #rounds(): Promise<void> {
    for (let round = 1; round <= ROUNDS_MAX; round++) {
      await this.#sessionWithRetries();
      if (this.#total!.changed === 0 || this.#options.request.dryRun) return;
    }
  }

  async #sessionWithRetries(): Promise<void> {
    const { signal, lockWaitMs } = this.#options;
    const { clock, logger } = this.#orchestrator.options;
    const lockDeadlineMs = clock.nowMs() + lockWaitMs;
    for (;;) {
      const reached = this.#peer?.isUsable ? undefined : await this.#reach();
      try {
        if (reached !== undefined) await this.#enter(reached);
        return await this.#session(this.#peer!);
      } catch (error) {
        signal.throwIfAborted();
        if (isLocked(error) && clock.nowMs() < lockDeadlineMs) {
          await delay(LOCK_RETRY_MS, signal);
          continue;
        }
        if (!isWorthAnotherTry(error) || !this.#outage.handleLoss()) {
          throw explainRefusal(this.#orchestrator, this.#entry, error);
        }
        logger.log("warn", `connection with "${this.#entry.alias}" broke, going on where it was`);
        const pauseMs = backoffMs(this.#outage.failures, Math.random());
        this.#outage.handleWait(pauseMs);
        await delay(pauseMs, signal);
      }
    }
  }

  async #reach(): Promise<Reached> {
    await this.#leave();
    const { pool, options: { clock } } = this.#orchestrator;
    const startMs = clock.nowMs();
    const reached = await pool.reach(this.#entry, { ...this.#options, ...this.#outage.left });
    this.#outage.handleWait(clock.nowMs() - startMs);
    return reached;
  }

  async #enter(reached: Reached): Promise<void> {
    const peer = this.#peer = await this.#orchestrator.pool.open(this.#entry, reached);
    // The handshake of a new connection is this run's, too.
    this.#before = reached.peer === undefined
      ? NOTHING_BEFORE
      : { ...peer.wire(), connections: peer.connections - 1 };
    peer.connected.then(this.#options.observer.connected, () => {});
  }

  /** Gives the connection back. */
  async #leave(): Promise<void> {
    const peer = this.#peer;
    if (peer === undefined) return;
    this.#peer = undefined;
    const { sentBytes, receivedBytes } = peer.wire();
    this.#wireSent += sentBytes - this.#before.sentBytes;
    this.#wireReceived += receivedBytes - this.#before.receivedBytes;
    this.#connections += peer.connections - this.#before.connections;
    await this.#orchestrator.pool.release(peer);
  }

  async #session(peer: PooledPeer): Promise<void> {
    const { request, observer, dir, lockWaitMs, signal } = this.#options;
    const { id, session } = peer.router.begin((id) =>
      new InitiatorSession(id, {
        request,
        observer: noticeProgress(observer, () => this.#outage.handleProgress()),
        ...sessionOptions(this.#orchestrator, peer, {
          entry: this.#entry,
          connections: this.#options.connections,
          rateLimit: this.#options.request.rateLimit,
        }),
        signal,
      })
    );
    const stop = new AbortController();
    using _silence = watchSilence(this.#orchestrator, this.#entry, {
      peer,
      reach: this.#options,
    });
    let summary: SyncSummary | undefined;
    try {
      summary = await session.run(peer.group, {
        isNew: !request.dryRun && !isMarked(dir),
        path: dir,
        open: () =>
          openOwnFolder(this.#orchestrator, {
            dir,
            role: roleOfInitiator(request.mode, request.dryRun),
            untouched: request.dryRun,
            activity: `sync with "${this.#entry.alias}"`,
            lockWaitMs,
            signal: AbortSignal.any([signal, stop.signal]),
          }),
      });
    } catch (error) {
      // The peer may not know yet, and holds its folder.
      if (!isLocked(error)) await peer.close();
      else {
        const message = messageOf(error);
        await peer.group.send({ type: "error", session: id, code: "locked", message })
          .catch(() => {});
      }
      throw error;
    } finally {
      this.#total = addUp(this.#total, summary ?? session.summarySoFar);
      stop.abort();
      peer.endTransfer();
      peer.router.end(id);
    }
  }
}

function isLocked(error: unknown): boolean {
  return error instanceof LandropicError && error.code === "locked";
}

/** @param b What came after `a`. */
function addUp(a: SyncSummary | undefined, b: SyncSummary | undefined): SyncSummary | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return {
    sent: a.sent + b.sent,
    received: a.received + b.received,
    deleted: a.deleted + b.deleted,
    renamed: a.renamed + b.renamed,
    adjusted: a.adjusted + b.adjusted,
    conflicts: Math.max(a.conflicts, b.conflicts),
    // What failed in the first session and went well in the next is no error of the run.
    errors: b.errors,
    bytesSent: a.bytesSent + b.bytesSent,
    bytesReceived: a.bytesReceived + b.bytesReceived,
    bytesReused: a.bytesReused + b.bytesReused,
    files: b.files,
    changed: b.changed,
  };
}
