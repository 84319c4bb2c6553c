import type { DirPath } from "../base/paths.ts";
import type { DirView } from "./dir_view.ts";

/** Bytes of records kept as views. */
const BYTES_MAX = 4 * 1024 * 1024;

/** The directories looked at last: a sync of few changes looks into each of them several times. */
export class ViewCache {
  readonly #views = new Map<DirPath, { readonly view: DirView; readonly bytes: number }>();
  #bytes = 0;

  /** True if {@linkcode get} would find something. */
  has(path: DirPath): boolean {
    return this.#views.has(path);
  }

  /** The view of a directory, if it is at hand. */
  get(path: DirPath): DirView | undefined {
    const found = this.#views.get(path);
    if (found === undefined) return undefined;
    // To the end of the line.
    this.#views.delete(path);
    this.#views.set(path, found);
    return found.view;
  }

  /** Keeps a view; the ones not asked for longest go. */
  put(path: DirPath, view: DirView, bytes: number): void {
    this.delete(path);
    this.#views.set(path, { view, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#views.keys()) {
      if (this.#bytes <= BYTES_MAX) return;
      this.delete(oldest);
    }
  }

  /** Forgets a directory. */
  delete(path: DirPath): void {
    this.#bytes -= this.#views.get(path)?.bytes ?? 0;
    this.#views.delete(path);
  }

  /** Forgets all. */
  clear(): void {
    this.#views.clear();
    this.#bytes = 0;
  }
}
