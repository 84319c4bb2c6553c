import { equalBytes } from "../../base/bytes.ts";
import type { Digest } from "../../base/digest.ts";
import type { DirPath, RelPath } from "../../base/paths.ts";
import { type DirEntry, EMPTY_SHAPE, type FileEntry } from "../../base/tree.ts";
import type { VectorMember } from "../../base/version_vector.ts";
import { changeOf, likeness } from "./agreement.ts";
import { contest, type ContestDigests } from "./contest.ts";
import { DIRS_AT_HAND, PageReader } from "./dir_reader.ts";
import { isComparedLater, type JudgeRules, sourceOf } from "./judge.ts";
import { FileMoves } from "./file_moves.ts";
import { MoveFinder } from "./move_finder.ts";
import {
  type DirContents,
  type DirFacts,
  DirNode,
  type DirNodeInit,
  isDirItem,
  isGoing,
  type Item,
  putFile,
} from "./node.ts";
import type { PairingRules } from "./pairing.ts";
import type { Plan } from "./plan.ts";
import { makePlan } from "./planner.ts";
import { type DigestQuestion, Questions } from "./questions.ts";
import { ReconcileError } from "./reconcile_error.ts";
import type { Problem } from "./refusal.ts";
import { across, bySide, type Side, SIDES } from "./side.ts";
import {
  type AncestorTree,
  type DirSource,
  type DirView,
  EMPTY_VIEW,
  type LocalTree,
  type RemoteTree,
  type SyncDirection,
} from "./tree_view.ts";

/** Entries that one run looks at, over both sides: a limit against trees that name themselves into infinity. */
export const ENTRIES_MAX = 8_000_000;

/** What is to be reconciled, and how. */
export interface ReconcileOptions {
  readonly local: LocalTree;
  readonly remote: RemoteTree;
  /** Left out where nothing is known: then nothing is deleted both ways, only joined. */
  readonly ancestor?: AncestorTree | undefined;
  readonly direction: SyncDirection;
  /**
   * The filter: what it names is never touched on either side and never read as absent. Asked for paths
   * in directories that are not ignored themselves.
   */
  readonly isIgnored?: ((path: RelPath, isDir: boolean) => boolean) | undefined;
  /** Modification times closer than this are the same; 1 for exact ones. */
  readonly modifyWindowMs?: number | undefined;
  /** Every file of both sides carries its digest. */
  readonly checksum?: boolean | undefined;
  /** See {@linkcode JudgeRules}. */
  readonly distrustsVersions?: boolean | undefined;
  /**
   * Files up to this size may be left to be compared when they are to be written: see
   * {@linkcode OperationList.toCompare}. None if left out.
   */
  readonly comparedLaterBytesMax?: number | undefined;
  /** The short device id behind a member of a version vector, where it is known. */
  readonly shortIdOf?: ((member: VectorMember) => string | undefined) | undefined;
  readonly entriesMax?: number | undefined;
  /** How many directories are kept as objects; {@linkcode DIRS_AT_HAND} if left out. */
  readonly dirsAtHand?: number | undefined;
  /** False where nobody will ask the plan to settle; {@linkcode Plan.settle} then throws. */
  readonly remembers?: boolean | undefined;
}

/** Directories asked for at once. */
export const DIRS_AT_ONCE = 4096;

/** A directory of the peer that the walk needs. */
export interface DirNeed {
  readonly path: DirPath;
  /** What its page must hash to. */
  readonly shape: Digest;
  /** It is not there any more: wanted is what the deletions in it have seen, if that is known. */
  readonly isGone?: boolean;
}

/** What the walk waits for. */
export interface Needs {
  /** At most {@linkcode DIRS_AT_ONCE}; the next poll may name more. */
  readonly dirs: readonly DirNeed[];
  /** At most {@linkcode QUESTIONS_AT_ONCE}; the next poll may name more. */
  readonly digests: readonly DigestQuestion[];
  /** Everything is known: {@linkcode Reconciler.finish} is next. */
  readonly isDone: boolean;
}

