import { compareBytes, equalBytes } from "../../base/bytes.ts";
import type { Digest } from "../../base/digest.ts";
import { changeOf, compareLeaves, type Leaf, modeOf } from "./agreement.ts";
import { type JudgeRules, sourceOf, trustedVector } from "./judge.ts";
import type { Item } from "./node.ts";
import { across, type BySide, type Side } from "./side.ts";
import { outranks } from "./versions.ts";

/** Who prevails where both sides have different contents. */
export interface Contest {
  readonly winner: Side;
  /** Both changed it, and neither had seen the other's change. */
  readonly isConflict: boolean;
}

/** What is known of the contents on both sides, and of those that they last had in common. */
export type ContestDigests = BySide<Digest | undefined> & {
  readonly ancestor: Digest | undefined;
};

/**
 * Decides between two leaves with different contents.
 *
 * @param digests Also to order versions of equal time and size alike on every device.
 */
export function contest(item: Item, rules: JudgeRules, digests: ContestDigests): Contest {
  const source = sourceOf(rules.direction);
  if (source !== undefined) return { winner: source, isConflict: false };
  return oneSided(item, rules, digests) ?? conflict(item, rules, digests);
}

/**
 * Whose mode and time hold, where these are all that differs: the source's, or those of the version that
 * has seen the other one. `undefined` leaves it to the ancestor.
 */
export function metadataWinner(item: Item, rules: JudgeRules): Side | undefined {
  const source = sourceOf(rules.direction);
  if (source !== undefined) return source;
  const local = trustedVector(item, "local", rules);
  const remote = trustedVector(item, "remote", rules);
  if (outranks(local, remote)) return "local";
  return outranks(remote, local) ? "remote" : undefined;
}

/** The new mode where one side at most changed it; the winner's otherwise. */
export function mergedMode(item: Item, winner: Side): number | undefined {
  const { local: here, remote: there } = item.pair;
  const [local, remote, ancestor] = [here, there, item.pair.ancestor].map(modeOf);
  if (here?.kind !== there?.kind) return modeOf(item.on(winner));
  if (local === undefined || remote === undefined || local === remote) return local ?? remote;
  if (ancestor === local) return remote;
  if (ancestor === remote) return local;
  return winner === "local" ? local : remote;
}

function oneSided(item: Item, rules: JudgeRules, digests: ContestDigests): Contest | undefined {
  const { ancestor } = item.pair;
  const isChanged = (side: Side) => {
    // Only touched: the contents are those that were last in common.
    if (isSameDigest(digests[side], digests.ancestor)) return false;
    const change = changeOf(item.on(side) as Leaf, ancestor, rules.windowMs);
    return change === "contents" || change === "unsure";
  };
  const local = isChanged("local");
  if (local === isChanged("remote")) return undefined;
  const winner: Side = local ? "local" : "remote";
  // The unchanged-looking side knew of the other's change and went back on it: both are worth keeping.
  const isReverted = outranks(
    trustedVector(item, across(winner), rules),
    trustedVector(item, winner, rules),
  );
  return isReverted ? undefined : { winner, isConflict: false };
}

function isSameDigest(a: Digest | undefined, b: Digest | undefined): boolean {
  return a !== undefined && b !== undefined && equalBytes(a, b);
}

function conflict(
  item: Item,
  rules: JudgeRules,
  digests: ContestDigests,
): Contest {
  const local = item.on("local") as Leaf;
  const remote = item.on("remote") as Leaf;
  const { ancestor } = item.pair;
  const bothChanged = [local, remote].every((leaf) =>
    changeOf(leaf, ancestor, rules.windowMs) !== "none"
  );
  if (bothChanged) {
    const vectors = {
      local: trustedVector(item, "local", rules),
      remote: trustedVector(item, "remote", rules),
    };
    for (const winner of ["local", "remote"] as const) {
      if (outranks(vectors[winner], vectors[across(winner)])) {
        return { winner, isConflict: false };
      }
    }
  }
  const { direction } = rules;
  const policy = direction.kind === "two-way" ? direction.conflicts : "keep-both";
  if (policy === "local" || policy === "remote") {
    return { winner: policy, isConflict: true };
  }
  let order = compareLeaves(local, remote);
  if (order === 0 && digests.local && digests.remote) {
    order = compareBytes(digests.local, digests.remote);
  }
  return { winner: order >= 0 ? "local" : "remote", isConflict: true };
}
