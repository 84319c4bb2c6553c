import type { Digest } from "../../base/digest.ts";
import { type DirPath, joinPath, type RelPath } from "../../base/paths.ts";
import type { Entry, FileEntry } from "../../base/tree.ts";
import type { Paired } from "./pairing.ts";
import { across, type BySide, bySide, type Side } from "./side.ts";
import { type DirView, EMPTY_VIEW } from "./tree_view.ts";

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
  /** For a put: what the side already has under another path, and gives up. */
  movedFrom: Item | undefined;
  /** For a removed item: the put that takes it over. */
  movedTo: Item | undefined;
  /** For a put of a file: what the side already has under another path, and keeps. */
  copiedFrom: OwnCopy | undefined;

  constructor(readonly parent: DirNode, readonly pair: Paired) {}

  /** What the side has. */
  on(side: Side): Entry | undefined {
    return this.pair[side];
  }

  /** The name as the side spells it, or will. */
  name(side: Side): string {
    const { pair } = this;
    const spelledBy = pair.respelled === side ? across(side) : side;
    return (pair[spelledBy] ?? pair[across(spelledBy)] ?? pair.ancestor)!.name;
  }

  /** The name under which the state is remembered: both devices must choose the same. */
  get rememberedName(): string {
    const { local, remote, ancestor, respelled } = this.pair;
    if (respelled !== undefined) return this.name(respelled);
    if (local !== undefined && remote !== undefined && local.name !== remote.name) {
      return local.name.normalize("NFC");
    }
    return (local ?? remote ?? ancestor)!.name;
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
}

/** A file that a side has twice once the plan is carried out. */
export interface OwnCopy {
  readonly path: RelPath;
  readonly digest: Digest;
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

/** A directory that the walk descends into, on one side or both. */
export class DirNode implements DirNodeInit {
  readonly flow: Flow;
  readonly path: BySide<DirPath>;
  readonly scannedPath: BySide<DirPath>;
  readonly shape: Partial<BySide<Digest>>;
  readonly ancestorShape: Digest | undefined;
  readonly item: Item | undefined;
  twin: RelPath | undefined;
  /** Set when the entries are known. */
  isExpanded = false;
  views: BySide<DirView> = bySide(() => EMPTY_VIEW);
  /** Entries without any difference between the sides. */
  readonly same: FileOrLink[] = [];
  readonly items: Item[] = [];
  /** See the function of this name. */
  isAllGone: boolean | undefined;
  /** Filled when operations are planned: what to remember of each item. */
  readonly results: ItemResult[] = [];

  constructor(init: DirNodeInit) {
    this.flow = init.flow;
    this.path = init.path;
    this.scannedPath = init.scannedPath;
    this.shape = init.shape;
    this.ancestorShape = init.ancestorShape;
    this.twin = init.twin;
    this.item = init.item;
  }

  /** The one side that has the directory, or `undefined` for both. */
  get onlyOn(): Side | undefined {
    if (this.shape.local === undefined) return "remote";
    return this.shape.remote === undefined ? "local" : undefined;
  }
}

type FileOrLink = Exclude<Entry, { kind: "dir" }>;

/** What to remember of one name, depending on whether its operations are done. */
export interface ItemResult {
  readonly name: string;
  /** What both sides hold once all of `needs` are done. */
  readonly next: Entry | undefined;
  /** Ids of operations. */
  readonly needs: readonly number[];
  /** What is remembered otherwise: what was remembered before. */
  readonly old: Entry | undefined;
  /** The directory whose own results make up the shape. */
  readonly dir?: DirNode | undefined;
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
  if (side === undefined || !node.isExpanded || node.flow === "fill") return false;
  const view = node.views[side];
  if (view.isIncomplete || view.opaque.size > 0 || node.same.length > 0) return false;
  return node.items.every((item) => {
    if (item.on(side) === undefined) return item.verdict.type === "forget";
    const { type } = item.verdict;
    if (type !== "remove" && type !== "remnant") return false;
    return item.dir === undefined || isAllGone(item.dir);
  });
}

/** All directories at and below a node that have been descended into. */
export function* nodesBelow(node: DirNode): Generator<DirNode> {
  yield node;
  for (const item of node.items) if (item.dir !== undefined) yield* nodesBelow(item.dir);
}

/** A file that is put where nothing is, and its new contents. */
export function putFile(item: Item): { to: Side; entry: FileEntry } | undefined {
  if (item.verdict.type !== "put") return undefined;
  const { to } = item.verdict;
  const entry = item.on(across(to));
  return entry?.kind === "file" ? { to, entry } : undefined;
}
