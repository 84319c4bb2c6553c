import type { FileEntry } from "../../base/tree.ts";
import { isIdentical, isLeaf, type Leaf } from "./agreement.ts";
import type { Paired } from "./pairing.ts";
import type { BySide } from "./side.ts";
import type { DirView } from "./tree_view.ts";
import { type MaybeVector, sameVector, vectorIn } from "./versions.ts";

/** A file or link that is the same on both sides. */
export interface SameEntry {
  /** The place among all names of the directory. */
  readonly index: number;
  readonly entry: Leaf;
}

/** A file that is the same on both sides. */
export interface SameFile extends SameEntry {
  readonly entry: FileEntry;
}

/** Tells by its size and time whether a file is of interest. */
export type VersionTest = (size: number, mtimeMs: number) => boolean;

/** The entries of a directory without any difference between the sides, in their order. */
export interface SameEntries extends Iterable<SameEntry> {
  readonly length: number;
  /** True if there is a file among them. */
  readonly hasFiles: boolean;
  /** Files of sizes and times that are of interest; of the others no objects are made. */
  filesOf(isOfInterest: VersionTest): Iterable<SameFile>;
  /** Those with different histories. @param views The directory on both sides. */
  unlike(views: BySide<DirView>): Iterable<UnlikeHistory>;
}

/** What the sides have seen of an entry that is the same on both. */
export interface UnlikeHistory extends BySide<MaybeVector> {
  readonly name: string;
}

/** True for a file or link without any difference between the sides. */
export function isSame(pair: Paired): pair is Paired & { readonly local: Leaf } {
  const { local, remote } = pair;
  return isLeaf(local) && isLeaf(remote) && local.name === remote.name &&
    isIdentical(local, remote);
}

/** Same entries as objects. */
export class ListedSame implements SameEntries {
  readonly #entries: readonly SameEntry[];

  constructor(entries: readonly SameEntry[]) {
    this.#entries = entries;
  }

  get length(): number {
    return this.#entries.length;
  }

  get hasFiles(): boolean {
    return this.#entries.some(({ entry }) => entry.kind === "file");
  }

  [Symbol.iterator](): Iterator<SameEntry> {
    return this.#entries[Symbol.iterator]();
  }

  *filesOf(isOfInterest: VersionTest): Generator<SameFile> {
    for (const { index, entry } of this.#entries) {
      if (entry.kind !== "file") continue;
      if (isOfInterest(entry.size, entry.mtimeMs)) yield { index, entry };
    }
  }

  *unlike({ local, remote }: BySide<DirView>): Generator<UnlikeHistory> {
    const alike = new AlikeVectors();
    for (const { entry: { name } } of this.#entries) {
      const vectors = { local: vectorIn(local, name), remote: vectorIn(remote, name) };
      if (!alike.has(vectors)) yield { name, ...vectors };
    }
  }
}

/** Compares vectors that neighbours mostly share, which then are compared once. */
export class AlikeVectors {
  #local: MaybeVector;
  #remote: MaybeVector;

  /** True if both are the same. */
  has({ local, remote }: BySide<MaybeVector>): boolean {
    if (local === this.#local && remote === this.#remote) return true;
    if (!sameVector(local, remote)) return false;
    this.#local = local;
    this.#remote = remote;
    return true;
  }
}
