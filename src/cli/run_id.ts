import { networkInterfaces } from "node:os";
import { toHex } from "../base/bytes.ts";
import { formatPeerAddress } from "../identity/mod.ts";
import type { IdCommand } from "./commands/id.ts";
import type { CliContext } from "./handlers.ts";
import { PORT_DEFAULT } from "./values/host_port.ts";
import { withOrchestrator } from "./with_orchestrator.ts";

/** Prints who this device is. */
export async function runId(_command: IdCommand, context: CliContext): Promise<void> {
  await withOrchestrator(context, ({ identity, deviceName }) => {
    context.reporter.emit({
      event: "id",
      id: identity.id,
      name: deviceName,
      fingerprint: toHex(identity.fingerprint),
      addresses: ownAddresses(),
    });
    return Promise.resolve();
  });
}

/** Where `serve` would be reachable with its default port; loopback and link-local left out. */
function ownAddresses(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses
    .filter(({ internal, address }) => !internal && !address.startsWith("fe80:"))
    .map(({ address }) => formatPeerAddress({ host: address, port: PORT_DEFAULT }));
}
