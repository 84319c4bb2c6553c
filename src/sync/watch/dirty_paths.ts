import type { Happened } from "../scan/rescan.ts";

/** Paths told apart; with more, everything may have changed. */
export const CHANGED_PATHS_MAX = 10_000;

/** What happened in a folder since it was read: kept until somebody has read it again, and was through with that. */
export class DirtyPaths {
  #paths: Map<string, boolean> | undefined = new Map();

  /** What happened; `undefined` if it could be anything, anywhere. */
  get happened(): Happened | undefined {
    return this.#paths;
  }

  /** @param isDeep True if it may be something else now, with all beneath it. */
  add(path: string, isDeep: boolean): void {
    if (this.#paths === undefined) return;
    this.#paths.set(path, isDeep || (this.#paths.get(path) ?? false));
    if (this.#paths.size > CHANGED_PATHS_MAX) this.#paths = undefined;
  }

  /** Anything may have happened. */
  addUnknown(): void {
    this.#paths = undefined;
  }

  /** Takes back what somebody took, and has got nowhere with. */
  addAll(other: DirtyPaths): void {
    if (other.#paths === undefined) return this.addUnknown();
    for (const [path, isDeep] of other.#paths) this.add(path, isDeep);
  }

  /** Hands over all of it, and begins anew. */
  take(): DirtyPaths {
    const taken = new DirtyPaths();
    taken.#paths = this.#paths;
    this.#paths = new Map();
    return taken;
  }
}
