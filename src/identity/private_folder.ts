import type { Bytes } from "../base/bytes.ts";
import { delay, systemClock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { type Logger, silentLogger } from "../base/log.ts";
import { basename, dirname, join } from "../base/system_path.ts";
import { IdentityError } from "./identity_error.ts";

/** How long one process waits for another that is writing into the same folder. */
export const LOCK_WAIT_MS = 10_000;

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
/** Permission bits of everyone but the owner. */
const OTHERS = 0o077;
const STICKY = 0o1000;
const LOCK_RETRY_MS = 10;
const LOCK_FILE = "identity.lock";
/** The files that prove a folder to be landropic's own. */
const OWN_FILES = [LOCK_FILE, "device.pem", "device.json", "peers.json", "config.json"];
const TEMPORARY = /^\..+\.[0-9a-f]{16}\.tmp$/;
/** A temporary file this old has no writer any more, whatever the locks of its filesystem are worth. */
const TEMPORARY_AGE_MS = 60_000;

const hasModes = Deno.build.os !== "windows";

/**
 * Makes sure that the folder exists and is for its owner alone. A folder that others can enter is
 * closed if it is landropic's own, by its name, its files or by being empty; somebody else's folder
 * (`/`, `/tmp`, a home) is never touched.
 *
 * @throws {IdentityError} `folder_unusable`.
 */
export async function preparePrivateFolder(folder: string): Promise<void> {
  const info = await statOf(folder);
  if (info === undefined) return await createFolder(folder);
  if (!info.isDirectory) throw unusableFolder(folder, "it is not a folder");
  if (!hasModes || info.mode === null || (info.mode & OTHERS) === 0) return;
  const isOwn = (info.mode & STICKY) === 0 && await looksOwn(folder);
  if (!isOwn) {
    throw unusableFolder(folder, "other users can enter it", {
      // Never a ready-made chmod here: the folder may be "/".
      hint: "set LANDROPIC_HOME to an empty folder, or close this one to others if it is for " +
        "landropic alone",
    });
  }
  await Deno.chmod(folder, FOLDER_MODE).catch((error) => {
    throw unusableFolder(folder, "other users can enter it", {
      hint: `run "chmod 700 ${folder}" as its owner`,
      cause: error,
    });
  });
}

/** What {@linkcode readPrivateFile} needs to know. */
export interface PrivateFileOptions {
  /** Longer files are refused unread. */
  readonly bytesMax: number;
  /** Hears of permissions that had to be tightened. */
  readonly logger?: Logger;
}

/**
 * Reads a file that only its owner should be able to read, and takes the permissions of all others
 * away where they have any.
 *
 * @returns `undefined` if there is no such file.
 * @throws {IdentityError} `file_unusable`: not a regular file, too large, unreadable, open to others and
 * not ours to change.
 */
export async function readPrivateFile(
  path: string,
  { bytesMax, logger = silentLogger }: PrivateFileOptions,
): Promise<Bytes | undefined> {
  const info = await statOf(path);
  if (info === undefined) return undefined;
  // Checked before the open, which would wait for ever on a named pipe.
  if (!info.isFile) throw unusableFile(path, "it is not a regular file");
  if (info.size > bytesMax) throw unusableFile(path, `it has over ${bytesMax} bytes`);
  if (hasModes && info.mode !== null && (info.mode & OTHERS) !== 0) {
    await Deno.chmod(path, FILE_MODE).catch((error) => {
      throw unusableFile(path, "other users have access to it", {
        hint: `run "chmod 600 ${path}" as its owner`,
        cause: error,
      });
    });
    logger.log("warn", "other users had access to a private file; closed it", { path });
  }
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw unreadableFile(path, error);
  }
}

/**
 * Replaces or creates a file so that every reader, and a power cut, finds the old or the new contents
 * whole: temporary file, fsync, rename, fsync of the folder. Call it under {@linkcode withFolderLock}.
 *
 * @throws {IdentityError} `file_unusable`, with the old contents in place.
 */
export async function replacePrivateFile(path: string, bytes: Uint8Array): Promise<void> {
  await withTemporary(path, bytes, async (temporary) => {
    await Deno.rename(temporary, path);
  });
}

/**
 * Creates a file with its contents at once, unless the name is taken: whoever comes second gets
 * `false` and finds the whole file of the first. Call it under {@linkcode withFolderLock}; it holds
 * without the lock too, wherever the filesystem knows hard links.
 *
 * @throws {IdentityError} `file_unusable`.
 */
export async function createPrivateFile(path: string, bytes: Uint8Array): Promise<boolean> {
  return await withTemporary(path, bytes, async (temporary) => {
    try {
      // Unlike rename, link never replaces.
      await Deno.link(temporary, path);
      return true;
    } catch (error) {
      if (await isTaken(path)) return false;
      if (error instanceof Deno.errors.NotFound) throw error;
    }
    // No hard links here (FAT, some network filesystems): the lock alone keeps the others out.
    await Deno.rename(temporary, path);
    return true;
  });
}

