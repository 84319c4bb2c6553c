import { delay } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { StoreError } from "./store_error.ts";

/** Pause between two tries to get a lock. */
const RETRY_MS = 50;
/** A holder's description is cut to this. */
const DESCRIPTION_CHARACTERS_MAX = 200;

/** What {@linkcode lockFolder} takes. */
export interface FolderLockOptions {
  /** Shared locks get along with each other, an exclusive one with none. */
  readonly mode: "shared" | "exclusive";
  /** What the holder does, for the message the others get: `sync with "laptop"`. */
  readonly activity: string;
  /** What is locked, for that message; the lock file if left out. */
  readonly folder?: string;
  /** How long to wait for it; 0, or left out, tries once. */
  readonly waitMs?: number;
  /** Ends the wait. */
  readonly signal?: AbortSignal;
}

/** A lock on a folder, held until it is disposed or the process ends, however it ends. */
export class FolderLock implements Disposable {
  #file: Deno.FsFile | undefined;

  /** Takes over the locked file. */
  constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  /** False once disposed. */
  get held(): boolean {
    return this.#file !== undefined;
  }

  [Symbol.dispose](): void {
    // The file stays: removing it would let a second process lock a new file of the same name while
    // a third still waits for this one.
    this.#file?.close();
    this.#file = undefined;
  }
}

/**
 * Locks a folder by a file, with the system's advisory locks (`flock`, `LockFileEx`): nothing is left
 * behind by a process that was killed.
 *
 * @param lockFile Path of the lock file; created if missing. Its text names the last holder.
 * @throws {StoreError} `locked`, code "locked", naming the holder; or the signal's reason.
 */
export async function lockFolder(
  lockFile: string,
  options: FolderLockOptions,
): Promise<FolderLock> {
  options.signal?.throwIfAborted();
  const file = openLockFile(lockFile);
  try {
    const deadline = performance.now() + (options.waitMs ?? 0);
    while (!file.tryLockSync(options.mode === "exclusive")) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw lockedError(lockFile, options.folder);
      await delay(Math.min(RETRY_MS, leftMs), options.signal);
    }
    describeHolder(file, options.activity);
    return new FolderLock(file);
  } catch (error) {
    file.close();
    throw error;
  }
}

function openLockFile(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 });
  } catch (error) {
    throw new StoreError("io", `Cannot open lock ${JSON.stringify(path)}`, {
      detail: messageOf(error),
      cause: error,
    });
  }
}

/** For people only; the lock itself is the system's. With shared locks the last one writes. */
function describeHolder(file: Deno.FsFile, activity: string): void {
  const line = `${Deno.pid} ${
    activity.replace(/\s+/g, " ").slice(0, DESCRIPTION_CHARACTERS_MAX)
  }\n`;
  file.truncateSync(0);
  file.seekSync(0, Deno.SeekMode.Start);
  file.writeSync(new TextEncoder().encode(line));
}

function lockedError(path: string, folder: string | undefined): StoreError {
  const holder = readHolder(path);
  const what = folder === undefined ? JSON.stringify(path) : `folder ${JSON.stringify(folder)}`;
  return new StoreError("locked", `Cannot lock ${what}`, {
    detail: holder === undefined
      ? "another process holds it"
      : `process ${holder.pid} holds it (${holder.activity})`,
    hint: "Wait until it has finished, or give it time with --lock-wait.",
  });
}

/** Who took the lock last, as it says itself. */
export function readHolder(path: string): { pid: number; activity: string } | undefined {
  try {
    const match = /^(\d{1,10}) (.*)\n$/.exec(Deno.readTextFileSync(path));
    if (match === null) return undefined;
    // deno-lint-ignore no-control-regex
    const activity = match[2]!.replace(/[\u0000-\u001f\u007f-\u009f]/g, "?");
    return { pid: Number(match[1]), activity };
  } catch {
    // Windows lets nobody read a locked file.
    return undefined;
  }
}
