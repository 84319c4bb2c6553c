import type { RelPath } from "../../base/paths.ts";
import type { FileEntry } from "../../base/tree.ts";
import type { DigestAnswer, Status } from "../../protocol/mod.ts";

/** Knows what a share's files are made of: from the index where it can, else by reading them. */
export interface ContentSource {
  /** The digest of one version of a file; "changed" if the file is no longer that version. */
  digestOf(path: RelPath, version: FileEntry): Promise<DigestAnswer | Status>;
  /** The encoded list of groups, or of the chunks of the groups named by position. */
  recipeOf(
    path: RelPath,
    version: FileEntry,
    groups: readonly number[],
  ): Promise<Uint8Array | Status>;
}
