/** What `sync` asks of the orchestrator, and how what it hears becomes events. */
import { LandropicError } from "../base/errors.ts";
import type { SyncRunOptions, SyncRunSummary } from "../orchestrator/mod.ts";
import type { SyncRequest } from "../sync/mod.ts";
import type { SyncCommand } from "./commands/sync.ts";
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
 */
export async function syncOptionsOf(
  command: SyncCommand,
  context: CliContext,
  request?: SyncRequest,
): Promise<Omit<SyncRunOptions, "address">> {
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
  if (errors > 0) return new LandropicError("partial", `${errors} paths could not be synced`);
  if (conflicts > 0) {
    const why = `${conflicts} conflicts are left; both versions are kept`;
    return new LandropicError("conflicts", why);
  }
  return undefined;
}

/** Passes on everything a run tells as events. */
export function syncObserverOf({ reporter }: CliContext): SyncRunOptions["observer"] {
  return {
    connected: (event) => reporter.emit({ event: "connected", ...event }),
    plan: (event) => reporter.emit({ event: "plan", ...event }),
    item: ({ operation: _, ...item }) => reporter.emit({ event: "item", ...item }),
    conflict: (event) => reporter.emit({ event: "conflict", ...event }),
    fileError: ({ path, pathBytes, code, message }) => {
      reporter.emit({ event: "file-error", path: pathBytes ?? path, code, message });
    },
    progress: (event) => reporter.emit({ event: "progress", ...event }),
  };
}
