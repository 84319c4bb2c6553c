import { equalBytes } from "../../base/bytes.ts";
import { type DirEntry, EMPTY_SHAPE } from "../../base/tree.ts";
import { changeOf, isIdentical, isLeaf, type Leaf } from "./agreement.ts";
import type { Item, Verdict } from "./node.ts";
import { across, type BySide, type Side, SIDES } from "./side.ts";
import type { DirView, SyncDirection } from "./tree_view.ts";
import { type MaybeVector, outranks } from "./versions.ts";

/** What holds for the whole run. */
export interface JudgeRules {
  readonly direction: SyncDirection;
  /** Times closer than this are the same; 1 for exact ones. */
  readonly windowMs: number;
  /** Every file carries its digest; otherwise a digest marks a change that its time does not show. */
  readonly checksum: boolean;
  /** What versions have seen is not to be relied on: a side counts from where it has been before. */
  readonly distrustsVersions: boolean;
  /** See {@linkcode isComparedLater}; none if 0. */
  readonly comparedLaterBytesMax: number;
}

/** What an item does not tell itself. */
export interface ItemFacts {
  /** Its directory. */
  readonly views: BySide<DirView>;
  /** The filter leaves the path alone. */
  readonly isIgnored: boolean;
}

/**
 * Decides about one name from what both sides and the ancestor have there. Never looks at digests that
 * would have to be asked for, nor into directories.
 */
export function judge(item: Item, facts: ItemFacts, rules: JudgeRules): Verdict {
  return untouchable(item, facts) ?? byFlow(item) ??
    (rules.direction.kind === "two-way"
      ? judgeTwoWay(item, facts, rules)
      : judgeOneWay(item, facts, rules));
}

/** The source of a one-way sync. */
export function sourceOf(direction: SyncDirection): Side | undefined {
  if (direction.kind === "two-way") return undefined;
  return direction.kind === "push" ? "local" : "remote";
}

/**
 * What a side's version or deletion of an item has seen, as far as it can be relied on: where a digest
 * shows a change that the time does not, the index may not have counted it yet.
 */
export function trustedVector(item: Item, side: Side, rules: JudgeRules): MaybeVector {
  if (rules.distrustsVersions) return undefined;
  const entry = item.on(side);
  if (entry?.kind === "file" && entry.digest !== undefined && !rules.checksum) return undefined;
  return item.seen[side];
}

/**
 * True for a file that is planned to be written though it may be the same on both sides, since neither the
 * decision nor any other one depends on that. It is for the one who carries out the plan to look first,
 * which then goes on beside everything else.
 */
export function isComparedLater(item: Item, loser: Side, rules: JudgeRules): boolean {
  const { local, remote } = item.pair;
  return local?.kind === "file" && remote?.kind === "file" &&
    local.digest === undefined && remote.digest === undefined &&
    local.size <= rules.comparedLaterBytesMax &&
    // Where it was scanned, so that it can be found there.
    item.path(loser) === item.scannedPath(loser);
}

const SAME: Verdict = { type: "same" };
const FORGET: Verdict = { type: "forget" };
const KEEP: Verdict = { type: "keep" };
const PAIR: Verdict = { type: "pair" };
const MERGE: Verdict = { type: "merge" };
const SKIP: Verdict = { type: "skip", reason: undefined };

/** What the filter names, what can't be judged, what may only be unseen: all of it is left alone. */
function untouchable(item: Item, { views, isIgnored }: ItemFacts): Verdict | undefined {
  const missing = SIDES.filter((side) => item.on(side) === undefined);
  const isOpaque = missing.some((side) => views[side].opaque.has(item.name(side)));
  const isIncomplete = item.pair.ancestor !== undefined &&
    missing.some((side) => views[side].isIncomplete);
  // Only remembered: what is there on neither side needs no word.
  if (missing.length === 2) return isOpaque || isIncomplete ? SKIP : FORGET;
  if (isIgnored) return SKIP;
  if (isOpaque) return { type: "skip", reason: "not_judged" };
  return isIncomplete ? { type: "skip", reason: "incomplete" } : undefined;
}

function byFlow(item: Item): Verdict | undefined {
  const { parent } = item;
  const side = parent.onlyOn;
  if (side === undefined || parent.flow === "judge") return undefined;
  if (item.on(side) === undefined) return FORGET;
  return parent.flow === "fill"
    ? { type: "put", to: across(side) }
    : { type: "remove", from: side };
}

