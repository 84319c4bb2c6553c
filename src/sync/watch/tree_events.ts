import { OWN_FOLDER } from "../../base/paths.ts";
import { IN, Inotify, type InotifyEvent } from "../../store/mod.ts";

/** One event of the file system. */
export interface FolderEvent {
  /** `modify`: attributes or contents, and no more than that; `access`: nothing at all. */
  readonly kind: string;
  /** Absolute. */
  readonly paths: readonly string[];
  /** `rescan`: events were lost. */
  readonly flag?: string | null;
}

/** Where events come from. */
export interface FolderEvents extends AsyncIterable<FolderEvent> {
  /**
   * Watches one more directory within the folder, "" for the folder itself. Whoever reads a directory after
   * this hears of everything that happens in it from then on. Directories that come to be in a watched one
   * are watched by themselves, and what is in them by then is told of. Left out where the system watches by itself
   * what comes to be in the folder, a little later, and may leave things out.
   *
   * @throws {Error} where the system allows no more.
   */
  add?(dir: string): boolean;
  close(): void;
}

const RESCAN: FolderEvent = { kind: "any", paths: [], flag: "rescan" };

/**
 * The system's events for a folder, and on Linux for all directories within that somebody adds: of a
 * recursive watch nobody could say since when it hears of what in a new directory.
 *
 * @throws {Error} where the system can't: no such file system, too many watches.
 */
export function watchTree(root: string): FolderEvents {
  if (Deno.build.os !== "linux") return Deno.watchFs(root, { recursive: true });
  const inotify = Inotify.open();
  if (inotify === undefined) throw new Error("this system gives no events");
  try {
    return new DirEvents(root, inotify);
  } catch (error) {
    inotify[Symbol.dispose]();
    throw error;
  }
}

/** Directories watched each by itself, under the path at which they were added. */
class DirEvents implements FolderEvents {
  readonly #root: string;
  readonly #inotify: Inotify;
  readonly #paths = new Map<number, string>();
  readonly #watches = new Map<string, number>();

  constructor(root: string, inotify: Inotify) {
    this.#root = root;
    this.#inotify = inotify;
    this.add("");
    if (this.#paths.size === 0) throw new Error("the folder can't be watched");
  }

  /** @returns False where it was watched already, or can't be. */
  add(dir: string): boolean {
    // Asked each time: it may be another directory by now than the one that was there before.
    const watch = this.#inotify.watch(this.#absolute(dir));
    if (watch === undefined) return false;
    const before = this.#paths.get(watch);
    if (before === dir) return false;
    // It was moved here.
    if (before !== undefined) this.#watches.delete(before);
    this.#paths.set(watch, dir);
    this.#watches.set(dir, watch);
    return true;
  }

  close(): void {
    this.#inotify[Symbol.dispose]();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<FolderEvent> {
    for await (const run of this.#inotify.runs()) {
      for (const raw of run) {
        yield* this.#translate(raw);
      }
    }
  }

  /** What was in a new directory before it could be watched. */
  *#arrivals(dir: string): Generator<FolderEvent> {
    // Whoever has added it before has read it since, or is about to.
    if (dir === OWN_FOLDER || !this.add(dir)) return;
    for (const { name, isDirectory } of entriesOf(this.#absolute(dir))) {
      const child = `${dir}/${name}`;
      yield { kind: "create", paths: [this.#absolute(child)] };
      if (isDirectory) yield* this.#arrivals(child);
    }
  }

  *#translate({ watch, mask, name }: InotifyEvent): Generator<FolderEvent> {
    if (mask & (IN.Q_OVERFLOW | IN.UNMOUNT)) return yield RESCAN;
    const dir = this.#paths.get(watch);
    if (dir === undefined) return;
    if (mask & IN.IGNORED) return this.#forget(watch, dir);
    if (name === "") {
      // Of all others the directory tells that they are in.
      if (dir === "" && mask & (IN.DELETE_SELF | IN.MOVE_SELF)) yield RESCAN;
      return;
    }
    const path = dir === "" ? name : `${dir}/${name}`;
    const isDir = (mask & IN.ISDIR) !== 0;
    if (isDir && mask & IN.MOVED_FROM) this.#leave(path);
    yield { kind: kindOf(mask), paths: [this.#absolute(path)] };
    if (isDir && mask & (IN.CREATE | IN.MOVED_TO)) yield* this.#arrivals(path);
  }

  /** A directory is no longer where it was: what happens in it now is told again once it is added there. */
  #leave(path: string): void {
    for (const [dir, watch] of this.#watches) {
      if (dir !== path && !dir.startsWith(`${path}/`)) continue;
      this.#forget(watch, dir);
      this.#inotify.unwatch(watch);
    }
  }

  #forget(watch: number, dir: string): void {
    this.#paths.delete(watch);
    if (this.#watches.get(dir) === watch) this.#watches.delete(dir);
  }

  #absolute(path: string): string {
    if (path === "") return this.#root;
    return this.#root === "/" ? `/${path}` : `${this.#root}/${path}`;
  }
}

function kindOf(mask: number): string {
  if (mask & (IN.MOVED_FROM | IN.MOVED_TO)) return "rename";
  if (mask & IN.CREATE) return "create";
  return mask & IN.DELETE ? "remove" : "modify";
}

function entriesOf(dir: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(dir)];
  } catch {
    // It has gone on, which is told of, too; or it is not for us to read, as a scan will say.
    return [];
  }
}
