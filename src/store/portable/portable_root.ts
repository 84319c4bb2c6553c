import type { Stats } from "node:fs";
import { builtin } from "../../base/builtin.ts";
import { decodeUtf8, utf8 } from "../../base/bytes.ts";
import { type DirPath, joinPath, parentOf, type RelPath } from "../../base/paths.ts";
import { type DirListing, type FileStat, keptBits, type ListedEntry } from "../file_stat.ts";
import { probeFeatures } from "../probe.ts";
import { renameCase } from "../rename_case.ts";
import type {
  HandedFile,
  ReadFile,
  Root,
  RootFeatures,
  SmallRead,
  StagedFile,
  TouchedDirs,
} from "../root.ts";
import { actionOn, asStoreError, reasonOf, StoreError } from "../store_error.ts";
import { TemporaryNames } from "../temporary_names.ts";
import { PortableReadFile, PortableStagedFile } from "./files.ts";
import { flushPaths } from "./flush.ts";
import { setFileTimes, setLinkTimes, statOf } from "./stat.ts";

const fs = builtin("node:fs");

/**
 * A root through `node:fs`, for systems other than Linux. Each parent of a path is examined right
 * before use and a symbolic link among them refused; who can write in the share and swaps a parent in
 * that very moment is not kept out.
 *
 * Times are those JavaScript sees: whole milliseconds.
 */
export class PortableRoot implements Root {
  readonly implementation = "portable";
  readonly stat: FileStat;
  readonly #names: TemporaryNames;
  #touched: Set<string> | undefined;
  #features: RootFeatures | undefined;

  /** @param path Absolute, without symbolic links. */
  constructor(readonly path: string) {
    this.#names = new TemporaryNames(this);
    const stat = this.#try("open", "", () => statOf(fs.lstatSync(path)));
    if (stat.kind !== "dir") {
      throw new StoreError("not_a_directory", actionOn("open folder", path));
    }
    this.stat = stat;
  }

  list(dir: DirPath): DirListing {
    const at = this.#locateDir(dir);
    const names = this.#try("list", dir, () => fs.readdirSync(at));
    const stat = this.#try("list", dir, () => statOf(fs.lstatSync(at)));
    const entries: ListedEntry[] = [];
    const faults: DirListing["faults"] = [];
    for (const name of names) {
      const path = joinPath(dir, name);
      try {
        const found = fs.lstatSync(`${at}/${name}`, { throwIfNoEntry: false });
        if (found !== undefined) {
          entries.push({ ...statOf(found, stat.dev), name, rawName: undefined });
        } else if (name.includes("\ufffd")) {
          // Its real bytes are not valid UTF-8 and can't be had here; nor can the entry be examined.
          entries.push({ ...UNKNOWN, name: undefined, rawName: utf8(name) });
        }
      } catch (error) {
        faults.push({ name, systemCode: (error as { code?: string }).code ?? String(path) });
      }
    }
    return { stat, entries, faults };
  }

  lstat(path: DirPath): FileStat | undefined {
    if (path === "") return this.#try("examine", "", () => statOf(fs.lstatSync(this.path)));
    if (!this.#parentsAreDirs(path)) return undefined;
    return this.#try("examine", path, () => {
      const found = lstatOrUndefined(this.#join(path));
      if (found === undefined || !found.isDirectory()) return found && statOf(found);
      return statOf(found, lstatOrUndefined(this.#join(parentOf(path)))?.dev);
    });
  }

  readLink(path: RelPath): string | undefined {
    const target = this.#try(
      "read link",
      path,
      () => fs.readlinkSync(this.#locate(path), { encoding: "buffer" }) as unknown as Uint8Array,
    );
    const text = typeof target === "string" ? target : decodeUtf8(target);
    return text?.includes("\ufffd") ? undefined : text;
  }

  openFile(path: RelPath): ReadFile {
    const [fd, stat] = this.#openRegular(path, fs.constants.O_RDONLY);
    return new PortableReadFile(fd, stat, path);
  }

  readSmall(path: RelPath, into: Uint8Array<ArrayBuffer>): SmallRead {
    using file = this.openFile(path);
    const length = file.readAt(into, 0);
    const stat = file.stat();
    const before = file.openedStat;
    const settled = before.size === stat.size && before.mtimeMs === stat.mtimeMs &&
      before.mtimeNs === stat.mtimeNs && before.ctimeMs === stat.ctimeMs &&
      before.ctimeNs === stat.ctimeNs && length === Math.min(stat.size, into.length);
    return { length, stat, settled };
  }

  makeDir(path: RelPath, mode: number): void {
    this.#change("create directory", path, (at) => {
      fs.mkdirSync(at, 0o700);
      if ((mode & 0o777) !== 0o700) fs.chmodSync(at, keptBits(statOf(fs.lstatSync(at)), mode));
    });
  }

