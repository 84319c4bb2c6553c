import { compareNames } from "../../base/paths.ts";
import type { Entry } from "../../base/tree.ts";
import { nameKey } from "./name_rules.ts";
import { across, type BySide, type Side, SIDES } from "./side.ts";
import type { SideTraits } from "./tree_view.ts";

/** What one name stands for on both sides and in the ancestor. */
export interface Paired {
  readonly local: Entry | undefined;
  readonly remote: Entry | undefined;
  readonly ancestor: Entry | undefined;
  /** This side still has the old spelling of a name that changed only in case. */
  readonly respelled?: Side | undefined;
}

/** The names of a directory, by their places in their order; each is made when it is looked at. */
export interface Pairs {
  readonly length: number;
  /** `undefined` behind the end. */
  at(index: number): Paired | undefined;
}

/** A name, and its place among all of its directory. */
export interface IndexedPair {
  readonly index: number;
  readonly pair: Paired;
  /** Its rows in the pages, -1 for none; left out where the pages were not looked at by rows. */
  readonly rows?: BySide<number>;
}

/** How names that are not the same bytes may still be the same name. */
export interface PairingRules {
  readonly traits: BySide<SideTraits>;
  /** Decides which spelling is the new one where the ancestor can't tell: that of a one-way source. */
  readonly newSpelling?: Side | undefined;
}

/**
 * Brings three listings of one directory together, in byte order of names.
 *
 * Names pair by their bytes. Where a side folds Unicode forms, what is left over pairs by NFC and each
 * side keeps its spelling. Where a side folds case and the ancestor shows that the other side changed
 * only the case of a name, the two pair as well, and the folding side's name is to be respelled.
 */
export function pairNames(
  local: readonly Entry[],
  remote: readonly Entry[],
  ancestor: readonly Entry[],
  rules: PairingRules,
): Paired[] {
  const pairs = joinByBytes(local, remote, ancestor);
  const { traits } = rules;
  if (traits.local.foldsUnicode || traits.remote.foldsUnicode) {
    mergeLeftovers(pairs, { foldsUnicode: true }, pairUnicode);
  }
  for (const side of SIDES) {
    if (!traits[side].foldsCase) continue;
    mergeLeftovers(pairs, traits[side], (group) => pairCase(group, side, rules));
  }
  return pairs;
}

function joinByBytes(
  local: readonly Entry[],
  remote: readonly Entry[],
  ancestor: readonly Entry[],
): Paired[] {
  const pairs: Paired[] = [];
  let l = 0;
  let r = 0;
  let a = 0;
  for (;;) {
    const inLocal = local[l];
    const inRemote = remote[r];
    const inAncestor = ancestor[a];
    let name = inLocal?.name;
    name = lesser(name, inRemote?.name);
    name = lesser(name, inAncestor?.name);
    if (name === undefined) return pairs;
    const hasLocal = inLocal !== undefined && inLocal.name === name;
    const hasRemote = inRemote !== undefined && inRemote.name === name;
    const hasAncestor = inAncestor !== undefined && inAncestor.name === name;
    pairs.push({
      local: hasLocal ? inLocal : undefined,
      remote: hasRemote ? inRemote : undefined,
      ancestor: hasAncestor ? inAncestor : undefined,
    });
    if (hasLocal) l++;
    if (hasRemote) r++;
    if (hasAncestor) a++;
  }
}

function lesser(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a === b || compareNames(a, b) < 0 ? a : b;
}

/** Offers groups of pairs whose names are one name by these traits; replaces those that become one. */
function mergeLeftovers(
  pairs: Paired[],
  traits: SideTraits,
  merge: (group: readonly Paired[]) => Paired | undefined,
): void {
  const groups = new Map<string, Paired[]>();
  for (const pair of pairs) {
    const key = nameKey(anyName(pair), traits);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [pair]);
    else group.push(pair);
  }
  if (groups.size === pairs.length) return;
  const replaced = new Map<Paired, Paired | undefined>();
  for (const group of groups.values()) {
    const merged = group.length > 1 ? merge(group) : undefined;
    if (merged === undefined) continue;
    for (const [index, pair] of group.entries()) {
      replaced.set(pair, index === 0 ? merged : undefined);
    }
  }
  const kept = pairs.flatMap((pair) => replaced.has(pair) ? replaced.get(pair) ?? [] : pair);
  pairs.splice(0, pairs.length, ...kept);
}

/** One spelling on each side, and at most one in the ancestor: the same name. */
function pairUnicode(group: readonly Paired[]): Paired | undefined {
  const local = only(group, "local");
  const remote = only(group, "remote");
  const ancestor = only(group, "ancestor");
  if (local === false || remote === false || ancestor === false) return undefined;
  return { local, remote, ancestor };
}

/** `side` folds case. Its old spelling pairs with a new one of the other side. */
function pairCase(group: readonly Paired[], side: Side, rules: PairingRules): Paired | undefined {
  const local = only(group, "local");
  const remote = only(group, "remote");
  const ancestor = only(group, "ancestor");
  if (!local || !remote || ancestor === false) return undefined;
  if (local.name === remote.name || local.kind !== remote.kind) return undefined;
  const mine = side === "local" ? local : remote;
  const isOldMine = ancestor !== undefined && ancestor.kind === mine.kind &&
    ancestor.name === mine.name;
  if (!isOldMine && rules.newSpelling !== across(side)) return undefined;
  return { local, remote, ancestor, respelled: side };
}

/** The one entry that a group has, none, or false for several. */
function only(group: readonly Paired[], of: Side | "ancestor"): Entry | undefined | false {
  let found: Entry | undefined;
  for (const pair of group) {
    if (pair[of] === undefined) continue;
    if (found !== undefined) return false;
    found = pair[of];
  }
  return found;
}

function anyName(pair: Paired): string {
  return (pair.local ?? pair.remote ?? pair.ancestor)!.name;
}
