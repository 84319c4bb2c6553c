import { OWN_FOLDER, type RelPath } from "../base/paths.ts";

/** Staged files that a finished or dead process may have left; swept. */
export const TMP_FOLDER = ownPath("tmp");
/** What deletions and overwrites moved away, one folder a day. */
export const TRASH_FOLDER = ownPath("trash");
/** Older versions of files, beside each other. */
export const VERSIONS_FOLDER = ownPath("versions");
/** Large files that are not complete yet, kept to be resumed. */
export const PARTIAL_FOLDER = ownPath("partial");

/**
 * A path inside landropic's own folder. Only this makes one: the name of the own folder is refused in
 * every path from outside.
 */
export function ownPath(...names: string[]): RelPath {
  return [OWN_FOLDER, ...names].join("/") as RelPath;
}
