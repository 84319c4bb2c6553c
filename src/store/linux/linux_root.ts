import { type DirPath, nameOf, type RelPath } from "../../base/paths.ts";
import { decodeUtf8 } from "../../base/bytes.ts";
import { type DirListing, type FileStat, keptBits, type KnownEntries } from "../file_stat.ts";
import { probeFeatures } from "../probe.ts";
import { renameCase } from "../rename_case.ts";
import type {
  HandedFile,
  ReadFile,
  Root,
  RootFeatures,
  RootImplementation,
  SmallRead,
  StagedFile,
  TouchedDirs,
} from "../root.ts";
import { actionOn, reasonOf, StoreError } from "../store_error.ts";
import { Dirs } from "./dirs.ts";
import { LinuxReadFile, LinuxStagedFile, readFully } from "./files.ts";
import { Flusher } from "./flusher.ts";
import { AT, E, failure, type Libc, O, RENAME, SYS } from "./libc.ts";
import { listDirectory, lookAtDescriptor, statDescriptor } from "./listing.ts";
import { RootDescriptor } from "./root_descriptor.ts";
import { CString, scratch } from "./scratch.ts";
import { Staging } from "./staging.ts";
import { readStatx, STATX_MASK, statxBuffer, statxView, TimeBuffer } from "./statx.ts";

/** Longest target `readlink` can return. */
const LINK_BYTES_MAX = 4096;

const OPEN_FILE = O.RDONLY | O.NOFOLLOW | O.NONBLOCK | O.CLOEXEC;
const OPEN_DIR = O.RDONLY | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC;

/**
 * A root on Linux through the C library: every call is relative to a directory's descriptor, so a
 * path can't be redirected between a check and a use.
 */
export class LinuxRoot implements Root {
  readonly stat: FileStat;
  readonly #libc: Libc;
  readonly #descriptor: RootDescriptor;
  readonly #dirs: Dirs;
  readonly #flusher: Flusher;
  readonly #staging: Staging;
  readonly #name = new CString();
  readonly #otherName = new CString();
  readonly #times = new TimeBuffer();
  readonly #plain: boolean;
  #features: RootFeatures | undefined;
  #closed = false;

