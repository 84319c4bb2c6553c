import type { Digest } from "../../base/digest.ts";
import { joinPath, type RelPath } from "../../base/paths.ts";
import type { DirEntry, Entry } from "../../base/tree.ts";
import type { VectorMember } from "../../base/version_vector.ts";
import type { Before } from "../apply/operation.ts";
import type { PlanConflict, PlanItem } from "../plan/sync_plan.ts";
import { isLeaf, type Leaf, likeness, modeOf, sameTime } from "./agreement.ts";
import { type Contest, contest, mergedMode, metadataWinner } from "./contest.ts";
import { CopyNames } from "./copy_names.ts";
import { type JudgeRules, sourceOf, trustedVector } from "./judge.ts";
import { type DirNode, isAllGone, type Item, type ItemResult, type SkipReason } from "./node.ts";
import { type Draft, type Phase, PlanBuilder, type Shown } from "./plan_builder.ts";
import type { Plan, Skip } from "./plan.ts";
import type { Questions } from "./questions.ts";
import { linkProblem, type Problem } from "./refusal.ts";
import { type PendingStamp, settle } from "./settlement.ts";
import { across, type BySide, bySide, type Side, SIDES } from "./side.ts";
import type { AncestorTree, SideDevice, SideTraits } from "./tree_view.ts";
import {
  carried,
  decided,
  joined,
  type MaybeVector,
  outranks,
  sameVector,
  vectorIn,
} from "./versions.ts";

/** A walk that is complete. */
export interface PlannerInput {
  readonly root: DirNode;
  readonly ancestor: AncestorTree | undefined;
  readonly rules: JudgeRules;
  readonly traits: BySide<SideTraits>;
  readonly devices: BySide<SideDevice>;
  readonly shortIdOf: ((member: VectorMember) => string | undefined) | undefined;
  readonly isIgnored: (path: RelPath, isDir: boolean) => boolean;
  readonly questions: Questions;
  readonly problems: readonly Problem[];
}

/** Turns verdicts into operations on both sides. */
export function makePlan(input: PlannerInput): Plan {
  return new Planner(input).run();
}

/** What is in a directory once the plan is carried out, as far as its own fate depends on it. */
interface Remains {
  /** Sides on which something stays, so that the directory can't go. */
  readonly stays: ReadonlySet<Side>;
  /** Sides that get something, so that the directory has to be there. */
  readonly gets: ReadonlySet<Side>;
}

const NO_SIDE: ReadonlySet<Side> = new Set();
const NOTHING: Remains = { stays: NO_SIDE, gets: NO_SIDE };
const EVERYWHERE: Remains = { stays: new Set(SIDES), gets: NO_SIDE };

class Planner {
  readonly #input: PlannerInput;
  readonly #builder = new PlanBuilder();
  readonly #copyNames: CopyNames;
  readonly #problems: Problem[];
  readonly #skipped: Skip[] = [];
  readonly #conflicts: PlanConflict[] = [];
  readonly #stamps: PendingStamp[] = [];
  readonly #deletions = { local: 0, remote: 0 };
  readonly #moves = new Map<Item, Draft>();
  /** Sides on which names in a directory change. */
  readonly #touched = new Map<DirNode, Set<Side>>();
  /** Set while a directory is emptied to make room. */
  #isClearing = false;

  constructor(input: PlannerInput) {
    this.#input = input;
    this.#problems = [...input.problems];
    this.#copyNames = new CopyNames(input);
  }

  run(): Plan {
    const { root, ancestor } = this.#input;
    if (root.isExpanded) this.#dir(root);
    const drafts = this.#builder.ordered();
    const positions: { side: Side; index: number }[] = [];
    for (const side of SIDES) {
      for (const [index, draft] of drafts[side].entries()) positions[draft.id] = { side, index };
    }
    const items = this.#builder.items.map(({ draft, ...item }): PlanItem =>
      draft === undefined ? item : { ...item, operation: positions[draft.id]! }
    );
    const writes = (side: Side) =>
      drafts[side].reduce(
        (sum, { operation }) => sum + (operation.op === "write-file" ? operation.size : 0),
        0,
      );
    return {
      local: drafts.local.map((draft) => draft.operation),
      remote: drafts.remote.map((draft) => draft.operation),
      phases: bySide((side) => drafts[side].map((draft) => draft.phase)),
      items: [...items, ...this.#problemItems(), ...this.#skippedItems()],
      conflicts: this.#conflicts,
      skipped: this.#skipped,
      problems: this.#problems,
      deletions: this.#deletions,
      renames: items.filter((item) => item.action === "R").length,
      bytesToSend: writes("remote"),
      bytesToReceive: writes("local"),
      settle: (isDone) =>
        settle({
          root,
          ancestorRoot: ancestor?.root,
          stamps: this.#stamps,
          isDone: (id) => {
            const { side, index } = positions[id]!;
            return isDone(side, index);
          },
        }),
    };
  }

