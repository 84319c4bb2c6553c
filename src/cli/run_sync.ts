import { LandropicError } from "../base/errors.ts";
import { runSync as runOneSync } from "../orchestrator/mod.ts";
import type { SyncCommand } from "./commands/sync.ts";
import type { CliContext } from "./handlers.ts";
import { hostOf } from "./run_peers.ts";
import { syncObserverOf, syncRequestOf } from "./sync_request.ts";
import { withOrchestrator } from "./with_orchestrator.ts";

/** Syncs one folder with a peer, once. */
export async function runSync(command: SyncCommand, context: CliContext): Promise<void> {
  const { reporter, signal } = context;
  const { target } = command;
  if (target.kind === "all") throw new LandropicError("failed", "--all is not there yet");
  const request = await syncRequestOf(command, context);
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
        request,
        observer: syncObserverOf(context),
      }),
    { discovery: command.discovery },
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
