import { equalBytes } from "../../base/bytes.ts";
import { type Digest, type DigestKey, digestKey } from "../../base/digest.ts";
import { type PackedBytes, Packer } from "../../base/packed_bytes.ts";
import { type RelPath, sortByName } from "../../base/paths.ts";
import { EMPTY_SHAPE, encodePage, type Entry, shapeOf } from "../../base/tree.ts";
import type { VersionVector } from "../../base/version_vector.ts";
import { ByteWriter } from "../../base/varint.ts";
import type { LongList } from "../plan/sync_plan.ts";
import type { DirNode } from "./node.ts";
import type { Pairs } from "./pairing.ts";
import type { ItemResult } from "./results.ts";
import { type BySide, bySide, type Side } from "./side.ts";
import type { StampLog } from "./stamp_log.ts";

/** A version or deletion that a side is to note, though no operation of its own tells it. */
export interface Stamp {
  readonly side: Side;
  readonly path: RelPath;
  readonly vector: VersionVector;
  /** A tombstone. */
  readonly isDeleted: boolean;
}

/** A stamp that counts once operations are done. */
export interface PendingStamp extends Stamp {
  readonly needs: readonly number[];
}

/** What both sides are now known to have held. */
export interface Settlement {
  /** Shape of the next ancestor's root. */
  readonly root: Digest;
  /** Pages of directories that changed, by their shape. */
  readonly pages: ReadonlyMap<DigestKey, PackedBytes>;
  /**
   * Directories of equal shape that were not looked into, and are new to the ancestor: their pages, and all
   * that those name, are among the pages of the local scan.
   */
  readonly adopted: readonly Digest[];
  /** To be noted before the ancestor is stored, by each side. */
  readonly stamps: BySide<LongList<Stamp>>;
}

/** What a settlement is made from. */
export interface SettlementInput {
  /** `undefined` where the trees were equal and nothing had to be looked into. */
  readonly root: DirNode;
  readonly ancestorRoot: Digest | undefined;
  readonly stamps: StampLog;
  readonly isDone: (operation: number) => boolean;
}

/**
 * Builds the next ancestor: what both sides held and agreed on, path by path. Where operations are missing,
 * what was remembered before stays. An ancestor that is behind is harmless; one that is ahead would make an
 * undone change look like a deletion.
 */
export function settle(input: SettlementInput): Settlement {
  const settler = new Settler(input);
  const { root, ancestorRoot } = input;
  const shape = root.isExpanded
    ? settler.shapeOf(root)
    : settler.adopt(root.shape.local ?? EMPTY_SHAPE, ancestorRoot);
  const stamps = bySide((side) => input.stamps.settled(side, input.isDone));
  return { root: shape, pages: settler.pages, adopted: settler.adopted, stamps };
}

/** Of these pages so much stays as it is: those of 25 000 files or so. */
const PLAIN_BYTES = 1024 * 1024;

class Settler {
  readonly pages = new Map<DigestKey, PackedBytes>();
  readonly adopted: Digest[] = [];
  readonly #isDone: (operation: number) => boolean;
  readonly #writer = new ByteWriter(64 * 1024);
  readonly #packer = new Packer(PLAIN_BYTES);

  constructor(input: SettlementInput) {
    this.#isDone = input.isDone;
  }

  /** The shape of a directory as both sides hold it. */
  shapeOf(node: DirNode): Digest {
    const { pairs, same } = node.names();
    const entries: Entry[] = [];
    for (const { entry } of same) entries.push(entry);
    for (const result of node.results?.read(pairs) ?? []) {
      const entry = this.#entryOf(node, result, pairs);
      if (entry !== undefined) entries.push(entry);
    }
    sortByName(entries);
    const page = encodePage(entries, this.#writer);
    const shape = shapeOf(page);
    if (node.ancestorShape === undefined || !equalBytes(shape, node.ancestorShape)) {
      this.pages.set(digestKey(shape), this.#packer.keep(page));
    }
    return shape;
  }

  /** Takes a directory over without having looked into it. */
  adopt(shape: Digest, old: Digest | undefined): Digest {
    const isNew = old === undefined || !equalBytes(old, shape);
    if (isNew && !equalBytes(shape, EMPTY_SHAPE)) this.adopted.push(shape);
    return shape;
  }

  #entryOf(
    node: DirNode,
    { index, next, needs, hasDir }: ItemResult,
    pairs: Pairs,
  ): Entry | undefined {
    const old = index === undefined ? undefined : pairs.at(index)!.ancestor;
    const entry = needs.every(this.#isDone) ? next : old;
    if (entry?.kind !== "dir") return entry;
    const dir = hasDir && index !== undefined ? node.pinned.get(index)?.dir : undefined;
    if (dir?.isExpanded) return { ...entry, shape: this.shapeOf(dir) };
    if (entry === next) this.adopt(entry.shape, old?.kind === "dir" ? old.shape : undefined);
    return entry;
  }
}