  #problemItems(): PlanItem[] {
    return this.#problems.map(({ path, side, message }) => ({
      action: "!",
      path,
      bytes: 0,
      direction: side === "remote" ? ">" : "<",
      type: "f",
      reason: message,
    }));
  }

  #skippedItems(): PlanItem[] {
    return this.#skipped.map(({ path, reason }) => ({
      action: "s",
      path,
      bytes: 0,
      direction: ">",
      type: "f",
      reason: SKIP_TEXT[reason],
    }));
  }

  /** Plans all of a directory's entries. */
  #dir(node: DirNode): Remains {
    this.#agreeOnVersions(node);
    const stays = new Set<Side>();
    const gets = new Set<Side>();
    for (const side of SIDES) {
      const view = node.views[side];
      if (view.isIncomplete || view.opaque.size > 0 || node.same.length > 0) stays.add(side);
    }
    for (const item of node.items) {
      const remains = this.#item(item);
      for (const side of remains.stays) stays.add(side);
      for (const side of remains.gets) gets.add(side);
    }
    return { stays, gets };
  }

  #item(item: Item): Remains {
    const { verdict } = item;
    const respelling = this.#respell(item);
    switch (verdict.type) {
      case "same":
        this.#agreeOnVersion(item, []);
        this.#remember(item, item.pair.local, respelling);
        return EVERYWHERE;
      case "forget":
        return NOTHING;
      case "keep":
        this.#rememberOld(item);
        return this.#leftAlone(item);
      case "skip":
        return this.#skip(item, verdict.reason);
      case "pair":
        this.#pair(item, respelling);
        return EVERYWHERE;
      case "merge":
        this.#merge(item, respelling);
        return EVERYWHERE;
      case "put":
        return this.#put(item, verdict.to);
      case "remove":
        return this.#remove(item, verdict.from);
      case "remnant":
        return this.#remnant(item, verdict.on);
      case "dir-to-leaf":
        return this.#dirToLeaf(item, verdict.on);
      case "leaf-to-dir":
        return this.#leafToDir(item, verdict.on);
      case "set-aside":
        return this.#setAside(item, verdict.on);
    }
  }

  #leftAlone(item: Item): Remains {
    return { stays: new Set(SIDES.filter((side) => item.on(side) !== undefined)), gets: NO_SIDE };
  }

  #skip(item: Item, reason: SkipReason | undefined): Remains {
    if (reason !== undefined) this.#skipped.push({ path: item.shownPath, reason });
    this.#rememberOld(item);
    return this.#leftAlone(item);
  }

  // ---- leaves on both sides

  #pair(item: Item, respelling: readonly number[]): void {
    const local = item.on("local") as Leaf;
    const remote = item.on("remote") as Leaf;
    const digests = bySide((side) => this.#digestOf(item, side));
    const isSame = likeness(
      withDigest(local, digests.local),
      withDigest(remote, digests.remote),
      this.#input.rules.windowMs,
    ) === "same";
    if (isSame) return this.#agree(item, respelling);
    const decision = contest(item, this.#input.rules, digests);
    const loser = across(decision.winner);
    const winning = item.on(decision.winner) as Leaf;
    const refused = winning.kind === "link" && this.#refuseLink(item, loser, winning.target);
    if (refused) return this.#rememberOld(item);
    const keepsBoth = decision.isConflict && this.#policy === "keep-both";
    if (decision.isConflict) {
      this.#conflicts.push({ path: item.shownPath, kept: keepsBoth ? "both" : decision.winner });
    }
    this.#replace(item, decision, { keepsBoth, respelling });
  }

  /** Contents are equal; mode and time may not be. */
  #agree(item: Item, respelling: readonly number[]): void {
    const local = item.on("local") as Leaf;
    const remote = item.on("remote") as Leaf;
    const { windowMs } = this.#input.rules;
    const mtimeMs = this.#mergedTime(item);
    const mode = this.#agreedMode(item, local.mtimeMs >= remote.mtimeMs ? "local" : "remote");
    const isTimedOn = (side: Side) => sameTime((item.on(side) as Leaf).mtimeMs, mtimeMs, windowMs);
    const isModedOn = (side: Side) => modeOf(item.on(side)) === mode;
    const vector = this.#mergedVector(item, (side) => isTimedOn(side) && isModedOn(side));
    const needs = [...respelling];
    for (const side of SIDES) {
      const entry = item.on(side) as Leaf;
      const isTimed = isTimedOn(side);
      const isModed = isModedOn(side);
      if (isTimed && isModed) {
        if (!sameVector(vector, this.#vector(item, side))) this.#stamp(item, side, vector, needs);
        continue;
      }
      const draft = this.#builder.add(side, "attributes", {
        op: "set-attributes",
        path: item.path(side),
        mode: isModed ? undefined : mode,
        mtimeMs: isTimed ? undefined : mtimeMs,
        before: beforeOf(entry),
        vector: carried(vector),
      }, { action: "m", type: typeOf(entry), bytes: sizeOf(entry) });
      needs.push(draft.id);
    }
    const digest = local.kind === "file" && remote.kind === "file" && remote.digest && local.digest;
    const agreed = local.kind === "link" ? { ...local, mtimeMs } : {
      kind: "file" as const,
      name: local.name,
      mode: mode!,
      size: local.size,
      mtimeMs,
      ...(digest && { digest }),
    };
    this.#remember(item, agreed, needs);
  }

  /** One side takes over the other's contents. */
  #replace(
    item: Item,
    decision: Contest,
    how: { readonly keepsBoth: boolean; readonly respelling: readonly number[] },
  ): void {
    const { winner } = decision;
    const side = across(winner);
    const losing = item.on(side) as Leaf;
    const mode = this.#modeOf(item, winner);
    const winning = withMode(item.on(winner) as Leaf, mode);
    const own = item.on(winner) as Leaf;
    const isModed = modeOf(own) === mode;
    const vector = this.#takenVector(item, winner, isModed);
    const needs = [...how.respelling];
    let before = beforeOf(losing);
    if (how.keepsBoth) {
      const aside = this.#moveAside(item, side, "moves");
      if (aside !== undefined) {
        needs.push(aside.id);
        before = ABSENT;
      }
    }
    const shown: Shown = {
      action: decision.isConflict ? "C" : "M",
      type: typeOf(winning),
      bytes: sizeOf(winning),
    };
    needs.push(this.#write(item, side, { entry: winning, before, vector, shown }).id);
    if (!isModed) {
      // Not yet the vector of the outcome: it must not outrank the other version before that is safe.
      const changed = this.#ownVector(item, winner, isModed);
      needs.push(this.#setMode(item, winner, { mode: mode!, vector: changed }).id);
    }
    if (!sameVector(vector, this.#vector(item, winner))) this.#stamp(item, winner, vector, needs);
    this.#remember(item, winning, needs);
  }

  /**
   * Gives the losing version its own name on its side and on the other one.
   *
   * @returns The move that clears the path, or `undefined` if the version lies elsewhere already.
   */
  #moveAside(item: Item, side: Side, phase: Phase): Draft | undefined {
    const leaf = item.on(side) as Leaf;
    const digest = this.#digestOf(item, side);
    const { name, isThere } = this.#copyNames.choose({ item, side, leaf, digest });
    if (isThere) return undefined;
    const { parent } = item;
    const vector = this.#vector(item, side);
    const path = joinPath(parent.path[side], name);
    const aside = this.#builder.add(side, phase, {
      op: "move",
      from: item.path(side),
      path,
      before: beforeOf(leaf),
      vector: carried(vector),
    });
    this.#touch(parent, side);
    const other = across(side);
    const copy = joinPath(parent.path[other], name);
    this.#nameCopy(item, copy);
    if (this.#input.isIgnored(copy, false)) return aside;
    if (leaf.kind === "link" && this.#refuseLink(item, other, leaf.target)) return aside;
    const shown = { action: "+", type: typeOf(leaf), bytes: sizeOf(leaf) } as const;
    const draft = this.#write(item, other, {
      entry: leaf,
      path: copy,
      before: ABSENT,
      vector,
      shown,
    });
    parent.results.push({
      name,
      next: { ...leaf, name },
      needs: [aside.id, draft.id],
      old: undefined,
    });
    return aside;
  }

  #nameCopy(item: Item, copy: RelPath): void {
    const at = this.#conflicts.length - 1;
    const conflict = this.#conflicts[at]!;
    if (conflict.path === item.shownPath) this.#conflicts[at] = { ...conflict, copy };
  }

  // ---- directories on both sides

  #merge(item: Item, respelling: readonly number[]): void {
    const local = item.on("local") as DirEntry;
    const remote = item.on("remote") as DirEntry;
    const mode = this.#agreedMode(item, local.mode >= remote.mode ? "local" : "remote")!;
    const vector = this.#mergedVector(item, (side) => modeOf(item.on(side)) === mode);
    const needs = [...respelling];
    if (item.dir !== undefined) this.#dir(item.dir);
    const timed = item.dir && this.#onlyTouched(item.dir);
    for (const side of SIDES) {
      const entry = item.on(side) as DirEntry;
      const isModed = entry.mode === mode;
      const mtimeMs = side === timed ? item.dir!.views[across(side)].mtimeMs : undefined;
      if (isModed && mtimeMs === undefined) {
        if (!sameVector(vector, this.#vector(item, side))) this.#stamp(item, side, vector, needs);
        continue;
      }
      const draft = this.#builder.add(side, "dir-attributes", {
        op: "set-attributes",
        path: item.path(side),
        mode: isModed ? undefined : mode,
        mtimeMs,
        before: { kind: "dir" },
        vector: carried(vector),
      }, isModed ? undefined : { action: "m", type: "d" });
      if (!isModed) needs.push(draft.id);
    }
    this.#remember(item, { ...local, mode }, needs, item.dir);
  }

  /** The one side on which names in a directory change; its time then becomes the other's. */
  #onlyTouched(node: DirNode): Side | undefined {
    const sides = this.#touched.get(node);
    return sides?.size === 1 ? [...sides][0] : undefined;
  }

  // ---- what one side gets

  #put(item: Item, to: Side): Remains {
    const source = across(to);
    const entry = item.on(source)!;
    const remains: Remains = { stays: new Set([source]), gets: new Set([to]) };
    if (item.movedFrom !== undefined) {
      const move = this.#move(item, to);
      this.#remember(item, entry, [move.id]);
      return remains;
    }
    if (entry.kind === "dir") {
      const made = this.#makeDir(item, to, ABSENT);
      this.#dir(item.dir!);
      this.#remember(item, entry, [made.id], item.dir);
      return remains;
    }
    if (entry.kind === "link" && this.#refuseLink(item, to, entry.target)) {
      this.#rememberOld(item);
      return this.#leftAlone(item);
    }
    const vector = this.#takenVector(item, across(to));
    const shown = { action: "+", type: typeOf(entry), bytes: sizeOf(entry) } as const;
    const { copiedFrom } = item;
    const draft = copiedFrom !== undefined && entry.kind === "file"
      ? this.#builder.add(to, "copies", {
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
      : this.#write(item, to, { entry, before: ABSENT, vector, shown });
    this.#touch(item.parent, to);
    this.#stampSource(item, source, vector, [draft.id]);
    this.#remember(item, entry, [draft.id]);
    return remains;
  }

  /** The operation that moves what a side has to where it is wanted: one for the item and its source. */
  #move(item: Item, side: Side): Draft {
    const known = this.#moves.get(item);
    if (known !== undefined) return known;
    const gone = item.movedFrom!;
    const entry = gone.on(side)!;
    const wanted = item.on(across(side))!;
    const vector = this.#takenVector(item, across(side));
    const tombstone = this.#removedVector(gone, side);
    const draft = this.#builder.add(side, "moves", {
      op: "move",
      from: gone.path(side),
      path: item.path(side),
      before: beforeOf(entry),
      vector: carried(vector),
    }, { action: "R", type: typeOf(entry), bytes: sizeOf(entry), from: gone.path(side) });
    this.#moves.set(item, draft);
    this.#touch(item.parent, side);
    this.#touch(gone.parent, side);
    this.#stampSource(item, across(side), vector, [draft.id]);
    this.#stamp(gone, side, tombstone, [draft.id]);
    this.#stampTombstone(gone, across(side), tombstone, [draft.id]);
    if (wanted.kind !== "link" && entry.kind !== "link" && wanted.mode !== entry.mode) {
      this.#setMode(item, side, { mode: wanted.mode, vector, before: beforeOf(entry) });
    }
    return draft;
  }

  #makeDir(item: Item, to: Side, before: Before): Draft {
    const source = across(to);
    const entry = item.on(source) as DirEntry;
    const vector = this.#takenVector(item, across(to));
    const draft = this.#builder.add(to, "dirs", {
      op: "make-dir",
      path: item.path(to),
      mode: entry.mode,
      mtimeMs: item.dir!.views[source].mtimeMs,
      before,
      vector: carried(vector),
    }, { action: "+", type: "d" });
    this.#touch(item.parent, to);
    this.#stampSource(item, source, vector, [draft.id]);
    return draft;
  }

  // ---- what one side loses

  #remove(item: Item, from: Side): Remains {
    if (item.movedTo !== undefined) return this.#movedAway(item, from);
    const entry = item.on(from)!;
    const shown: Shown = { action: "-", type: typeOf(entry), bytes: 0 };
    if (entry.kind === "dir") {
      const lines = this.#builder.items.length;
      const { stays } = this.#dir(item.dir!);
      if (stays.has(from)) {
        this.#rememberDir(item);
        return { stays: new Set([from]), gets: NO_SIDE };
      }
      const draft = this.#removal(item, from);
      this.#builder.show(draft, shown);
      this.#builder.items.splice(lines, 0, this.#builder.items.pop()!);
      this.#remember(item, undefined, [draft.id], item.dir);
      return NOTHING;
    }
    const draft = this.#removal(item, from);
    this.#builder.show(draft, shown);
    this.#deletions[from]++;
    this.#remember(item, undefined, [draft.id]);
    return NOTHING;
  }

  #removal(item: Item, from: Side): Draft {
    const vector = this.#removedVector(item, from);
    const draft = this.#builder.add(from, this.#isClearing ? "clear" : "deletes", {
      op: "remove",
      path: item.path(from),
      before: beforeOf(item.on(from)),
      vector: carried(vector),
    });
    this.#touch(item.parent, from);
    this.#stampTombstone(item, across(from), vector, [draft.id]);
    return draft;
  }

  #movedAway(item: Item, from: Side): Remains {
    const move = this.#move(item.movedTo!, from);
    this.#remember(item, undefined, [move.id]);
    return NOTHING;
  }

  /** A directory that the other side deleted. */
  #remnant(item: Item, on: Side): Remains {
    if (item.movedTo !== undefined) return this.#movedAway(item, on);
    const other = across(on);
    const entry = item.on(on) as DirEntry;
    const lines = this.#builder.items.length;
    const { stays, gets } = this.#dir(item.dir!);
    const first = (draft: Draft, shown: Shown) => {
      this.#builder.show(draft, shown);
      this.#builder.items.splice(lines, 0, this.#builder.items.pop()!);
    };
    // Made anew by someone who knew of the deletion, it comes back even if it is empty.
    const isRemade = outranks(this.#vector(item, on), this.#vector(item, other));
    if (gets.has(other) || isRemade) {
      const made = this.#makeDir(item, other, ABSENT);
      this.#builder.items.splice(lines, 0, this.#builder.items.pop()!);
      this.#remember(item, entry, [made.id], item.dir);
      return { stays: new Set([on]), gets: new Set([other]) };
    }
    if (stays.has(on)) {
      this.#rememberDir(item);
      return { stays: new Set([on]), gets: NO_SIDE };
    }
    const draft = this.#removal(item, on);
    first(draft, { action: "-", type: "d" });
    this.#remember(item, undefined, [draft.id], item.dir);
    return NOTHING;
  }

  // ---- a file here, a directory there

  #dirToLeaf(item: Item, on: Side): Remains {
    const winner = across(on);
    const leaf = item.on(winner) as Leaf;
    if (!isAllGone(item.dir!)) return this.#skip(item, "in_the_way");
    if (leaf.kind === "link" && this.#refuseLink(item, on, leaf.target)) {
      this.#rememberOld(item);
      return EVERYWHERE;
    }
    const wasClearing = this.#isClearing;
    this.#isClearing = true;
    this.#dir(item.dir!);
    this.#isClearing = wasClearing;
    const vector = this.#takenVector(item, winner);
    const shown = { action: "M", type: typeOf(leaf), bytes: sizeOf(leaf) } as const;
    const draft = this.#write(item, on, { entry: leaf, before: { kind: "dir" }, vector, shown });
    this.#stampSource(item, winner, vector, [draft.id]);
    this.#remember(item, leaf, [draft.id], item.dir);
    return EVERYWHERE;
  }

  #leafToDir(item: Item, on: Side): Remains {
    const made = this.#makeDir(item, on, beforeOf(item.on(on)));
    this.#deletions[on]++;
    this.#dir(item.dir!);
    this.#remember(item, item.on(across(on)), [made.id], item.dir);
    return EVERYWHERE;
  }

  #setAside(item: Item, on: Side): Remains {
    this.#conflicts.push({ path: item.shownPath, kept: "both" });
    const leaf = item.on(on) as Leaf;
    const aside = this.#moveAside(item, on, "clear");
    if (aside !== undefined) {
      const shown: Shown = { action: "C", type: typeOf(leaf), bytes: sizeOf(leaf) };
      this.#builder.show(aside, { ...shown, path: item.path(on) });
    }
    const made = this.#makeDir(item, on, aside === undefined ? beforeOf(item.on(on)) : ABSENT);
    this.#dir(item.dir!);
    const needs = aside === undefined ? [made.id] : [aside.id, made.id];
    this.#remember(item, item.on(across(on)), needs, item.dir);
    return EVERYWHERE;
  }

  // ---- operations

  /** A side's name that differs only in case from the new one. */
  #respell(item: Item): number[] {
    const side = item.pair.respelled;
    if (side === undefined) return [];
    const entry = item.on(side)!;
    const from = joinPath(item.parent.path[side], entry.name);
    const draft = this.#builder.add(side, entry.kind === "dir" ? "dirs" : "moves", {
      op: "move",
      from,
      path: item.path(side),
      before: beforeOf(entry),
      vector: carried(this.#vector(item, side)),
    }, { action: "R", type: typeOf(entry), bytes: sizeOf(entry), from });
    this.#touch(item.parent, side);
    return [draft.id];
  }

  #write(item: Item, to: Side, what: {
    readonly entry: Leaf;
    readonly path?: RelPath;
    readonly before: Before;
    readonly vector: MaybeVector;
    readonly shown: Shown;
  }): Draft {
    const { entry, before, shown } = what;
    const path = what.path ?? item.path(to);
    const vector = carried(what.vector);
    this.#touch(item.parent, to);
    if (entry.kind === "link") {
      const { target, mtimeMs } = entry;
      const operation = { op: "make-link", path, target, mtimeMs, before, vector } as const;
      return this.#builder.add(to, "links", operation, shown);
    }
    const source = across(to);
    return this.#builder.add(to, "contents", {
      op: "write-file",
      path,
      source: item.scannedPath(source),
      mode: entry.mode,
      size: entry.size,
      mtimeMs: entry.mtimeMs,
      digest: this.#digestOf(item, source),
      before,
      vector,
    }, shown);
  }

  #setMode(
    item: Item,
    side: Side,
    to: { readonly mode: number; readonly vector: MaybeVector; readonly before?: Before },
  ): Draft {
    const before = to.before ?? beforeOf(item.on(side));
    const phase = before.kind === "dir" ? "dir-attributes" : "attributes";
    return this.#builder.add(side, phase, {
      op: "set-attributes",
      path: item.path(side),
      mode: to.mode,
      mtimeMs: undefined,
      before,
      vector: carried(to.vector),
    }, { action: "m", type: before.kind === "dir" ? "d" : "f" });
  }

  #refuseLink(item: Item, side: Side, target: string): boolean {
    const traits = this.#input.traits[side];
    const problem = linkProblem(item.path(side), target, { side, traits });
    if (problem !== undefined) this.#problems.push(problem);
    return problem !== undefined;
  }

  #touch(node: DirNode, side: Side): void {
    const sides = this.#touched.get(node);
    if (sides === undefined) this.#touched.set(node, new Set([side]));
    else sides.add(side);
  }

  // ---- what is remembered

  #remember(
    item: Item,
    next: Entry | undefined,
    needs: readonly number[],
    dir?: DirNode | undefined,
  ): void {
    const name = item.rememberedName;
    const result: ItemResult = {
      name,
      next: next && { ...next, name },
      needs,
      old: item.pair.ancestor,
      dir,
    };
    item.parent.results.push(result);
  }

  #rememberOld(item: Item): void {
    if (item.pair.ancestor !== undefined) this.#remember(item, item.pair.ancestor, []);
  }

  /** The directory stays on one side for what can't be touched there. */
  #rememberDir(item: Item): void {
    const { ancestor } = item.pair;
    if (ancestor !== undefined) this.#remember(item, ancestor, [], item.dir);
  }

  #stamp(item: Item, side: Side, vector: MaybeVector, needs: readonly number[]): void {
    if (vector === undefined) return;
    const isDeleted = item.verdict.type === "remove" || item.verdict.type === "remnant";
    this.#stamps.push({ side, path: item.path(side), vector, isDeleted, needs });
  }

  #stampSource(item: Item, source: Side, vector: MaybeVector, needs: readonly number[]): void {
    if (vector === undefined || sameVector(vector, this.#vector(item, source))) return;
    this.#stamps.push({ side: source, path: item.path(source), vector, isDeleted: false, needs });
  }

  #stampTombstone(item: Item, side: Side, vector: MaybeVector, needs: readonly number[]): void {
    if (vector === undefined || sameVector(vector, this.#vector(item, side))) return;
    this.#stamps.push({ side, path: item.path(side), vector, isDeleted: true, needs });
  }

  #agreeOnVersions(node: DirNode): void {
    const { local, remote } = node.views;
    if (local.versions === undefined || remote.versions === undefined) return;
    for (const { name } of node.same) {
      const vectors = { local: vectorIn(local, name), remote: vectorIn(remote, name) };
      const vector = joined(vectors.local, vectors.remote);
      if (vector === undefined) continue;
      for (const side of SIDES) {
        if (sameVector(vector, vectors[side])) continue;
        const path = joinPath(node.path[side], name);
        this.#stamps.push({ side, path, vector, isDeleted: false, needs: [] });
      }
    }
  }

  #agreeOnVersion(item: Item, needs: readonly number[]): void {
    const vector = joined(this.#vector(item, "local"), this.#vector(item, "remote"));
    for (const side of SIDES) {
      if (!sameVector(vector, this.#vector(item, side))) this.#stamp(item, side, vector, needs);
    }
  }

  // ---- versions

  #vector(item: Item, side: Side): MaybeVector {
    return vectorIn(item.parent.views[side], item.on(side)?.name ?? item.name(side));
  }

  /**
   * What a side's version gets that the other side takes over, in place of what that side had.
   *
   * @param isAsIs False if it changes a little on its own side too.
   */
  #takenVector(item: Item, winner: Side, isAsIs = true): MaybeVector {
    const other = this.#vector(item, across(winner));
    const vector = joined(this.#ownVector(item, winner, isAsIs), other);
    // The outcome has to outrank what it replaces, or other devices would take that for the newer one.
    const isOpen = other !== undefined && !outranks(vector, other);
    return isOpen ? this.#decided(vector, winner) : vector;
  }

  /** A side's vector, counted on where the version has changed without it, or is about to. */
  #ownVector(item: Item, side: Side, isAsIs: boolean): MaybeVector {
    const own = this.#vector(item, side);
    const isUncounted = own !== undefined &&
      trustedVector(item, side, this.#input.rules) === undefined;
    return isUncounted || !isAsIs ? this.#decided(own, side) : own;
  }

  /** What a state gets that is made of both sides' versions, and may already be that of one. */
  #mergedVector(item: Item, isAsOn: (side: Side) => boolean): MaybeVector {
    const [local, remote] = [isAsOn("local"), isAsOn("remote")];
    if (local !== remote) return this.#takenVector(item, local ? "local" : "remote");
    const vector = joined(this.#vector(item, "local"), this.#vector(item, "remote"));
    return local ? vector : this.#decided(vector, "local");
  }

  #decided(vector: MaybeVector, side: Side): MaybeVector {
    return decided(vector, this.#input.devices[side].member);
  }

  /** What a deletion has seen. It always outranks the version deleted. */
  #removedVector(item: Item, from: Side): MaybeVector {
    const deleter = across(from);
    const version = this.#vector(item, from);
    const vector = joined(this.#vector(item, deleter), version);
    if (vector === undefined || outranks(vector, version)) return vector;
    return this.#decided(vector, deleter);
  }

  // ---- small things

  get #policy(): string {
    const { direction } = this.#input.rules;
    return direction.kind === "two-way" ? direction.conflicts : "";
  }

  #digestOf(item: Item, side: Side): Digest | undefined {
    const entry = item.on(side);
    return entry?.kind === "file"
      ? this.#input.questions.known(side, item.scannedPath(side), entry)
      : undefined;
  }

  #modeOf(item: Item, winner: Side): number | undefined {
    const source = sourceOf(this.#input.rules.direction);
    if (source === undefined) return mergedMode(item, winner);
    return modeOf(item.on(source));
  }

  /** The mode where contents agree. */
  #agreedMode(item: Item, fallback: Side): number | undefined {
    const winner = metadataWinner(item, this.#input.rules);
    if (winner === undefined) return mergedMode(item, fallback);
    return modeOf(item.on(winner));
  }

  /** The time where contents agree: the later one, if nothing tells which one is new. */
  #mergedTime(item: Item): number {
    const { windowMs } = this.#input.rules;
    const [local, remote] = [item.on("local") as Leaf, item.on("remote") as Leaf];
    const { ancestor } = item.pair;
    if (sameTime(local.mtimeMs, remote.mtimeMs, windowMs)) return local.mtimeMs;
    const winner = metadataWinner(item, this.#input.rules);
    if (winner !== undefined) return (item.on(winner) as Leaf).mtimeMs;
    if (isLeaf(ancestor) && ancestor.kind === local.kind) {
      if (sameTime(local.mtimeMs, ancestor.mtimeMs, windowMs)) return remote.mtimeMs;
      if (sameTime(remote.mtimeMs, ancestor.mtimeMs, windowMs)) return local.mtimeMs;
    }
    return Math.max(local.mtimeMs, remote.mtimeMs);
  }
}

