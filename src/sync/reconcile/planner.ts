import { joinPath } from "../../base/paths.ts";
import { equalBytes } from "../../base/bytes.ts";
import { type DirEntry, EMPTY_SHAPE } from "../../base/tree.ts";
import type { Before } from "../apply/operation.ts";
import { type Leaf, modeOf } from "./agreement.ts";
import { ABSENT, beforeOf, shownAs } from "./entry_facts.ts";
import { finished } from "./finished_plan.ts";
import { trustedVector } from "./judge.ts";
import { agreedMode, LeafPlanner } from "./leaf_planner.ts";
import { MovePlanner } from "./move_planner.ts";
import { type DirNode, isAllGone, type Item, type SkipReason } from "./node.ts";
import type { Draft } from "./plan_builder.ts";
import { PlanDraft, type WalkedTrees } from "./plan_draft.ts";
import type { Plan } from "./plan.ts";
import { across, type BySide, bySide, type Side, SIDES } from "./side.ts";
import { carried, outranks } from "./versions.ts";

/** Turns verdicts into operations on both sides. Yields where others may have a turn. */
export function* makePlan(trees: WalkedTrees): Generator<void, Plan> {
  const draft = new PlanDraft(trees);
  if (trees.root.isExpanded) yield* new Planner(draft).plan(trees.root);
  return finished(draft);
}

/** As `makePlan()`: steps to take one after the other. */
type Planning<T> = Generator<void, T>;

/** What is in a directory once the plan is carried out, as far as its own fate depends on it. */
interface Remains {
  /** Sides on which something stays, so that the directory can't go. */
  readonly stays: ReadonlySet<Side>;
  /** Sides that get something, so that the directory has to be there. */
  readonly gets: ReadonlySet<Side>;
}

const NO_SIDE: ReadonlySet<Side> = new Set();
const ONLY: BySide<ReadonlySet<Side>> = bySide((side) => new Set([side]));
const NOTHING: Remains = { stays: NO_SIDE, gets: NO_SIDE };
const EVERYWHERE: Remains = { stays: new Set(SIDES), gets: NO_SIDE };
/** The side keeps it, and the other one gets nothing of it. */
const STAYS: BySide<Remains> = bySide((side) => ({ stays: ONLY[side], gets: NO_SIDE }));
/** The side gets it from the other one. */
const GETS: BySide<Remains> = bySide((side) => ({ stays: ONLY[across(side)], gets: ONLY[side] }));

class Planner {
  readonly #draft: PlanDraft;
  readonly #leaves: LeafPlanner;
  readonly #moves: MovePlanner;
  /** Set while a directory is emptied to make room. */
  #isClearing = false;

  constructor(draft: PlanDraft) {
    this.#draft = draft;
    this.#leaves = new LeafPlanner(draft);
    this.#moves = new MovePlanner(draft);
  }

  /** Plans all of a directory's entries. */
  *plan(node: DirNode): Planning<Remains> {
    yield;
    const { views, same, items } = node.hold();
    this.#draft.ledger.agreeOnVersions(node);
    if (same.hasFiles) this.#draft.hasUnchanged = true;
    const stays = new Set<Side>();
    const gets = new Set<Side>();
    for (const side of SIDES) {
      const view = views[side];
      if (view.isIncomplete || view.opaque.size > 0 || same.length > 0) stays.add(side);
    }
    for (const item of items) {
      const remains = yield* this.#planItem(item);
      for (const side of remains.stays) stays.add(side);
      for (const side of remains.gets) gets.add(side);
    }
    node.release();
    node.replies = undefined;
    node.fates = undefined;
    this.#draft.ledger.close(node);
    return { stays, gets };
  }

