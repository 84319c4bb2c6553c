import { type DirPath, parentOf, type RelPath } from "../../base/paths.ts";
import type { FilterStack } from "./filter_stack.ts";

/**
 * Answers for paths at any depth what a walk from the root would find out on its way: a path is ignored
 * if a rule says so, or if it lies under an ignored directory.
 */
export class PathFilter {
  /** By directory; `undefined` for one that is ignored itself. */
  readonly #stacks = new Map<DirPath, FilterStack | undefined>();
  readonly #ignoreFileText: (dir: RelPath) => string | undefined;

  /**
   * @param root The stack of the share's root.
   * @param ignoreFileText Gives the ignore file of a directory below the root, where there is one. Asked
   * once a directory.
   */
  constructor(root: FilterStack, ignoreFileText: (dir: RelPath) => string | undefined) {
    this.#stacks.set("", root);
    this.#ignoreFileText = ignoreFileText;
  }

  /** @param isDir True for a real directory; a link to one is none. */
  isIgnored(path: RelPath, isDir: boolean): boolean {
    const stack = this.stackOf(parentOf(path));
    return stack === undefined || stack.isIgnored(path, isDir);
  }

  /** The rules in force in a directory, or `undefined` if it is ignored. */
  stackOf(dir: DirPath): FilterStack | undefined {
    if (this.#stacks.has(dir)) return this.#stacks.get(dir);
    const path = dir as RelPath;
    const above = this.stackOf(parentOf(path));
    const isOut = above === undefined || above.isIgnored(path, true);
    const stack = isOut ? undefined : above.enter(path, this.#ignoreFileText(path));
    this.#stacks.set(dir, stack);
    return stack;
  }
}
