import { runBench as measure } from "../orchestrator/mod.ts";
import type { BenchCommand } from "./commands/diagnose.ts";
import type { CliContext } from "./handlers.ts";
import { hostOf } from "./run_peers.ts";
import { withOrchestrator } from "./with_orchestrator.ts";

/** Measures the path to a peer. */
export async function runBench(command: BenchCommand, context: CliContext): Promise<void> {
  const { probe: { peer, address }, durationMs, timeoutMs, discovery } = command;
  const measures = await withOrchestrator(
    context,
    (orchestrator) =>
      measure(orchestrator, orchestrator.trust.resolve(peer), {
        address: address && hostOf(address),
        timeoutMs,
        retries: 0,
        waitMs: 0,
        durationMs,
        signal: context.signal,
      }),
    { discovery },
  );
  context.reporter.emit({ event: "bench", ...measures });
}
