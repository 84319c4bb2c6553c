import { equalBytes } from "../../base/bytes.ts";
import { type DigestKey, digestKey } from "../../base/digest.ts";
import { joinPath, linkFault, nameOf, type RelPath } from "../../base/paths.ts";
import { type DirEntry, EMPTY_SHAPE, type FileEntry } from "../../base/tree.ts";
import { type DirNode, isAllGone, type Item, nodesBelow, putFile } from "./node.ts";
import type { Place, Questions } from "./questions.ts";
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
  readonly place: Place;
  /** Set where the file goes away. */
  readonly gone?: Item;
}

/** What one side is to get, and may have. */
interface Search {
  readonly wanted: ReadonlyMap<string, readonly Item[]>;
  readonly candidates: ReadonlyMap<string, readonly OwnFile[]>;
  /** In copies of directories that stay. */
  readonly twins: readonly Item[];
}

const NO_SEARCH: Search = { wanted: new Map(), candidates: new Map(), twins: [] };

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
  readonly #searches: Partial<Record<Side, Search>> = {};

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

  #findFilesFor(side: Side): Found {
    const search = this.#searches[side] ??= this.#searchFor(side);
    let isOpen = false;
    for (const [key, files] of search.candidates) {
      if (this.#matchGroup(side, search.wanted.get(key)!, files) === "open") isOpen = true;
    }
    for (const item of search.twins) if (this.#matchTwin(side, item) === "open") isOpen = true;
    return isOpen ? "open" : "none";
  }

  /** Finds what is worth a question: files that a side is to get, and those of it with their size and time. */
  #searchFor(side: Side): Search {
    // As in a first sync: there is nothing to take from.
    if (!this.#hasFiles(side)) return NO_SEARCH;
    const hashes = new KeyHashes();
    for (const { entry } of this.#putFiles(side)) hashes.add(entry);
    if (hashes.isEmpty) return NO_SEARCH;
    const candidates = this.#candidatesFor(side, hashes);
    const wanted = new Map<string, Item[]>();
    const twins: Item[] = [];
    for (const { item, entry } of this.#putFiles(side)) {
      const { twin } = item.parent;
      if (twin !== undefined && entry.size > 0) twins.push(item.pin());
      const key = fileKey(entry);
      if (!candidates.has(key)) continue;
      const found = wanted.get(key);
      if (found === undefined) wanted.set(key, [item.pin()]);
      else found.push(item.pin());
    }
    for (const key of [...candidates.keys()]) if (!wanted.has(key)) candidates.delete(key);
    return { wanted, candidates, twins };
  }

  /** Files that a side is to get. */
  *#putFiles(side: Side): Generator<{ item: Item; entry: FileEntry }> {
    for (const node of this.#nodes()) {
      if (!node.facts?.putsFiles[side]) continue;
      for (const item of node.read().items) {
        const put = putFile(item);
        if (put?.to === side) yield { item, entry: put.entry };
      }
    }
  }

  /** False for a side that has nothing to take from. */
  #hasFiles(side: Side): boolean {
    if (this.#stayingDirs[side].size > 0) return true;
    for (const { facts } of this.#nodes()) if (facts?.hasFiles[side]) return true;
    return false;
  }

  /** Files of a side with the size and time of a wanted one: those that go away first. */
  #candidatesFor(side: Side, wanted: KeyHashes): Map<string, OwnFile[]> {
    const gone = new Map<string, OwnFile[]>();
    const staying = new Map<string, OwnFile[]>();
    const add = (to: Map<string, OwnFile[]>, entry: FileEntry, make: () => OwnFile) => {
      if (!wanted.mayHave(entry)) return;
      const key = fileKey(entry);
      const found = to.get(key);
      if (found === undefined) to.set(key, [make()]);
      else if (to === gone || found.length < COPY_CANDIDATES_MAX) found.push(make());
    };
    for (const node of this.#nodes()) {
      if (this.#moved.has(node) || !node.facts?.hasFiles[side]) continue;
      const { same, items } = node.read();
      for (const { entry, index } of same) {
        if (entry.kind !== "file" || entry.size === 0) continue;
        const path = joinPath(node.path[side], entry.name);
        add(staying, entry, () => ({ entry, path, place: { parent: node, index } }));
      }
      for (const item of items) {
        const entry = item.on(side);
        if (entry?.kind !== "file") continue;
        const { type } = item.verdict;
        if (type === "remove") {
          add(gone, entry, () => ({ entry, path: item.path(side), place: item, gone: item.pin() }));
        } else if (entry.size > 0 && this.#isSource(type)) {
          const place = { parent: node, index: item.index };
          add(staying, entry, () => ({ entry, path: item.path(side), place }));
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
    let isOpen = false;
    for (const { entry, place } of files) {
      if (entry.size > 0 && !this.#questions.ask(side, place, entry)) isOpen = true;
    }
    for (const item of wanted) {
      const entry = item.on(source) as FileEntry;
      if (entry.size > 0 && !this.#questions.ask(source, item, entry)) isOpen = true;
    }
    if (isOpen) return "open";
    const own = new OwnContents(files, ({ entry, place }) => this.#contentKey(side, place, entry));
    // Files that keep their name choose first, then the others in the order of their paths.
    for (const keepsName of [true, false]) {
      for (const item of wanted) {
        if (item.movedFrom !== undefined || item.copiedFrom !== undefined) continue;
        const content = this.#contentKey(source, item, item.on(source) as FileEntry);
        const gone = content === undefined
          ? undefined
          : own.takeGone(content, keepsName ? item.name(side) : undefined)?.gone;
        if (gone === undefined) continue;
        item.movedFrom = gone;
        gone.movedTo = item;
      }
    }
    for (const item of wanted) {
      if (item.movedFrom !== undefined || item.copiedFrom !== undefined) continue;
      const entry = item.on(source) as FileEntry;
      const digest = this.#questions.known(source, item, entry);
      if (digest === undefined) continue;
      const file = own.first(digestKey(digest));
      // What moved away is found where it went.
      const path = file?.gone?.movedTo?.path(side) ?? file?.path;
      if (path !== undefined) item.copiedFrom = { path, digest };
    }
    return "none";
  }

  /** Equal for equal contents; `undefined` where they are not known. An empty file is known by its name. */
  #contentKey(side: Side, place: Place, entry: FileEntry): string | undefined {
    if (entry.size === 0) return `/${entry.name}`;
    const digest = this.#questions.known(side, place, entry);
    return digest && digestKey(digest);
  }

  #matchTwin(side: Side, item: Item): Found {
    if (item.movedFrom !== undefined || item.copiedFrom !== undefined) return "none";
    const source = across(side);
    const entry = item.on(source) as FileEntry;
    const path = joinPath(item.parent.twin!, entry.name);
    const here = this.#questions.ask(source, item, entry);
    const there = this.#questions.askAt(side, path, entry);
    if (here === undefined || there === undefined) return "open";
    if (here.digest && there.digest && equalBytes(here.digest, there.digest)) {
      item.copiedFrom = { path, digest: here.digest };
    }
    return "none";
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

function fileKey(entry: FileEntry): string {
  return `${entry.size} ${entry.mtimeMs}`;
}

/** The files of one side that may have what is wanted, by their contents. */
class OwnContents {
  readonly #first = new Map<string, OwnFile>();
  readonly #gone = new Map<string, Set<OwnFile>>();
  readonly #goneByName = new Map<string, OwnFile[]>();

  constructor(files: readonly OwnFile[], contentOf: (file: OwnFile) => string | undefined) {
    for (const file of files) {
      const content = contentOf(file);
      if (content === undefined) continue;
      if (!this.#first.has(content)) this.#first.set(content, file);
      if (file.gone === undefined) continue;
      grouped(this.#gone, content, () => new Set<OwnFile>()).add(file);
      grouped(this.#goneByName, `${content}/${nameOf(file.path)}`, () => []).push(file);
    }
    // The first of a name is taken from the end.
    for (const named of this.#goneByName.values()) named.reverse();
  }

  /** The first file that has them. */
  first(content: string): OwnFile | undefined {
    return this.#first.get(content);
  }

  /** The first file that has them and goes away, which nobody has taken. @param name One of that name. */
  takeGone(content: string, name: string | undefined): OwnFile | undefined {
    const left = this.#gone.get(content);
    const file = name === undefined
      ? left?.values().next().value as OwnFile | undefined
      // Those of a name are only ever taken by it, before any are taken without.
      : this.#goneByName.get(`${content}/${name}`)?.pop();
    if (file !== undefined) left!.delete(file);
    return file;
  }
}

/** The sizes and times of very many files, as bits: it may say that it has what it has not. */
class KeyHashes {
  readonly #bits = new Uint32Array(HASH_BITS / 32);
  isEmpty = true;

  add(entry: FileEntry): void {
    const hash = hashOf(entry);
    this.#bits[hash >>> 5]! |= 1 << (hash & 31);
    this.isEmpty = false;
  }

  mayHave(entry: FileEntry): boolean {
    const hash = hashOf(entry);
    return (this.#bits[hash >>> 5]! & 1 << (hash & 31)) !== 0;
  }
}

/** A megabyte; a million files set a tenth of them. */
const HASH_BITS = 1 << 23;

function hashOf({ size, mtimeMs }: FileEntry): number {
  const high = Math.imul(Math.floor(mtimeMs / 2 ** 32) ^ Math.floor(size / 2 ** 32), 0x9e3779b1);
  const low = Math.imul(mtimeMs | 0, 0x85ebca6b) ^ Math.imul(size | 0, 0xc2b2ae35);
  const hash = Math.imul(high ^ low ^ low >>> 15, 0x27d4eb2d);
  return (hash ^ hash >>> 13) >>> 0 & HASH_BITS - 1;
}

function grouped<T>(groups: Map<string, T>, key: string, make: () => T): T {
  let group = groups.get(key);
  if (group === undefined) groups.set(key, group = make());
  return group;
}
