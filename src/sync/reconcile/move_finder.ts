import { equalBytes } from "../../base/bytes.ts";
import { type DigestKey, digestKey } from "../../base/digest.ts";
import { joinPath, linkFault, nameOf, type RelPath } from "../../base/paths.ts";
import { type DirEntry, EMPTY_SHAPE, type FileEntry } from "../../base/tree.ts";
import { type DirNode, isAllGone, type Item, nodesBelow, putFile } from "./node.ts";
import type { Questions } from "./questions.ts";
import { across, bySide, type Side, SIDES } from "./side.ts";

/** Directories compared by contents, over as many as are looked for. */
const DIR_CANDIDATES_MORE = 4;
/** Files that stay and have the same size and time, compared by contents before giving up. */
const COPY_CANDIDATES_MAX = 4;

/** Whether a decision is there, or waits for digests. */
export type Found = "moved" | "none" | "open";

/** A file that a side has, at its path there. */
interface OwnFile {
  readonly entry: FileEntry;
  readonly path: RelPath;
  readonly scannedPath: RelPath;
  /** Set where the file goes away. */
  readonly gone?: Item;
}

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
    },
  ) {
    this.#root = root;
    this.#questions = questions;
    this.#isIgnored = options.isIgnored;
    this.#mayConflict = options.mayConflict;
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
   * missing; then the items know their sources.
   */
  findFiles(): Found {
    const states = SIDES.map((side) => this.#findFilesFor(side));
    return states.includes("open") ? "open" : "none";
  }

  #register(node: DirNode): void {
    for (const item of node.items) {
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
        this.#questions.ask(on, item.scannedPath(on), item.on(on) as DirEntry);
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
    const here = this.#questions.known(source, item.scannedPath(source));
    const there = this.#questions.known(side, gone.scannedPath(side));
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
    return gone.items.every((item) => {
      const entry = item.on(side);
      if (entry === undefined) return true;
      const moved = joinPath(path, entry.name);
      if (this.#isIgnored(moved, entry.kind === "dir")) return false;
      if (entry.kind === "link") return linkFault(moved, entry.target) === undefined;
      return item.dir === undefined || this.#fits(item.dir, side, moved);
    });
  }

  #findFilesFor(side: Side): Found {
    if (!this.#hasFiles(side)) return "none";
    const wanted = new Map<string, Item[]>();
    const twins: Item[] = [];
    for (const node of this.#nodes()) {
      for (const item of node.items) {
        const put = putFile(item);
        if (put?.to !== side) continue;
        if (node.twin !== undefined && put.entry.size > 0) twins.push(item);
        const key = fileKey(put.entry);
        const found = wanted.get(key);
        if (found === undefined) wanted.set(key, [item]);
        else found.push(item);
      }
    }
    if (wanted.size === 0) return "none";
    let isOpen = false;
    const candidates = this.#candidatesFor(side, wanted);
    for (const [key, files] of candidates) {
      if (this.#matchGroup(side, wanted.get(key)!, files) === "open") isOpen = true;
    }
    for (const item of twins) if (this.#matchTwin(side, item) === "open") isOpen = true;
    return isOpen ? "open" : "none";
  }

  /** False for a side that has nothing to take from, as in a first sync. */
  #hasFiles(side: Side): boolean {
    for (const { views } of this.#nodes()) {
      if (views[side].entries.some(({ kind }) => kind === "file")) return true;
    }
    return this.#stayingDirs[side].size > 0;
  }

  /** Files of a side with the size and time of a wanted one: those that go away first. */
  #candidatesFor(side: Side, wanted: ReadonlyMap<string, unknown>): Map<string, OwnFile[]> {
    const gone = new Map<string, OwnFile[]>();
    const staying = new Map<string, OwnFile[]>();
    const add = (to: Map<string, OwnFile[]>, file: OwnFile) => {
      const key = fileKey(file.entry);
      if (!wanted.has(key)) return;
      const found = to.get(key);
      if (found === undefined) to.set(key, [file]);
      else if (file.gone !== undefined || found.length < COPY_CANDIDATES_MAX) found.push(file);
    };
    for (const node of this.#nodes()) {
      if (this.#moved.has(node)) continue;
      for (const entry of node.same) {
        if (entry.kind !== "file" || entry.size === 0) continue;
        const path = joinPath(node.path[side], entry.name);
        const scannedPath = joinPath(node.scannedPath[side], entry.name);
        add(staying, { entry, path, scannedPath });
      }
      for (const item of node.items) {
        const entry = item.on(side);
        if (entry?.kind !== "file") continue;
        const file = { entry, path: item.path(side), scannedPath: item.scannedPath(side) };
        const { type } = item.verdict;
        if (type === "remove") {
          add(gone, { ...file, gone: item });
        } else if (entry.size > 0 && this.#isSource(type)) {
          add(staying, file);
        }
      }
    }
    for (const [key, files] of staying) gone.set(key, [...gone.get(key) ?? [], ...files]);
    return gone;
  }

  /** True for what is at its path as long as copies are made. */
  #isSource(type: Item["verdict"]["type"]): boolean {
    if (type === "pair") return !this.#mayConflict;
    return type !== "leaf-to-dir" && type !== "set-aside";
  }

  #matchGroup(side: Side, wanted: readonly Item[], files: readonly OwnFile[]): Found {
    const source = across(side);
    const left = new Set(files);
    let isOpen = false;
    for (const file of files) {
      if (file.entry.size > 0 && !this.#questions.ask(side, file.scannedPath, file.entry)) {
        isOpen = true;
      }
    }
    for (const item of wanted) {
      const entry = item.on(source) as FileEntry;
      if (entry.size > 0 && !this.#questions.ask(source, item.scannedPath(source), entry)) {
        isOpen = true;
      }
    }
    if (isOpen) return "open";
    // Files that keep their name choose first, then the others in the order of their paths.
    for (const sameName of [true, false]) {
      for (const item of wanted) {
        if (item.movedFrom !== undefined || item.copiedFrom !== undefined) continue;
        const file = [...left].find((file) =>
          file.gone !== undefined && nameOf(file.path) === item.name(side) === sameName &&
          this.#isSameFile(side, item, file)
        );
        if (file?.gone === undefined) continue;
        left.delete(file);
        item.movedFrom = file.gone;
        file.gone.movedTo = item;
      }
    }
    for (const item of wanted) {
      if (item.movedFrom !== undefined || item.copiedFrom !== undefined) continue;
      const file = files.find((file) => this.#isSameFile(side, item, file));
      const digest = file && this.#questions.known(side, file.scannedPath, file.entry);
      // What moved away is found where it went.
      const path = file?.gone?.movedTo?.path(side) ?? file?.path;
      if (path !== undefined && digest !== undefined) item.copiedFrom = { path, digest };
    }
    return "none";
  }

  #matchTwin(side: Side, item: Item): Found {
    if (item.movedFrom !== undefined || item.copiedFrom !== undefined) return "none";
    const source = across(side);
    const entry = item.on(source) as FileEntry;
    const path = joinPath(item.parent.twin!, entry.name);
    const here = this.#questions.ask(source, item.scannedPath(source), entry);
    const there = this.#questions.ask(side, path, entry);
    if (here === undefined || there === undefined) return "open";
    if (here.digest && there.digest && equalBytes(here.digest, there.digest)) {
      item.copiedFrom = { path, digest: here.digest };
    }
    return "none";
  }

  #isSameFile(side: Side, item: Item, file: OwnFile): boolean {
    const source = across(side);
    const entry = item.on(source) as FileEntry;
    if (entry.size === 0) return nameOf(file.path) === item.name(side);
    const here = this.#questions.known(source, item.scannedPath(source), entry);
    const there = this.#questions.known(side, file.scannedPath, file.entry);
    return here !== undefined && there !== undefined && equalBytes(here, there);
  }

  /** The tree, without directories that are emptied to make room: they are empty before anything moves. */
  *#nodes(node = this.#root): Generator<DirNode> {
    yield node;
    for (const item of node.items) {
      if (item.dir !== undefined && item.verdict.type !== "dir-to-leaf") {
        yield* this.#nodes(item.dir);
      }
    }
  }
}

function fileKey(entry: FileEntry): string {
  return `${entry.size} ${entry.mtimeMs}`;
}
