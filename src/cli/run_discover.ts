import type { DiscoverCommand } from "./commands/discover.ts";
import type { CliContext } from "./handlers.ts";
import { formatPeerAddress } from "../identity/mod.ts";
import { withOrchestrator } from "./with_orchestrator.ts";

/** Lists devices that announce themselves on the local network. */
export async function runDiscover(command: DiscoverCommand, context: CliContext): Promise<void> {
  const { reporter, signal } = context;
  const { nearbyDevices } = await import("../orchestrator/diagnose/mod.ts");
  await withOrchestrator(context, async (orchestrator) => {
    const { timeoutMs } = command;
    let count = 0;
    for await (const device of nearbyDevices(orchestrator, { timeoutMs, signal })) {
      count++;
      const { entry, idPrefix, addresses, slot } = device;
      reporter.emit({
        event: "device",
        name: entry?.alias ?? "",
        id: idPrefix,
        address: formatPeerAddress(addresses[0]!),
        trusted: entry !== undefined,
        ...(slot !== undefined && { slot }),
      });
    }
    if (count === 0) {
      reporter.note("nobody announces itself: devices do while they run `serve` or `pair`");
    }
  });
}
