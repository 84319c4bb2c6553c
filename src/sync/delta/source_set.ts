import type { SourceFile } from "./source_file.ts";

/** Files open at once for one assembly. */
const OPEN_MAX = 16;

/** The files that an assembly copies from, by their number in the chunk index; opened when needed. */
export class SourceSet implements Disposable {
  readonly #open: (source: number) => SourceFile | undefined;
  /** Least recently used first; `undefined` for what could not be opened. */
  readonly #files = new Map<number, SourceFile | undefined>();
  /** Chunks copied from files that have changed since. */
  readonly #doubtful: number[] = [];

  /** @param open Opens a source; `undefined` if it is no longer there. */
  constructor(open: (source: number) => SourceFile | undefined) {
    this.#open = open;
  }

  /** The source of that number. Good until the next call. */
  get(source: number): SourceFile | undefined {
    let file = this.#files.get(source);
    if (this.#files.delete(source)) {
      this.#files.set(source, file);
      return file;
    }
    if (this.#files.size >= OPEN_MAX) this.#close(this.#files.keys().next().value!);
    file = this.#open(source);
    this.#files.set(source, file);
    return file;
  }

  /** Nothing that was copied unseen may be of another version than meant. */
  get isSound(): boolean {
    if (this.#doubtful.length > 0) return false;
    for (const file of this.#files.values()) if (file?.isUnchanged() === false) return false;
    return true;
  }

  /** Closes all; chunks that were copied unseen from a file that has changed since. */
  takeDoubtful(): number[] {
    for (const source of [...this.#files.keys()]) this.#close(source);
    return this.#doubtful.splice(0);
  }

  [Symbol.dispose](): void {
    for (const file of this.#files.values()) file?.[Symbol.dispose]();
    this.#files.clear();
  }

  #close(source: number): void {
    const file = this.#files.get(source);
    this.#files.delete(source);
    if (file === undefined) return;
    try {
      if (file.isUnchanged()) return;
      for (const chunk of file.copied()) this.#doubtful.push(chunk);
    } finally {
      file[Symbol.dispose]();
    }
  }
}
