import { LandropicError } from "../../base/errors.ts";
import type { Side, SyncPlan } from "./sync_plan.ts";

/** How many deletions one run may do before it refuses to do any. */
export type DeleteLimit =
  | { readonly kind: "count"; readonly count: number }
  | {
    readonly kind: "percent";
    /** Of the files on the side that would lose them, 0 to 100. */
    readonly percent: number;
    /** Counts only where that side has more files than this. */
    readonly appliesAboveFiles: number;
  };

/** What a {@linkcode checkDeletions} needs to know of each side. */
export interface SideSize {
  /** Who it is, for the message: `"nas"` or `this device`. */
  readonly name: string;
  /** Files in its folder now. */
  readonly files: number;
}

/**
 * Refuses a plan that deletes more than the limit allows, or all that a side has because the other side is
 * suddenly empty, which is far more often an unmounted disk than a wish.
 *
 * @throws {LandropicError} `safety_limit`; nothing has changed then.
 */
export function checkDeletions(
  plan: SyncPlan,
  limit: DeleteLimit,
  sides: { readonly [side in Side]: SideSize },
): void {
  for (const side of ["local", "remote"] as const) {
    const deletions = plan.deletions[side];
    if (deletions === 0) continue;
    const { name, files } = sides[side];
    const other = sides[side === "local" ? "remote" : "local"];
    const hint = `look at it with --dry-run; if it is right, add --max-delete ${deletions}`;
    // Somebody who gave a number has looked.
    if (other.files === 0 && files >= 2 && limit.kind === "percent") {
      throw refusal(
        `The folder on ${other.name} is empty, so ${deletions} files would be deleted on ${name}`,
        hint,
      );
    }
    if (deletions > allowed(limit, files)) {
      throw refusal(
        `This would delete ${deletions} of ${files} files on ${name}, over the limit of ${
          words(limit)
        }`,
        hint,
      );
    }
  }
}

/** Files that may all change at once, because there are so few. */
export const REPLACED_FILES_MIN = 20;

/**
 * Refuses a plan in which every file of a side has changed since the last sync: that is far more often an
 * encrypting virus, a broken disk or a wrong folder than work. New times alone are no change: contents that
 * are the same are settled by their digests.
 *
 * @throws {LandropicError} `safety_limit`; nothing has changed then.
 */
export function checkReplacements(
  { replacements, hasUnchanged, conflicts }: SyncPlan,
  sides: { readonly [side in Side]: SideSize },
): void {
  const { local, remote } = replacements;
  if (hasUnchanged || local + remote <= REPLACED_FILES_MIN) return;
  // Each side has changed a part: two people at work.
  if (local > 0 && remote > 0 && conflicts.length < local + remote) return;
  const [from, to] = local > remote ? [sides.remote, sides.local] : [sides.local, sides.remote];
  throw refusal(
    `Every file on ${from.name} has changed since the last sync, ` +
      `so ${local + remote} files would be replaced on ${to.name}`,
    "look at it with --dry-run; if it is right, add --replace-all",
  );
}

function allowed(limit: DeleteLimit, files: number): number {
  if (limit.kind === "count") return limit.count;
  return files > limit.appliesAboveFiles ? files * limit.percent / 100 : Infinity;
}

function words(limit: DeleteLimit): string {
  return limit.kind === "count" ? `${limit.count}` : `${limit.percent} %`;
}

function refusal(message: string, hint: string): LandropicError {
  return new LandropicError("safety_limit", message, hint);
}
