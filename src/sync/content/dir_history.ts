import type { DirPath } from "../../base/paths.ts";
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
  const versions = entries.map(({ name }) => {
    const row = view.rowOf(name);
    return row < 0 ? undefined : view.vector(row);
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
