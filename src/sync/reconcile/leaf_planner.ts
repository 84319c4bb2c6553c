import { joinPath, type RelPath } from "../../base/paths.ts";
import { isLeaf, type Leaf, likeness, modeOf, sameTime } from "./agreement.ts";
import { type Contest, contest, mergedMode, metadataWinner } from "./contest.ts";
import { ABSENT, beforeOf, shownAs, withDigest, withMode } from "./entry_facts.ts";
import { isComparedLater, sourceOf } from "./judge.ts";
import type { Item } from "./node.ts";
import type { Draft, Phase } from "./plan_builder.ts";
import type { PlanDraft } from "./plan_draft.ts";
import { across, bySide, type Side, SIDES } from "./side.ts";
import { carried } from "./versions.ts";

/** Plans for files and links that both sides have, and for the copies of those that lose a conflict. */
export class LeafPlanner {
  readonly #draft: PlanDraft;

  constructor(draft: PlanDraft) {
    this.#draft = draft;
  }

  /** @param respelling Operations that give the path its new spelling. */
  plan(item: Item, respelling: readonly number[]): void {
    const { ledger, conflicts, trees } = this.#draft;
    if (trees.questions.areSame(item)) return this.#agree(item, respelling);
    const digests = bySide((side) => this.#draft.digestOf(item, side));
    const [local, remote] = SIDES.map((side) => withDigest(leafOn(item, side), digests[side]));
    const alike = likeness(local!, remote!, trees.rules.windowMs);
    if (alike === "same") return this.#agree(item, respelling);
    const ancestor = this.#draft.ancestorDigestOf(item);
    const decision = contest(item, trees.rules, { ...digests, ancestor });
    const { winner, isConflict } = decision;
    if (this.#draft.refusesLink(item, across(winner), leafOn(item, winner))) {
      return ledger.rememberOld(item);
    }
    const { direction } = trees.rules;
    const keepsBoth = isConflict && direction.kind === "two-way" &&
      direction.conflicts === "keep-both";
    if (isConflict) conflicts.push({ path: item.shownPath, kept: keepsBoth ? "both" : winner });
    const comparesFirst = alike === "unsure" && !isConflict &&
      isComparedLater(item, across(winner), trees.rules);
    this.#replace(item, decision, { keepsBoth, respelling, comparesFirst });
  }

  /**
   * Gives a version that lost its own name, on its side and on the other one.
   *
   * @returns The move that clears the path, or `undefined` if the version lies elsewhere already.
   */
  moveAside(item: Item, side: Side, phase: Phase): Draft | undefined {
    const { builder, copyNames, ledger, trees, vectors } = this.#draft;
    const { parent } = item;
    const leaf = leafOn(item, side);
    const digest = this.#draft.digestOf(item, side);
    const { name, isThere } = copyNames.choose({ item, side, leaf, digest });
    if (isThere) return undefined;
    const vector = vectors.of(item, side);
    const aside = builder.add(side, phase, {
      op: "move",
      from: item.path(side),
      path: joinPath(parent.path[side], name),
      before: beforeOf(leaf),
      vector: carried(vector),
    });
    this.#draft.touch(parent, side);
    const other = across(side);
    const path = joinPath(parent.path[other], name);
    this.#nameCopy(item, path);
    if (trees.isIgnored(path, false) || this.#draft.refusesLink(item, other, leaf)) return aside;
    const shown = shownAs(leaf, "+");
    const copy = this.#draft.write(item, other, {
      entry: leaf,
      path,
      before: ABSENT,
      vector,
      shown,
    });
    const needs = [aside.id, copy.id];
    ledger.rememberNew(parent, { ...leaf, name }, needs);
    return aside;
  }

