import { runWatch as watch, type WatchObserver } from "../orchestrator/mod.ts";
import type { SyncCommand } from "./commands/sync.ts";
import type { CliContext } from "./handlers.ts";
import { hostOf } from "./run_peers.ts";
import { syncOptionsOf } from "./sync_request.ts";
import { withOrchestrator } from "./with_orchestrator.ts";

/** Syncs one folder with a peer whenever either side changes, until it is stopped. */
export async function runWatch(
  command: SyncCommand,
  peer: string,
  context: CliContext,
): Promise<void> {
  const { observer, ...options } = await syncOptionsOf(command, context);
  try {
    await withOrchestrator(
      context,
      (orchestrator) =>
        watch(orchestrator, orchestrator.trust.resolve(peer), {
          ...options,
          address: command.address && hostOf(command.address),
          observer: { ...observer, ...watchEvents(context, observer.connected) },
          onFailure: ({ changed: _, ...done }) =>
            context.reporter.handleUnfinished({ event: "summary", ...done }),
        }),
      { discovery: command.discovery },
    );
  } catch (error) {
    // Being stopped is how a watch ends.
    if (!context.signal.aborted) throw error;
  }
}

function watchEvents(
  { reporter }: CliContext,
  connected: WatchObserver["connected"],
): Pick<WatchObserver, "connected" | "disconnected" | "round"> {
  let isLost = false;
  let isFirst = true;
  return {
    connected: (peer) => {
      connected(peer);
      if (isLost) reporter.note(`"${peer.peer}" is back.`);
      isLost = false;
    },
    disconnected: (loss) => {
      isLost = true;
      reporter.emit({ event: "disconnected", ...loss });
    },
    round: ({ changed: _, ...fields }) => {
      reporter.emit({ event: "summary", ...fields });
      if (isFirst) reporter.note("Watching for changes on both sides; Ctrl-C ends it.");
      isFirst = false;
      // A script reads along.
      reporter.flush();
    },
  };
}
