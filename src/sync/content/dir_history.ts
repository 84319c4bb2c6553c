import { compareNames, type DirPath } from "../../base/paths.ts";
import type { VersionVector } from "../../base/version_vector.ts";
import type { RootIndex } from "../../index/mod.ts";
import type { DirHistory } from "../../protocol/mod.ts";

/** What the index knows of the names of a directory, in the order of its page. */
export function historyOf(
  index: RootIndex,
  path: DirPath,
  entries: readonly { readonly name: string }[],
): DirHistory {
  const view = index.viewDir(path);
  if (view === undefined) return { versions: entries.map(() => undefined), tombstones: NO_NAMES };
  const names = view.names();
  let next = 0;
  const versions = entries.map(({ name }) => {
    // Nearly always the next one: what is remembered is what was scanned.
    while (next < view.length && names[next] !== name) {
      if (compareNames(names[next]!, name) > 0) return undefined;
      next++;
    }
    return next < view.length ? view.vector(next++) : undefined;
  });
  const tombstones = new Map<string, VersionVector>();
  for (let i = 0; i < view.tombstoneCount; i++) {
    const { name, vector } = view.tombstone(i);
    tombstones.set(name, vector);
  }
  return { versions, tombstones };
}

/** The same of a directory that is gone, if all that is known of it are deletions. */
export function historyOfGone(index: RootIndex, path: DirPath): DirHistory | undefined {
  const view = index.viewDir(path);
  return view?.length === 0 && view.tombstoneCount > 0 ? historyOf(index, path, []) : undefined;
}

const NO_NAMES: ReadonlyMap<string, VersionVector> = new Map();
