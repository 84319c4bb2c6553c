import type { RelPath } from "../base/paths.ts";
import { ownPath, TMP_FOLDER } from "./own_paths.ts";
import type { Root } from "./root.ts";
import { actionOn, reasonOf, StoreError } from "./store_error.ts";

/** What {@linkcode TemporaryNames} asks of a root. */
export type OwnerRoot = Pick<Root, "lstat" | "makeDir" | "path">;

/** Ends the name of the file whose lock says that the process of the same prefix lives. */
export const OWNER_SUFFIX = ".owner";

/**
 * Names for files in `.landropic/tmp`: `<owner>-<number>`, with a random owner for each open root.
 *
 * While the root is open a file `<owner>.owner` is kept locked there. The lock ends with the process,
 * so a sweep can tell what a dead process left from what is in use, without knowing process ids of
 * other machines or containers.
 */
export class TemporaryNames implements Disposable {
  readonly #root: OwnerRoot;
  readonly #owner = crypto.getRandomValues(new Uint8Array(6)).toHex();
  #count = 0;
  #lock: Deno.FsFile | undefined;

  constructor(root: OwnerRoot) {
    this.#root = root;
  }

  /** Creates `.landropic/tmp` where it is missing. */
  ensureFolder(): void {
    makeOwnDir(this.#root, ownPath());
    makeOwnDir(this.#root, TMP_FOLDER);
  }

  /** A name nobody uses. */
  next(): RelPath {
    this.#lock ??= this.#takeLock();
    return ownPath("tmp", `${this.#owner}-${(this.#count++).toString(36)}`);
  }

  [Symbol.dispose](): void {
    if (this.#lock === undefined) return;
    this.#lock.close();
    this.#lock = undefined;
    try {
      Deno.removeSync(this.#lockPath());
    } catch {
      // Gone already, or no longer ours to remove; a sweep takes it then.
    }
  }

  #takeLock(): Deno.FsFile {
    this.ensureFolder();
    const file = Deno.openSync(this.#lockPath(), { write: true, createNew: true, mode: 0o600 });
    try {
      file.lockSync(true);
    } catch {
      // A file system without locks: what we may leave is swept by age.
    }
    return file;
  }

  #lockPath(): string {
    return `${this.#root.path}/${TMP_FOLDER}/${this.#owner}${OWNER_SUFFIX}`;
  }
}

/**
 * Creates a folder of landropic's own, for the owner alone, unless it is there.
 *
 * @throws {StoreError} `not_a_directory` if something else is, a symbolic link for example.
 */
export function makeOwnDir(root: OwnerRoot, path: RelPath): void {
  const there = root.lstat(path);
  if (there?.kind === "dir") return;
  if (there !== undefined) throw new StoreError("not_a_directory", actionOn("use", path));
  try {
    root.makeDir(path, 0o700);
  } catch (error) {
    // Another process was faster.
    if (reasonOf(error) !== "exists" || root.lstat(path)?.kind !== "dir") throw error;
  }
}
