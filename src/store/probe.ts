import { nameFault, OWN_FOLDER, type RelPath } from "../base/paths.ts";
import type { Root, RootFeatures } from "./root.ts";
import { reasonOf, StoreError } from "./store_error.ts";

/**
 * Finds out by trying what the file system below a root can do, in landropic's own folder.
 *
 * Directories in which upper and lower case are told apart differently from the root (ext4 with
 * casefold, NTFS by attribute) are not seen by this: creating never overwrites anyway.
 */
export function probeFeatures(root: Root): RootFeatures {
  const base = root.temporaryPath();
  const path = (suffix: string) => `${base}${suffix}` as RelPath;
  const made = new Set<RelPath>();
  const make = (suffix: string): RelPath => {
    using staged = root.stage();
    staged.finish({ mode: 0o600, mtimeMs: 0 });
    root.publish(staged, path(suffix));
    made.add(path(suffix));
    return path(suffix);
  };
  try {
    const lower = make("-case");
    const composed = make("-\u00e9");
    return {
      caseSensitive: root.lstat(path("-CASE")) === undefined,
      keepsNormalForm: root.lstat(path("-e\u0301")) === undefined &&
        root.list(parent(base)).entries.some((entry) => composed.endsWith(`/${entry.name}`)),
      exchange: works(() => root.exchange(lower, composed)),
      hardLinks: works(() => {
        root.link(lower, path("-link"));
        made.add(path("-link"));
      }),
      symlinks: works(() => {
        root.symlink("target", path("-symlink"), 0);
        made.add(path("-symlink"));
      }),
      modes: works(() => {
        root.chmod(lower, 0o640);
        if ((root.lstat(lower)!.mode & 0o777) !== 0o640) {
          throw new StoreError("unsupported", "mode");
        }
      }),
    };
  } finally {
    for (const each of made) root.removeFile(each);
  }
}

function parent(path: RelPath): RelPath {
  return path.slice(0, path.lastIndexOf("/")) as RelPath;
}

function works(attempt: () => void): boolean {
  try {
    attempt();
    return true;
  } catch (error) {
    // A full or failing disk says nothing about what is possible.
    const passing = ["no_space", "io", "read_only"].includes(reasonOf(error) ?? "io");
    if (passing) throw error;
    return false;
  }
}

/**
 * What names a file system takes for one, as far as can be seen without writing: for folders that are only
 * read. Where case makes no difference, neither do Unicode forms, as far as a reader can be wronged.
 *
 * @param names Of entries of the root, for who knows some: the first with letters will do.
 */
export function glimpseNames(
  root: Root,
  names: Iterable<string> = namesIn(root),
): Pick<RootFeatures, "caseSensitive" | "keepsNormalForm"> {
  const sample = sampleName(root, names);
  const stat = sample && root.lstat(sample);
  const other = sample && root.lstat(swapCase(sample) as RelPath);
  const foldsCase = stat !== undefined && other !== undefined && stat.ino !== 0 &&
    stat.ino === other.ino && stat.dev === other.dev &&
    !root.list("").entries.some(({ name }) => name === swapCase(sample!));
  return {
    caseSensitive: !foldsCase,
    keepsNormalForm: !foldsCase && Deno.build.os !== "darwin",
  };
}

function sampleName(root: Root, names: Iterable<string>): RelPath | undefined {
  if (root.lstat(OWN_FOLDER as RelPath) !== undefined) return OWN_FOLDER as RelPath;
  for (const name of names) {
    if (nameFault(name) === undefined && swapCase(name) !== name) return name as RelPath;
  }
}

function* namesIn(root: Root): Generator<string> {
  for (const { name } of root.list("").entries) if (name !== undefined) yield name;
}

function swapCase(name: string): string {
  const upper = name.toUpperCase();
  return upper === name ? name.toLowerCase() : upper;
}
