import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { OWN_FOLDER } from "../../base/paths.ts";
import { ChangeGate } from "./change_gate.ts";
import { type FolderEvent, type FolderEvents, watchTree } from "./tree_events.ts";

/** Paths told apart in one run of changes; with more, everything may have changed. */
export const CHANGED_PATHS_MAX = 10_000;

/** Paths in a folder that something happened to; `"unknown"` where it could be any. */
export type ChangedPaths = ReadonlySet<string> | "unknown";

/** What {@linkcode FolderWatches} works with. */
export interface FolderWatchesOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** For tests; the system's events, with everything beneath the folder, if left out. */
  readonly open?: (path: string) => FolderEvents;
}

/** Somebody's interest in a folder. Disposing it ends the interest. */
export interface FolderInterest extends Disposable {
  /** False where the system gives no events: too many folders watched, or no such file system. */
  readonly hasEvents: boolean;
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
   * @param listener Gets paths relative to the folder, separated by "/".
   */
  watch(path: string, listener: (changed: ChangedPaths) => void): FolderInterest {
    const real = Deno.realPathSync(path);
    let watch = this.#watches.get(real);
    if (watch === undefined) {
      watch = new FolderWatch(real, this.#options);
      this.#watches.set(real, watch);
    }
    const found = watch;
    // Of its own, so that one listener may come twice.
    const entry = { tell: listener };
    found.listeners.add(entry);
    return {
      get hasEvents() {
        return found.hasEvents;
      },
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
  readonly listeners = new Set<{ tell(changed: ChangedPaths): void }>();
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
    if (isVague || inside.includes("")) this.#changed = "unknown";
    if (this.#changed !== "unknown") {
      for (const path of inside) this.#changed.add(path);
      if (this.#changed.size > CHANGED_PATHS_MAX) this.#changed = "unknown";
    }
    this.#gate.handleChange(this.#options.clock.nowMs());
    this.#arm();
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
    this.#options.logger.log(
      "warn",
      `Cannot watch ${JSON.stringify(this.#path)}, so it is checked from time to time: ${
        messageOf(error)
      }`,
    );
  }
}

const SEPARATOR = Deno.build.os === "windows" ? "\\" : "/";