  #nameCopy(item: Item, copy: RelPath): void {
    const { conflicts } = this.#draft;
    const last = conflicts.at(-1);
    if (last?.path === item.shownPath) conflicts[conflicts.length - 1] = { ...last, copy };
  }

  /** Contents are equal; mode and time may not be. */
  #agree(item: Item, respelling: readonly number[]): void {
    const { builder, ledger, trees, vectors } = this.#draft;
    const local = leafOn(item, "local");
    const remote = leafOn(item, "remote");
    if (local.kind === "file") this.#draft.hasUnchanged = true;
    const later = local.mtimeMs >= remote.mtimeMs ? "local" : "remote";
    const mode = agreedMode(item, later, this.#draft);
    const mtimeMs = this.#agreedTime(item);
    const isModed = bySide((side) => modeOf(item.on(side)) === mode);
    const isTimed = bySide((side) =>
      sameTime(leafOn(item, side).mtimeMs, mtimeMs, trees.rules.windowMs)
    );
    const vector = vectors.merged(item, (side) => isTimed[side] && isModed[side]);
    const needs = [...respelling];
    for (const side of SIDES) {
      const entry = leafOn(item, side);
      if (isTimed[side] && isModed[side]) {
        ledger.stamp(item, side, vector, needs);
        continue;
      }
      const draft = builder.add(side, "attributes", {
        op: "set-attributes",
        path: item.path(side),
        mode: isModed[side] ? undefined : mode,
        mtimeMs: isTimed[side] ? undefined : mtimeMs,
        before: beforeOf(entry),
        vector: carried(vector),
      }, shownAs(entry, "m"));
      needs.push(draft.id);
    }
    ledger.remember(item, { ...agreedLeaf(withMode(local, mode), remote), mtimeMs }, needs);
  }

  /** One side takes over the other's contents. */
  #replace(
    item: Item,
    decision: Contest,
    how: {
      readonly keepsBoth: boolean;
      readonly respelling: readonly number[];
      /** The contents may be the same: nobody has looked. */
      readonly comparesFirst: boolean;
    },
  ): void {
    const { ledger, vectors } = this.#draft;
    const { winner, isConflict } = decision;
    const loser = across(winner);
    if (leafOn(item, loser).kind === "file") this.#draft.replacements[loser]++;
    const own = leafOn(item, winner);
    const mode = this.#newMode(item, winner);
    const isModed = modeOf(own) === mode;
    const entry = withMode(own, mode);
    const vector = vectors.taken(item, winner, isModed);
    const aside = how.keepsBoth ? this.moveAside(item, loser, "moves") : undefined;
    const before = aside === undefined ? beforeOf(item.on(loser)) : ABSENT;
    const shown = shownAs(entry, isConflict ? "C" : "M");
    const written = this.#draft.write(item, loser, { entry, before, vector, shown });
    if (how.comparesFirst) {
      this.#draft.builder.compareFirst(written, modeOf(item.on(loser)) !== mode);
    }
    const needs = [...how.respelling, ...aside ? [aside.id] : [], written.id];
    if (!isModed) {
      // Not yet the vector of the outcome: it must not outrank the other version before that is safe.
      const changed = vectors.own(item, winner, isModed);
      needs.push(this.#draft.setMode(item, winner, { mode: mode!, vector: changed }).id);
    }
    ledger.stamp(item, winner, vector, needs);
    ledger.remember(item, entry, needs);
  }

  #newMode(item: Item, winner: Side): number | undefined {
    const source = sourceOf(this.#draft.trees.rules.direction);
    return source === undefined ? mergedMode(item, winner) : modeOf(item.on(source));
  }

  /** The time where contents agree: the later one, if nothing tells which one is new. */
  #agreedTime(item: Item): number {
    const { rules } = this.#draft.trees;
    const [local, remote] = [leafOn(item, "local"), leafOn(item, "remote")];
    const { ancestor } = item.pair;
    if (sameTime(local.mtimeMs, remote.mtimeMs, rules.windowMs)) return local.mtimeMs;
    const winner = metadataWinner(item, rules);
    if (winner !== undefined) return leafOn(item, winner).mtimeMs;
    if (isLeaf(ancestor) && ancestor.kind === local.kind) {
      if (sameTime(local.mtimeMs, ancestor.mtimeMs, rules.windowMs)) return remote.mtimeMs;
      if (sameTime(remote.mtimeMs, ancestor.mtimeMs, rules.windowMs)) return local.mtimeMs;
    }
    return Math.max(local.mtimeMs, remote.mtimeMs);
  }
}

/** The mode where contents agree. */
export function agreedMode(item: Item, fallback: Side, draft: PlanDraft): number | undefined {
  const winner = metadataWinner(item, draft.trees.rules);
  return winner === undefined ? mergedMode(item, fallback) : modeOf(item.on(winner));
}

/** Remembered with its digest only if both pages carry it: else the next ones would seem to differ. */
function agreedLeaf(local: Leaf, remote: Leaf): Leaf {
  if (local.kind === "link" || remote.kind === "link") return local;
  if (local.digest !== undefined && remote.digest !== undefined) return local;
  const { digest: _, ...rest } = local;
  return rest;
}

function leafOn(item: Item, side: Side): Leaf {
  return item.on(side) as Leaf;
}
