import type { Stats } from "node:fs";
import { builtin } from "../../base/builtin.ts";
import type { FileStat } from "../file_stat.ts";

const fs = builtin("node:fs");

/**
 * Turns what `node:fs` says into a {@linkcode FileStat}.
 *
 * @param parentDev The file system of the directory it lies in, to tell mount points.
 */
export function statOf(stats: Stats, parentDev?: number): FileStat {
  return {
    kind: stats.isFile()
      ? "file"
      : stats.isDirectory()
      ? "dir"
      : stats.isSymbolicLink()
      ? "link"
      : "other",
    size: stats.size,
    mode: stats.mode & 0o7777,
    mtimeMs: Math.floor(stats.mtimeMs),
    mtimeNs: 0,
    ctimeMs: Math.floor(stats.ctimeMs ?? 0),
    ctimeNs: 0,
    ino: stats.ino ?? 0,
    dev: stats.dev,
    nlink: stats.nlink ?? 1,
    blocks: stats.blocks ?? 0,
    mountPoint: parentDev !== undefined && stats.isDirectory() && stats.dev !== parentDev,
  };
}

/**
 * Sets the modification time of a file or directory. `node:fs` refuses times before 1970, Deno does
 * not; it follows links, so none may be there.
 *
 * @param path Absolute.
 */
export function setFileTimes(path: string, mtimeMs: number): void {
  Deno.utimeSync(path, fs.lstatSync(path).atime, new Date(mtimeMs));
}

/** Sets the modification time of a link itself; before 1970 to the second. */
export function setLinkTimes(path: string, mtimeMs: number): void {
  const rounded = mtimeMs < 0 ? Math.floor(mtimeMs / 1000) * 1000 : mtimeMs;
  fs.lutimesSync(path, fs.lstatSync(path).atime, new Date(rounded));
}
