import type { Logger } from "../../base/log.ts";
import type { RelPath } from "../../base/paths.ts";
import type { SyncAccept, SyncMode } from "../../protocol/mod.ts";
import type { PlanItem } from "../plan/sync_plan.ts";
import type { Plan } from "../reconcile/mod.ts";
import type { ScanProblem, Snapshot } from "../scan/snapshot.ts";
import { obstacleAt, readProblem } from "./share_problems.ts";
import type { SyncObserver } from "./sync_observer.ts";
import type { SyncSummary } from "./sync_summary.ts";

/** What a {@linkcode ProblemTeller} tells of, and whom. */
export interface ProblemTellerOptions {
  readonly mode: SyncMode;
  readonly snapshot: Snapshot;
  readonly accept: SyncAccept;
  readonly peerName: string;
  readonly observer: SyncObserver;
  readonly logger: Logger;
}

/** Tells of what can't be synced on either side, and counts it: such a session is not complete. */
export class ProblemTeller {
  readonly #options: ProblemTellerOptions;

  constructor(options: ProblemTellerOptions) {
    this.#options = options;
  }

  /** What the scans could not take in. Of what a mere target has beside, nothing is wanted. */
  tellOfScans(summary: SyncSummary): void {
    const { mode, snapshot } = this.#options;
    for (const problem of snapshot.problems) this.#tell(problem, ">", summary);
    if (mode !== "push") this.#tellOfPeer(summary);
  }

  /** What the plan leaves undone. */
  tellOfPlan(plan: Plan, summary: SyncSummary): void {
    for (const { path, code, message } of [...plan.problems, ...this.#obstacles(plan)]) {
      summary.errors++;
      this.#options.observer.fileError({ path, code, message });
    }
  }

  /** What the peer could not read does not come, and whoever sees its log is elsewhere. */
  #tellOfPeer(summary: SyncSummary): void {
    const { accept: { problems = [], scanErrors }, peerName, logger } = this.#options;
    for (const told of problems) {
      const problem = readProblem(told);
      this.#tell({ ...problem, message: `On "${peerName}": ${problem.message}` }, "<", summary);
    }
    const more = scanErrors - problems.filter(({ isHarmless }) => !isHarmless).length;
    if (more <= 0) return;
    summary.errors += more;
    logger.log(
      "warn",
      `"${peerName}" has ${more} more paths that can't be synced; its log has them`,
    );
  }

  #tell(
    { path, pathBytes, code, message, isHarmless }: Omit<ScanProblem, "dir">,
    direction: PlanItem["direction"],
    summary: SyncSummary,
  ): void {
    const { observer } = this.#options;
    const where = { path, ...(pathBytes && { pathBytes }) };
    if (!isHarmless) {
      summary.errors++;
      observer.fileError({ ...where, code, message });
    }
    observer.item({
      ...where as { path: RelPath },
      action: isHarmless ? "s" : "!",
      bytes: 0,
      direction,
      type: "f",
      reason: message,
    });
  }

  /** What can't be put in place because something that is not synced, or must stay, is there. */
  #obstacles({ skipped }: Plan): { path: RelPath; code: string; message: string }[] {
    if (skipped.length === 0) return [];
    const { mode, snapshot, accept } = this.#options;
    // Failures were told already, but for those of a mere target.
    const isNews = (problem: Omit<ScanProblem, "dir">) => problem.isHarmless || mode === "push";
    const problems = [
      ...snapshot.problems.filter(({ isHarmless }) => isHarmless),
      ...(accept.problems ?? []).map(readProblem).filter(isNews),
    ];
    return skipped.flatMap(({ path, reason }) => {
      if (reason === "in_the_way") {
        return { path, code: reason, message: "A folder that must stay is in the way" };
      }
      const obstacle = reason === "not_judged" ? obstacleAt(path, problems) : undefined;
      if (obstacle === undefined) return [];
      return { path, code: "in_the_way", message: `Something else is there: ${obstacle}` };
    });
  }
}