/**
 * Compares two trees with what both were, and decides everything that has to happen on both sides. A pure
 * core: whoever drives it fetches what {@linkcode pollNeeds} names, hands it in, and polls again.
 *
 * ```ts
 * for (let needs; !(needs = reconciler.pollNeeds()).isDone;) {
 *   const [views, digests] = await Promise.all([fetchDirs(needs.dirs), askDigests(needs.digests)]);
 *   needs.dirs.forEach((need, i) => reconciler.handleDir(need.path, () => views[i]));
 *   needs.digests.forEach((question, i) => reconciler.handleDigest(question, digests[i]));
 * }
 * const plan = reconciler.finish();
 * ```
 *
 * Directories of equal shape are never looked into. A round trip covers one level of the tree wherever it
 * differs, up to a limit. Cost: 1 to 3 µs an entry for each look into its directory, of which it takes two
 * to four, and no memory that lasts.
 */
export class Reconciler {
  readonly #options: ReconcileOptions;
  readonly #rules: JudgeRules;
  readonly #pairing: PairingRules;
  readonly #isIgnored: (path: RelPath, isDir: boolean) => boolean;
  readonly #reader: PageReader;
  readonly #questions = new Questions();
  readonly #problems: Problem[] = [];
  readonly #root: DirNode;
  /** Directories that can be looked into at once. */
  #now: DirNode[] = [];
  /** Directories that one side is to get: first it is looked whether it has them elsewhere. */
  #later: Item[] = [];
  readonly #awaited = new Map<DirPath, DirNode>();
  readonly #unsent: DirNeed[] = [];
  #moves: MoveFinder | undefined;
  readonly #fileMoves = new FileMoves();
  #areFilesLookedFor = false;
  #isDone = false;
  #entriesLeft: number;

