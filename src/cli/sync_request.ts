/** What `sync` asks of the orchestrator, and how what it hears becomes events. */
import type { SyncRunOptions } from "../orchestrator/mod.ts";
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
