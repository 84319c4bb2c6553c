import { E, type Libc, O, SYS } from "./libc.ts";
import type { RootDescriptor } from "./root_descriptor.ts";
import { CString, KERNEL_PATH_BYTES_MAX } from "./scratch.ts";

/** Directories kept open during a run of changes. */
const HELD_MAX = 128;

const RESOLVE_NO_MAGICLINKS = 2n;
const RESOLVE_NO_SYMLINKS = 4n;
const RESOLVE_BENEATH = 8n;

/**
 * Opens what lies beneath the root, without following a symbolic link anywhere in the path.
 *
 * Descriptors returned are negative after a failure; the error number is then in the C library.
 */
export class Dirs {
  readonly #libc: Libc;
  readonly #root: RootDescriptor;
  readonly #how = new BigUint64Array(3);
  readonly #howBytes: Uint8Array<ArrayBuffer>;
  /** The low half of the flags comes first; the high half is 0. */
  readonly #howWords: Uint32Array;
  readonly #path = new CString();
  readonly #viaOpenat2: boolean;
  /** Parents of the current call outside a run of changes. */
  readonly #loose: number[] = [];
  #held: Map<string, number> | undefined;
  /** The one of them that was used last: changes come in the order of the tree. */
  #last: { readonly dir: string; readonly fd: number } | undefined;
  #touched = new Set<string>();

  /** @param openat2 False to go component by component, as before Linux 5.6. */
  constructor(libc: Libc, root: RootDescriptor, openat2: boolean) {
    this.#libc = libc;
    this.#root = root;
    this.#how[2] = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    this.#howBytes = new Uint8Array(this.#how.buffer);
    this.#howWords = new Uint32Array(this.#how.buffer);
    this.#viaOpenat2 = openat2 && this.#hasOpenat2();
  }

  /** Whether the kernel itself refuses links and ways out, in one call. */
  get viaOpenat2(): boolean {
    return this.#viaOpenat2;
  }

  /** Opens an existing path. `flags` must hold `O_NOFOLLOW` and never `O_CREAT`. */
  open(path: string, flags: number): number {
    return this.#viaOpenat2 ? this.#openBeneath(path, flags) : this.#walk(path, flags);
  }

  /**
   * The directory that holds the path. Lent: valid until {@linkcode Dirs.release}, or during a run of
   * changes until 128 other directories have been used.
   */
  parent(path: string): number {
    const slash = path.lastIndexOf("/");
    if (slash < 0) return this.#root.fd;
    const dir = path.slice(0, slash);
    if (this.#last?.dir === dir) return this.#last.fd;
    const known = this.#held?.get(dir);
    if (known !== undefined) {
      this.#last = { dir, fd: known };
      // Moved to the end: the one used last is never the one that is closed next.
      this.#held!.delete(dir);
      this.#held!.set(dir, known);
      return known;
    }
    const fd = this.#openForChanges(dir);
    if (fd < 0) return fd;
    if (this.#held === undefined) this.#loose.push(fd);
    else this.#hold(dir, fd);
    return fd;
  }

  /** Ends the loan of parents, outside a run of changes. */
  release(): void {
    for (let fd; (fd = this.#loose.pop()) !== undefined;) this.#libc.call.close(fd);
  }

  /** Notes that a name in the path's parent has changed. */
  touchParent(path: string): void {
    if (this.#held !== undefined) {
      this.#touched.add(path.slice(0, Math.max(0, path.lastIndexOf("/"))));
    }
  }

  /** Notes that mode or times of the path itself have changed. */
  touch(path: string): void {
    if (this.#held !== undefined) this.#touched.add(path);
  }

  /** A directory that is no more has nothing left to flush. */
  untouch(path: string): void {
    this.#touched.delete(path);
  }

  /** Keeps parents open from now on. */
  beginHolding(): void {
    if (this.#held !== undefined) throw new Error("a run of changes is under way already");
    this.#held = new Map();
    this.#touched = new Set();
  }

  /** Closes them; returns the directories that changed. */
  endHolding(): Set<string> {
    for (const fd of this.#held?.values() ?? []) this.#libc.call.close(fd);
    this.#held = undefined;
    this.#last = undefined;
    const touched = this.#touched;
    this.#touched = new Set();
    return touched;
  }

  /** Forgets a path that no longer leads where it led, and everything beneath it. */
  forget(path: string): void {
    if (this.#held === undefined) return;
    this.#last = undefined;
    const prefix = path + "/";
    for (const [dir, fd] of this.#held) {
      if (dir === path || dir.startsWith(prefix)) {
        this.#libc.call.close(fd);
        this.#held.delete(dir);
      }
    }
  }

  #hold(dir: string, fd: number): void {
    const held = this.#held!;
    if (held.size >= HELD_MAX) {
      const [oldest, oldFd] = held.entries().next().value!;
      held.delete(oldest);
      this.#libc.call.close(oldFd);
    }
    held.set(dir, fd);
    this.#last = { dir, fd };
  }

  #openForChanges(dir: string): number {
    return this.open(dir, O.PATH | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC);
  }

  #openBeneath(path: string, flags: number): number {
    let at = this.#root.fd;
    let rest = path;
    while (!this.#path.set(rest)) {
      // Longer than the kernel takes at once: go as far as fits, and on from there.
      const cut = cutBefore(rest, KERNEL_PATH_BYTES_MAX);
      this.#path.set(rest.slice(0, cut));
      const next = this.#openat2(at, O.PATH | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC);
      if (at !== this.#root.fd) this.#libc.call.close(at);
      if (next < 0) return next;
      at = next;
      rest = rest.slice(cut + 1);
    }
    if (rest === "") this.#path.set(".");
    const fd = this.#openat2(at, flags);
    if (at !== this.#root.fd) this.#libc.call.close(at);
    return fd;
  }

  #openat2(at: number, flags: number): number {
    this.#howWords[0] = flags;
    return this.#libc.call.syscall(SYS.openat2, at, this.#path.bytes, this.#howBytes, 24);
  }

  #walk(path: string, flags: number): number {
    const { call } = this.#libc;
    const names = path === "" ? ["."] : path.split("/");
    let at = this.#root.fd;
    for (const [i, name] of names.entries()) {
      this.#path.set(name);
      const last = i === names.length - 1;
      const how = last ? flags : O.PATH | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC;
      const next = call.openat(at, this.#path.bytes, how, 0);
      if (at !== this.#root.fd) call.close(at);
      if (next < 0) return next;
      at = next;
    }
    return at;
  }

  #hasOpenat2(): boolean {
    this.#path.set(".");
    const fd = this.#openat2(this.#root.fd, O.PATH | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC);
    if (fd >= 0) {
      this.#libc.call.close(fd);
      return true;
    }
    // A container's filter may answer EPERM for a call that it does not know.
    const errno = this.#libc.errno();
    return errno !== E.NOSYS && errno !== E.PERM;
  }
}

/** The last separator before so many bytes; any name is shorter than that. */
function cutBefore(path: string, bytesMax: number): number {
  // Three bytes a code unit at most, so this many code units always fit.
  return path.lastIndexOf("/", Math.floor(bytesMax / 3));
}
