import type { RelPath } from "../../base/paths.ts";
import type { Entry } from "../../base/tree.ts";
import { type CacheLimits, WeightedCache } from "../../base/weighted_cache.ts";
import { judge, type JudgeRules } from "./judge.ts";
import { foldsNames } from "./name_rules.ts";
import {
  type DirContents,
  type DirNames,
  type DirNode,
  type DirReader,
  Item,
  type JoinedNames,
} from "./node.ts";
import { PageView } from "./page_view.ts";
import { type IndexedPair, type Paired, type PairingRules, pairNames } from "./pairing.ts";
import { type Problem, refuseNames } from "./refusal.ts";
import { joinRows } from "./row_pairs.ts";
import { isSame, ListedSame, type SameEntry } from "./same_entries.ts";
import { SIDES } from "./side.ts";
import {
  type AncestorTree,
  type DirView,
  EMPTY_VIEW,
  type LocalTree,
  type SideTraits,
} from "./tree_view.ts";

/**
 * Directories that stay at hand, as far as they have few entries: a plan for few changes in many of them
 * looks into each several times.
 */
export const DIRS_AT_HAND = 512;
/** Names in all of them but the last few, which stay in any case: 10 MB. */
const NAMES_AT_HAND = 24 * 1024;
/**
 * Once so many names were read, those at hand are never the ones that are looked at next: every look goes
 * through the directories in their order.
 */
const NAMES_MANY = 2 * NAMES_AT_HAND;
/** Looks come in runs, and go back to a parent after its children. */
const LAST_DIRS = 8;

/** What a {@linkcode PageReader} works with. */
export interface PageReaderOptions {
  readonly local: LocalTree;
  readonly ancestor: AncestorTree | undefined;
  readonly rules: JudgeRules;
  readonly pairing: PairingRules;
  readonly isFiltered: ((path: RelPath, isDir: boolean) => boolean) | undefined;
  /** How many directories stay at hand. */
  readonly atHand: number;
}

/**
 * Makes what is in a directory from its pages, 1 to 3 µs an entry, and always the same: verdicts depend on
 * nothing else. Items that somebody pinned are taken up again.
 */
export class PageReader implements DirReader {
  readonly #options: PageReaderOptions;
  readonly #names: WeightedCache<DirNode, DirNames>;
  readonly #contents: WeightedCache<DirNode, DirContents>;
  readonly #lastOnly: CacheLimits;
  #namesRead = 0;

  constructor(options: PageReaderOptions) {
    this.#options = options;
    const weightMax = NAMES_AT_HAND;
    const { atHand } = options;
    const last = Math.min(atHand, LAST_DIRS);
    this.#names = new WeightedCache({ weightMax, countMax: last, countMin: last });
    this.#lastOnly = { weightMax: 0, countMin: last };
    this.#contents = new WeightedCache({ weightMax, countMax: atHand, countMin: LAST_DIRS });
  }

  names(node: DirNode): DirNames {
    const known = this.#contents.peek(node) ?? this.#names.get(node);
    if (known !== undefined) return known;
    const names = this.#readNames(node);
    this.#names.put(node, names, names.pairs.length);
    return names;
  }

  read(node: DirNode): DirContents {
    const known = this.#contents.get(node);
    if (known !== undefined) return known;
    const { contents } = this.#read(node, this.names(node));
    this.#contents.put(node, contents, contents.pairs.length);
    return contents;
  }

  /** The same for the first time, with the names that can't be had. */
  expand(node: DirNode): { readonly contents: DirContents; readonly problems: readonly Problem[] } {
    const expanded = this.#read(node, this.#readNames(node));
    const { length } = expanded.contents.pairs;
    this.#contents.put(node, expanded.contents, length);
    this.#namesRead += length;
    if (this.#namesRead > NAMES_MANY) this.#contents.limit(this.#lastOnly);
    return expanded;
  }

  /** The entries that the ancestor has in a directory. */
  ancestorEntries(node: DirNode): readonly Entry[] {
    if (node.ancestorShape === undefined) return [];
    return this.#options.ancestor?.entries(node.ancestorShape) ?? [];
  }

  #readNames(node: DirNode): DirNames {
    const local = this.#localView(node);
    const remote = node.remote?.() ?? twinOf(local);
    const views = { local, remote };
    return { views, ...this.#joinRows(node, views) ?? this.#joinEntries(node, views) };
  }

  /** Where the rows of all pages are at hand, and names are equal by their bytes alone. */
  #joinRows(node: DirNode, { local, remote }: DirNames["views"]): JoinedNames | undefined {
    const { pairing: { traits }, ancestor } = this.#options;
    if (local.rows === undefined || remote.rows === undefined) return undefined;
    if (SIDES.some((side) => altersEntries(traits[side]))) return undefined;
    const pages = { local: local.rows.page, remote: remote.rows.page };
    if (node.ancestorShape === undefined || ancestor === undefined) return joinRows(pages);
    if (ancestor.rows === undefined) return undefined;
    return joinRows(pages, ancestor.rows(node.ancestorShape));
  }

