import type { LongList, PlanItem } from "../plan/sync_plan.ts";
import type { SkipReason } from "./node.ts";
import type { Position } from "./plan_builder.ts";
import type { PlanDraft } from "./plan_draft.ts";
import type { PlanLines } from "./plan_lines.ts";
import type { Plan } from "./plan.ts";
import { settle } from "./settlement.ts";

/** The plan that a draft has become; nothing more can be added to it. */
export function finished(draft: PlanDraft): Plan {
  const { builder, conflicts, problems, skipped, trees } = draft;
  trees.moves.endPlanning();
  const { lists, positionOf, phaseOf } = builder.ordered();
  const { bytes, ...sums } = builder.sums;
  const untouched = untouchedItems(draft);
  return {
    ...lists,
    phaseOf,
    items: new PlanItems(builder.lines, positionOf, untouched),
    conflicts,
    skipped,
    problems,
    deletions: draft.deletions,
    replacements: draft.replacements,
    hasUnchanged: draft.hasUnchanged,
    ...sums,
    bytesToSend: bytes.remote,
    bytesToReceive: bytes.local,
    settle: trees.remembers ? settlerOf(draft, positionOf) : NOTHING_TO_SETTLE,
  };
}

const NOTHING_TO_SETTLE: Plan["settle"] = () => {
  throw new Error("nothing was noted to be remembered");
};

/** Apart from the plan itself, which does not hold on to the trees where nobody will ask. */
function settlerOf(
  { ledger, trees }: PlanDraft,
  positionOf: (id: number) => Position,
): Plan["settle"] {
  const { root, ancestor, moves } = trees;
  return (isDone) =>
    settle({
      root,
      ancestorRoot: ancestor?.root,
      stamps: ledger.stamps,
      isDone: (need) =>
        moves.isDone(need, (id) => {
          const { side, index } = positionOf(id);
          return isDone(side, index);
        }),
    });
}

/** Lines of operations, then those of what nothing is done about. */
class PlanItems implements LongList<PlanItem> {
  constructor(
    readonly lines: PlanLines,
    readonly positionOf: (id: number) => Position,
    readonly untouched: readonly PlanItem[],
  ) {}

  get length(): number {
    return this.lines.length + this.untouched.length;
  }

  at(index: number): PlanItem | undefined {
    const { length } = this.lines;
    return index < length ? this.lines.at(index, this.positionOf) : this.untouched[index - length];
  }

  *[Symbol.iterator](): Generator<PlanItem> {
    for (let i = 0; i < this.length; i++) yield this.at(i)!;
  }
}

/** Lines for what nothing is done about. */
function untouchedItems({ problems, skipped }: PlanDraft): PlanItem[] {
  const lines = problems.map(({ path, side, message: reason }): PlanItem => {
    const direction = side === "remote" ? ">" : "<";
    return { action: "!", path, bytes: 0, direction, type: "f", reason };
  });
  for (const { path, reason: why } of skipped) {
    const reason = SKIP_TEXT[why];
    lines.push({ action: "s", path, bytes: 0, direction: ">", type: "f", reason });
  }
  return lines;
}

const SKIP_TEXT: Readonly<Record<SkipReason, string>> = {
  not_judged: "it exists on one side and can't be synced there",
  incomplete: "its folder could not be read completely",
  in_the_way: "a folder that must stay is in the way",
  links_unsupported: "there are no symbolic links there",
};
