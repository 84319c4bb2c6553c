import { equalBytes } from "../../base/bytes.ts";
import { type DigestKey, digestKey } from "../../base/digest.ts";
import { joinPath, linkFault, type RelPath } from "../../base/paths.ts";
import { type DirEntry, EMPTY_SHAPE } from "../../base/tree.ts";
import { FileMoveFinder } from "./file_move_finder.ts";
import type { FileMoves } from "./file_moves.ts";
import { type DirNode, isAllGone, type Item, nodesBelow } from "./node.ts";
import type { Questions } from "./questions.ts";
import { across, bySide, type Side, SIDES } from "./side.ts";

/** Directories compared by contents, over as many as are looked for. */
const DIR_CANDIDATES_MORE = 4;
/** Whether a decision is there, or waits for digests. */
export type Found = "moved" | "none" | "open";

/**
 * Finds out what is not new on a side but only elsewhere: a whole directory whose shape equals that of one
 * that goes away there, a file with the size and time of one that goes away or stays. Contents decide in
 * the end, by digests of both sides: equal times alone prove nothing across paths.
 */
export class MoveFinder {
  readonly #root: DirNode;
  readonly #questions: Questions;
  readonly #isIgnored: (path: RelPath, isDir: boolean) => boolean;
  readonly #mayConflict: boolean;
  readonly #goneDirs = bySide(() => new Map<DigestKey, Item[]>());
  readonly #stayingDirs = bySide(() => new Map<DigestKey, RelPath>());
  readonly #fileMoves: FileMoves;
  readonly #files: Partial<Record<Side, FileMoveFinder>> = {};
  /** Directories that move as part of a whole. */
  readonly #moved = new Set<DirNode>();
  /** Directories that something was taken out of. */
  readonly #broken = new Set<DirNode>();

  /** @param root The walk's tree, complete but for the directories that a side is to get. */
  constructor(
    root: DirNode,
    questions: Questions,
    options: {
      readonly isIgnored: (path: RelPath, isDir: boolean) => boolean;
      /** A file that both sides have may yet be moved aside. */
      readonly mayConflict: boolean;
      /** Where files are noted that move. */
      readonly fileMoves: FileMoves;
    },
  ) {
    this.#root = root;
    this.#questions = questions;
    this.#isIgnored = options.isIgnored;
    this.#mayConflict = options.mayConflict;
    this.#fileMoves = options.fileMoves;
    this.#register(root);
  }

