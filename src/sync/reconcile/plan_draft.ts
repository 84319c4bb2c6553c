import type { Digest } from "../../base/digest.ts";
import type { RelPath } from "../../base/paths.ts";
import type { VectorMember } from "../../base/version_vector.ts";
import type { Before } from "../apply/operation.ts";
import type { PlanConflict } from "../plan/sync_plan.ts";
import type { Leaf } from "./agreement.ts";
import { CopyNames } from "./copy_names.ts";
import { beforeOf } from "./entry_facts.ts";
import type { FileMoves } from "./file_moves.ts";
import type { JudgeRules } from "./judge.ts";
import { Ledger } from "./ledger.ts";
import type { DirNode, Item } from "./node.ts";
import { type Draft, PlanBuilder } from "./plan_builder.ts";
import type { Shown } from "./plan_lines.ts";
import type { Skip } from "./plan.ts";
import type { Questions } from "./questions.ts";
import { linkProblem, type Problem } from "./refusal.ts";
import { across, type BySide, type Side } from "./side.ts";
import type { AncestorTree, SideDevice, SideTraits } from "./tree_view.ts";
import { Vectors } from "./vectors.ts";
import { carried, type MaybeVector } from "./versions.ts";

/** A walk that is complete. */
export interface WalkedTrees {
  readonly root: DirNode;
  readonly ancestor: AncestorTree | undefined;
  readonly rules: JudgeRules;
  readonly traits: BySide<SideTraits>;
  readonly devices: BySide<SideDevice>;
  readonly shortIdOf: ((member: VectorMember) => string | undefined) | undefined;
  readonly isIgnored: (path: RelPath, isDir: boolean) => boolean;
  /** False where nobody will ask what to remember. */
  readonly remembers: boolean;
  readonly questions: Questions;
  readonly moves: FileMoves;
  /** Found on the way. */
  readonly problems: readonly Problem[];
}

/** A plan in the making: what the planners of leaves and directories share. */
export class PlanDraft {
  readonly trees: WalkedTrees;
  readonly builder = new PlanBuilder();
  readonly vectors: Vectors;
  readonly ledger: Ledger;
  readonly copyNames: CopyNames;
  readonly problems: Problem[];
  readonly skipped: Skip[] = [];
  readonly conflicts: PlanConflict[] = [];
  /** Files and links. */
  readonly deletions = { local: 0, remote: 0 };
  /** Files that get other contents. */
  readonly replacements = { local: 0, remote: 0 };
  /** A file was found that needs none. */
  hasUnchanged = false;
  readonly #touched = new Map<DirNode, Set<Side>>();

  constructor(trees: WalkedTrees) {
    this.trees = trees;
    this.problems = [...trees.problems];
    this.vectors = new Vectors(trees);
    this.ledger = new Ledger(this.vectors, trees.remembers);
    this.copyNames = new CopyNames(trees);
  }

  /** Puts a leaf in place; a file's bytes come from the other side's version of the item. */
  write(item: Item, to: Side, what: {
    readonly entry: Leaf;
    /** If it is not the item's own. */
    readonly path?: RelPath;
    readonly before: Before;
    readonly vector: MaybeVector;
    readonly shown: Shown;
  }): Draft {
    const { entry, before, shown } = what;
    const path = what.path ?? item.path(to);
    const vector = carried(what.vector);
    this.touch(item.parent, to);
    if (entry.kind === "link") {
      const { target, mtimeMs } = entry;
      const operation = { op: "make-link", path, target, mtimeMs, before, vector } as const;
      return this.builder.add(to, "links", operation, shown);
    }
    const source = across(to);
    return this.builder.add(to, "contents", {
      op: "write-file",
      path,
      source: item.scannedPath(source),
      mode: entry.mode,
      size: entry.size,
      mtimeMs: entry.mtimeMs,
      digest: this.digestOf(item, source),
      before,
      vector,
    }, shown);
  }

  /** Changes the mode of what a side has at the item's path by then. */
  setMode(item: Item, side: Side, to: {
    readonly mode: number;
    readonly vector: MaybeVector;
    /** If it is not what was scanned there. */
    readonly before?: Before;
  }): Draft {
    const before = to.before ?? beforeOf(item.on(side));
    const isDir = before.kind === "dir";
    return this.builder.add(side, isDir ? "dir-attributes" : "attributes", {
      op: "set-attributes",
      path: item.path(side),
      mode: to.mode,
      mtimeMs: undefined,
      before,
      vector: carried(to.vector),
    }, { action: "m", type: isDir ? "d" : "f" });
  }

  /** True, and a problem, if a side can't have the link. */
  refusesLink(item: Item, side: Side, entry: Leaf): boolean {
    if (entry.kind !== "link") return false;
    const traits = this.trees.traits[side];
    const problem = linkProblem(item.path(side), entry.target, { side, traits });
    if (problem !== undefined) this.problems.push(problem);
    return problem !== undefined;
  }

  /** What is known of the contents that a side has. */
  digestOf(item: Item, side: Side): Digest | undefined {
    const entry = item.on(side);
    return entry?.kind === "file" ? this.trees.questions.known(side, item, entry) : undefined;
  }

  /** What is known of the contents that both sides last had in common, where either remembers. */
  ancestorDigestOf(item: Item): Digest | undefined {
    const { ancestor } = item.pair;
    if (ancestor?.kind !== "file") return undefined;
    const { questions } = this.trees;
    return ancestor.digest ?? questions.knownEarlier("local", item) ??
      questions.knownEarlier("remote", item);
  }

  /** Notes that names in a directory change. */
  touch(node: DirNode, side: Side): void {
    const sides = this.#touched.get(node);
    if (sides === undefined) this.#touched.set(node, new Set([side]));
    else sides.add(side);
  }

  /** The one side on which names in a directory change; its time then becomes the other's. */
  onlyTouched(node: DirNode): Side | undefined {
    const sides = this.#touched.get(node);
    return sides?.size === 1 ? [...sides][0] : undefined;
  }
}
