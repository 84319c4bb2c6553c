import type { DirPath } from "../../base/paths.ts";
import type { DirLookup, EntryRecord, RootIndex } from "../../index/mod.ts";

/**
 * What is remembered of one directory while its files are looked up one by one: decoded once, however many
 * are asked for, and however many of them are learnt on the way.
 */
export class KnownDir {
  readonly path: DirPath;
  readonly #index: RootIndex;
  readonly #known: DirLookup | undefined;
  readonly #patched = new Map<string, EntryRecord>();
  #changes: number;

  constructor(index: RootIndex, path: DirPath) {
    this.path = path;
    this.#index = index;
    this.#known = index.lookInto(path);
    this.#changes = index.dirChanges;
  }

  /** True if others have written to the index since. */
  get isOld(): boolean {
    return this.#index.dirChanges !== this.#changes;
  }

  /** What is remembered of a name. */
  find(name: string): EntryRecord | undefined {
    return this.#patched.get(name) ?? this.#known?.find(name);
  }

  /** Replaces what is remembered of one name; to be called only while {@linkcode isOld} is false. */
  patch(entry: EntryRecord): void {
    this.#index.patchEntry(this.path, entry, {
      scannedAtMs: this.#known?.scannedAtMs ?? 0,
      shape: this.#known?.shape,
    });
    this.#changes = this.#index.dirChanges;
    this.#patched.set(entry.name, entry);
  }
}