function judgeOneWay(item: Item, { views }: ItemFacts, rules: JudgeRules): Verdict {
  const source = sourceOf(rules.direction)!;
  const target = across(source);
  const from = item.on(source);
  const to = item.on(target);
  const deletes = rules.direction.kind !== "two-way" && rules.direction.deletes;
  if (from === undefined) {
    if (to === undefined) return FORGET;
    if (!deletes) return KEEP;
    // Also without an ancestor: what could not be read may exist.
    if (views[source].isIncomplete) return { type: "skip", reason: "incomplete" };
    return { type: "remove", from: target };
  }
  if (to === undefined) return { type: "put", to: target };
  if (isLeaf(from) && isLeaf(to)) return isIdentical(from, to) ? SAME : PAIR;
  if (!isLeaf(from) && !isLeaf(to)) return MERGE;
  if (!isLeaf(from)) return { type: "leaf-to-dir", on: target };
  return deletes || isEmptyDir(to as DirEntry)
    ? { type: "dir-to-leaf", on: target }
    : { type: "skip", reason: "in_the_way" };
}

function judgeTwoWay(item: Item, facts: ItemFacts, rules: JudgeRules): Verdict {
  const { local, remote } = item.pair;
  if (local === undefined && remote === undefined) return FORGET;
  if (local === undefined) return judgeLone(item, "remote", { ...rules, ...facts });
  if (remote === undefined) return judgeLone(item, "local", { ...rules, ...facts });
  if (isLeaf(local) && isLeaf(remote)) return isIdentical(local, remote) ? SAME : PAIR;
  if (!isLeaf(local) && !isLeaf(remote)) return MERGE;
  return judgeMixed(item, isLeaf(local) ? "local" : "remote", rules);
}

/** Only one side has it: it is new there, or deleted on the other side. */
function judgeLone(item: Item, side: Side, rules: JudgeRules & ItemFacts): Verdict {
  const entry = item.on(side)!;
  const { ancestor } = item.pair;
  if (!isLeaf(entry)) {
    const isDeleted = ancestor?.kind === "dir" ||
      outranks(trustedVector(item, across(side), rules), trustedVector(item, side, rules));
    return isDeleted ? { type: "remnant", on: side } : { type: "put", to: across(side) };
  }
  return isDeletion(item, side, entry, rules)
    ? { type: "remove", from: side }
    : { type: "put", to: across(side) };
}

/** Edit beats delete, unless the deletion has seen the edit. */
function isDeletion(item: Item, side: Side, entry: Leaf, rules: JudgeRules & ItemFacts): boolean {
  const version = trustedVector(item, side, rules);
  const tombstone = trustedVector(item, across(side), rules);
  if (!isLeaf(item.pair.ancestor)) return outranks(tombstone, version);
  const change = changeOf(entry, item.pair.ancestor, rules.windowMs);
  // Made anew by someone who knew of the deletion, though it looks as it did before.
  if (change === "none") return !outranks(version, tombstone);
  if (outranks(tombstone, version)) return true;
  // In a run with digests against an ancestor without: a change would have been counted.
  return change === "unsure" && rules.checksum && rules.views[side].versions !== undefined &&
    version === undefined;
}

/** A leaf here, a directory there. */
function judgeMixed(item: Item, leafSide: Side, rules: JudgeRules): Verdict {
  const dirSide = across(leafSide);
  const leaf = item.on(leafSide) as Leaf;
  const dir = item.on(dirSide) as DirEntry;
  const { ancestor } = item.pair;
  const leafVector = trustedVector(item, leafSide, rules);
  const dirVector = trustedVector(item, dirSide, rules);
  if (outranks(dirVector, leafVector)) return { type: "leaf-to-dir", on: leafSide };
  if (isLeaf(ancestor) && changeOf(leaf, ancestor, rules.windowMs) === "none") {
    return outranks(leafVector, dirVector)
      ? { type: "set-aside", on: leafSide }
      : { type: "leaf-to-dir", on: leafSide };
  }
  if (ancestor?.kind === "dir" && equalBytes(ancestor.shape, dir.shape)) {
    return { type: "dir-to-leaf", on: dirSide };
  }
  return { type: "set-aside", on: leafSide };
}

function isEmptyDir(dir: DirEntry): boolean {
  return equalBytes(dir.shape, EMPTY_SHAPE);
}
