import { equalBytes } from "../../base/bytes.ts";
import { type Digest, type DigestKey, digestKey } from "../../base/digest.ts";
import { joinPath, type RelPath } from "../../base/paths.ts";
import type { FileEntry } from "../../base/tree.ts";
import { Uint32List } from "../../base/uint32_list.ts";
import { FileGroups, KeyHashes } from "./file_groups.ts";
import type { FileMoves } from "./file_moves.ts";
import { type DirNode, type Item, type Place, putFile, spelledOn } from "./node.ts";
import { type Order, Places } from "./places.ts";
import type { Questions } from "./questions.ts";
import { across, type Side } from "./side.ts";

/** Files that stay and have the same size and time, compared by contents before giving up. */
const COPY_CANDIDATES_MAX = 4;
/** Files of one size and time that are compared at once; more are put in order first. */
const COMPARED_MAX = 64;

/** What a {@linkcode FileMoveFinder} works with. */
export interface FileMoveFinderOptions {
  readonly tree: {
    /** Directories whose entries move one by one, if they do. */
    nodes(): Iterable<DirNode>;
    /** True if a side has directories that nobody has looked into. */
    hasOtherDirs(side: Side): boolean;
  };
  readonly questions: Questions;
  readonly moves: FileMoves;
  /** A file that both sides have may yet be moved aside. */
  readonly mayConflict: boolean;
}

/**
 * Finds files that a side is to get among those it has: by size and time, then by contents. All of a tree's
 * files may have moved, so they are kept as numbers: 60 bytes for each until the search is over.
 */
export class FileMoveFinder {
  readonly #side: Side;
  readonly #source: Side;
  readonly #tree: FileMoveFinderOptions["tree"];
  readonly #questions: Questions;
  readonly #moves: FileMoves;
  readonly #mayConflict: boolean;
  #search: Search | undefined;
  #hasTwins = false;
  #isDone = false;

  constructor(side: Side, options: FileMoveFinderOptions) {
    this.#side = side;
    this.#source = across(side);
    this.#tree = options.tree;
    this.#questions = options.questions;
    this.#moves = options.moves;
    this.#mayConflict = options.mayConflict;
  }

