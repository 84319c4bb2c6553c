/**
 * The store: everything between a share and the disk. It owns the files of a share's root, staged
 * files on their way into it, the order in which changes become durable, the trash, the locks, and
 * landropic's own folder in the root.
 *
 * It never follows a symbolic link, never overwrites what it was not told to expect, never leaves the
 * root, and decides nothing: what should be where is for its callers to say.
 *
 * @module
 */
export * from "./chunks/mod.ts";
export * from "./commit_batch.ts";
export * from "./commit_pipeline.ts";
export * from "./file_stat.ts";
export * from "./folder_lock.ts";
export { IN, Inotify, type InotifyEvent } from "./linux/inotify.ts";
export { discardHanded, openRoot, type OpenRootOptions, SMALL_FILE_BYTES } from "./root.ts";
export type {
  HandedFile,
  ReadFile,
  Root,
  RootFeatures,
  RootImplementation,
  SmallRead,
  StagedFile,
  TouchedDirs,
} from "./root.ts";
export { asStoreError, reasonOf, StoreError, type StoreReason } from "./store_error.ts";
export { expireTrash, type Keep, Keeper, pruneVersions, TRASH_DAYS } from "./trash.ts";
export {
  ensureFolderId,
  type FolderMark,
  lockRoot,
  ORPHAN_AGE_MS,
  readFolderId,
  sweepTemporary,
} from "./own_folder.ts";
export * from "./partial_store.ts";
export { type Overlap, overlapOf, placesOf } from "./place.ts";
export { glimpseNames } from "./probe.ts";