/** Renames a private file over another, durably. Call it under {@linkcode withFolderLock}. */
export async function movePrivateFile(from: string, to: string): Promise<void> {
  try {
    await Deno.rename(from, to);
    await syncFolder(dirname(to));
  } catch (error) {
    throw unusableFile(from, messageOf(error), { cause: error });
  }
}

/**
 * Runs `body` while no other process and no other call does so for this folder. The system lets go of
 * the lock if the process dies. Not reentrant.
 *
 * @throws {IdentityError} `locked` after {@linkcode LOCK_WAIT_MS}, `folder_unusable`, and what `body` throws.
 */
export async function withFolderLock<T>(folder: string, body: () => Promise<T>): Promise<T> {
  using lock = await openLock(folder);
  const deadlineMs = systemClock.nowMs() + LOCK_WAIT_MS;
  while (!await lock.tryLock(true)) {
    if (systemClock.nowMs() > deadlineMs) {
      throw new IdentityError(
        "locked",
        `Cannot write to ${folder}: another landropic is busy there`,
        {
          hint: "end the other one, or try again in a moment",
        },
      );
    }
    await delay(LOCK_RETRY_MS);
  }
  await removeOrphans(folder);
  return await body();
}

async function createFolder(folder: string): Promise<void> {
  try {
    await Deno.mkdir(folder, { recursive: true, mode: FOLDER_MODE });
    await syncFolder(dirname(folder));
  } catch (error) {
    throw unusableFolder(folder, messageOf(error), {
      hint: "set LANDROPIC_HOME to a folder that you may write to",
      cause: error,
    });
  }
}

async function looksOwn(folder: string): Promise<boolean> {
  if (/^\.?landropic$/.test(basename(folder))) return true;
  let isEmpty = true;
  try {
    for await (const { name } of Deno.readDir(folder)) {
      if (OWN_FILES.includes(name)) return true;
      isEmpty = false;
    }
  } catch (error) {
    throw unusableFolder(folder, messageOf(error), { cause: error });
  }
  return isEmpty;
}

async function withTemporary<T>(
  path: string,
  bytes: Uint8Array,
  publish: (temporary: string) => Promise<T>,
): Promise<T> {
  const random = crypto.getRandomValues(new Uint8Array(8)).toHex();
  const temporary = join(dirname(path), `.${basename(path)}.${random}.tmp`);
  try {
    await writeSynced(temporary, bytes);
    const result = await publish(temporary);
    await syncFolder(dirname(path));
    return result;
  } catch (error) {
    throw unusableFile(path, messageOf(error), { cause: error });
  } finally {
    // Already gone after a rename.
    await Deno.remove(temporary).catch(() => {});
  }
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true, mode: FILE_MODE });
  for (let written = 0; written < bytes.length;) {
    written += await file.write(bytes.subarray(written));
  }
  await file.sync();
}

/** Makes the names in a folder durable; Windows has no such call. */
async function syncFolder(folder: string): Promise<void> {
  if (!hasModes) return;
  const directory = await Deno.open(folder, { read: true });
  using _ = directory;
  await directory.sync();
}

async function openLock(folder: string): Promise<Deno.FsFile> {
  try {
    const path = join(folder, LOCK_FILE);
    return await Deno.open(path, { read: true, write: true, create: true, mode: FILE_MODE });
  } catch (error) {
    throw unusableFolder(folder, messageOf(error), {
      hint: "set LANDROPIC_HOME to a folder that you may write to",
      cause: error,
    });
  }
}

/** Removes what a process left behind that died while writing: it may hold a private key. */
async function removeOrphans(folder: string): Promise<void> {
  for await (const { name } of Deno.readDir(folder)) {
    if (!TEMPORARY.test(name)) continue;
    const path = join(folder, name);
    const modifiedMs = (await statOf(path))?.mtime?.getTime() ?? Infinity;
    if (modifiedMs + TEMPORARY_AGE_MS < systemClock.wallMs()) {
      await Deno.remove(path).catch(() => {});
    }
  }
}

async function statOf(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw unreadableFile(path, error);
  }
}

async function isTaken(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

function unreadableFile(path: string, cause: unknown): IdentityError {
  const isDenied = cause instanceof Deno.errors.PermissionDenied;
  return unusableFile(path, messageOf(cause), {
    ...(isDenied &&
      { hint: "it belongs to another user; set LANDROPIC_HOME to a folder of yours" }),
    cause,
  });
}

function unusableFolder(
  folder: string,
  why: string,
  details: { readonly hint?: string; readonly cause?: unknown } = {},
): IdentityError {
  return new IdentityError("folder_unusable", `Cannot use the folder ${folder}: ${why}`, details);
}

function unusableFile(
  path: string,
  why: string,
  details: { readonly hint?: string; readonly cause?: unknown } = {},
): IdentityError {
  const hint = details.hint ?? hintFor(details.cause);
  return new IdentityError("file_unusable", `Cannot use the file ${path}: ${why}`, {
    ...details,
    ...(hint !== undefined && { hint }),
  });
}

/** What helps against failures that say nothing of landropic. */
function hintFor(cause: unknown): string | undefined {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return "free space on the disk that holds landropic's state";
    case "EROFS":
    case "EACCES":
      return "set LANDROPIC_HOME to a folder this user can write to";
    default:
      return undefined;
  }
}