  removeDir(path: RelPath): void {
    this.#change("remove directory", path, (at) => fs.rmdirSync(at));
  }

  removeFile(path: RelPath): void {
    this.#change("remove", path, (at) => fs.unlinkSync(at));
  }

  symlink(target: string, path: RelPath, mtimeMs: number): void {
    this.#change("create link", path, (at) => fs.symlinkSync(target, at));
    this.setTimes(path, mtimeMs);
  }

  chmod(path: DirPath, mode: number): void {
    this.#try("change mode of", path, () => {
      const at = path === "" ? this.path : this.#locate(path);
      const stat = statOf(fs.lstatSync(at));
      if (stat.kind === "link") {
        throw new StoreError("unsupported", actionOn("change mode of", path));
      }
      fs.chmodSync(at, keptBits(stat, mode));
    });
    this.#touched?.add(path);
  }

  setTimes(path: RelPath, mtimeMs: number): void {
    this.#try("set the time of", path, () => {
      const at = this.#locate(path);
      if (fs.lstatSync(at).isSymbolicLink()) return setLinkTimes(at, mtimeMs);
      setFileTimes(at, mtimeMs);
      this.#touched?.add(path);
    });
  }

  rename(from: RelPath, to: RelPath, options: { replace: boolean }): void {
    if (!options.replace && this.lstat(to) !== undefined) {
      if (renameCase(this, from, to)) return;
      throw new StoreError("exists", actionOn("rename", to));
    }
    this.#rename(from, to);
  }

  exchange(_a: RelPath, _b: RelPath): void {
    throw new StoreError("unsupported", "Cannot swap two paths");
  }

  link(from: RelPath, to: RelPath): void {
    this.#try("link", to, () => fs.linkSync(this.#locate(from), this.#locate(to)));
    this.#touch(to);
  }

  stage(_mode?: number): StagedFile {
    const path = this.temporaryPath();
    return this.#createOwn(path, () => this.#removeQuietly(path));
  }

  openOwnFile(path: RelPath, options: { create: boolean }): StagedFile {
    if (options.create) return this.#createOwn(path, () => {});
    const [fd, stat] = this.#openRegular(path, fs.constants.O_RDWR);
    return new PortableStagedFile(fd, {
      path,
      at: this.#join(path),
      remove: () => {},
      size: stat.size,
    });
  }

  publish(staged: StagedFile, path: RelPath): void {
    if (!(staged instanceof PortableStagedFile)) throw new TypeError("a file of another root");
    // Windows renames no open file; elsewhere the handle stays good.
    if (Deno.build.os === "windows") staged.close();
    this.#moveNew(staged.path, path);
    staged.markPublished();
  }

  handOver(_staged: StagedFile): undefined {}

  share(_staged: StagedFile): undefined {}

  takeOver(_handed: HandedFile): StagedFile {
    throw new TypeError("files of this root do not cross threads");
  }

  async flushFiles(files: readonly StagedFile[]): Promise<void> {
    await Promise.all(files.map((file) => file.flush()));
  }

  beginChanges(): void {
    if (this.#touched !== undefined) throw new Error("a run of changes is under way already");
    this.#touched = new Set();
  }

  endChanges(): TouchedDirs {
    const touched = [...this.#touched ?? []];
    this.#touched = undefined;
    return {
      count: touched.length,
      flush: () => flushPaths(touched.map((dir) => this.#join(dir as DirPath))),
      [Symbol.dispose]: () => {},
    };
  }

  space(): { freeBytes: number; totalBytes: number } {
    const found = this.#try("ask for the free space of", "", () => fs.statfsSync(this.path));
    return { freeBytes: found.bavail * found.bsize, totalBytes: found.blocks * found.bsize };
  }

  features(): RootFeatures {
    return this.#features ??= probeFeatures(this);
  }

  temporaryPath(): RelPath {
    return this.#names.next();
  }

  [Symbol.dispose](): void {
    this.#names[Symbol.dispose]();
  }

  #join(path: DirPath): string {
    return path === "" ? this.path : `${this.path}/${path}`;
  }

  /** The absolute path, after a look at each parent. */
  #locate(path: RelPath): string {
    let dir: string = "";
    for (const name of path.split("/").slice(0, -1)) {
      dir = dir === "" ? name : `${dir}/${name}`;
      const stat = fs.lstatSync(`${this.path}/${dir}`);
      if (stat.isSymbolicLink()) throw new StoreError("symlink", actionOn("reach", path));
      if (!stat.isDirectory()) throw new StoreError("not_a_directory", actionOn("reach", path));
    }
    return this.#join(path);
  }

  #locateDir(dir: DirPath): string {
    if (dir === "") return this.path;
    return this.#try("list", dir, () => {
      const at = this.#locate(dir);
      const stat = fs.lstatSync(at);
      if (stat.isSymbolicLink()) throw new StoreError("symlink", actionOn("list", dir));
      if (!stat.isDirectory()) throw new StoreError("not_a_directory", actionOn("list", dir));
      return at;
    });
  }

  #parentsAreDirs(path: RelPath): boolean {
    try {
      this.#try("examine", path, () => this.#locate(path));
      return true;
    } catch (error) {
      const reason = reasonOf(error);
      if (reason === "not_found" || reason === "not_a_directory" || reason === "symlink") {
        return false;
      }
      throw error;
    }
  }

  #openRegular(path: RelPath, access: number): [fd: number, stat: FileStat] {
    return this.#try("read", path, () => {
      const at = this.#locate(path);
      // Looked at before: where there is no O_NONBLOCK, opening a fifo would wait.
      refuseIrregular(statOf(fs.lstatSync(at)), path);
      const fd = fs.openSync(at, access | neverWaiting());
      try {
        const stat = statOf(fs.fstatSync(fd));
        refuseIrregular(stat, path);
        return [fd, stat] as const;
      } catch (error) {
        fs.closeSync(fd);
        throw error;
      }
    }) as [number, FileStat];
  }

  #createOwn(path: RelPath, remove: () => void): PortableStagedFile {
    const fd = this.#try("create", path, () => fs.openSync(this.#locate(path), "wx+", 0o600));
    return new PortableStagedFile(fd, { path, at: this.#join(path), remove, size: 0 });
  }

  /** Gives a file a new name, never overwriting. */
  #moveNew(from: RelPath, to: RelPath): void {
    try {
      this.link(from, to);
    } catch (error) {
      const reason = reasonOf(error);
      if (reason === "exists" || reason === "not_found" || reason === "symlink") throw error;
      // No hard links here (FAT, exFAT): a look right before is all there is.
      return this.rename(from, to, { replace: false });
    }
    this.removeFile(from);
  }

  #rename(from: RelPath, to: RelPath): void {
    this.#try("rename", to, () => fs.renameSync(this.#locate(from), this.#locate(to)));
    this.#touch(from);
    this.#touch(to);
  }

  #removeQuietly(path: RelPath): void {
    try {
      this.removeFile(path);
    } catch {
      // Published or swept in between.
    }
  }

  #change(verb: string, path: RelPath, change: (at: string) => void): void {
    this.#try(verb, path, () => change(this.#locate(path)));
    this.#touch(path);
  }

  #touch(path: RelPath): void {
    this.#touched?.add(parentOf(path));
  }

  #try<T>(verb: string, path: string, attempt: () => T): T {
    try {
      return attempt();
    } catch (error) {
      throw asStoreError(error, actionOn(verb, path));
    }
  }
}

/** Flags that open nothing behind a link and wait for nobody, where the system has them. */
function neverWaiting(): number {
  return (fs.constants.O_NOFOLLOW ?? 0) | (fs.constants.O_NONBLOCK ?? 0);
}

function lstatOrUndefined(path: string): Stats | undefined {
  try {
    return fs.lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if ((error as { code?: string }).code === "ENOTDIR") return undefined;
    throw error;
  }
}

function refuseIrregular(stat: FileStat, path: RelPath): void {
  if (stat.kind === "file") return;
  if (stat.kind === "dir") throw new StoreError("is_a_directory", actionOn("read", path));
  if (stat.kind === "link") throw new StoreError("symlink", actionOn("read", path));
  throw new StoreError("not_regular", actionOn("read", path));
}

const UNKNOWN: FileStat = {
  kind: "other",
  size: 0,
  mode: 0,
  mtimeMs: 0,
  mtimeNs: 0,
  ctimeMs: 0,
  ctimeNs: 0,
  ino: 0,
  dev: 0,
  nlink: 0,
  blocks: 0,
  mountPoint: false,
};
