import type { SyncResult } from "../../protocol/mod.ts";
import type { ServedSums } from "../../sync/mod.ts";
import type { ServedEnd, ServedSession, ServeObserver } from "../share_server.ts";

/** How a session ended: all well, with errors or conflicts, or not at all. */
export type SessionResult = "ok" | "incomplete" | "broken";

/** What one kind of sessions came to. */
export interface SessionCount {
  readonly mode: ServedSession["mode"];
  readonly result: SessionResult;
  count: number;
}

/** Sums over sessions that have ended. */
export interface SessionSums {
  seconds: number;
  filesSent: number;
  filesReceived: number;
  filesDeleted: number;
  filesRenamed: number;
  fileErrors: number;
  bytesSent: number;
  bytesReceived: number;
  bytesReused: number;
}

/** Counts the sessions of a server as they end. */
export class SessionTally implements ServeObserver {
  readonly sums: SessionSums = {
    seconds: 0,
    filesSent: 0,
    filesReceived: 0,
    filesDeleted: 0,
    filesRenamed: 0,
    fileErrors: 0,
    bytesSent: 0,
    bytesReceived: 0,
    bytesReused: 0,
  };
  readonly #counts = new Map<string, SessionCount>();

  /** One for each mode and result that has occurred. */
  get counts(): Iterable<SessionCount> {
    return this.#counts.values();
  }

  sessionStart(): void {}

  sessionEnd({ mode, seconds, sums }: ServedEnd, result: SyncResult | undefined): void {
    const outcome = result === undefined ? "broken" : result.ok ? "ok" : "incomplete";
    const key = `${mode} ${outcome}`;
    const known = this.#counts.get(key);
    if (known) known.count++;
    else this.#counts.set(key, { mode, result: outcome, count: 1 });
    this.sums.seconds += seconds;
    this.#add(sums);
  }

  #add(served: ServedSums): void {
    const { sums } = this;
    sums.filesSent += served.sent;
    sums.filesReceived += served.received;
    sums.filesDeleted += served.deleted;
    sums.filesRenamed += served.renamed;
    sums.fileErrors += served.errors;
    sums.bytesSent += served.bytesSent;
    sums.bytesReceived += served.bytesReceived;
    sums.bytesReused += served.bytesReused;
  }
}
