import type { RelPath } from "../../base/paths.ts";
import type { SyncPlan } from "../plan/sync_plan.ts";
import type { SkipReason } from "./node.ts";
import type { Phase, Position } from "./plan_builder.ts";
import type { Problem } from "./refusal.ts";
import type { Settlement } from "./settlement.ts";
import type { Side } from "./side.ts";

/** A path that was left alone on both sides. */
export interface Skip {
  readonly path: RelPath;
  readonly reason: SkipReason;
}

/** Tells whether an operation, named by its position in its side's list, is done and durable. */
export type IsDone = (side: Side, index: number) => boolean;

/**
 * Everything that a session is going to do, and what will be remembered of it. Operations stand in the
 * order in which they work: see {@linkcode Phase}.
 */
export interface Plan extends SyncPlan {
  /** The phase of an operation. */
  phaseOf(position: Position): Phase;
  readonly skipped: readonly Skip[];
  readonly problems: readonly Problem[];
  /**
   * What to remember once the operations have been carried out, as far as they were. May be called again,
   * with more done.
   */
  settle(isDone: IsDone): Settlement;
}
