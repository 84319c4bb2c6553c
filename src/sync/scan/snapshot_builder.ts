import { equalBytes } from "../../base/bytes.ts";
import type { Digest } from "../../base/digest.ts";
import { type DirPath, isWithin, joinPath, type RelPath } from "../../base/paths.ts";
import { DirMap } from "./dir_map.ts";
import { type ScanProblem, Snapshot, type SnapshotDir } from "./snapshot.ts";

/** Where more directories have changed, asking a peer for them takes many round trips in any case. */
const FORMER_SHAPES_MAX = 4096;
/** The same of files. */
const SAME_SIZE_MAX = 4096;

/** Collects what a scan finds; with an earlier snapshot, what is different from that. */
export class SnapshotBuilder {
  readonly #base: Snapshot | undefined;
  /** `undefined` for those of the earlier snapshot that are gone. */
  readonly #dirs = new Map<DirPath, SnapshotDir | undefined>();
  readonly #problems = new Map<DirPath, ScanProblem[]>();
  readonly #read = new Set<DirPath>();
  readonly #unsettled = new Set<DirPath>();
  /** See {@linkcode Snapshot.formerShapes}. */
  readonly #formerShapes = new Map<DirPath, Digest>();
  /** See {@linkcode Snapshot.sameSize}. */
  readonly #sameSize = new Set<RelPath>();

  constructor(base?: Snapshot) {
    this.#base = base;
  }

  /** A directory is being read: what was found in it until now is of no account. */
  beginDir(path: DirPath): void {
    this.#read.add(path);
    this.#problems.delete(path);
  }

  /** Takes in something found in the directory that `problem.dir` names. */
  addProblem(problem: ScanProblem): void {
    const found = this.#problems.get(problem.dir);
    if (found === undefined) this.#problems.set(problem.dir, [problem]);
    else found.push(problem);
  }

  /**
   * Takes in a directory, behind all beneath it.
   *
   * @param knownShape What is remembered of it; the earlier snapshot knows better.
   */
  addDir(dir: SnapshotDir, knownShape?: Digest): void {
    this.#dirs.set(dir.path, dir);
    this.#noteFormer(dir, this.#base ? this.#base.dirs.get(dir.path)?.shape : knownShape);
  }

  /** A file may only have been touched. */
  noteSameSize(path: RelPath): void {
    if (this.#sameSize.size < SAME_SIZE_MAX) this.#sameSize.add(path);
  }

  /** Whether a directory that was read has to be read again though nothing happens in it. */
  settle(path: DirPath, isSettled: boolean): void {
    if (isSettled) this.#unsettled.delete(path);
    else this.#unsettled.add(path);
  }

  /** Drops directories of the earlier snapshot, by their names in one that was read. */
  dropOthers(dir: DirPath, names: ReadonlySet<string>): void {
    if (this.#base?.dirs.get(dir) === undefined) return;
    for (const { kind, name } of this.#base.list(dir)) {
      if (kind === "dir" && !names.has(name)) this.#drop(joinPath(dir, name));
    }
  }

  /** Forgets what was found of a directory and beneath it, which is about to be read once more. */
  forget(path: DirPath): void {
    for (const dir of this.#dirs.keys()) {
      if (!isWithin(dir, path)) continue;
      this.#dirs.delete(dir);
      this.#read.delete(dir);
      this.#problems.delete(dir);
      this.#unsettled.delete(dir);
      this.#formerShapes.delete(dir);
    }
  }

  /** The snapshot. The builder is of no use afterwards. */
  finish(): Snapshot {
    return this.#base === undefined ? this.#whole() : this.#joined(this.#base);
  }

  #whole(): Snapshot {
    const dirs = this.#dirs as ReadonlyMap<DirPath, SnapshotDir>;
    let files = 0;
    let bytes = 0;
    for (const dir of dirs.values()) {
      files += dir.files;
      bytes += dir.bytes;
    }
    const problems = [...this.#problems.values()].flat();
    return this.#snapshot(new DirMap(dirs), problems, { files, bytes, unsettled: this.#unsettled });
  }

  /** The earlier snapshot, with what is different now. */
  #joined(base: Snapshot): Snapshot {
    let { files, bytes } = base;
    for (const [path, dir] of this.#dirs) {
      const before = base.dirs.get(path);
      files += (dir?.files ?? 0) - (before?.files ?? 0);
      bytes += (dir?.bytes ?? 0) - (before?.bytes ?? 0);
    }
    // A page that was made anew says nothing of what was found when its directory was read.
    const holds = (dir: DirPath) =>
      !this.#read.has(dir) && (!this.#dirs.has(dir) || this.#dirs.get(dir) !== undefined);
    const problems = base.problems.filter(({ dir }) => holds(dir));
    problems.push(...[...this.#problems.values()].flat());
    const unsettled = new Set([...base.unsettled].filter(holds));
    for (const dir of this.#unsettled) unsettled.add(dir);
    return this.#snapshot(base.dirs.with(this.#dirs), problems, { files, bytes, unsettled });
  }

  #snapshot(
    dirs: DirMap,
    problems: readonly ScanProblem[],
    { files, bytes, unsettled }: Pick<Snapshot, "files" | "bytes" | "unsettled">,
  ): Snapshot {
    const sameSize = [...this.#sameSize];
    return new Snapshot(dirs, problems, files, bytes, unsettled, this.#formerShapes, sameSize);
  }

  #noteFormer({ path, shape }: SnapshotDir, former: Digest | undefined): void {
    if (former === undefined || equalBytes(former, shape)) return;
    // The root comes last, and tells whether the others are of use.
    if (this.#formerShapes.size < FORMER_SHAPES_MAX || path === "") {
      this.#formerShapes.set(path, former.slice() as Digest);
    }
  }

  #drop(path: RelPath): void {
    for (const { kind, name } of this.#base!.list(path)) {
      if (kind === "dir") this.#drop(joinPath(path, name));
    }
    this.#dirs.set(path, undefined);
  }
}
