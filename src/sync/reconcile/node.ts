import type { Digest } from "../../base/digest.ts";
import { type DirPath, joinPath, type RelPath } from "../../base/paths.ts";
import type { Entry, FileEntry } from "../../base/tree.ts";
import type { IndexedPair, Paired, Pairs } from "./pairing.ts";
import { across, type BySide, bySide, type Side } from "./side.ts";
import type { DirReplies } from "./questions.ts";
import type { DirResults } from "./results.ts";
import type { SameEntries } from "./same_entries.ts";
import type { DirSource, DirView } from "./tree_view.ts";
import { type MaybeVector, vectorIn, vectorOfRow } from "./versions.ts";

/** Why a path is left alone on both sides. */
export type SkipReason =
  /** It exists on one side and can't be judged there: unreadable, ignored there, a special file. */
  | "not_judged"
  /** Its directory could not be read completely, so it may exist. */
  | "incomplete"
  /** A directory that must not be emptied is where the other side has something else. */
  | "in_the_way"
  | "links_unsupported";

/** What becomes of one name. */
export type Verdict =
  /** Equal: only remembered. */
  | { readonly type: "same" }
  /** Gone on both sides. */
  | { readonly type: "forget" }
  /** Left alone; without a reason there is nothing to tell the user. */
  | { readonly type: "skip"; readonly reason: SkipReason | undefined }
  /** Only the target of a one-way sync has it, and it stays. */
  | { readonly type: "keep" }
  /** Leaves on both sides that may differ: decided once the digests asked for are there. */
  | { readonly type: "pair" }
  /** Directories on both sides. */
  | { readonly type: "merge" }
  /** The side gets what it does not have. */
  | { readonly type: "put"; readonly to: Side }
  /** The side loses what the other does not have. */
  | { readonly type: "remove"; readonly from: Side }
  /** A directory that the other side deleted; its entries decide whether it comes back there. */
  | { readonly type: "remnant"; readonly on: Side }
  /** The side's directory gives way to the other's leaf. */
  | { readonly type: "dir-to-leaf"; readonly on: Side }
  /** The side's leaf gives way to the other's directory. */
  | { readonly type: "leaf-to-dir"; readonly on: Side }
  /** The side's leaf becomes a conflict copy, since the other's directory stays. */
  | { readonly type: "set-aside"; readonly on: Side };

/** One name in a directory: what both sides and the ancestor have there, and what becomes of it. */
export class Item {
  verdict: Verdict = { type: "same" };
  /** The directory beneath, where the walk descends. */
  dir: DirNode | undefined;
  /** For a put of a directory: what the side already has under another path, and gives up. */
  movedFrom: Item | undefined;
  /** For a removed directory: the put that takes it over. */
  movedTo: Item | undefined;
  /** What each side's version or deletion has seen. */
  readonly seen: BySide<MaybeVector>;

  /** The place among all names of the directory. */
  readonly index: number;
  readonly pair: Paired;

  /** @param views The directory on both sides. */
  constructor(
    readonly parent: DirNode,
    { index, pair, rows }: IndexedPair,
    views: BySide<DirView>,
  ) {
    this.index = index;
    this.pair = pair;
    this.seen = bySide((side) => {
      const row = rows?.[side] ?? -1;
      if (row >= 0) return vectorOfRow(views[side], row);
      return vectorIn(views[side], this.on(side)?.name ?? this.name(side));
    });
  }

  /** What the side has. */
  on(side: Side): Entry | undefined {
    return this.pair[side];
  }

  /** The name as the side spells it, or will. */
  name(side: Side): string {
    return spelledOn(side, this.pair);
  }

  /** The name under which the state is remembered: both devices must choose the same. */
  get rememberedName(): string {
    return rememberedName(this.pair);
  }

  /** Where it will be on the side, once directories above it are respelled. */
  path(side: Side): RelPath {
    return joinPath(this.parent.path[side], this.name(side));
  }

