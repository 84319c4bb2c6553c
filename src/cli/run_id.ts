import { networkInterfaces } from "node:os";
import { toHex } from "../base/bytes.ts";
import { beginRotation, formatPeerAddress, loadNextIdentity } from "../identity/mod.ts";
import type { IdCommand } from "./commands/id.ts";
import type { CliContext } from "./handlers.ts";
import { rfc3339 } from "./units.ts";
import { PORT_DEFAULT } from "./values/host_port.ts";
import { withOrchestrator } from "./with_orchestrator.ts";

/** Prints who this device is, and who it will be where its key changes. */
export async function runId({ rotate }: IdCommand, context: CliContext): Promise<void> {
  const { paths: { configDir: folder }, clock, logger, reporter } = context;
  await withOrchestrator(context, async ({ identity, deviceName }) => {
    const options = { folder, clock, logger };
    const next = rotate ? await beginRotation(options) : await loadNextIdentity(options);
    reporter.emit({
      event: "id",
      id: identity.id,
      name: deviceName,
      fingerprint: toHex(identity.fingerprint),
      addresses: ownAddresses(),
      ...(next && { nextId: next.identity.id, nextFrom: rfc3339(next.switchAtMs) }),
    });
  });
}

/** Where `serve` would be reachable with its default port; loopback and link-local left out. */
function ownAddresses(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses
    .filter(({ internal, address }) => !internal && !address.startsWith("fe80:"))
    .map(({ address }) => formatPeerAddress({ host: address, port: PORT_DEFAULT }));
}