  /** To be called again until it no longer waits for digests. */
  find(): "none" | "open" {
    if (this.#isDone) return "none";
    const search = this.#search ??= this.#newSearch();
    if (!this.#askAll(search)) return "open";
    this.#match(search);
    this.#matchTwins();
    this.#isDone = true;
    this.#search = undefined;
    return "none";
  }

  /** Finds what is worth a question: files that the side is to get, and those of it with their size and time. */
  #newSearch(): Search {
    const groups = new FileGroups();
    const own = new Places();
    const wanted = new Places();
    const hashes = this.#hashesOfWanted();
    if (hashes !== undefined) {
      this.#collectOwn(hashes, groups, own);
      for (const { item, entry } of this.#putFiles()) {
        const group = groups.find(entry);
        if (group !== undefined) this.#collect(wanted, item, { side: this.#source, entry, group });
        if (item.parent.twin !== undefined && entry.size > 0) this.#hasTwins = true;
      }
    }
    return {
      groups,
      own,
      wanted,
      // Those that go away first.
      ownOrder: own.ordered(2 * groups.length),
      wantedOrder: wanted.ordered(groups.length),
    };
  }

  /** `undefined` where there is nothing to look for, or nothing to take from, as in a first sync. */
  #hashesOfWanted(): KeyHashes | undefined {
    if (!this.#hasFiles()) return undefined;
    const hashes = new KeyHashes();
    for (const { entry } of this.#putFiles()) hashes.add(entry);
    return hashes.isEmpty ? undefined : hashes;
  }

  #hasFiles(): boolean {
    if (this.#tree.hasOtherDirs(this.#side)) return true;
    for (const { facts } of this.#tree.nodes()) if (facts?.hasFiles[this.#side]) return true;
    return false;
  }

  /** Files that the side is to get. */
  *#putFiles(): Generator<{ item: Item; entry: FileEntry }> {
    for (const node of this.#tree.nodes()) {
      if (!node.facts?.putsFiles[this.#side]) continue;
      for (const item of node.read().items) {
        const put = putFile(item);
        if (put?.to === this.#side) yield { item, entry: put.entry };
      }
    }
  }

  /** Files of the side with the size and time of a wanted one. */
  #collectOwn(wanted: KeyHashes, groups: FileGroups, own: Places): void {
    const side = this.#side;
    const isWanted = (size: number, mtimeMs: number) => wanted.mayHave(size, mtimeMs);
    const add = (place: Place, entry: FileEntry, stays: boolean) => {
      const group = groups.add(entry);
      if (group === undefined) return;
      if (stays && !groups.countUpTo(group, COPY_CANDIDATES_MAX)) return;
      this.#collect(own, place, { side, entry, group: 2 * group + (stays ? 1 : 0) });
    };
    for (const node of this.#tree.nodes()) {
      if (!node.facts?.hasFiles[side]) continue;
      const { same, items } = node.read();
      for (const { entry, index } of same.filesOf(isWanted)) {
        if (entry.size > 0) add({ parent: node, index }, entry, true);
      }
      for (const item of items) {
        const entry = item.on(side);
        if (entry?.kind !== "file" || !isWanted(entry.size, entry.mtimeMs)) continue;
        const { type } = item.verdict;
        if (type === "remove") add(item, entry, false);
        else if (entry.size > 0 && this.#isSource(type)) add(item, entry, true);
      }
    }
  }

  #collect(
    to: Places,
    place: Place,
    { side, entry, group }: { side: Side; entry: FileEntry; group: number },
  ): void {
    to.add(place, group);
    this.#questions.note(side, place, entry);
  }

  /** True for what is at its path as long as copies are made. */
  #isSource(type: Item["verdict"]["type"]): boolean {
    if (type === "pair") return !this.#mayConflict;
    return type !== "leaf-to-dir" && type !== "set-aside";
  }

  /** True if all digests are there. */
  #askAll({ groups, own, wanted, ownOrder, wantedOrder }: Search): boolean {
    let isComplete = true;
    const ask = (side: Side, place: Place) => {
      if (this.#questions.askNoted(side, place) === undefined) isComplete = false;
    };
    for (let row = 0; row < own.length; row++) {
      const group = own.groupOf(row) >>> 1;
      if (groups.sizeOf(group) === 0 || wantedOrder.rows(group).length === 0) continue;
      ask(this.#side, own.at(row));
    }
    for (let row = 0; row < wanted.length; row++) {
      const group = wanted.groupOf(row);
      if (groups.sizeOf(group) === 0 || ownOrder.rows(2 * group, 2).length === 0) continue;
      ask(this.#source, wanted.at(row));
    }
    if (this.#hasTwins) {
      for (const twin of this.#twins()) if (!this.#askTwin(twin)) isComplete = false;
    }
    return isComplete;
  }

  #match(search: Search): void {
    const { groups, own, wanted, ownOrder, wantedOrder } = search;
    const matches: Matches = {
      movedTo: new Uint32Array(own.length),
      copies: new Uint32List(),
    };
    for (let group = 0; group < groups.length; group++) {
      const rows = { own: ownOrder.rows(2 * group, 2), wanted: wantedOrder.rows(group) };
      if (rows.own.length === 0 || rows.wanted.length === 0) continue;
      const isEmpty = groups.sizeOf(group) === 0;
      const isLarge = !isEmpty && rows.own.length + rows.wanted.length > COMPARED_MAX;
      for (const portion of isLarge ? this.#portions(search, rows) : [rows]) {
        for (const equal of this.#contents(search, portion, isEmpty)) {
          this.#matchEqual(search, equal, matches);
        }
      }
    }
    // In the order of the tree, in which directories are looked into once.
    for (let row = 0; row < own.length; row++) {
      const to = matches.movedTo[row]!;
      if (to === 0) continue;
      const place = own.at(row);
      const { mode } = place.parent.names().pairs.at(place.index)![this.#side] as FileEntry;
      this.#moves.add(place, wanted.at(to - 1), { path: this.#pathOf(place), mode });
    }
    for (let i = 0; i < matches.copies.length; i += 2) {
      const from = matches.copies.at(i + 1);
      const place = wanted.at(matches.copies.at(i));
      // An empty file is as easily made.
      const digest = this.#questions.known(this.#side, own.at(from), undefined);
      if (digest === undefined) continue;
      // What moved away is found where it went.
      const to = matches.movedTo[from]!;
      const path = this.#pathOf(to === 0 ? own.at(from) : wanted.at(to - 1));
      this.#moves.addCopy(place, { path, digest });
    }
  }

  /** Files of one size and time, by their contents; those of which one side has none are left out. */
  *#contents({ own, wanted }: Search, rows: Rows, isEmpty: boolean): Generator<Rows> {
    const found = new Map<string, { own: number[]; wanted: number[] }>();
    const keyOf = (side: Side, place: Place) =>
      isEmpty ? this.#nameOf(place) : this.#key(side, place);
    for (const row of rows.wanted) {
      const key = keyOf(this.#source, wanted.at(row));
      if (key === undefined) continue;
      const files = found.get(key);
      if (files === undefined) found.set(key, { own: [], wanted: [row] });
      else files.wanted.push(row);
    }
    for (const row of rows.own) {
      const key = keyOf(this.#side, own.at(row));
      if (key !== undefined) found.get(key)?.own.push(row);
    }
    for (const files of found.values()) if (files.own.length > 0) yield files;
  }

  #key(side: Side, place: Place): DigestKey | undefined {
    const digest = this.#questions.known(side, place, undefined);
    return digest && digestKey(digest);
  }

  /** Very many files of one size and time, some at a time, so that equal ones stay together. */
  *#portions({ own, wanted }: Search, rows: Rows): Generator<Rows> {
    const ours = this.#sorted(own, rows.own, this.#side);
    const theirs = this.#sorted(wanted, rows.wanted, this.#source);
    for (let o = 0, w = 0; o < ours.rows.length && w < theirs.rows.length;) {
      const print = ours.prints[o]!;
      if (print < theirs.prints[w]!) o++;
      else if (print > theirs.prints[w]!) w++;
      else {
        const [firstOwn, firstWanted] = [o, w];
        while (ours.prints[o] === print) o++;
        while (theirs.prints[w] === print) w++;
        yield {
          own: ours.rows.subarray(firstOwn, o),
          wanted: theirs.rows.subarray(firstWanted, w),
        };
      }
    }
  }

  /** Those whose digests are known, by the first bits of them, then in the order they had. */
  #sorted(
    places: Places,
    rows: ArrayLike<number>,
    side: Side,
  ): { readonly rows: Uint32Array; readonly prints: Float64Array } {
    const keys = new Float64Array(rows.length);
    let length = 0;
    for (let i = 0; i < rows.length; i++) {
      const digest = this.#questions.known(side, places.at(rows[i]!), undefined);
      if (digest !== undefined) keys[length++] = printOf(digest) * POSITIONS + i;
    }
    const sorted = keys.subarray(0, length).sort();
    return {
      rows: Uint32Array.from(sorted, (key) => rows[key % POSITIONS]!),
      prints: sorted.map((key) => Math.floor(key / POSITIONS)),
    };
  }

  /** Files of the same contents: one that goes away moves, for others there are copies. */
  #matchEqual(search: Search, rows: Rows, { movedTo, copies }: Matches): void {
    const gone = Array.from(rows.own).filter((row) => search.own.groupOf(row) % 2 === 0);
    const left: number[] = [];
    if (gone.length === 1 && rows.wanted.length === 1) {
      movedTo[gone[0]!] = rows.wanted[0]! + 1;
      return;
    }
    // Files that keep their name choose first, then the others in the order of their paths.
    const byName = new Map<string, number[]>();
    for (const row of gone.toReversed()) {
      const name = this.#nameOf(search.own.at(row));
      const named = byName.get(name);
      if (named === undefined) byName.set(name, [row]);
      else named.push(row);
    }
    for (const row of Array.from(rows.wanted)) {
      const own = byName.size === 0
        ? undefined
        : byName.get(this.#nameOf(search.wanted.at(row)))?.pop();
      if (own === undefined) left.push(row);
      else movedTo[own] = row + 1;
    }
    let next = 0;
    for (const row of left) {
      while (next < gone.length && movedTo[gone[next]!] !== 0) next++;
      if (next < gone.length) movedTo[gone[next]!] = row + 1;
      else {
        copies.push(row);
        copies.push(rows.own[0]!);
      }
    }
  }

  #askTwin({ item, entry, path }: Twin): boolean {
    const here = this.#questions.ask(this.#source, item, entry);
    const there = this.#questions.askAt(this.#side, path, entry);
    return here !== undefined && there !== undefined;
  }

  #matchTwins(): void {
    if (!this.#hasTwins) return;
    for (const { item, entry, path } of this.#twins()) {
      if (this.#moves.isFound(item)) continue;
      const here = this.#questions.ask(this.#source, item, entry)?.digest;
      const there = this.#questions.askAt(this.#side, path, entry)?.digest;
      if (here && there && equalBytes(here, there)) {
        this.#moves.addCopy(item, { path, digest: here });
      }
    }
  }

  /** Files in copies of directories that stay. */
  *#twins(): Generator<Twin> {
    for (const { item, entry } of this.#putFiles()) {
      const { twin } = item.parent;
      if (twin === undefined || entry.size === 0) continue;
      yield { item, entry, path: joinPath(twin, entry.name) };
    }
  }

  #nameOf({ parent, index }: Place): string {
    return spelledOn(this.#side, parent.names().pairs.at(index)!);
  }

  #pathOf(place: Place): RelPath {
    return joinPath(place.parent.path[this.#side], this.#nameOf(place));
  }
}

/** What a side is to get, and may have. */
interface Search {
  readonly groups: FileGroups;
  /** Files of the side. Their group is twice that of their size and time, and one more if they stay. */
  readonly own: Places;
  /** Files that it is to get. */
  readonly wanted: Places;
  readonly ownOrder: Order;
  readonly wantedOrder: Order;
}

/** Some of the places on both sides. */
interface Rows {
  readonly own: ArrayLike<number> & Iterable<number>;
  readonly wanted: ArrayLike<number> & Iterable<number>;
}

/** What was found out. */
interface Matches {
  /** For each own file where it goes: a wanted one, counted from 1. */
  readonly movedTo: Uint32Array;
  /** Pairs of a wanted file and an own one of the same contents. */
  readonly copies: Uint32List;
}

/** A file in a copy of a directory that stays, and its original. */
interface Twin {
  readonly item: Item;
  readonly entry: FileEntry;
  readonly path: RelPath;
}

/** The digest's first 28 bits: with a position in one number. */
function printOf(digest: Digest): number {
  return (digest[0]! << 20 | digest[1]! << 12 | digest[2]! << 4 | digest[3]! >>> 4) >>> 0;
}

/** More than there are entries in both trees. */
const POSITIONS = 2 ** 25;