  /** @param path Absolute, without symbolic links. */
  constructor(
    readonly path: string,
    libc: Libc,
    readonly implementation: Exclude<RootImplementation, "portable">,
  ) {
    this.#libc = libc;
    this.#plain = implementation === "linux-plain";
    this.#name.set(path);
    const fd = libc.call.openat(AT.FDCWD, this.#name.bytes, OPEN_DIR, 0);
    if (fd < 0) throw failure(libc, "open folder", path);
    const descriptor = this.#descriptor = new RootDescriptor(libc, fd);
    this.stat = statDescriptor(libc, fd, "");
    this.#dirs = new Dirs(libc, descriptor, !this.#plain);
    this.#flusher = new Flusher(libc, descriptor, this.#dirs);
    this.#staging = new Staging(libc, this.#dirs, { root: this, nameless: !this.#plain });
  }

  list(dir: DirPath, known?: KnownEntries): DirListing {
    const fd = this.#open(dir, OPEN_DIR, "list");
    try {
      return listDirectory(this.#libc, fd, { path: dir, known });
    } finally {
      this.#libc.call.close(fd);
    }
  }

  lstat(path: DirPath): FileStat | undefined {
    if (path === "") return statDescriptor(this.#libc, this.#descriptor.fd, "");
    const parent = this.#dirs.parent(path);
    const result = parent < 0 ? -1 : this.#statName(parent, nameOf(path as RelPath));
    const errno = result === 0 ? 0 : this.#libc.errno();
    this.#dirs.release();
    if (result === 0) return readStatx();
    if (errno === E.NOENT || errno === E.NOTDIR) return undefined;
    // A link among the parents: beneath it there is nothing of ours.
    if (errno === E.LOOP && parent < 0) return undefined;
    throw failure(this.#libc, "examine", path);
  }

  readLink(path: RelPath): string | undefined {
    const target = scratch(LINK_BYTES_MAX);
    const length = this.#in(
      path,
      "read link",
      (parent) => this.#libc.call.readlinkat(parent, this.#name.bytes, target, LINK_BYTES_MAX),
    );
    return decodeUtf8(target.subarray(0, length));
  }

  openFile(path: RelPath): ReadFile {
    const fd = this.#open(path, OPEN_FILE, "read");
    try {
      return new LinuxReadFile(this.#libc, fd, this.#statRegular(fd, path), path);
    } catch (error) {
      this.#libc.call.close(fd);
      throw error;
    }
  }

  readSmall(path: RelPath, into: Uint8Array<ArrayBuffer>): SmallRead {
    const fd = this.#open(path, OPEN_FILE, "read");
    try {
      this.#lookAtRegular(fd, path);
      const { size: sizeBefore, mtimeMs, mtimeNs, ctimeMs, ctimeNs } = statxView;
      // No further than its end is known to be, which saves the call that finds nothing there; if it
      // has grown meanwhile, the state shows that.
      const wanted = into.length <= sizeBefore ? into : into.subarray(0, sizeBefore);
      const length = readFully(this.#libc, fd, wanted, 0, path);
      lookAtDescriptor(this.#libc, fd, path);
      const stat = readStatx();
      const settled = stat.size === sizeBefore && mtimeMs === stat.mtimeMs &&
        mtimeNs === stat.mtimeNs && ctimeMs === stat.ctimeMs && ctimeNs === stat.ctimeNs &&
        length === Math.min(stat.size, into.length);
      return { length, stat, settled };
    } finally {
      this.#libc.call.close(fd);
    }
  }

  makeDir(path: RelPath, mode: number): void {
    this.#change(
      path,
      "create directory",
      (parent) => this.#libc.call.mkdirat(parent, this.#name.bytes, 0o700),
    );
    if ((mode & 0o777) !== 0o700) this.chmod(path, mode);
    else this.#dirs.touch(path);
  }

  removeDir(path: RelPath): void {
    this.#change(
      path,
      "remove directory",
      (parent) => this.#libc.call.unlinkat(parent, this.#name.bytes, AT.REMOVEDIR),
    );
    this.#dirs.forget(path);
    this.#dirs.untouch(path);
  }

  removeFile(path: RelPath): void {
    this.#change(path, "remove", (parent) => this.#libc.call.unlinkat(parent, this.#name.bytes, 0));
  }

  symlink(target: string, path: RelPath, mtimeMs: number): void {
    if (!this.#otherName.set(target)) throw new StoreError("name_too_long", actionOn("link", path));
    this.#change(
      path,
      "create link",
      (parent) => this.#libc.call.symlinkat(this.#otherName.bytes, parent, this.#name.bytes),
    );
    this.#setTimes(path, mtimeMs);
  }

  chmod(path: DirPath, mode: number): void {
    if (path === "") {
      const bits = keptBits(this.lstat("")!, mode);
      if (this.#libc.call.fchmod(this.#descriptor.fd, bits) === 0) return;
      throw failure(this.#libc, "change mode of", path);
    }
    this.#in(path, "change mode of", (parent) => this.#chmodIn(parent, mode));
    this.#dirs.touch(path);
  }

  setTimes(path: RelPath, mtimeMs: number): void {
    this.#setTimes(path, mtimeMs);
    this.#dirs.touch(path);
  }

  rename(from: RelPath, to: RelPath, options: { replace: boolean }): void {
    if (options.replace) return this.#rename(from, to, 0);
    try {
      this.#renameNoReplace(from, to);
    } catch (error) {
      if (reasonOf(error) !== "exists" || !renameCase(this, from, to)) throw error;
    }
  }

  exchange(a: RelPath, b: RelPath): void {
    this.#rename(a, b, RENAME.EXCHANGE);
  }

  link(from: RelPath, to: RelPath): void {
    this.#between(from, to, "link", (fromParent, toParent) =>
      this.#libc.call.linkat(
        fromParent,
        this.#name.bytes,
        toParent,
        this.#otherName.bytes,
        0,
      ));
    this.#dirs.touchParent(to);
  }

  stage(mode = 0o600): StagedFile {
    return this.#staging.stage(mode & 0o777);
  }

  openOwnFile(path: RelPath, options: { create: boolean }): StagedFile {
    const flags = O.RDWR | O.NOFOLLOW | O.CLOEXEC | (options.create ? O.CREAT | O.EXCL : 0);
    const fd = this.#in(
      path,
      "open",
      (parent) => this.#libc.call.openat(parent, this.#name.bytes, flags | O.NONBLOCK, 0o600),
    );
    try {
      const stat = this.#statRegular(fd, path);
      // Removing it is the caller's business, which keeps it from one run to the next.
      const name = { path, remove: () => {} };
      return new LinuxStagedFile(this.#libc, fd, { name, mode: stat.mode, size: stat.size });
    } catch (error) {
      this.#libc.call.close(fd);
      throw error;
    }
  }

  publish(staged: StagedFile, path: RelPath): void {
    if (!(staged instanceof LinuxStagedFile)) throw new TypeError("a file of another root");
    if (staged.name === undefined) {
      this.#change(
        path,
        "create",
        (parent) => this.#staging.linkDescriptor(staged.fd, parent, this.#name),
      );
    } else {
      this.#renameNoReplace(staged.name.path, path);
    }
    staged.markPublished();
  }

  handOver(staged: StagedFile): HandedFile | undefined {
    return staged instanceof LinuxStagedFile ? staged.handOver() : undefined;
  }

  share(staged: StagedFile): HandedFile | undefined {
    return staged instanceof LinuxStagedFile ? staged.share() : undefined;
  }

  takeOver({ descriptor, mode, size, path }: HandedFile): StagedFile {
    const name = path && { path, remove: () => this.#staging.remove(path) };
    return new LinuxStagedFile(this.#libc, descriptor, { name, mode, size });
  }

  async flushFiles(files: readonly StagedFile[]): Promise<void> {
    const fds = files.map((file) => (file as LinuxStagedFile).fd);
    await this.#flusher.flushFiles(fds, () => this.space().freeBytes);
  }

  beginChanges(): void {
    this.#dirs.beginHolding();
  }

  endChanges(): TouchedDirs {
    return this.#flusher.touched(this.#dirs.endHolding());
  }

  space(): { freeBytes: number; totalBytes: number } {
    const buffer = scratch(120);
    if (this.#libc.call.fstatfs(this.#descriptor.fd, buffer) !== 0) {
      throw failure(this.#libc, "ask for the free space of", this.path);
    }
    const words = new BigUint64Array(buffer.buffer);
    const blockBytes = Number(words[1]!);
    return {
      freeBytes: Number(words[4]!) * blockBytes,
      totalBytes: Number(words[2]!) * blockBytes,
    };
  }

  features(): RootFeatures {
    return this.#features ??= probeFeatures(this);
  }

  temporaryPath(): RelPath {
    return this.#staging.temporaryPath();
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#staging[Symbol.dispose]();
    this.#dirs.endHolding();
    this.#descriptor[Symbol.dispose]();
  }

  #setTimes(path: RelPath, mtimeMs: number): void {
    this.#times.set(mtimeMs);
    this.#in(
      path,
      "set the time of",
      (parent) =>
        this.#libc.call.utimensat(parent, this.#name.bytes, this.#times.bytes, AT.SYMLINK_NOFOLLOW),
    );
  }

  #open(path: string, flags: number, verb: string): number {
    const fd = this.#dirs.open(path, flags);
    if (fd < 0) throw failure(this.#libc, verb, path);
    return fd;
  }

  #statName(parent: number, name: string): number {
    this.#name.set(name);
    return this.#libc.call.statx(
      parent,
      this.#name.bytes,
      AT.SYMLINK_NOFOLLOW | AT.NO_AUTOMOUNT,
      STATX_MASK,
      statxBuffer,
    );
  }

  #statRegular(fd: number, path: string): FileStat {
    this.#lookAtRegular(fd, path);
    return readStatx();
  }

  #lookAtRegular(fd: number, path: string): void {
    lookAtDescriptor(this.#libc, fd, path);
    const { kind } = statxView;
    if (kind === "file") return;
    throw new StoreError(
      kind === "dir" ? "is_a_directory" : "not_regular",
      actionOn("read", path),
    );
  }

  /** Calls with the parent's descriptor and the name set; a negative result is a failure. */
  #in(path: RelPath, verb: string, call: (parent: number) => number): number {
    const parent = this.#dirs.parent(path);
    let result = -1;
    if (parent >= 0) {
      this.#name.set(nameOf(path));
      result = call(parent);
    }
    try {
      if (result < 0) throw failure(this.#libc, verb, path);
      return result;
    } finally {
      this.#dirs.release();
    }
  }

  /** The same, where the name is created or removed. */
  #change(path: RelPath, verb: string, call: (parent: number) => number): void {
    this.#in(path, verb, call);
    this.#dirs.touchParent(path);
  }

