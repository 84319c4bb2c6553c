import { runSync as runOneSync } from "../orchestrator/mod.ts";
import type { SyncCommand } from "./commands/sync.ts";
import type { CliContext } from "./handlers.ts";
import { hostOf } from "./run_peers.ts";
import { shortfallOf, syncOptionsOf } from "./sync_request.ts";
import { withOrchestrator } from "./with_orchestrator.ts";

/** Syncs one folder with a peer, once or as long as it changes, or with all of them. */
export async function runSync(command: SyncCommand, context: CliContext): Promise<void> {
  const { target, discovery } = command;
  if (target.kind === "all") {
    const { runSyncAll } = await import("./run_sync_all.ts");
    return await runSyncAll(command, context);
  }
  if (command.watch) {
    const { runWatch } = await import("./run_watch.ts");
    return await runWatch(command, target.peer, context);
  }
  const options = await syncOptionsOf(command, context);
  const summary = await withOrchestrator(
    context,
    (orchestrator) =>
      runOneSync(orchestrator, orchestrator.trust.resolve(target.peer), {
        ...options,
        address: command.address && hostOf(command.address),
        onFailure: ({ changed: _, ...done }) =>
          context.reporter.handleUnfinished({ event: "summary", ...done }),
      }),
    { discovery },
  );
  const { changed: _, ...fields } = summary;
  context.reporter.emit({ event: "summary", ...fields });
  const shortfall = shortfallOf(summary);
  if (shortfall) throw shortfall;
}
