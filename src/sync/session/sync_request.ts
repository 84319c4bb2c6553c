import type { SyncMode } from "../../protocol/mod.ts";
import type { PlanOptions } from "../plan/planner.ts";
import type { DeleteLimit } from "../plan/safety.ts";
import type { ShareRole } from "../share/open_share.ts";

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

/** How a session uses the initiator's own folder. */
export function roleOfInitiator(mode: SyncMode, dryRun: boolean): ShareRole {
  if (mode === "push" || mode === "compare" || dryRun) return "source";
  return mode === "pull" ? "target" : "both";
}