  /** The same with two paths. */
  #between(
    from: RelPath,
    to: RelPath,
    verb: string,
    call: (fromParent: number, toParent: number) => number,
  ): void {
    let at = from;
    const fromParent = this.#dirs.parent(from);
    let toParent = -1;
    if (fromParent >= 0) {
      at = to;
      toParent = this.#dirs.parent(to);
    }
    let result = -1;
    if (toParent >= 0) {
      this.#name.set(nameOf(from));
      this.#otherName.set(nameOf(to));
      result = call(fromParent, toParent);
    }
    try {
      if (result < 0) throw failure(this.#libc, verb, at);
    } finally {
      this.#dirs.release();
    }
  }

  #rename(from: RelPath, to: RelPath, flags: number): void {
    if (this.#plain && flags !== 0) throw new StoreError("unsupported", actionOn("rename", from));
    this.#between(from, to, "rename", (fromParent, toParent) =>
      this.#libc.call.renameat2(
        fromParent,
        this.#name.bytes,
        toParent,
        this.#otherName.bytes,
        flags,
      ));
    this.#dirs.touchParent(from);
    this.#dirs.touchParent(to);
    this.#dirs.forget(from);
    this.#dirs.forget(to);
  }

  #renameNoReplace(from: RelPath, to: RelPath): void {
    try {
      this.#rename(from, to, RENAME.NOREPLACE);
    } catch (error) {
      // File systems without the flag: two names for a moment, or, for what can't have two, a look
      // right before.
      const reason = reasonOf(error);
      if (reason !== "invalid_name" && reason !== "unsupported") throw error;
      if (this.#linkOver(from, to)) return;
      if (this.lstat(to) !== undefined) throw new StoreError("exists", actionOn("rename", to));
      this.#rename(from, to, 0);
    }
  }

  #linkOver(from: RelPath, to: RelPath): boolean {
    try {
      this.link(from, to);
    } catch (error) {
      if (reasonOf(error) === "exists") throw error;
      return false;
    }
    this.removeFile(from);
    return true;
  }

  #chmodIn(parent: number, mode: number): number {
    const { call } = this.#libc;
    const how = AT.SYMLINK_NOFOLLOW;
    const found = call.statx(parent, this.#name.bytes, how, STATX_MASK, statxBuffer);
    if (found !== 0) return found;
    const stat = readStatx();
    if (stat.kind === "link") throw new StoreError("unsupported", "Cannot change a link's mode");
    const bits = keptBits(stat, mode);
    if (call.fchmodat2(SYS.fchmodat2, parent, this.#name.bytes, bits, how) === 0) return 0;
    const errno = this.#libc.errno();
    // EPERM may come from a container's filter that does not know the call.
    if (errno !== E.NOSYS && errno !== E.PERM) return -1;
    return this.#chmodThroughProc(parent, bits);
  }

  /** Before Linux 6.6 only a descriptor keeps a link, planted meanwhile, from being followed. */
  #chmodThroughProc(parent: number, bits: number): number {
    const { call } = this.#libc;
    const fd = call.openat(parent, this.#name.bytes, O.PATH | O.NOFOLLOW | O.CLOEXEC, 0);
    if (fd < 0) return fd;
    try {
      if (statDescriptor(this.#libc, fd, "").kind === "link") {
        throw new StoreError("unsupported", "Cannot change a link's mode");
      }
      this.#otherName.set(`/proc/self/fd/${fd}`);
      return call.chmod(this.#otherName.bytes, bits);
    } finally {
      call.close(fd);
    }
  }
}
