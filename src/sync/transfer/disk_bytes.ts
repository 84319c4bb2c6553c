import type { RelPath } from "../../base/paths.ts";
import { reasonOf, type Root } from "../../store/mod.ts";

/** `st_blocks` counts in these (POSIX sys/stat.h). */
const BLOCK_BYTES = 512;

/** What a file takes on the disk, holes left out; `undefined` where it is gone or can't be looked at. */
export function diskBytesOf(root: Root, path: RelPath): number | undefined {
  try {
    const stat = root.lstat(path);
    return stat?.kind === "file" ? stat.blocks * BLOCK_BYTES : undefined;
  } catch (error) {
    if (reasonOf(error) === undefined) throw error;
    return undefined;
  }
}
