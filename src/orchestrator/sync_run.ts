import { existsSync } from "node:fs";
import { join } from "node:path";
import { delay } from "../base/clock.ts";
import { LandropicError } from "../base/errors.ts";
import { OWN_FOLDER } from "../base/paths.ts";
import { shortId, type TrustEntry } from "../identity/mod.ts";
import type { ConnectionStats, QuicConnection } from "../quic/mod.ts";
import {
  InitiatorSession,
  roleOfInitiator,
  type SyncObserver,
  type SyncRequest,
  type SyncSummary,
} from "../sync/mod.ts";
import { backoffMs } from "./backoff.ts";
import { isWorthAnotherTry, type ReachOptions, reachPeer } from "./dialer.ts";
import type { Orchestrator } from "./orchestrator.ts";
import { callPeer, type ConnectedPeer, openOwnFolder } from "./peer_call.ts";
import { explainRefusal } from "./refusal.ts";

/** Sessions that a run spends on files which change while they are synced. */
const ROUNDS_MAX = 3;
const LOCK_RETRY_MS = 250;

/** What a run of `sync` is asked to do. */
export interface SyncRunOptions extends ReachOptions {
  readonly request: SyncRequest;
  /** The local folder. */
  readonly dir: string;
  readonly lockWaitMs: number;
  readonly observer: SyncObserver & { connected(peer: ConnectedPeer): void };
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

class SyncRun {
  readonly #orchestrator: Orchestrator;
  readonly #entry: TrustEntry;
  readonly #options: SyncRunOptions;
  readonly #startMs: number;
  #nextSession = 1;
  #connections = 0;
  #wireSent = 0;
  #wireReceived = 0;
  #failures = 0;

  constructor(orchestrator: Orchestrator, entry: TrustEntry, options: SyncRunOptions) {
    this.#orchestrator = orchestrator;
    this.#entry = entry;
    this.#options = options;
    this.#startMs = orchestrator.options.clock.nowMs();
  }

  async run(): Promise<SyncRunSummary> {
    let total: SyncSummary | undefined;
    for (let round = 1;; round++) {
      const summary = await this.#sessionWithRetries();
      total = total === undefined ? summary : addUp(total, summary);
      if (total.changed === 0 || round === ROUNDS_MAX || this.#options.request.dryRun) break;
    }
    await (await this.#orchestrator.index()).collectGarbage({ signal: this.#options.signal });
    const ok = total.errors === 0 && total.conflicts === 0;
    return {
      ...total,
      ok,
      wireSent: this.#wireSent,
      wireReceived: this.#wireReceived,
      seconds: (this.#orchestrator.options.clock.nowMs() - this.#startMs) / 1000,
      connections: this.#connections,
    };
  }

  async #sessionWithRetries(): Promise<SyncSummary> {
    const { signal, retries, lockWaitMs } = this.#options;
    const { clock, logger } = this.#orchestrator.options;
    const lockDeadlineMs = clock.nowMs() + lockWaitMs;
    for (;;) {
      const connection = await reachPeer(this.#orchestrator, this.#entry, this.#options);
      try {
        return await this.#session(connection);
      } catch (error) {
        signal.throwIfAborted();
        if (isLocked(error) && clock.nowMs() < lockDeadlineMs) {
          await delay(LOCK_RETRY_MS, signal);
          continue;
        }
        if (!isWorthAnotherTry(error) || ++this.#failures > retries) {
          throw explainRefusal(this.#orchestrator, this.#entry, error);
        }
        logger.log("warn", `connection with "${this.#entry.alias}" broke, going on where it was`);
        await delay(backoffMs(this.#failures, Math.random()), signal);
      }
    }
  }

  async #session(connection: QuicConnection): Promise<SyncSummary> {
    const { clock, logger } = this.#orchestrator.options;
    const { request, observer, dir, lockWaitMs, signal } = this.#options;
    this.#connections++;
    const session = new InitiatorSession(this.#nextSession++, {
      request,
      observer,
      peer: { id: this.#entry.id, name: this.#entry.alias },
      shortIdOf: shortId,
      clock,
      logger,
      signal,
    });
    const stop = new AbortController();
    try {
      await using link = await callPeer(this.#orchestrator, this.#entry, connection, {
        handler: session,
        onConnected: (peer) => observer.connected(peer),
      });
      return await session.run(link, {
        isNew: !request.dryRun && !existsSync(join(dir, OWN_FOLDER)),
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
    } finally {
      stop.abort();
      this.#addUp(connection.stats());
      await connection.close(0);
    }
  }

  #addUp(stats: ConnectionStats): void {
    this.#wireSent += stats.sentBytes;
    this.#wireReceived += stats.receivedBytes;
  }
}

function isLocked(error: unknown): boolean {
  return error instanceof LandropicError && error.code === "locked";
}

function addUp(a: SyncSummary, b: SyncSummary): SyncSummary {
  return {
    sent: a.sent + b.sent,
    received: a.received + b.received,
    deleted: a.deleted + b.deleted,
    renamed: a.renamed + b.renamed,
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