  #joinEntries(node: DirNode, { local, remote }: DirNames["views"]): JoinedNames {
    const { pairing } = this.#options;
    const pairs = pairNames(local.entries, remote.entries, this.ancestorEntries(node), pairing);
    const same: SameEntry[] = [];
    const others: IndexedPair[] = [];
    for (const [index, found] of pairs.entries()) {
      const pair = pairs[index] = withoutLosses(found, pairing.traits);
      if (isSame(pair)) same.push({ index, entry: pair.local });
      else others.push({ index, pair });
    }
    return { pairs, same: new ListedSame(same), others };
  }

  #read(node: DirNode, names: DirNames): { contents: DirContents; problems: Problem[] } {
    const items = names.others.map((found) =>
      node.pinned.get(found.index) ?? this.#judged(node, found, names.views)
    );
    const contents = { ...names, items };
    const { traits } = this.#options.pairing;
    const problems = SIDES.flatMap((side) => refuseNames(contents, side, traits[side]));
    return { contents, problems };
  }

  #judged(node: DirNode, found: IndexedPair, views: DirNames["views"]): Item {
    const item = new Item(node, found, views);
    item.verdict = judge(item, { views, isIgnored: this.#isFiltered(item) }, this.#options.rules);
    return item;
  }

  #localView(node: DirNode): DirView {
    const { local } = this.#options;
    const path = node.scannedPath.local;
    if (node.shape.local !== undefined) return local.dir(path);
    return node.flow === "judge" ? local.goneDir?.(path) ?? EMPTY_VIEW : EMPTY_VIEW;
  }

  #isFiltered(item: Item): boolean {
    const { isFiltered } = this.#options;
    if (isFiltered === undefined) return false;
    const { local, remote, ancestor } = item.pair;
    const isDir = (local ?? remote ?? ancestor)!.kind === "dir";
    const isDirThere = (remote ?? local ?? ancestor)!.kind === "dir";
    const path = item.shownPath;
    return isFiltered(path, isDir) || (isDir !== isDirThere && isFiltered(path, isDirThere));
  }
}

/** A directory of the peer with the same page as the local one, of which nothing else is known. */
function twinOf(local: DirView): DirView {
  const { opaque, isIncomplete } = EMPTY_VIEW;
  if (local.rows !== undefined) {
    return new PageView({ rows: local.rows.page, opaque, isIncomplete });
  }
  return { entries: local.entries, opaque, isIncomplete };
}

/** True where what a side has may not be taken as its page says. */
function altersEntries(traits: SideTraits): boolean {
  return foldsNames(traits) || traits.losesModes === true || traits.losesLinkTimes === true;
}

/**
 * Leaves out differences that a side can't help: modes and link times it does not keep are taken from the
 * ancestor, else from the other side.
 */
function withoutLosses(pair: Paired, traits: PairingRules["traits"]): Paired {
  let { local, remote } = pair;
  if (traits.local.losesModes) local = withModeOf(local, pair.ancestor, remote);
  if (traits.remote.losesModes) remote = withModeOf(remote, pair.ancestor, local);
  if (traits.local.losesLinkTimes) local = withLinkTimeOf(local, pair.ancestor, remote);
  if (traits.remote.losesLinkTimes) remote = withLinkTimeOf(remote, pair.ancestor, local);
  return local === pair.local && remote === pair.remote ? pair : { ...pair, local, remote };
}

function withModeOf<T extends Entry | undefined>(entry: T, ...models: (Entry | undefined)[]): T {
  if (entry === undefined || entry.kind === "link") return entry;
  const model = models.find((model) => model?.kind === entry.kind);
  if (model === undefined || model.kind === "link" || model.mode === entry.mode) return entry;
  return { ...entry, mode: model.mode };
}

function withLinkTimeOf<T extends Entry | undefined>(
  entry: T,
  ...models: (Entry | undefined)[]
): T {
  if (entry === undefined || entry.kind !== "link") return entry;
  const model = models.find((model) => model?.kind === "link" && model.target === entry.target);
  if (model === undefined || model.kind !== "link" || model.mtimeMs === entry.mtimeMs) return entry;
  return { ...entry, mtimeMs: model.mtimeMs };
}
