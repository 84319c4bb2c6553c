import type { SyncObserver } from "../../src/sync/mod.ts";

/** What an observer hears of a plan. */
type PlanSums = Parameters<SyncObserver["plan"]>[0];

/** The sums of a plan that does nothing but what is given. */
export function planSums(changes: Partial<PlanSums> = {}): PlanSums {
  return {
    send: 0,
    receive: 0,
    delete: 0,
    rename: 0,
    adjust: 0,
    compare: 0,
    conflicts: 0,
    bytes: 0,
    ...changes,
  };
}
