import { decodeUtf8, utf8 } from "../base/bytes.ts";
import { type RelPath } from "../base/paths.ts";
import { type FolderLock, type FolderLockOptions, lockFolder } from "./folder_lock.ts";
import { ownPath, TMP_FOLDER } from "./own_paths.ts";
import type { Root } from "./root.ts";
import { actionOn, reasonOf, StoreError } from "./store_error.ts";
import { makeOwnDir, OWNER_SUFFIX } from "./temporary_names.ts";
import { removeTree } from "./trash.ts";

/** Age at which a leftover in `.landropic/tmp` is removed, whoever made it. */
export const ORPHAN_AGE_MS = 7 * 86_400_000;

const FOLDER_ID = ownPath("folder-id");
const FOLDER_ID_PATTERN = /^[0-9a-f]{32}\n?$/;

/**
 * The mark that says "this is the folder, mounted and all": 16 random bytes as hex.
 *
 * @returns `undefined` if there is none: never shared, or the disk is not mounted.
 * @throws {StoreError} `io` if the mark is damaged.
 */
export function readFolderId(root: Root): string | undefined {
  if (root.lstat(FOLDER_ID) === undefined) return undefined;
  const buffer = new Uint8Array(64);
  const { length } = root.readSmall(FOLDER_ID, buffer);
  const text = decodeUtf8(buffer.subarray(0, length));
  if (text === undefined || !FOLDER_ID_PATTERN.test(text)) {
    throw new StoreError("io", actionOn("read", FOLDER_ID), {
      detail: "it does not hold 32 hex digits",
      hint: "Restore it from a backup, or remove it and share the folder again.",
    });
  }
  return text.trimEnd();
}

/** A folder's mark. */
export interface FolderMark {
  readonly folderId: string;
  /** Made just now: there was none. */
  readonly isNew: boolean;
}

/** Reads the mark, or makes it, durably. Two processes that do so at once get the same. */
export async function ensureFolderId(root: Root): Promise<FolderMark> {
  const known = readFolderId(root);
  if (known !== undefined) return { folderId: known, isNew: false };
  using file = root.stage(0o600);
  file.writeAt(utf8(`${crypto.getRandomValues(new Uint8Array(16)).toHex()}\n`), 0);
  file.finish({ mode: 0o600, mtimeMs: Date.now() });
  await root.flushFiles([file]);
  root.beginChanges();
  let isNew = false;
  try {
    root.publish(file, FOLDER_ID);
    isNew = true;
  } catch (error) {
    if (reasonOf(error) !== "exists") throw error;
  } finally {
    await flushTouched(root);
  }
  return { folderId: readFolderId(root)!, isNew };
}

/**
 * Locks the root against other runs on this machine; see {@linkcode lockFolder}.
 *
 * @throws {StoreError} `locked` with the holder's process id and what it does.
 */
export async function lockRoot(root: Root, options: FolderLockOptions): Promise<FolderLock> {
  makeOwnDir(root, ownPath());
  const lock = ownPath("lock");
  const there = root.lstat(lock)?.kind;
  if (there !== undefined && there !== "file") {
    throw new StoreError("not_regular", actionOn("use", lock));
  }
  return await lockFolder(`${root.path}/${lock}`, options);
}

/**
 * Removes what dead processes left in `.landropic/tmp`: at once where the owner's lock says so, else
 * when it is {@linkcode ORPHAN_AGE_MS} old.
 *
 * @param nowMs The wall clock.
 * @returns How many names were removed.
 */
export function sweepTemporary(root: Root, nowMs: number): number {
  if (root.lstat(TMP_FOLDER)?.kind !== "dir") return 0;
  const { entries } = root.list(TMP_FOLDER);
  const owners = new Map<string, boolean>();
  for (const { name } of entries) {
    if (name?.endsWith(OWNER_SUFFIX)) {
      const owner = name.slice(0, -OWNER_SUFFIX.length);
      owners.set(owner, isDead(`${root.path}/${TMP_FOLDER}/${name}`));
    }
  }
  let removed = 0;
  for (const { name, kind, ctimeMs } of entries) {
    if (name === undefined) continue;
    const owner = name.endsWith(OWNER_SUFFIX)
      ? name.slice(0, -OWNER_SUFFIX.length)
      : name.slice(0, Math.max(0, name.indexOf("-")));
    // The time of the last rename or write; the file's own time is the one it will have later.
    const dead = owners.get(owner) ?? nowMs - ctimeMs > ORPHAN_AGE_MS;
    if (dead && removeAny(root, ownPath("tmp", name), kind === "dir")) removed++;
  }
  return removed;
}

/** Flushes what changed since `beginChanges`. */
export async function flushTouched(root: Root): Promise<void> {
  const touched = root.endChanges();
  using _ = touched;
  await touched.flush();
}

/** True if nobody holds the owner's lock any more. */
function isDead(path: string): boolean {
  try {
    const file = Deno.openSync(path, { write: true });
    using _ = file;
    return file.tryLockSync(true);
  } catch {
    // Not ours to open, or no locks here.
    return false;
  }
}

function removeAny(root: Root, path: RelPath, isDir: boolean): boolean {
  try {
    if (isDir) return removeTree(root, path);
    root.removeFile(path);
    return true;
  } catch (error) {
    if (error instanceof StoreError) return false;
    throw error;
  }
}
