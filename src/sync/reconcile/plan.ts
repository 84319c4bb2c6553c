import type { RelPath } from "../../base/paths.ts";
import type { Operation } from "../apply/operation.ts";
import type { PlanConflict, PlanItem, SyncPlan } from "../plan/sync_plan.ts";
import type { SkipReason } from "./node.ts";
import type { Phase } from "./plan_builder.ts";
import type { Problem } from "./refusal.ts";
import type { Settlement } from "./settlement.ts";
import type { BySide, Side } from "./side.ts";

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
  readonly local: readonly Operation[];
  readonly remote: readonly Operation[];
  /** The phase of each operation, by its position. */
  readonly phases: BySide<readonly Phase[]>;
  readonly items: readonly PlanItem[];
  readonly conflicts: readonly PlanConflict[];
  readonly skipped: readonly Skip[];
  readonly problems: readonly Problem[];
  /**
   * What to remember once the operations have been carried out, as far as they were. May be called again,
   * with more done.
   */
  settle(isDone: IsDone): Settlement;
}