  /** Where it was on the side when it was scanned: what its own device knows it as. */
  scannedPath(side: Side): RelPath {
    return joinPath(this.parent.scannedPath[side], this.on(side)?.name ?? this.name(side));
  }

  /** The path to show to people. */
  get shownPath(): RelPath {
    return this.path(this.pair.local !== undefined ? "local" : "remote");
  }

  /** Keeps the item itself: otherwise it is made anew whenever its directory is looked into. */
  pin(): this {
    this.parent.pinned.set(this.index, this);
    return this;
  }
}

/** A name in a directory that the walk has looked into. */
export interface Place {
  readonly parent: DirNode;
  /** Among all names of the directory. */
  readonly index: number;
}

/** How the entries of a directory are judged. */
export type Flow =
  /** Each for itself. */
  | "judge"
  /** All go to the side that lacks them. */
  | "fill"
  /** All go away. */
  | "empty";

/** What a {@linkcode DirNode} starts from. */
export interface DirNodeInit {
  readonly flow: Flow;
  readonly path: BySide<DirPath>;
  readonly scannedPath: BySide<DirPath>;
  /** Shapes on the sides that have the directory. */
  readonly shape: Partial<BySide<Digest>>;
  readonly ancestorShape?: Digest | undefined;
  /** Where the side to be filled has a directory with the same shape, which stays. */
  readonly twin?: RelPath | undefined;
  /** The item that this is the directory of; the root has none. */
  readonly item?: Item | undefined;
}

/** What is known of a directory once it was looked into, so that it need not be looked into again. */
export interface DirFacts {
  readonly mtimeMs: BySide<number | undefined>;
  /** Names of any kind, over both sides and the ancestor. */
  readonly names: number;
  /** The side has files there. */
  readonly hasFiles: BySide<boolean>;
  /** The side is to get files there. */
  readonly putsFiles: BySide<boolean>;
  /** Of a directory that one side has: all files and links go, and nothing is there that can't be judged. */
  readonly areLeavesGone: boolean;
}

/** The names of a directory on both sides and in the ancestor, brought together. */
export interface JoinedNames {
  /** All of them, in the order in which items count them. */
  readonly pairs: Pairs;
  /** Entries without any difference between the sides. */
  readonly same: SameEntries;
  /** All others. */
  readonly others: readonly IndexedPair[];
}

/** The names of a directory, and the directory itself. */
export interface DirNames extends JoinedNames {
  readonly views: BySide<DirView>;
}

/** What is in a directory, and what becomes of it. */
export interface DirContents extends DirNames {
  /** One for each name that is not the same on both sides, in their order. */
  readonly items: readonly Item[];
}

/** Looks into directories, as often as somebody asks. */
export interface DirReader {
  names(node: DirNode): DirNames;
  read(node: DirNode): DirContents;
}

/**
 * A directory that the walk descends into, on one side or both. Of what is in it only the directories
 * stay at hand, and what was pinned: the rest is made anew from the pages each time it is looked at, since
 * a tree may have millions of entries.
 */
export class DirNode implements DirNodeInit {
  readonly flow: Flow;
  readonly path: BySide<DirPath>;
  readonly scannedPath: BySide<DirPath>;
  readonly shape: Partial<BySide<Digest>>;
  readonly ancestorShape: Digest | undefined;
  readonly item: Item | undefined;
  twin: RelPath | undefined;
  /** The peer's view of it; `undefined` where its page is the local one. */
  remote: DirSource | undefined;
  /** Set when the entries are known. */
  facts: DirFacts | undefined;
  /** Items that are kept, by their index. */
  readonly pinned = new Map<number, Item>();
  /** See the function of this name. */
  isAllGone: boolean | undefined;
  /** Digests of files in it that were asked for. */
  replies: DirReplies | undefined;
  /** What of it moves or is copied file by file, by index; see `FileMoves`. */
  fates: Uint32Array | undefined;
  /** Filled when operations are planned: what to remember of each item. */
  results: DirResults | undefined;
  readonly #reader: DirReader;
  #held: DirContents | undefined;

