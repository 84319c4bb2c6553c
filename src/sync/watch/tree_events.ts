import { OWN_FOLDER } from "../../base/paths.ts";

/** One event of the file system. */
export interface FolderEvent {
  readonly kind: string;
  /** Absolute. */
  readonly paths: readonly string[];
  /** `rescan`: events were lost. */
  readonly flag?: string | null;
}

/** Where events come from. */
export interface FolderEvents extends AsyncIterable<FolderEvent> {
  close(): void;
}

/** How soon a new directory is watched, where each is watched by itself. */
const REOPEN_MS = 50;
/** Tries to watch a set of directories, some of which vanish meanwhile. */
const TRIES_MAX = 5;
const RESCAN: FolderEvent = { kind: "any", paths: [], flag: "rescan" };

/**
 * The system's events for a folder and all beneath it.
 *
 * On Linux a recursive watch follows links to directories: a link to `/` would have it watch the whole
 * system, and one within the folder reports files under the wrong name. A folder with such links, or with
 * other file systems mounted in it, is watched directory by directory.
 *
 * @throws {Error} where the system can't: no such file system, too many watches.
 */
export function watchTree(root: string): FolderEvents {
  if (Deno.build.os !== "linux") return Deno.watchFs(root, { recursive: true });
  const found = findDirs(root);
  return found.isTangled ? new DirByDir(root) : Deno.watchFs(root, { recursive: true });
}

/** Watches every directory by itself; sets of directories are replaced when one comes or goes. */
class DirByDir implements FolderEvents {
  readonly #root: string;
  #dirs: ReadonlySet<string> = new Set();
  #watcher: Deno.FsWatcher;
  #isClosed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(root: string) {
    this.#root = root;
    this.#watcher = this.#open();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<FolderEvent> {
    for (;;) {
      for await (const event of this.#watcher) {
        yield event;
        if (event.flag === "rescan" || this.#changesDirs(event)) this.#reopenSoon();
      }
      if (this.#isClosed) return;
      this.#watcher = this.#open();
      // Nobody has looked for a moment.
      yield RESCAN;
    }
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#watcher.close();
  }

  #open(): Deno.FsWatcher {
    for (let tries = 1;; tries++) {
      const { dirs } = findDirs(this.#root);
      try {
        const watcher = Deno.watchFs(dirs, { recursive: false });
        this.#dirs = new Set(dirs);
        return watcher;
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound) || tries === TRIES_MAX) throw error;
      }
    }
  }

  #changesDirs({ kind, paths }: FolderEvent): boolean {
    if (kind === "modify" || kind === "access") return false;
    return paths.some((path) =>
      path !== ownFolder(this.#root) && this.#dirs.has(path) !== isDir(path)
    );
  }

  #reopenSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      // A path that was removed and made again is only watched anew once nobody watches it.
      if (!this.#isClosed) this.#watcher.close();
    }, REOPEN_MS);
  }
}

/** The directories of a tree but landropic's own, and whether a recursive watch would leave it. */
export function findDirs(root: string): { dirs: string[]; isTangled: boolean } {
  const device = Deno.lstatSync(root).dev;
  const dirs = [root];
  let isTangled = false;
  // It grows as it is gone through.
  for (const dir of dirs) {
    for (const { name, isDirectory, isSymlink } of entriesOf(dir)) {
      const path = `${dir === "/" ? "" : dir}/${name}`;
      if (path === ownFolder(root)) continue;
      if (isDirectory && isOn(device, path)) dirs.push(path);
      else isTangled ||= isDirectory || (isSymlink && leadsToDir(path));
    }
  }
  return { dirs, isTangled };
}

function ownFolder(root: string): string {
  return `${root === "/" ? "" : root}/${OWN_FOLDER}`;
}

function entriesOf(dir: string): Iterable<Deno.DirEntry> {
  try {
    return [...Deno.readDirSync(dir)];
  } catch {
    // It is gone, or not for us to read; a scan says so.
    return [];
  }
}

function isOn(device: number, path: string): boolean {
  return attempt(() => Deno.lstatSync(path).dev === device);
}

function isDir(path: string): boolean {
  return attempt(() => Deno.lstatSync(path).isDirectory);
}

function leadsToDir(path: string): boolean {
  return attempt(() => Deno.statSync(path).isDirectory);
}

function attempt(look: () => boolean): boolean {
  try {
    return look();
  } catch {
    return false;
  }
}