  constructor(options: ReconcileOptions) {
    this.#options = options;
    const { direction } = options;
    this.#rules = {
      direction,
      windowMs: options.modifyWindowMs ?? 1,
      checksum: options.checksum ?? false,
      distrustsVersions: options.distrustsVersions ?? false,
      comparedLaterBytesMax: options.comparedLaterBytesMax ?? 0,
    };
    this.#pairing = {
      traits: { local: options.local.traits ?? {}, remote: options.remote.traits ?? {} },
      newSpelling: direction.kind !== "two-way" && direction.deletes
        ? sourceOf(direction)
        : undefined,
    };
    this.#isIgnored = options.isIgnored ?? (() => false);
    this.#entriesLeft = options.entriesMax ?? ENTRIES_MAX;
    this.#reader = new PageReader({
      local: options.local,
      ancestor: options.ancestor,
      rules: this.#rules,
      pairing: this.#pairing,
      isFiltered: options.isIgnored,
      atHand: options.dirsAtHand ?? DIRS_AT_HAND,
    });
    this.#root = new DirNode({
      flow: "judge",
      path: { local: "", remote: "" },
      scannedPath: { local: "", remote: "" },
      shape: { local: options.local.root, remote: options.remote.root },
      ancestorShape: options.ancestor?.root,
    }, this.#reader);
    if (this.#isWorthALook(this.#root)) this.#now.push(this.#root);
  }

  /**
   * Goes as far as it can and says what is missing. Each need is named once. A poll that names nothing and
   * is not done waits for answers.
   *
   * @throws {ReconcileError} `protocol` if the trees hold more entries than the limit.
   */
  pollNeeds(): Needs {
    this.#advance();
    const dirs = this.#unsent.splice(0, DIRS_AT_ONCE);
    return { dirs, digests: this.#questions.pollUnsent(), isDone: this.#isDone };
  }

  /**
   * Takes in a directory of the peer, verified against the shape asked for.
   *
   * @param view Is kept, and called a few times.
   */
  handleDir(path: DirPath, view: DirSource): void {
    const node = this.#awaited.get(path);
    if (node === undefined) return;
    this.#awaited.delete(path);
    this.#expand(node, view);
  }

  /** Takes in a digest; `undefined` where there is none to be had, which never counts as equal. */
  handleDigest(question: Omit<DigestQuestion, "entry">, digest: Digest | undefined): void {
    this.#questions.handleReply(question, digest);
  }

  /** The plan. Only after {@linkcode Needs.isDone}. */
  finish(): Plan {
    for (const steps = this.planning();;) {
      const step = steps.next();
      if (step.done) return step.value;
    }
  }

  /** As {@linkcode finish}, in steps of a directory each: a million files take half a minute. */
  planning(): Generator<void, Plan> {
    if (!this.#isDone) throw new Error("the plan is not complete");
    this.#moves = undefined;
    return makePlan({
      root: this.#root,
      ancestor: this.#options.ancestor,
      rules: this.#rules,
      traits: this.#pairing.traits,
      devices: { local: this.#options.local.device, remote: this.#options.remote.device },
      shortIdOf: this.#options.shortIdOf,
      isIgnored: this.#isIgnored,
      remembers: this.#options.remembers ?? true,
      questions: this.#questions,
      moves: this.#fileMoves,
      problems: this.#problems,
    });
  }

  #advance(): void {
    for (;;) {
      while (this.#now.length > 0) {
        const batch = this.#now;
        this.#now = [];
        for (const node of batch) this.#open(node);
      }
      if (this.#awaited.size > 0 || this.#isDone) return;
      this.#moves ??= new MoveFinder(this.#root, this.#questions, {
        isIgnored: this.#isIgnored,
        mayConflict: this.#rules.direction.kind === "two-way",
        fileMoves: this.#fileMoves,
      });
      if (this.#later.length > 0) {
        if (this.#placeDirs(this.#moves)) continue;
        return;
      }
      // All files at once, so that their questions go out with those of the walk; then when all are answered.
      if (this.#areFilesLookedFor && this.#questions.areOpen) return;
      this.#areFilesLookedFor = true;
      if (this.#moves.findFiles() === "open" || this.#questions.areOpen) return;
      this.#isDone = true;
      return;
    }
  }

  /** Decides about directories that a side is to get. False if all of them wait. */
  #placeDirs(moves: MoveFinder): boolean {
    const waiting: Item[] = [];
    const items = this.#later;
    this.#later = [];
    for (const [item, found] of moves.findDirs(items)) {
      if (found === "open") waiting.push(item);
      else if (found === "none") this.#now.push(item.dir!);
    }
    this.#later.push(...waiting);
    return waiting.length < items.length;
  }

  #open(node: DirNode): void {
    const { remote } = node.shape;
    if (remote === undefined) {
      if (!this.#needsTombstones(node)) return this.#expand(node, NOTHING_THERE);
      const path = node.scannedPath.remote;
      this.#awaited.set(path, node);
      this.#unsent.push({ path, shape: EMPTY_SHAPE, isGone: true });
      return;
    }
    if (node.shape.local !== undefined && equalBytes(node.shape.local, remote)) {
      return this.#expand(node, undefined);
    }
    const path = node.scannedPath.remote;
    this.#awaited.set(path, node);
    this.#unsent.push({ path, shape: remote });
  }

  /** @param remote `undefined` for the same page as the local one. */
  #expand(node: DirNode, remote: DirSource | undefined): void {
    node.remote = remote;
    const { contents, problems } = this.#reader.expand(node);
    this.#entriesLeft -= contents.pairs.length;
    if (this.#entriesLeft < 0) {
      throw new ReconcileError("protocol", "The folders hold too many entries to be compared");
    }
    for (const problem of problems) this.#problems.push(problem);
    for (const item of contents.items) if (isDirItem(item)) item.pin();
    node.facts = factsOf(node, contents);
    node.hold(contents);
    for (const item of contents.items) {
      if (item.verdict.type === "pair") this.#askForPair(item);
      this.#follow(item);
    }
    node.release();
  }

  /**
   * True for a directory that the peer has deleted, if something in it is not as it was in the ancestor: it
   * comes back, unless the deletion has seen it.
   */
  #needsTombstones(node: DirNode): boolean {
    if (node.flow !== "judge" || this.#rules.direction.kind !== "two-way") return false;
    const old = new Map(this.#reader.ancestorEntries(node).map((entry) => [entry.name, entry]));
    const { entries } = this.#options.local.dir(node.scannedPath.local);
    return entries.some((entry) => {
      const was = old.get(entry.name);
      if (entry.kind === "dir") return was?.kind !== "dir";
      return changeOf(entry, was, this.#rules.windowMs) !== "none";
    });
  }

  #askForPair(item: Item): void {
    const { local, remote } = item.pair;
    if (local?.kind !== "file" || remote?.kind !== "file") return;
    const alike = likeness(local, remote, this.#rules.windowMs);
    if (alike === "same") return;
    const loser = alike === "unsure" ? this.#knownLoser(item) : undefined;
    if (loser !== undefined) {
      if (isComparedLater(item, loser, this.#rules)) return;
      // In this order, so that there is something to compare with.
      this.#questions.ask(across(loser), item, item.on(across(loser)) as FileEntry);
      return this.#questions.compare(loser, item);
    }
    for (const side of SIDES) {
      const entry = item.on(side) as FileEntry;
      if (alike === "unsure" || this.#mayBeTouched(item, entry)) {
        this.#questions.ask(side, item, entry);
      }
    }
    if (SIDES.some((side) => this.#mayBeTouched(item, item.on(side) as FileEntry))) {
      for (const side of SIDES) this.#questions.askEarlier(side, item);
    }
  }

  /** The side whose version gives way if the contents differ, where their digests have no say in that. */
  #knownLoser(item: Item): Side | undefined {
    const { local, remote, ancestor } = item.pair;
    const entries = [local, remote, ancestor];
    if (entries.some((entry) => entry?.kind === "file" && entry.digest !== undefined)) {
      return undefined;
    }
    if (SIDES.some((side) => this.#mayBeTouched(item, item.on(side) as FileEntry))) {
      return undefined;
    }
    const { winner, isConflict } = contest(item, this.#rules, NO_DIGESTS);
    return isConflict ? undefined : across(winner);
  }

  /** True if both sides' times have moved, and this one may hold the contents that were last in common. */
  #mayBeTouched({ pair: { local, remote, ancestor } }: Item, entry: FileEntry): boolean {
    if (this.#rules.direction.kind !== "two-way" || ancestor?.kind !== "file") return false;
    if (entry.size !== ancestor.size || entry.size === 0) return false;
    return [local, remote].every((leaf) =>
      changeOf(leaf as FileEntry, ancestor, this.#rules.windowMs) === "contents"
    );
  }

  /** Sees to what lies beneath a directory. */
  #follow(item: Item): void {
    const { verdict } = item;
    switch (verdict.type) {
      case "merge": {
        const node = this.#beneath(item, SIDES, "judge");
        if (this.#isWorthALook(node)) this.#descend(item, node);
        return;
      }
      case "remnant":
        return this.#descend(item, this.#beneath(item, [verdict.on], "judge"));
      case "remove":
        if (item.on(verdict.from)?.kind !== "dir") return;
        return this.#descend(item, this.#beneath(item, [verdict.from], "empty"));
      case "dir-to-leaf":
        return this.#descend(item, this.#beneath(item, [verdict.on], "empty"));
      case "put":
        if (item.on(across(verdict.to))?.kind !== "dir") return;
        item.dir = this.#beneath(item, [across(verdict.to)], "fill");
        this.#later.push(item);
        return;
      case "leaf-to-dir":
      case "set-aside":
        item.dir = this.#beneath(item, [across(verdict.on)], "fill");
        this.#later.push(item);
    }
  }

  #descend(item: Item, node: DirNode): void {
    item.dir = node;
    this.#now.push(node);
  }

  #beneath(item: Item, sides: readonly Side[], flow: DirNodeInit["flow"]): DirNode {
    const { ancestor } = item.pair;
    const { twin } = item.parent;
    const shape: Partial<Record<Side, Digest>> = {};
    for (const side of sides) shape[side] = (item.on(side) as DirEntry).shape;
    return new DirNode({
      flow,
      path: bySide((side) => item.path(side)),
      scannedPath: bySide((side) => item.scannedPath(side)),
      shape,
      ancestorShape: ancestor?.kind === "dir" ? ancestor.shape : undefined,
      twin: twin === undefined ? undefined : `${twin}/${item.name("local")}` as RelPath,
      item,
    }, this.#reader);
  }

  /** False where both sides are equal, and what is remembered of them can be taken from the local one. */
  #isWorthALook(node: DirNode): boolean {
    const { local, remote } = node.shape;
    if (!equalBytes(local!, remote!)) return true;
    return node.ancestorShape !== undefined && !equalBytes(local!, node.ancestorShape);
  }
}

const NOTHING_THERE = () => EMPTY_VIEW;
const NO_DIGESTS: ContestDigests = { local: undefined, remote: undefined, ancestor: undefined };

function hasFiles(view: DirView): boolean {
  return view.rows?.page.hasFiles ?? view.entries.some(({ kind }) => kind === "file");
}

function factsOf(node: DirNode, { views, pairs, same, items }: DirContents): DirFacts {
  const side = node.onlyOn;
  const view = side && views[side];
  return {
    mtimeMs: bySide((side) => views[side].mtimeMs),
    names: pairs.length,
    hasFiles: bySide((side) => hasFiles(views[side])),
    putsFiles: bySide((side) => items.some((item) => putFile(item)?.to === side)),
    areLeavesGone: view !== undefined && !view.isIncomplete && view.opaque.size === 0 &&
      same.length === 0 && items.every((item) => isDirItem(item) || isGoing(item, side!)),
  };
}