  constructor(init: DirNodeInit, reader: DirReader) {
    this.flow = init.flow;
    this.path = init.path;
    this.scannedPath = init.scannedPath;
    this.shape = init.shape;
    this.ancestorShape = init.ancestorShape;
    this.twin = init.twin;
    this.item = init.item;
    this.#reader = reader;
  }

  /** True when the entries are known. */
  get isExpanded(): boolean {
    return this.facts !== undefined;
  }

  /** The one side that has the directory, or `undefined` for both. */
  get onlyOn(): Side | undefined {
    if (this.shape.local === undefined) return "remote";
    return this.shape.remote === undefined ? "local" : undefined;
  }

  /** Its names alone. */
  names(): DirNames {
    return this.#held ?? this.#reader.names(this);
  }

  /** What is in it; for an expanded directory. */
  read(): DirContents {
    return this.#held ?? this.#reader.read(this);
  }

  /** As {@linkcode DirNode.read}, and keeps it until {@linkcode DirNode.release}. */
  hold(contents: DirContents = this.read()): DirContents {
    return this.#held = contents;
  }

  /** Lets go of what was held. */
  release(): void {
    this.#held = undefined;
  }

  /** Items that are a directory on any side, in their order. */
  *dirItems(): Generator<Item> {
    // Pinned when the directory was expanded, before any other.
    for (const item of this.pinned.values()) if (isDirItem(item)) yield item;
  }
}

/** True for what is a directory on any side. */
export function isDirItem({ pair }: { readonly pair: Paired }): boolean {
  return pair.local?.kind === "dir" || pair.remote?.kind === "dir";
}

/** A name as a side spells it, or will. */
export function spelledOn(side: Side, pair: Paired): string {
  const spelledBy = pair.respelled === side ? across(side) : side;
  return (pair[spelledBy] ?? pair[across(spelledBy)] ?? pair.ancestor)!.name;
}

/** The name under which a state is remembered. */
export function rememberedName(pair: Paired): string {
  const { local, remote, ancestor, respelled } = pair;
  if (respelled !== undefined) return spelledOn(respelled, pair);
  if (local !== undefined && remote !== undefined && local.name !== remote.name) {
    return local.name.normalize("NFC");
  }
  return (local ?? remote ?? ancestor)!.name;
}

/**
 * True if all of a directory that one side has goes away, so that it could be moved as a whole. To be asked
 * once verdicts are final: the answer is kept.
 */
export function isAllGone(node: DirNode): boolean {
  return node.isAllGone ??= findAllGone(node);
}

function findAllGone(node: DirNode): boolean {
  const side = node.onlyOn;
  if (side === undefined || node.flow === "fill" || !node.facts?.areLeavesGone) return false;
  for (const item of node.dirItems()) {
    if (!isGoing(item, side) || (item.dir !== undefined && !isAllGone(item.dir))) return false;
  }
  return true;
}

/** True if a side's entry goes away, and for a name that the side does not have. */
export function isGoing({ pair, verdict }: Item, side: Side): boolean {
  if (pair[side] === undefined) return verdict.type === "forget";
  return verdict.type === "remove" || verdict.type === "remnant";
}

/** All directories at and below a node that have been descended into. */
export function* nodesBelow(node: DirNode): Generator<DirNode> {
  yield node;
  for (const item of node.dirItems()) if (item.dir !== undefined) yield* nodesBelow(item.dir);
}

/** A file that is put where nothing is, and its new contents. */
export function putFile(item: Item): { to: Side; entry: FileEntry } | undefined {
  if (item.verdict.type !== "put") return undefined;
  const { to } = item.verdict;
  const entry = item.on(across(to));
  return entry?.kind === "file" ? { to, entry } : undefined;
}
