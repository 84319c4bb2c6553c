import { joinPath } from "../../base/paths.ts";
import type { Entry } from "../../base/tree.ts";
import type { DirNode, Item } from "./node.ts";
import { ResultWriter } from "./results.ts";
import { StampLog } from "./stamp_log.ts";
import { type Side, SIDES } from "./side.ts";
import type { Vectors } from "./vectors.ts";
import { joined, type MaybeVector, sameVector } from "./versions.ts";

/** Notes while a plan is made what will be known of each path once its operations are done. */
export class Ledger {
  readonly stamps = new StampLog();
  readonly #vectors: Vectors;
  readonly #remembers: boolean;
  /** Of directories that are being planned. */
  readonly #results = new Map<DirNode, ResultWriter>();

  /** @param remembers False where nobody will ask. */
  constructor(vectors: Vectors, remembers: boolean) {
    this.#vectors = vectors;
    this.#remembers = remembers;
  }

  /**
   * What both sides hold at a path once operations are done; until then, what was remembered before.
   *
   * @param next `undefined` for nothing.
   * @param dir The directory beneath, whose own results make up its shape.
   */
  remember(item: Item, next: Entry | undefined, needs: readonly number[], dir?: DirNode): void {
    if (!this.#remembers) return;
    const name = item.rememberedName;
    const named = next === undefined || next.name === name ? next : { ...next, name };
    this.#resultsOf(item.parent).add(item, named, needs, dir !== undefined);
  }

  /** As {@linkcode Ledger.remember}, for a name that comes into a directory. */
  rememberNew(parent: DirNode, next: Entry, needs: readonly number[]): void {
    if (this.#remembers) this.#resultsOf(parent).addNew(next, needs);
  }

  /** No more will come for a directory. */
  close(node: DirNode): void {
    node.results = this.#results.get(node)?.finish();
    this.#results.delete(node);
  }

  /** Nothing is agreed on: what was remembered stays. In a directory, entry by entry. */
  rememberOld(item: Item, dir?: DirNode): void {
    if (item.pair.ancestor !== undefined) this.remember(item, item.pair.ancestor, [], dir);
  }

  /** A side's version is to be noted, unless it is known by that vector. */
  stamp(item: Item, side: Side, vector: MaybeVector, needs: readonly number[]): void {
    this.#add(item, side, { vector, needs, isDeleted: false });
  }

  /** A deletion is to be noted, unless it is known by that vector. */
  stampTombstone(item: Item, side: Side, vector: MaybeVector, needs: readonly number[]): void {
    this.#add(item, side, { vector, needs, isDeleted: true });
  }

  /** The sides hold the same, by different histories: from now on by one. */
  agreeOnVersion(item: Item): void {
    const vector = joined(this.#vectors.of(item, "local"), this.#vectors.of(item, "remote"));
    for (const side of SIDES) this.stamp(item, side, vector, []);
  }

  /** As {@linkcode agreeOnVersion}, for all entries of a directory without any difference. */
  agreeOnVersions(node: DirNode): void {
    if (!this.#remembers) return;
    const { same, views } = node.read();
    if (SIDES.some((side) => views[side].versions === undefined)) return;
    for (const { name, ...vectors } of same.unlike(views)) {
      const vector = joined(vectors.local, vectors.remote);
      if (vector === undefined) continue;
      for (const side of SIDES) {
        if (sameVector(vector, vectors[side])) continue;
        const path = joinPath(node.path[side], name);
        this.stamps.add({ side, path, vector, isDeleted: false, needs: [] });
      }
    }
  }

  #add(
    item: Item,
    side: Side,
    what: { vector: MaybeVector; needs: readonly number[]; isDeleted: boolean },
  ): void {
    const { vector, needs, isDeleted } = what;
    if (!this.#remembers || vector === undefined) return;
    if (sameVector(vector, this.#vectors.of(item, side))) return;
    this.stamps.add({ side, path: item.path(side), vector, isDeleted, needs });
  }

  #resultsOf(node: DirNode): ResultWriter {
    let results = this.#results.get(node);
    if (results === undefined) this.#results.set(node, results = new ResultWriter());
    return results;
  }
}
