import { LandropicError } from "../base/errors.ts";
import type { DoctorCommand } from "./commands/diagnose.ts";
import type { CliContext } from "./handlers.ts";
import { hostOf } from "./run_peers.ts";
import { formatCount } from "./units.ts";
import { PORT_DEFAULT } from "./values/host_port.ts";
import { withOrchestrator } from "./with_orchestrator.ts";

/** Checks what syncing needs, one line a check; fails if a check did. */
export async function runDoctor(command: DoctorCommand, context: CliContext): Promise<void> {
  const { reporter, signal } = context;
  const { discovery, probe, timeoutMs } = command;
  const { checkDevice, checkNetwork, checkPeer } = await import("../orchestrator/diagnose/mod.ts");
  let failed = 0;
  await withOrchestrator(context, async (orchestrator) => {
    const entry = probe && orchestrator.trust.resolve(probe.peer);
    const checks = [
      checkDevice(orchestrator),
      checkNetwork(orchestrator, { servePort: PORT_DEFAULT, discovery }),
    ];
    if (entry) {
      const address = probe.address && hostOf(probe.address);
      checks.push(checkPeer(orchestrator, entry, { address, timeoutMs, discovery, signal }));
    }
    for (const some of checks) {
      for await (const { name, ok, message, hint } of some) {
        signal.throwIfAborted();
        if (!ok) failed++;
        reporter.emit({ event: "check", name, ok, message, hint: hint ?? null });
      }
    }
  }, { discovery });
  if (failed > 0) {
    throw new LandropicError("failed", `${formatCount(failed, "check")} failed`);
  }
}
