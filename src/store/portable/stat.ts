import type { Stats } from "node:fs";
import type { FileStat } from "../file_stat.ts";

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
 * A time as the seconds that `node:fs` takes: a microsecond later, since a fraction of a second in
 * binary may come out below the millisecond meant, and is then cut off.
 */
export function secondsOf(mtimeMs: number): number {
  return (mtimeMs + 0.001) / 1000;
}
