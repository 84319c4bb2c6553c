/** What `sync` asks of the orchestrator, and how what it hears becomes events. */
import { LandropicError } from "../base/errors.ts";
import { checkOwnFolder, type SyncRunOptions, type SyncRunSummary } from "../orchestrator/mod.ts";
import type { SyncRequest } from "../sync/mod.ts";
import type { SyncCommand } from "./commands/sync.ts";
import { formatCount } from "./units.ts";
import { toIgnoreLines } from "./filter_rules.ts";
import type { CliContext } from "./handlers.ts";

/**
 * The request that a command line makes of a session.
 *
 * @throws {LandropicError} if a file of filter rules can't be read.
 */
export async function syncRequestOf(
  command: SyncCommand,
  { stdin, run }: CliContext,
): Promise<SyncRequest> {
  const filters = await toIgnoreLines(
    command.filters,
    (file) => file === "-" ? stdin.readAll() : Deno.readTextFile(file),
  );
  return {
    share: command.target.kind === "peer" ? command.target.share ?? "" : "",
    mode: command.direction === "both" ? "two-way" : command.direction,
    deleteExtra: command.deleteExtra,
    deleteLimit: command.maxDelete,
    replaceAll: command.replaceAll,
    fillDisk: command.fillDisk,
    dryRun: command.dryRun,
    checksum: command.checksum,
    versions: command.versions ?? 0,
    conflict: command.conflict,
    compress: command.compress,
    rateLimit: command.rateLimit,
    filters,
    run,
  };
}

/**
 * Everything that a run of `sync` needs but the address of its peer.
 *
 * @param request Where it was made already: standard input is read only once.
 * @throws {StoreError} if there is no folder to sync: nobody should wait for a peer to learn that.
 */
export async function syncOptionsOf(
  command: SyncCommand,
  context: CliContext,
  request?: SyncRequest,
): Promise<Omit<SyncRunOptions, "address">> {
  checkOwnFolder(command.dir, { isMade: command.direction === "pull" });
  return {
    request: request ?? await syncRequestOf(command, context),
    retries: command.retries,
    timeoutMs: command.timeoutMs,
    waitMs: command.waitMs,
    signal: context.signal,
    dir: command.dir,
    lockWaitMs: command.lockWaitMs,
    connections: command.connections,
    observer: syncObserverOf(context),
  };
}

/** Why a sync that ran to its end was less than a success. */
export function shortfallOf({ errors, conflicts }: SyncRunSummary): LandropicError | undefined {
  if (errors > 0) {
    return new LandropicError("partial", `${formatCount(errors, "path")} could not be synced`);
  }
  if (conflicts > 0) {
    const why = `${formatCount(conflicts, "conflict")} to settle; both versions are kept`;
    return new LandropicError("conflicts", why);
  }
  return undefined;
}

/** Passes on everything a run tells as events. */
export function syncObserverOf({ reporter }: CliContext): SyncRunOptions["observer"] {
  return {
    connected: (event) => reporter.emit({ event: "connected", ...event }),
    plan: (event) => reporter.emit({ event: "plan", ...event }),
    item: ({ operation: _, pathBytes, ...item }) => {
      reporter.emit({ event: "item", ...item, path: pathBytes ?? item.path });
    },
    conflict: (event) => reporter.emit({ event: "conflict", ...event }),
    fileError: ({ path, pathBytes, code, message }) => {
      reporter.emit({ event: "file-error", path: pathBytes ?? path, code, message });
    },
    progress: (event) => reporter.emit({ event: "progress", ...event }),
  };
}
