import { toHex, utf8 } from "../base/bytes.ts";
import { sha256 } from "../base/digest.ts";
import { type DirPath, NAME_BYTES_MAX, nameOf, parentOf, type RelPath } from "../base/paths.ts";
import { ownPath, TRASH_FOLDER, VERSIONS_FOLDER } from "./own_paths.ts";
import type { Root } from "./root.ts";
import { reasonOf, StoreError } from "./store_error.ts";
import { makeOwnDir } from "./temporary_names.ts";

/** Days that deleted and overwritten files stay in the trash. */
export const TRASH_DAYS = 30;

/** Folders for one day in the trash, each for a set of paths that do not get in each other's way. */
const GENERATIONS_MAX = 10_000;

/** What becomes of the file that is deleted or replaced. */
export type Keep =
  /** `.landropic/trash/<date>/<path>`, for {@linkcode TRASH_DAYS} days. */
  | "trash"
  /** `.landropic/versions/<path>~<time>`, the last so many of each path. */
  | "versions"
  /** It is gone. */
  | "none";

/**
 * Finds places for old files in landropic's own folder, where restoring one is a plain `mv`.
 *
 * A day in the trash is one folder that mirrors the share. Where a place is taken, or a parent is a
 * file there, the next folder of that day is used: `2026-08-14`, `2026-08-14~2`, `2026-08-14~3`.
 */
export class Keeper {
  readonly #root: Root;
  readonly #nowMs: () => number;
  /** Directories known to exist, so that a thousand files of one folder ask once. */
  readonly #known = new Set<DirPath>();
  #day = "";
  /** The folder of the day that had room last. */
  #generation = 1;

  /** @param nowMs The wall clock. */
  constructor(root: Root, nowMs: () => number) {
    this.#root = root;
    this.#nowMs = nowMs;
  }

  /**
   * A free place, its directories created. Nobody else creates files there, but use a call that
   * never overwrites all the same.
   */
  placeFor(path: RelPath, keep: Keep): RelPath {
    if (keep === "none") return this.#root.temporaryPath();
    return keep === "versions" ? this.#versionPlace(path) : this.#trashPlace(path);
  }

  /** Forgets which directories exist; call when somebody else may have removed some. */
  forget(): void {
    this.#known.clear();
  }

  #trashPlace(path: RelPath): RelPath {
    const day = dayOf(this.#nowMs());
    if (day !== this.#day) {
      this.#day = day;
      this.#generation = 1;
    }
    for (let tried = 0; tried < GENERATIONS_MAX; tried++) {
      const place = ownPath("trash", generationName(day, this.#generation), path);
      if (this.#makeParents(place) && this.#root.lstat(place) === undefined) return place;
      this.#generation++;
    }
    throw new StoreError(
      "exists",
      `Cannot find room in ${TRASH_FOLDER} for ${JSON.stringify(path)}`,
    );
  }

  #versionPlace(path: RelPath): RelPath {
    const parent = parentOf(path);
    for (let nth = 0; nth < GENERATIONS_MAX; nth++) {
      const name = versionName(nameOf(path), this.#nowMs() + nth);
      const place = parent === "" ? ownPath("versions", name) : ownPath("versions", parent, name);
      if (!this.#makeParents(place)) {
        throw new StoreError(
          "not_a_directory",
          `Cannot keep a version at ${JSON.stringify(place)}`,
        );
      }
      if (this.#root.lstat(place) === undefined) return place;
    }
    throw new StoreError("exists", `Cannot keep a version of ${JSON.stringify(path)}`);
  }

  /** Creates the directories of a place; false if something else is where one should be. */
  #makeParents(place: RelPath): boolean {
    const dir = parentOf(place);
    if (this.#known.has(dir)) return true;
    if (dir !== "" && !this.#makeParents(dir as RelPath)) return false;
    try {
      if (dir !== "") makeOwnDir(this.#root, dir);
    } catch (error) {
      if (reasonOf(error) === "not_a_directory") return false;
      throw error;
    }
    this.#known.add(dir);
    return true;
  }
}

/**
 * Removes the older versions of a path.
 *
 * @param keepLast How many stay, at least 1.
 * @returns The paths removed.
 */
export function pruneVersions(root: Root, path: RelPath, keepLast: number): RelPath[] {
  const parent = parentOf(path);
  const dir = parent === "" ? VERSIONS_FOLDER : ownPath("versions", parent);
  if (root.lstat(dir)?.kind !== "dir") return [];
  const stem = versionStem(nameOf(path));
  const versions: string[] = [];
  for (const { name, kind } of root.list(dir).entries) {
    if (name === undefined || kind === "dir" || !name.startsWith(stem)) continue;
    if (VERSION_TIME.test(name.slice(stem.length))) versions.push(name);
  }
  // The times are written so that they sort as text.
  const old = versions.sort().slice(0, Math.max(0, versions.length - Math.max(1, keepLast)));
  return old.map((name) => {
    const place = `${dir}/${name}` as RelPath;
    root.removeFile(place);
    return place;
  });
}

/**
 * Empties the trash of what is older than {@linkcode TRASH_DAYS}, by the date in the folders' names.
 * Only landropic's own folder is touched, and no link in it is followed.
 *
 * @returns The folders removed.
 */
export function expireTrash(root: Root, nowMs: number): RelPath[] {
  if (root.lstat(TRASH_FOLDER)?.kind !== "dir") return [];
  const limit = dayOf(nowMs - TRASH_DAYS * 86_400_000);
  const removed: RelPath[] = [];
  for (const { name, kind } of root.list(TRASH_FOLDER).entries) {
    if (name === undefined || kind !== "dir" || !TRASH_DAY.test(name)) continue;
    if (name.slice(0, 10) >= limit) continue;
    if (removeTree(root, ownPath("trash", name))) removed.push(ownPath("trash", name));
  }
  return removed;
}

/**
 * Removes a directory in landropic's own folder with all that is in it.
 *
 * @returns False if something could not be removed; the rest is gone.
 */
export function removeTree(root: Root, dir: RelPath): boolean {
  let complete = true;
  for (const { name, kind } of root.list(dir).entries) {
    const path = `${dir}/${name}` as RelPath;
    if (name === undefined) complete = false;
    else if (kind === "dir") complete = removeTree(root, path) && complete;
    else complete = attempt(() => root.removeFile(path)) && complete;
  }
  return complete && attempt(() => root.removeDir(dir));
}

/** `2026-08-14`, in UTC. */
function dayOf(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(0, 10);
}

function generationName(day: string, generation: number): string {
  return generation === 1 ? day : `${day}~${generation}`;
}

const TRASH_DAY = /^\d{4}-\d{2}-\d{2}(~\d+)?$/;
const VERSION_TIME = /^\d{8}T\d{9}Z$/;
const VERSION_TIME_CHARACTERS = 19;

function versionName(name: string, nowMs: number): string {
  return versionStem(name) + new Date(nowMs).toISOString().replace(/[-:.]/g, "");
}

/** The name and "~", cut short where the time would make it longer than a name may be. */
function versionStem(name: string): string {
  const room = NAME_BYTES_MAX - VERSION_TIME_CHARACTERS - 1;
  if (utf8(name).length <= room) return `${name}~`;
  const digest = toHex(sha256(utf8(name))).slice(0, 8);
  let kept = name;
  while (utf8(kept).length > room - digest.length - 1) kept = kept.slice(0, -1);
  return `${kept.toWellFormed()}~${digest}~`;
}

function attempt(act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (error instanceof StoreError) return false;
    throw error;
  }
}
