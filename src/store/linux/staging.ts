import { nameOf, type RelPath } from "../../base/paths.ts";
import { TMP_FOLDER } from "../own_paths.ts";
import { type OwnerRoot, TemporaryNames } from "../temporary_names.ts";
import type { Dirs } from "./dirs.ts";
import { LinuxStagedFile } from "./files.ts";
import { AT, failure, type Libc, O } from "./libc.ts";
import { CString, EMPTY } from "./scratch.ts";

const DOT = new CString();
DOT.set(".");

/** How a file without a name can be given one; `none` if there can be no such files. */
type Naming = "by_descriptor" | "by_proc" | "none";

/**
 * Creates staged files: without a name where the file system can (`O_TMPFILE`: nothing to sweep after
 * a crash, and one directory change less), else under a temporary name, exclusively.
 */
export class Staging implements Disposable {
  readonly #libc: Libc;
  readonly #dirs: Dirs;
  readonly #names: TemporaryNames;
  readonly #name = new CString();
  readonly #umask = readUmask();
  #tmpFd = -1;
  #naming: Naming | undefined;

  /** @param options.nameless False to give every file a temporary name. */
  constructor(libc: Libc, dirs: Dirs, options: { root: OwnerRoot; nameless: boolean }) {
    this.#libc = libc;
    this.#dirs = dirs;
    if (!options.nameless) this.#naming = "none";
    this.#names = new TemporaryNames(options.root);
  }

  /** See {@linkcode Root.stage}. */
  stage(mode: number): LinuxStagedFile {
    const tmp = this.#tmp();
    this.#naming ??= this.#probe(tmp);
    return this.#naming === "none" ? this.#stageNamed(tmp) : this.#stageNameless(tmp, mode);
  }

  /** See {@linkcode Root.temporaryPath}. */
  temporaryPath(): RelPath {
    return this.#names.next();
  }

  /**
   * Names a file that has none. Never overwrites.
   *
   * @param parent Descriptor of the directory.
   * @returns Negative after a failure, as the system call.
   */
  linkDescriptor(fd: number, parent: number, name: CString): number {
    return this.#link(fd, parent, { name, naming: this.#naming ?? "by_proc" });
  }

  /** Removes a file by its temporary name, whoever gave it. */
  remove(path: RelPath): void {
    this.#tmp();
    this.#unlink(nameOf(path));
  }

  [Symbol.dispose](): void {
    this.#names[Symbol.dispose]();
    if (this.#tmpFd >= 0) this.#libc.call.close(this.#tmpFd);
    this.#tmpFd = -1;
  }

  #tmp(): number {
    if (this.#tmpFd >= 0) return this.#tmpFd;
    this.#names.ensureFolder();
    const fd = this.#dirs.open(TMP_FOLDER, O.RDONLY | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC);
    if (fd < 0) throw failure(this.#libc, "open", TMP_FOLDER);
    return this.#tmpFd = fd;
  }

  #stageNameless(tmp: number, mode: number): LinuxStagedFile {
    const fd = this.#openNameless(tmp, mode);
    if (fd < 0) throw failure(this.#libc, "create a file in", TMP_FOLDER);
    return new LinuxStagedFile(this.#libc, fd, {
      name: undefined,
      mode: mode & ~this.#umask,
      size: 0,
    });
  }

  #stageNamed(tmp: number): LinuxStagedFile {
    const path = this.temporaryPath();
    this.#name.set(nameOf(path));
    const flags = O.CREAT | O.EXCL | O.RDWR | O.NOFOLLOW | O.CLOEXEC;
    const fd = this.#libc.call.openat(tmp, this.#name.bytes, flags, 0o600);
    if (fd < 0) throw failure(this.#libc, "create", path);
    const name = { path, remove: () => this.#unlink(nameOf(path)) };
    return new LinuxStagedFile(this.#libc, fd, { name, mode: 0o600, size: 0 });
  }

  #openNameless(tmp: number, mode: number): number {
    return this.#libc.call.openat(tmp, DOT.bytes, O.TMPFILE | O.RDWR | O.CLOEXEC, mode);
  }

  #unlink(name: string): void {
    if (this.#tmpFd < 0) return;
    this.#name.set(name);
    this.#libc.call.unlinkat(this.#tmpFd, this.#name.bytes, 0);
  }

  #link(fd: number, parent: number, how: { name: CString; naming: Naming }): number {
    const { call } = this.#libc;
    if (how.naming === "by_descriptor") {
      return call.linkat(fd, EMPTY, parent, how.name.bytes, AT.EMPTY_PATH);
    }
    this.#name.set(`/proc/self/fd/${fd}`);
    return call.linkat(AT.FDCWD, this.#name.bytes, parent, how.name.bytes, AT.SYMLINK_FOLLOW);
  }

  /**
   * Tries it once. Naming by descriptor takes a capability before Linux 6.10; the other way takes
   * /proc.
   */
  #probe(tmp: number): Naming {
    const fd = this.#openNameless(tmp, 0o600);
    if (fd < 0) return "none";
    try {
      const probe = nameOf(this.temporaryPath());
      const name = new CString();
      name.set(probe);
      for (const naming of ["by_descriptor", "by_proc"] as const) {
        if (this.#link(fd, tmp, { name, naming }) !== 0) continue;
        this.#unlink(probe);
        return naming;
      }
      return "none";
    } finally {
      this.#libc.call.close(fd);
    }
  }
}

/** The process's umask, without changing it for a moment as `umask` would. */
function readUmask(): number {
  try {
    const match = /^Umask:\s*([0-7]+)$/m.exec(Deno.readTextFileSync("/proc/self/status"));
    if (match !== null) return parseInt(match[1]!, 8);
  } catch {
    // No /proc.
  }
  // All bits: the mode created with is then never taken for the one wanted.
  return 0o777;
}
