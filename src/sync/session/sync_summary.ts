import type { SyncResult } from "../../protocol/mod.ts";

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

/** What the peer is told of it at the end. */
export function syncResultOf(session: number, summary: SyncSummary): SyncResult {
  const { sent, received, files: _files, changed: _changed, ...sums } = summary;
  const ok = sums.errors === 0 && sums.conflicts === 0;
  return { type: "sync-result", session, ok, files: sent + received, ...sums };
}
