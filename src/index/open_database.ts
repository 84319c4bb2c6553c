import { type Clock, delay, systemClock } from "../base/clock.ts";
import { LandropicError, messageOf } from "../base/errors.ts";
import { type Logger, silentLogger } from "../base/log.ts";
import { damageMarkerOf, Database } from "./database.ts";
import { IndexError, type IndexReason } from "./index_error.ts";
import { migrate } from "./schema.ts";

/** How to open the database file. */
export interface OpenDatabaseOptions {
  readonly logger?: Logger;
  readonly clock?: Clock;
  /** How long to wait for other processes, in milliseconds. */
  readonly busyTimeoutMs?: number;
}

/** How long to wait for another process unless told otherwise. */
export const BUSY_TIMEOUT_MS = 10_000;

/** Damaged files that are kept for somebody to look at; older ones are removed. */
export const DAMAGED_KEPT_MAX = 3;

const LOCK_POLL_MS = 10;

/**
 * Opens the file, makes it where there is none, and brings it to the current schema. A damaged file is
 * renamed to `<path>.corrupt-<time>` and a fresh one made: what is lost can be found again by reading
 * the folders, and without remembered ancestors nothing is ever deleted.
 *
 * All of that happens under a lock (`<path>.lock`), so that of two processes which find the damage the
 * second does not set the first one's fresh file aside.
 *
 * @throws {IndexError} `newer`, `busy`, `full` or `unusable`.
 */
export async function openDatabase(
  path: string,
  options: OpenDatabaseOptions = {},
): Promise<Database> {
  const { logger = silentLogger, clock = systemClock, busyTimeoutMs = BUSY_TIMEOUT_MS } = options;
  // Not imported above: a command that needs no index should not pay for loading it.
  const sqlite = await import("node:sqlite");
  const open = () => {
    createPrivate(path);
    const database = new Database(sqlite, path, { busyTimeoutMs });
    try {
      migrate(database);
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  };
  try {
    using _lock = await lockFile(`${path}.lock`, clock, busyTimeoutMs);
    if (exists(damageMarkerOf(path))) setAside(path, clock, logger, "it was found damaged");
    try {
      return open();
    } catch (error) {
      if (!(error instanceof IndexError) || error.reason !== "corrupt") throw error;
      setAside(path, clock, logger, messageOf(error.cause ?? error));
      return open();
    }
  } catch (error) {
    const reason = reasonOfSystem(error);
    if (reason === undefined) throw error;
    throw new IndexError(reason, `Cannot open index ${path}: ${messageOf(error)}`, error);
  }
}

/** What a failure of the file system means; those without a class of their own have a code alone. */
function reasonOfSystem(error: unknown): IndexReason | undefined {
  if (!(error instanceof Error) || error instanceof LandropicError) return undefined;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (code === "ENOSPC" || code === "EDQUOT") return "full";
  return error.name in Deno.errors || /^E[A-Z]+$/.test(code) ? "unusable" : undefined;
}

/** Renames the damaged database with its log, and keeps only the latest few of such files. */
function setAside(path: string, clock: Clock, logger: Logger, reason: string): void {
  const time = new Date(clock.wallMs()).toISOString().replace(/[-:]/g, "").replace(/\.\d+/, "");
  let kept = `${path}.corrupt-${time}`;
  for (let n = 2; exists(kept); n++) kept = `${path}.corrupt-${time}-${n}`;
  renameIfThere(path, kept);
  // A log left behind would be taken for the fresh file's own.
  renameIfThere(`${path}-wal`, `${kept}-wal`);
  removeIfThere(`${path}-shm`);
  removeIfThere(damageMarkerOf(path));
  logger.log("warn", "The index was damaged and is made anew; nothing will be deleted for it", {
    reason,
    kept,
  });
  for (const old of damagedFiles(path).slice(0, -DAMAGED_KEPT_MAX)) {
    removeIfThere(old);
    removeIfThere(`${old}-wal`);
  }
}

/** The damaged databases set aside so far, oldest first. */
function damagedFiles(path: string): string[] {
  const slash = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  const folder = path.slice(0, slash + 1);
  const prefix = `${path.slice(slash + 1)}.corrupt-`;
  const found: string[] = [];
  for (const entry of Deno.readDirSync(folder === "" ? "." : folder)) {
    if (entry.name.startsWith(prefix) && !entry.name.endsWith("-wal")) {
      found.push(folder + entry.name);
    }
  }
  return found.sort();
}

/** Takes an exclusive lock between processes; the system lets go of it if this one dies. */
async function lockFile(path: string, clock: Clock, timeoutMs: number): Promise<Disposable> {
  const file = await Deno.open(path, { create: true, write: true, mode: 0o600 });
  const deadlineMs = clock.nowMs() + timeoutMs;
  try {
    while (!file.tryLockSync(true)) {
      if (clock.nowMs() >= deadlineMs) {
        throw new IndexError("busy", `Cannot open index: ${path} is locked by another process`);
      }
      await delay(LOCK_POLL_MS);
    }
  } catch (error) {
    file.close();
    throw error;
  }
  return { [Symbol.dispose]: () => file.close() };
}

/** SQLite would make the file readable for everybody; its log gets the mode of the file. */
function createPrivate(path: string): void {
  try {
    Deno.openSync(path, { createNew: true, write: true, mode: 0o600 }).close();
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function renameIfThere(from: string, to: string): void {
  if (exists(from)) Deno.renameSync(from, to);
}

function removeIfThere(path: string): void {
  if (exists(path)) Deno.removeSync(path);
}
