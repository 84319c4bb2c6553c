import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { OWN_FOLDER } from "../../base/paths.ts";
import { ChangeGate } from "./change_gate.ts";
import { CHANGED_PATHS_MAX } from "./dirty_paths.ts";
import { type FolderEvent, type FolderEvents, watchTree } from "./tree_events.ts";

/** Paths in a folder that something happened to; `"unknown"` where it could be any. */
export type ChangedPaths = ReadonlySet<string> | "unknown";

/** What {@linkcode FolderWatches} works with. */
export interface FolderWatchesOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** For tests; the system's events, with everything beneath the folder, if left out. */
  readonly open?: (path: string) => FolderEvents;
}

/** Who wants to know what happens in a folder. Paths are relative to it, separated by "/". */
export interface FolderListener {
  /** A run of changes is over. */
  readonly tell: (changed: ChangedPaths) => void;
  /**
   * Something has just happened to a path. `isDeep`: it may be something else now, with all beneath it;
   * else only its attributes or contents have changed. Without a path it could be anything.
   */
  readonly note?: (path: string | undefined, isDeep: boolean) => void;
}

/** Somebody's interest in a folder. Disposing it ends the interest. */
export interface FolderInterest extends Disposable {
  /** False where the system gives no events: too many folders watched, or no such file system. */
  readonly hasEvents: boolean;
  /** True where all is told that happens in a directory from {@linkcode add} on. */
  readonly isExact: boolean;
  /** Watches one more directory within the folder; to be called before it is read. */
  add(dir: string): void;
}

/**
 * Watches folders for whoever is interested in them, each folder once. Runs of changes are told when they
 * are over; what happens in landropic's own folder is not told at all.
 */
export class FolderWatches implements Disposable {
  readonly #options: FolderWatchesOptions;
  readonly #watches = new Map<string, FolderWatch>();

  constructor(options: FolderWatchesOptions) {
    this.#options = options;
  }

  /**
   * Tells of changes from now on.
   *
   * @param path A folder; links in it are resolved now.
   */
  watch(path: string, listener: FolderListener): FolderInterest {
    const real = Deno.realPathSync(path);
    let watch = this.#watches.get(real);
    if (watch === undefined) {
      watch = new FolderWatch(real, this.#options);
      this.#watches.set(real, watch);
    }
    const found = watch;
    // Of its own, so that one listener may come twice.
    const entry = { ...listener };
    found.listeners.add(entry);
    return {
      get hasEvents() {
        return found.hasEvents;
      },
      get isExact() {
        return found.isExact;
      },
      add: (dir) => found.add(dir),
      [Symbol.dispose]: () => {
        found.listeners.delete(entry);
        if (found.listeners.size > 0 || this.#watches.get(real) !== found) return;
        this.#watches.delete(real);
        found[Symbol.dispose]();
      },
    };
  }

  [Symbol.dispose](): void {
    for (const watch of this.#watches.values()) watch[Symbol.dispose]();
    this.#watches.clear();
  }
}

class FolderWatch implements Disposable {
  readonly listeners = new Set<FolderListener>();
  readonly #path: string;
  readonly #options: FolderWatchesOptions;
  readonly #gate = new ChangeGate();
  #events: FolderEvents | undefined;
  #changed: Set<string> | "unknown" = new Set();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(path: string, options: FolderWatchesOptions) {
    this.#path = path;
    this.#options = options;
    try {
      this.#events = (options.open ?? watchTree)(path);
      void this.#read(this.#events);
    } catch (error) {
      this.#lose(error);
    }
  }

  get hasEvents(): boolean {
    return this.#events !== undefined;
  }

  get isExact(): boolean {
    return this.#events?.add !== undefined;
  }

  add(dir: string): void {
    try {
      this.#events?.add?.(dir);
    } catch (error) {
      this.#events?.close();
      this.#lose(error);
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#events?.close();
    this.#events = undefined;
  }

  async #read(events: FolderEvents): Promise<void> {
    try {
      for await (const event of events) this.#take(event);
    } catch (error) {
      if (this.#events === events) this.#lose(error);
    }
  }

  #take({ kind, paths, flag }: FolderEvent): void {
    // Nobody's reading is a change.
    if (kind === "access") return;
    const isVague = flag === "rescan" || paths.length === 0;
    const inside = paths.map((path) => this.#relative(path)).filter((path) => path !== undefined);
    if (!isVague && inside.length === 0) return;
    if (isVague || inside.includes("")) {
      this.#changed = "unknown";
      this.#note(undefined, true);
    }
    for (const path of inside) if (path !== "") this.#note(path, kind !== "modify");
    if (this.#changed !== "unknown") {
      for (const path of inside) this.#changed.add(path);
      if (this.#changed.size > CHANGED_PATHS_MAX) this.#changed = "unknown";
    }
    this.#gate.handleChange(this.#options.clock.nowMs());
    this.#arm();
  }

  #note(path: string | undefined, isDeep: boolean): void {
    for (const { note } of this.listeners) note?.(path, isDeep);
  }

  #arm(): void {
    const { clock } = this.#options;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      // Later events may have moved the end of the run.
      if (!this.#gate.take(clock.nowMs())) return this.#arm();
      const changed = this.#changed;
      this.#changed = new Set();
      for (const { tell } of this.listeners) tell(changed);
    }, Math.max(0, this.#gate.deadlineMs - clock.nowMs()));
  }

  /** The path within the folder, "" for the folder itself; `undefined` for what is landropic's own. */
  #relative(path: string): string | undefined {
    if (path === this.#path) return "";
    const prefix = this.#path.endsWith("/") ? this.#path : `${this.#path}${SEPARATOR}`;
    if (!path.startsWith(prefix)) return undefined;
    const inside = path.slice(prefix.length).replaceAll(SEPARATOR, "/");
    return inside === OWN_FOLDER || inside.startsWith(`${OWN_FOLDER}/`) ? undefined : inside;
  }

  #lose(error: unknown): void {
    this.#events = undefined;
    this.#note(undefined, true);
    this.#options.logger.log(
      "warn",
      `Cannot watch ${JSON.stringify(this.#path)}, so it is checked from time to time: ${
        messageOf(error)
      }`,
    );
  }
}

const SEPARATOR = Deno.build.os === "windows" ? "\\" : "/";