  *#planItem(item: Item): Planning<Remains> {
    const { ledger } = this.#draft;
    const { verdict } = item;
    const respelling = this.#respell(item);
    switch (verdict.type) {
      case "same":
        ledger.agreeOnVersion(item);
        ledger.remember(item, item.pair.local, respelling);
        return EVERYWHERE;
      case "forget":
        return NOTHING;
      case "keep":
        return this.#leave(item, undefined);
      case "skip":
        return this.#leave(item, verdict.reason);
      case "pair":
        this.#leaves.plan(item, respelling);
        return EVERYWHERE;
      case "merge":
        yield* this.#merge(item, respelling);
        return EVERYWHERE;
      case "put":
        return yield* this.#put(item, verdict.to);
      case "remove":
        return yield* this.#remove(item, verdict.from);
      case "remnant":
        return yield* this.#remnant(item, verdict.on);
      case "dir-to-leaf":
        return yield* this.#dirToLeaf(item, verdict.on);
      case "leaf-to-dir":
        return yield* this.#leafToDir(item, verdict.on);
      case "set-aside":
        return yield* this.#setAside(item, verdict.on);
    }
  }

  #leave(item: Item, reason: SkipReason | undefined): Remains {
    if (reason !== undefined) this.#draft.skipped.push({ path: item.shownPath, reason });
    this.#draft.ledger.rememberOld(item);
    if (item.on("local") === undefined) {
      return item.on("remote") === undefined ? NOTHING : STAYS.remote;
    }
    return item.on("remote") === undefined ? STAYS.local : EVERYWHERE;
  }

  /** A side's name that differs only in case from the new one. */
  #respell(item: Item): number[] {
    const side = item.pair.respelled;
    if (side === undefined) return [];
    const { builder, vectors } = this.#draft;
    const entry = item.on(side)!;
    const from = joinPath(item.parent.path[side], entry.name);
    const draft = builder.add(side, entry.kind === "dir" ? "dirs" : "moves", {
      op: "move",
      from,
      path: item.path(side),
      before: beforeOf(entry),
      vector: carried(vectors.of(item, side)),
    }, shownAs(entry, "R"));
    this.#draft.touch(item.parent, side);
    return [draft.id];
  }

  /** Directories on both sides. */
  *#merge(item: Item, respelling: readonly number[]): Planning<void> {
    const { builder, ledger, vectors } = this.#draft;
    const local = item.on("local") as DirEntry;
    const remote = item.on("remote") as DirEntry;
    const mode = agreedMode(item, local.mode >= remote.mode ? "local" : "remote", this.#draft)!;
    const isModed = bySide((side) => modeOf(item.on(side)) === mode);
    const vector = vectors.merged(item, (side) => isModed[side]);
    const needs = [...respelling];
    if (item.dir !== undefined) yield* this.plan(item.dir);
    else if (!equalBytes(local.shape, EMPTY_SHAPE)) this.#draft.hasUnchanged = true;
    const timed = item.dir && this.#draft.onlyTouched(item.dir);
    for (const side of SIDES) {
      const mtimeMs = side === timed ? item.dir!.facts!.mtimeMs[across(side)] : undefined;
      if (isModed[side] && mtimeMs === undefined) {
        ledger.stamp(item, side, vector, needs);
        continue;
      }
      const draft = builder.add(side, "dir-attributes", {
        op: "set-attributes",
        path: item.path(side),
        mode: isModed[side] ? undefined : mode,
        mtimeMs,
        before: { kind: "dir" },
        vector: carried(vector),
      }, isModed[side] ? undefined : { action: "m", type: "d" });
      if (!isModed[side]) needs.push(draft.id);
    }
    ledger.remember(item, { ...local, mode }, needs, item.dir);
  }

  /** One side gets what the other has. */
  *#put(item: Item, to: Side): Planning<Remains> {
    const { builder, ledger, vectors } = this.#draft;
    const source = across(to);
    const entry = item.on(source)!;
    const { moves } = this.#draft.trees;
    const move = moves.moveTo(item);
    if (item.movedFrom !== undefined || move !== undefined) {
      const ids = move === undefined
        ? this.#moves.moveDir(item, to)
        : this.#moves.moveFile(item, to, move);
      ledger.remember(item, entry, ids);
      return GETS[to];
    }
    if (entry.kind === "dir") {
      const made = this.#makeDir(item, to, ABSENT);
      yield* this.plan(item.dir!);
      ledger.remember(item, entry, [made.id], item.dir);
      return GETS[to];
    }
    if (this.#draft.refusesLink(item, to, entry)) return this.#leave(item, undefined);
    const vector = vectors.taken(item, source);
    const shown = shownAs(entry, "+");
    const copiedFrom = moves.copyOf(item);
    const draft = copiedFrom !== undefined && entry.kind === "file"
      ? builder.add(to, "copies", {
        op: "copy-file",
        from: copiedFrom.path,
        path: item.path(to),
        mode: entry.mode,
        size: entry.size,
        mtimeMs: entry.mtimeMs,
        digest: copiedFrom.digest,
        before: ABSENT,
        vector: carried(vector),
      }, shown)
      : this.#draft.write(item, to, { entry, before: ABSENT, vector, shown });
    this.#draft.touch(item.parent, to);
    ledger.stamp(item, source, vector, [draft.id]);
    ledger.remember(item, entry, [draft.id]);
    return GETS[to];
  }

  #makeDir(item: Item, to: Side, before: Before): Draft {
    const source = across(to);
    const vector = this.#draft.vectors.taken(item, source);
    const draft = this.#draft.builder.add(to, "dirs", {
      op: "make-dir",
      path: item.path(to),
      mode: (item.on(source) as DirEntry).mode,
      mtimeMs: item.dir!.facts!.mtimeMs[source],
      before,
      vector: carried(vector),
    }, { action: "+", type: "d" });
    this.#draft.touch(item.parent, to);
    this.#draft.ledger.stamp(item, source, vector, [draft.id]);
    return draft;
  }

  /** One side loses what the other does not have. */
  *#remove(item: Item, from: Side): Planning<Remains> {
    const { deletions, ledger } = this.#draft;
    if (item.movedTo !== undefined) {
      this.#moves.dirMovedAway(item, from);
      return NOTHING;
    }
    const move = this.#draft.trees.moves.moveFrom(item);
    if (move !== undefined) {
      this.#moves.fileMovedAway(item, from, move);
      return NOTHING;
    }
    if (item.dir === undefined) {
      deletions[from]++;
      ledger.remember(item, undefined, [this.#removal(item, from).id]);
      return NOTHING;
    }
    const line = this.#draft.builder.lines.length;
    const { stays } = yield* this.plan(item.dir);
    if (stays.has(from)) {
      ledger.rememberOld(item, item.dir);
      return STAYS[from];
    }
    const draft = this.#removal(item, from);
    this.#draft.builder.lines.raiseLast(line);
    ledger.remember(item, undefined, [draft.id], item.dir);
    return NOTHING;
  }

  #removal(item: Item, from: Side): Draft {
    const entry = item.on(from)!;
    const vector = this.#draft.vectors.removed(item, from);
    const draft = this.#draft.builder.add(from, this.#isClearing ? "clear" : "deletes", {
      op: "remove",
      path: item.path(from),
      before: beforeOf(entry),
      vector: carried(vector),
    }, { ...shownAs(entry, "-"), isSized: false });
    this.#draft.touch(item.parent, from);
    this.#draft.ledger.stampTombstone(item, across(from), vector, [draft.id]);
    return draft;
  }

  /** A directory that the other side deleted. */
  *#remnant(item: Item, on: Side): Planning<Remains> {
    if (item.movedTo !== undefined) {
      this.#moves.dirMovedAway(item, on);
      return NOTHING;
    }
    const { builder, ledger } = this.#draft;
    const other = across(on);
    const line = builder.lines.length;
    const { stays, gets } = yield* this.plan(item.dir!);
    // Made anew by someone who knew of the deletion, it comes back even if it is empty.
    const { rules } = this.#draft.trees;
    const isRemade = outranks(
      trustedVector(item, on, rules),
      trustedVector(item, other, rules),
    );
    if (gets.has(other) || isRemade) {
      const made = this.#makeDir(item, other, ABSENT);
      builder.lines.raiseLast(line);
      ledger.remember(item, item.on(on), [made.id], item.dir);
      return GETS[other];
    }
    if (stays.has(on)) {
      ledger.rememberOld(item, item.dir);
      return STAYS[on];
    }
    const draft = this.#removal(item, on);
    builder.lines.raiseLast(line);
    ledger.remember(item, undefined, [draft.id], item.dir);
    return NOTHING;
  }

  /** A directory gives way to a file or link. */
  *#dirToLeaf(item: Item, on: Side): Planning<Remains> {
    const { ledger, vectors } = this.#draft;
    const winner = across(on);
    const entry = item.on(winner) as Leaf;
    if (!isAllGone(item.dir!)) return this.#leave(item, "in_the_way");
    if (this.#draft.refusesLink(item, on, entry)) return this.#leave(item, undefined);
    const wasClearing = this.#isClearing;
    this.#isClearing = true;
    yield* this.plan(item.dir!);
    this.#isClearing = wasClearing;
    const vector = vectors.taken(item, winner);
    const before = beforeOf(item.on(on));
    const draft = this.#draft.write(item, on, {
      entry,
      before,
      vector,
      shown: shownAs(entry, "M"),
    });
    ledger.stamp(item, winner, vector, [draft.id]);
    ledger.remember(item, entry, [draft.id], item.dir);
    return EVERYWHERE;
  }

  /** A file or link gives way to a directory. */
  *#leafToDir(item: Item, on: Side): Planning<Remains> {
    const { builder, deletions, ledger } = this.#draft;
    const leaf = item.on(on)!;
    const line = builder.lines.length;
    const made = this.#makeDir(item, on, beforeOf(leaf));
    builder.show(made, { ...shownAs(leaf, "-"), isSized: false });
    builder.lines.raiseLast(line);
    deletions[on]++;
    yield* this.plan(item.dir!);
    ledger.remember(item, item.on(across(on)), [made.id], item.dir);
    return EVERYWHERE;
  }

  /** A file or link becomes a conflict copy beside a directory. */
  *#setAside(item: Item, on: Side): Planning<Remains> {
    const { builder, conflicts, ledger } = this.#draft;
    const leaf = item.on(on)!;
    conflicts.push({ path: item.shownPath, kept: "both" });
    const aside = this.#leaves.moveAside(item, on, "clear");
    if (aside !== undefined) builder.show(aside, { ...shownAs(leaf, "C"), isOldPath: true });
    const made = this.#makeDir(item, on, aside === undefined ? beforeOf(leaf) : ABSENT);
    yield* this.plan(item.dir!);
    const needs = aside === undefined ? [made.id] : [aside.id, made.id];
    ledger.remember(item, item.on(across(on)), needs, item.dir);
    return EVERYWHERE;
  }
}
