import { nameOf, parentOf, type RelPath } from "../base/paths.ts";
import type { Root } from "./root.ts";

/**
 * Renames `Foo` to `foo` where the file system takes both for the same: by way of a temporary name.
 *
 * @returns False if the two are different files, and nothing was done.
 */
export function renameCase(root: Root, from: RelPath, to: RelPath): boolean {
  if (parentOf(from) !== parentOf(to) || fold(nameOf(from)) !== fold(nameOf(to))) return false;
  if (from === to) return false;
  const source = root.lstat(from);
  const target = root.lstat(to);
  if (source === undefined || target === undefined) return false;
  if (source.ino === 0 || source.ino !== target.ino || source.dev !== target.dev) return false;
  // Two hard links with names that differ by case are two names on a file system that tells them
  // apart; there the listing holds both.
  const names = new Set(root.list(parentOf(to)).entries.map((entry) => entry.name));
  if (names.has(nameOf(to))) return false;
  const between = root.temporaryPath();
  root.rename(from, between, { replace: false });
  try {
    root.rename(between, to, { replace: false });
  } catch (error) {
    root.rename(between, from, { replace: false });
    throw error;
  }
  return true;
}

function fold(name: string): string {
  return name.normalize("NFC").toLowerCase();
}