  /**
   * Looks for directories that sides are to get among those that go away there. Large before small: called
   * for directories before those within. Directories of equal shape are looked for together, so that any
   * number of them takes one round of questions.
   */
  findDirs(items: readonly Item[]): Map<Item, Found> {
    const found = new Map<Item, Found>();
    const groups = new Map<string, Item[]>();
    for (const item of items) {
      if (item.verdict.type !== "put") {
        found.set(item, "none");
        continue;
      }
      const { to } = item.verdict;
      const key = `${to} ${digestKey((item.on(across(to)) as DirEntry).shape)}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [item]);
      else group.push(item);
    }
    for (const group of groups.values()) {
      const state = this.#matchDirs(group);
      for (const item of group) found.set(item, item.movedFrom === undefined ? state : "moved");
    }
    return found;
  }

  /**
   * Looks for all files that a side is to get among those it has. To be called again until no digest is
   * missing; then it is noted where they come from.
   */
  findFiles(): Found {
    const states = SIDES.map((side) => {
      const finder = this.#files[side] ??= new FileMoveFinder(side, {
        tree: this,
        questions: this.#questions,
        moves: this.#fileMoves,
        mayConflict: this.#mayConflict,
      });
      return finder.find();
    });
    return states.includes("open") ? "open" : "none";
  }

  /** Directories whose entries move one by one, if they do. */
  *nodes(): Generator<DirNode> {
    for (const node of this.#nodes()) if (!this.#moved.has(node)) yield node;
  }

  /** True if a side has directories that nobody has looked into. */
  hasOtherDirs(side: Side): boolean {
    return this.#stayingDirs[side].size > 0;
  }

  #register(node: DirNode): void {
    for (const item of node.dirItems()) {
      if (item.verdict.type === "dir-to-leaf") continue;
      if (item.dir !== undefined) this.#register(item.dir);
      for (const side of SIDES) {
        const entry = item.on(side);
        if (entry?.kind !== "dir" || equalBytes(entry.shape, EMPTY_SHAPE)) continue;
        const key = digestKey(entry.shape);
        if (item.dir === undefined) {
          if (item.verdict.type === "merge" || item.verdict.type === "keep") {
            this.#stayingDirs[side].set(key, item.scannedPath(side));
          }
        } else if (isAllGone(item.dir)) {
          const found = this.#goneDirs[side].get(key);
          if (found === undefined) this.#goneDirs[side].set(key, [item]);
          else found.push(item);
        }
      }
    }
  }

  /** Directories of one shape that one side is to get. */
  #matchDirs(items: readonly Item[]): "open" | "none" {
    const { to: side } = items[0]!.verdict as { to: Side };
    const source = across(side);
    const key = digestKey((items[0]!.on(source) as DirEntry).shape);
    const candidates = (this.#goneDirs[side].get(key) ?? []).filter((gone) => this.#isWhole(gone))
      .slice(0, items.length + DIR_CANDIDATES_MORE);
    if (candidates.length > 0) {
      const ask = (on: Side) => (item: Item) =>
        this.#questions.ask(on, item, item.on(on) as DirEntry);
      const replies = [...items.map(ask(source)), ...candidates.map(ask(side))];
      if (replies.includes(undefined)) return "open";
      // Directories that keep their name choose first.
      for (const sameName of [true, false]) {
        for (const item of items) {
          if (item.movedFrom !== undefined) continue;
          const gone = candidates.find((gone) =>
            (gone.name(side) === item.name(side)) === sameName && this.#isWhole(gone) &&
            this.#isSameDir(side, item, gone) && this.#fits(gone.dir!, side, item.path(side))
          );
          if (gone !== undefined) this.#claim(gone, item);
        }
      }
    }
    const twin = this.#stayingDirs[side].get(key);
    for (const { dir } of items) if (twin !== undefined && dir !== undefined) dir.twin ??= twin;
    return "none";
  }

  /** Nothing of it is spoken for. */
  #isWhole({ dir }: Item): boolean {
    return !this.#moved.has(dir!) && !this.#broken.has(dir!);
  }

  #isSameDir(side: Side, item: Item, gone: Item): boolean {
    const source = across(side);
    const here = this.#questions.known(source, item, item.on(source));
    const there = this.#questions.known(side, gone, gone.on(side));
    return here !== undefined && there !== undefined && equalBytes(here, there);
  }

  #claim(gone: Item, item: Item): void {
    item.movedFrom = gone;
    gone.movedTo = item;
    for (const below of nodesBelow(gone.dir!)) this.#moved.add(below);
    for (let above: DirNode | undefined = gone.parent; above; above = above.item?.parent) {
      this.#broken.add(above);
    }
  }

  /** True if nothing beneath would be ignored, or point outside, at its new place. */
  #fits(gone: DirNode, side: Side, path: RelPath): boolean {
    return gone.read().items.every((item) => {
      const entry = item.on(side);
      if (entry === undefined) return true;
      const moved = joinPath(path, entry.name);
      if (this.#isIgnored(moved, entry.kind === "dir")) return false;
      if (entry.kind === "link") return linkFault(moved, entry.target) === undefined;
      return item.dir === undefined || this.#fits(item.dir, side, moved);
    });
  }

  /** The tree, without directories that are emptied to make room: they are empty before anything moves. */
  *#nodes(node = this.#root): Generator<DirNode> {
    yield node;
    for (const item of node.dirItems()) {
      if (item.dir !== undefined && item.verdict.type !== "dir-to-leaf") {
        yield* this.#nodes(item.dir);
      }
    }
  }
}
