import type { PlanConflict, PlanItem } from "../plan/sync_plan.ts";

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
      /** Of those to send and receive: files that are compared first, and may only have a new time. */
      compare: number;
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
