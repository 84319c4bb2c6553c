import type { DirPath } from "../../base/paths.ts";
import type { SnapshotDir } from "./snapshot.ts";

/** Changes are worked into a map of their own once they are more than this part of it. */
const CHANGES_PART = 8;

/**
 * The directories of a snapshot by path. The next snapshot shares nearly all of them: it holds the same map
 * and beside it what is different, so that making one costs no more than that.
 */
export class DirMap {
  readonly #base: ReadonlyMap<DirPath, SnapshotDir>;
  /** `undefined` for one that is gone. */
  readonly #changes: ReadonlyMap<DirPath, SnapshotDir | undefined>;

  /** @param base Not to be changed any more. */
  constructor(
    base: ReadonlyMap<DirPath, SnapshotDir>,
    changes: ReadonlyMap<DirPath, SnapshotDir | undefined> = new Map(),
  ) {
    this.#base = base;
    this.#changes = changes;
  }

  get(path: DirPath): SnapshotDir | undefined {
    return this.#changes.has(path) ? this.#changes.get(path) : this.#base.get(path);
  }

  has(path: DirPath): boolean {
    return this.get(path) !== undefined;
  }

  *[Symbol.iterator](): Generator<[DirPath, SnapshotDir]> {
    for (const [path, dir] of this.#changes) if (dir !== undefined) yield [path, dir];
    for (const entry of this.#base) if (!this.#changes.has(entry[0])) yield entry;
  }

  *values(): Generator<SnapshotDir> {
    for (const [, dir] of this) yield dir;
  }

  /** The same with other directories in some places, and none where `undefined` stands. */
  with(changes: ReadonlyMap<DirPath, SnapshotDir | undefined>): DirMap {
    const all = new Map([...this.#changes, ...changes]);
    if (all.size <= this.#base.size / CHANGES_PART) return new DirMap(this.#base, all);
    const base = new Map(this.#base);
    for (const [path, dir] of all) {
      if (dir === undefined) base.delete(path);
      else base.set(path, dir);
    }
    return new DirMap(base);
  }
}
