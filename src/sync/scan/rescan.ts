import {
  type DirPath,
  nameOf,
  parentOf,
  parseRelPath,
  PathError,
  type RelPath,
} from "../../base/paths.ts";
import { IGNORE_FILE } from "../filter/mod.ts";
import type { Snapshot } from "./snapshot.ts";

/**
 * What may have happened in a share since it was scanned: paths as the system tells them, true for those that
 * may be something else now, with all beneath, false where only attributes or contents have changed.
 */
export type Happened = ReadonlyMap<string, boolean>;

/** How much of an earlier snapshot still holds. */
export interface Rescan {
  readonly base: Snapshot;
  /** Directories to list again. All of them are in the snapshot, and so is whatever lies above. */
  readonly list: ReadonlySet<DirPath>;
  /** Directories of the snapshot that are to be read as if they were new, with all beneath. */
  readonly deep: ReadonlySet<DirPath>;
  /** Of directories above those: the names that lead to them. */
  readonly beneath: ReadonlyMap<DirPath, ReadonlySet<string>>;
}

/**
 * Finds the directories that have to be read again: those of which something is told, and those that could
 * not be judged for good the last time.
 *
 * @returns `undefined` where all has to be read: rules to ignore files have changed, or something happened
 * where the snapshot knows of no directory, and nothing is told of how it came there.
 */
export function placeChanges(base: Snapshot, happened: Happened): Rescan | undefined {
  const list = new Set<DirPath>(base.unsettled);
  const deep = new Set<DirPath>();
  for (const [text, isDeep] of happened) {
    const path = nameable(text);
    if (path === "") {
      list.add("");
      continue;
    }
    if (nameOf(path) === IGNORE_FILE) return undefined;
    const top = topmostUnknown(base, path);
    if (top !== undefined) {
      // What is out of sight stays so, and what is new is found in its parent.
      if (base.isHidden(top) || happened.has(top)) continue;
      return undefined;
    }
    list.add(parentOf(path));
    if (!base.dirs.has(path)) continue;
    (isDeep ? deep : list).add(path);
  }
  return { base, list, deep, beneath: waysTo([...list, ...deep]) };
}

/** True for a directory that is to be read as if it were new, or lies in one. */
export function isNew({ base, deep }: Rescan, path: DirPath): boolean {
  if (!base.dirs.has(path)) return true;
  if (deep.size === 0) return false;
  for (let at = path; at !== ""; at = parentOf(at)) if (deep.has(at)) return true;
  return false;
}

/** The nearest path at or above that a peer could be told: of others their directory tells. */
function nameable(text: string): DirPath {
  for (let at = text; at !== ""; at = at.slice(0, Math.max(0, at.lastIndexOf("/")))) {
    try {
      return parseRelPath(at);
    } catch (error) {
      if (!(error instanceof PathError)) throw error;
    }
  }
  return "";
}

/** The highest directory above a path that the snapshot does not know; `undefined` if it knows all. */
function topmostUnknown(base: Snapshot, path: RelPath): RelPath | undefined {
  let unknown: RelPath | undefined;
  for (let dir = parentOf(path); !base.dirs.has(dir); dir = parentOf(dir)) {
    if (dir === "") throw new Error("a snapshot without a root");
    unknown = dir;
  }
  return unknown;
}

function waysTo(dirs: readonly DirPath[]): Map<DirPath, Set<string>> {
  const ways = new Map<DirPath, Set<string>>();
  for (const dir of dirs) {
    for (let at = dir; at !== ""; at = parentOf(at)) {
      const above = parentOf(at);
      ways.set(above, (ways.get(above) ?? new Set()).add(nameOf(at)));
    }
  }
  return ways;
}
