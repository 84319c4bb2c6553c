import { utf8 } from "./bytes.ts";
import { LandropicError } from "./errors.ts";

/**
 * A path inside a share: valid names joined with "/", never empty, never absolute. The root of the
 * share is the empty string and has the type {@linkcode DirPath}.
 */
export type RelPath = string & { readonly __brand: "RelPath" };

/** A directory inside a share: a {@linkcode RelPath}, or "" for the root. */
export type DirPath = RelPath | "";

/** The folder in a share's root that is landropic's own and never synced. */
export const OWN_FOLDER = ".landropic";

/** UTF-8 bytes in one name (NAME_MAX of Linux and most others). */
export const NAME_BYTES_MAX = 255;
/** UTF-8 bytes in a whole path. */
export const PATH_BYTES_MAX = 4096;
/** Names in a path. */
export const PATH_DEPTH_MAX = 128;
/** UTF-8 bytes in the target of a symbolic link. */
export const LINK_TARGET_BYTES_MAX = 247;

/** Why a name can't be synced, or `undefined` for a good one. */
export type NameFault =
  | "empty"
  | "dot"
  | "separator"
  | "control_character"
  | "invalid_unicode"
  | "too_long"
  | "reserved";

/** A name or path that must not be used. */
export class PathError extends LandropicError {
  override readonly name = "PathError";
  constructor(readonly fault: NameFault | "too_deep", message: string) {
    super("protocol", message);
  }
}

// HFS+ ignores these code points when it compares names, so ".land\u200cropic" would be our folder.
const HFS_IGNORABLE = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/gu;
// deno-lint-ignore no-control-regex
const CONTROL = /[\u0000-\u001f\u007f]/;
const PLAIN = /^[A-Za-z0-9_-][A-Za-z0-9_. -]*$/;

/**
 * Checks one name by the table of docs/protocol.md: the same rules for names from the disk, which are
 * then skipped with a report, and for names from a peer, which end the request.
 */
export function nameFault(name: string): NameFault | undefined {
  if (name.length <= NAME_BYTES_MAX && PLAIN.test(name)) return undefined;
  if (name === "") return "empty";
  if (name === "." || name === "..") return "dot";
  if (name.includes("/")) return "separator";
  if (CONTROL.test(name)) return "control_character";
  if (!name.isWellFormed()) return "invalid_unicode";
  if (name.length > NAME_BYTES_MAX || utf8(name).length > NAME_BYTES_MAX) return "too_long";
  const folded = name.replace(HFS_IGNORABLE, "").normalize("NFKC").toLowerCase();
  if (folded === OWN_FOLDER) return "reserved";
  return undefined;
}

/**
 * Checks a path from a peer or a command line and brands it.
 *
 * @throws {PathError} if a name is refused, or the path is too long or too deep.
 */
export function parseRelPath(path: string): RelPath {
  if (
    path.length > PATH_BYTES_MAX ||
    (path.length * 3 > PATH_BYTES_MAX && utf8(path).length > PATH_BYTES_MAX)
  ) {
    throw new PathError("too_long", `Path is over ${PATH_BYTES_MAX} bytes`);
  }
  const names = path.split("/");
  if (names.length > PATH_DEPTH_MAX) {
    throw new PathError("too_deep", `Path has over ${PATH_DEPTH_MAX} names`);
  }
  for (const name of names) {
    const fault = nameFault(name);
    if (fault !== undefined) {
      throw new PathError(fault, `Path ${JSON.stringify(path)} is refused: ${fault}`);
    }
  }
  return path as RelPath;
}

/** Appends a name that {@linkcode nameFault} has passed. */
export function joinPath(dir: DirPath, name: string): RelPath {
  return (dir === "" ? name : `${dir}/${name}`) as RelPath;
}

/** The directory that holds the path; "" for the root. */
export function parentOf(path: RelPath): DirPath {
  const slash = path.lastIndexOf("/");
  return (slash < 0 ? "" : path.slice(0, slash)) as DirPath;
}

/** The last name of the path. */
export function nameOf(path: RelPath): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** True if `path` is `dir` itself or lies beneath it. */
export function isWithin(path: string, dir: DirPath): boolean {
  return dir === "" || path === dir || path.startsWith(dir + "/");
}

/**
 * Orders names as their UTF-8 bytes do. UTF-16 order, JavaScript's own, differs from it only where a
 * surrogate meets a code unit from U+E000 up.
 */
export function compareNames(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    let x = a.charCodeAt(i);
    let y = b.charCodeAt(i);
    if (x === y) continue;
    if (x >= 0xd800 && y >= 0xd800) {
      // Lifts surrogates above the rest of the plane, as their code points are.
      x = x >= 0xe000 ? x - 0x800 : x + 0x2000;
      y = y >= 0xe000 ? y - 0x800 : y + 0x2000;
    }
    return x - y;
  }
  return a.length - b.length;
}

/** Sorts things by {@linkcode compareNames}, in place. */
export function sortByName<T extends { readonly name: string }>(named: T[]): T[] {
  return named.sort((a, b) => compareNames(a.name, b.name));
}

/**
 * Binary search among names in the order of {@linkcode compareNames}.
 *
 * @returns The position, or where the name is missing the complement (`~`) of the one it would have.
 */
export function searchNames(length: number, nameAt: (i: number) => string, name: string): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = compareNames(nameAt(middle), name);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return ~low;
}

/** {@linkcode searchNames} in a list of things that have names. */
export function findByName<T extends { readonly name: string }>(
  sorted: readonly T[],
  name: string,
): T | undefined {
  const i = searchNames(sorted.length, (at) => sorted[at]!.name, name);
  return i < 0 ? undefined : sorted[i];
}

/**
 * Says why a symbolic link is not portable, or `undefined` for a good one. Portable links are relative,
 * stay inside the share, and hold neither ":" nor "\" (Mutagen's rule).
 *
 * @param path Where the link lies; `..` in the target is counted from there.
 */
export function linkFault(path: RelPath, target: string): string | undefined {
  if (target === "") return "empty target";
  if (!target.isWellFormed() || CONTROL.test(target)) return "unprintable target";
  if (utf8(target).length > LINK_TARGET_BYTES_MAX) return "target too long";
  if (target.startsWith("/")) return "absolute target";
  if (/[:\\]/.test(target)) return "target not portable";
  let depth = path.split("/").length - 1;
  for (const name of target.split("/")) {
    if (name === "" || name === ".") continue;
    depth += name === ".." ? -1 : 1;
    if (depth < 0) return "target outside the share";
  }
  return undefined;
}