const ABSENT: Before = { kind: "absent" };

const SKIP_TEXT: Readonly<Record<SkipReason, string>> = {
  not_judged: "it exists on one side and can't be synced there",
  incomplete: "its folder could not be read completely",
  in_the_way: "a folder that must stay is in the way",
  links_unsupported: "there are no symbolic links there",
};

function beforeOf(entry: Entry | undefined): Before {
  if (entry === undefined) return ABSENT;
  switch (entry.kind) {
    case "file":
      return { kind: "file", size: entry.size, mtimeMs: entry.mtimeMs };
    case "dir":
      return { kind: "dir" };
    case "link":
      return { kind: "link", target: entry.target };
  }
}

function typeOf(entry: Entry): PlanItem["type"] {
  return entry.kind === "file" ? "f" : entry.kind === "dir" ? "d" : "l";
}

function sizeOf(entry: Entry): number {
  return entry.kind === "file" ? entry.size : 0;
}

function withMode(leaf: Leaf, mode: number | undefined): Leaf {
  return leaf.kind === "file" && mode !== undefined ? { ...leaf, mode } : leaf;
}

function withDigest(leaf: Leaf, digest: Digest | undefined): Leaf {
  return leaf.kind === "file" && digest !== undefined ? { ...leaf, digest } : leaf;
}
