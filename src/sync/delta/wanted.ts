import type { Digest } from "../../base/digest.ts";
import type { RelPath } from "../../base/paths.ts";
import type { FileVersion } from "../../protocol/mod.ts";
import type { Recipe, StagedFile } from "../../store/mod.ts";
import type { RemoteShare } from "../transfer/remote_share.ts";

/** Contents that are to come about in this share. */
export interface WantedContent extends FileVersion {
  /** Where they are to be. */
  readonly path: RelPath;
  /** Where the peer has them. */
  readonly source: RelPath;
  /** Their file digest, if the plan has it. */
  readonly digest: Digest | undefined;
  /** The version that they replace, if a file is there. */
  readonly old: FileVersion | undefined;
}

/** File bytes that travelled for one file, and that did not have to. */
export interface Traffic {
  bytesFetched: number;
  bytesReused: number;
}

/** Contents that are complete and checked, but neither finished nor in place. */
export interface GotContent {
  readonly staged: StagedFile;
  /** How they are made of chunks, where that is not known here already. */
  readonly recipe?: Recipe;
  readonly digest: Digest;
  /** To be called once: when they are in place and durable (`true`), or when they never will be. */
  close(isDone: boolean): void;
}

/** What is asked of the peer's side of the session. */
export type ContentSource = Pick<RemoteShare, "getFiles" | "getRanges" | "getRecipe">;
