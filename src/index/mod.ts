/**
 * What this device remembers of its synced folders: directory records (a cache of the last scan, with
 * version vectors and tombstones), the state last shared with each peer, and how known files are put
 * together. One SQLite file in the state folder, for several processes.
 *
 * All of it can be lost: then files are read again and folders are united, and nothing is deleted. What
 * must never happen is the opposite, to remember a file that is not on the disk, since it would count as
 * deleted by the user. So this layer never writes by itself what it was not told, keeps what belongs
 * together in one transaction, and callers tell it only of files that are flushed and renamed. It never
 * looks at the files themselves and never decides what to sync.
 *
 * @module
 */
export type { Ancestor, AncestorInfo, PeerFolder } from "./ancestor_table.ts";
export { type DigestLocation, LOCATIONS_MAX } from "./digest_locator.ts";
export { DirLookup } from "./dir_lookup.ts";
export * from "./dir_record.ts";
export { DirView, type EntryStat } from "./dir_view.ts";
export * from "./index.ts";
export * from "./index_error.ts";
export type { GarbageOptions, GarbageReport } from "./page_garbage.ts";
export type { NamedPage } from "./page_table.ts";
export { RECIPE_GRACE_MS } from "./recipe_garbage.ts";
export type { StoredRecipe } from "./recipe_table.ts";
export * from "./root_index.ts";
export { type RootIdentity, type RootRow, UNMARKED, type VoidReason } from "./root_table.ts";
