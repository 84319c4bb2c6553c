import { LandropicError } from "../base/errors.ts";
import { runSync as runOneSync } from "../orchestrator/mod.ts";
import type { SyncCommand } from "./commands/sync.ts";
import { toIgnoreLines } from "./filter_rules.ts";
import type { CliContext } from "./handlers.ts";
import { hostOf } from "./run_peers.ts";
import { withOrchestrator } from "./with_orchestrator.ts";

/** Syncs one folder with a peer, once. */
export async function runSync(command: SyncCommand, context: CliContext): Promise<void> {
  const { reporter, stdin, signal, run } = context;
  const { target } = command;
  if (target.kind === "all") throw new LandropicError("failed", "--all is not there yet");
  const filters = await toIgnoreLines(
    command.filters,
    (file) => file === "-" ? stdin.readAll() : Deno.readTextFile(file),
  );
  const summary = await withOrchestrator(
    context,
    (orchestrator) =>
      runOneSync(orchestrator, orchestrator.trust.resolve(target.peer), {
        address: command.address && hostOf(command.address),
        retries: command.retries,
        timeoutMs: command.timeoutMs,
        waitMs: command.waitMs,
        signal,
        dir: command.dir,
        lockWaitMs: command.lockWaitMs,
        request: {
          share: target.share ?? "",
          mode: command.direction === "both" ? "two-way" : command.direction,
          deleteExtra: command.deleteExtra,
          deleteLimit: command.maxDelete,
          dryRun: command.dryRun,
          checksum: command.checksum,
          versions: command.versions ?? 0,
          conflict: command.conflict,
          compress: command.compress,
          filters,
          run,
        },
        observer: {
          connected: (event) => reporter.emit({ event: "connected", ...event }),
          plan: (event) => reporter.emit({ event: "plan", ...event }),
          item: ({ operation: _, ...item }) => reporter.emit({ event: "item", ...item }),
          conflict: (event) => reporter.emit({ event: "conflict", ...event }),
          fileError: ({ path, pathBytes, code, message }) => {
            reporter.emit({ event: "file-error", path: pathBytes ?? path, code, message });
          },
          progress: (event) => reporter.emit({ event: "progress", ...event, rate: 0 }),
        },
      }),
  );
  const { changed: _, ...fields } = summary;
  reporter.emit({ event: "summary", ...fields });
  if (summary.errors > 0) {
    throw new LandropicError("partial", `${summary.errors} paths could not be synced`);
  }
  if (summary.conflicts > 0) {
    throw new LandropicError(
      "conflicts",
      `${summary.conflicts} conflicts are left; both versions are kept`,
    );
  }
}
