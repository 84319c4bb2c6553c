import type { DirPath } from "../base/paths.ts";
import type { Root } from "./root.ts";
import { StoreError } from "./store_error.ts";

/** Permission of the owner to change names in a directory. */
const OWNER_WRITES = 0o300;

/**
 * Lets a batch change names in directories that are read-only by their own mode, as a share may hold
 * them (`chmod -w`, module caches): the owner's permission is added for as long as the batch takes.
 * Directories of somebody else stay closed.
 */
export class WritableDirs {
  readonly #root: Root;
  readonly #seen = new Set<DirPath>();
  /** Mode to go back to. */
  readonly #opened = new Map<DirPath, number>();

  constructor(root: Root) {
    this.#root = root;
  }

  /** Opens a directory if its mode alone is in the way. Looks at each directory once. */
  open(dir: DirPath): void {
    if (isPrivileged || this.#seen.has(dir)) return;
    const stat = this.#root.lstat(dir);
    // Maybe it is made later in the batch.
    if (stat?.kind !== "dir") return;
    this.#seen.add(dir);
    if ((stat.mode & OWNER_WRITES) === OWNER_WRITES) return;
    if (this.#chmod(dir, stat.mode | OWNER_WRITES)) this.#opened.set(dir, stat.mode);
  }

  /** Forgets a path whose mode is set by a change, or that is no longer what it was. */
  forget(path: DirPath): void {
    this.#seen.delete(path);
    this.#opened.delete(path);
  }

  /** Follows a directory that was opened to its new path. */
  moved(from: DirPath, to: DirPath): void {
    const mode = this.#opened.get(from);
    this.forget(from);
    if (mode !== undefined) this.#opened.set(to, mode);
  }

  /** Gives all directories their modes back, the innermost first. */
  restore(): void {
    for (const [dir, mode] of [...this.#opened].reverse()) this.#chmod(dir, mode);
    this.#opened.clear();
    this.#seen.clear();
  }

  #chmod(dir: DirPath, mode: number): boolean {
    try {
      this.#root.chmod(dir, mode);
      return true;
    } catch (error) {
      // Of somebody else, or gone: the change itself then says what is wrong.
      if (error instanceof StoreError) return false;
      throw error;
    }
  }
}

/** Root may write anywhere, and Windows has no such modes. */
const isPrivileged = userId() === 0 || Deno.build.os === "windows";

function userId(): number | null {
  try {
    return Deno.uid();
  } catch {
    return null;
  }
}
