import type { RelPath } from "../../base/paths.ts";

/** Where things are after moves, one after the other, of which there may be as many as files. */
export class MovedPaths {
  /** By where they start; a path may be left more than once. */
  readonly #moves = new Map<string, { readonly order: number; readonly to: RelPath }[]>();
  #count = 0;

  /** Adds a move, of a file or of a directory with all that is in it by then. */
  add(from: RelPath, to: RelPath): void {
    const move = { order: this.#count++, to };
    const others = this.#moves.get(from);
    if (others === undefined) this.#moves.set(from, [move]);
    else others.push(move);
  }

  /** Where what was at a path before all moves is after them. */
  find(path: RelPath): RelPath {
    let at = path;
    for (let next = 0; next < this.#count;) {
      let first: { order: number; to: RelPath; length: number } | undefined;
      // The path itself, then every directory above it.
      for (let length = at.length; length > 0; length = at.lastIndexOf("/", length - 1)) {
        const move = this.#moves.get(at.slice(0, length))?.find(({ order }) => order >= next);
        if (move && move.order < (first?.order ?? Infinity)) first = { ...move, length };
      }
      if (first === undefined) break;
      at = (first.to + at.slice(first.length)) as RelPath;
      next = first.order + 1;
    }
    return at;
  }
}
