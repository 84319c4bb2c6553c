import { UsageError } from "../base/errors.ts";
import {
  DeviceIdError,
  fingerprintOf,
  formatPeerAddress,
  parseDeviceId,
  type TrustEntry,
} from "../identity/mod.ts";
import type {
  PeersListCommand,
  PeersRemoveCommand,
  PeersRenameCommand,
  PeersTrustCommand,
} from "./commands/peers.ts";
import type { CliContext } from "./handlers.ts";
import { withOrchestrator } from "./with_orchestrator.ts";

/** Lists the trusted peers, and which of them are there now. */
export async function runPeersList(command: PeersListCommand, context: CliContext): Promise<void> {
  const { onlinePeers } = await import("../orchestrator/diagnose/mod.ts");
  await withOrchestrator(context, async (orchestrator) => {
    const entries = orchestrator.trust.list();
    const online = await onlinePeers(orchestrator, context.signal);
    for (const entry of entries) emitPeer(context, entry, online.get(entry.id));
    if (entries.length === 0) {
      context.reporter.note(
        "no peers yet: pair with one by `landropic pair`, or `landropic peers trust`",
      );
    }
  }, { discovery: command.discovery });
}

/** Trusts a device by its id. */
export async function runPeersTrust(
  command: PeersTrustCommand,
  context: CliContext,
): Promise<void> {
  const { deviceId, name, address } = command;
  const fingerprint = fingerprintOf(checkedId(deviceId));
  await withOrchestrator(context, async ({ trust, identity }) => {
    if (identity.id === parseDeviceId(deviceId)) {
      throw new UsageError(
        "That is this device's own id",
        "run `landropic id` on the other device",
      );
    }
    const entry = await trust.trust({
      fingerprint,
      method: "id",
      ...(name !== undefined && { alias: name }),
      ...(address && { address: formatPeerAddress(hostOf(address)) }),
    });
    emitPeer(context, entry);
  });
}

/** Ends the trust in a peer. */
export async function runPeersRemove(
  command: PeersRemoveCommand,
  context: CliContext,
): Promise<void> {
  await withOrchestrator(context, async ({ trust }) => {
    const entry = await trust.remove(command.peer);
    context.reporter.note(`"${entry.alias}" is no longer trusted`);
  });
}

/** Changes what a peer is called here. */
export async function runPeersRename(
  command: PeersRenameCommand,
  context: CliContext,
): Promise<void> {
  await withOrchestrator(context, async ({ trust }) => {
    emitPeer(context, await trust.rename(command.peer, command.name));
  });
}

/** @param onlineAt Where it was found just now. */
function emitPeer(context: CliContext, entry: TrustEntry, onlineAt?: string): void {
  context.reporter.emit({
    event: "peer",
    name: entry.alias,
    id: entry.id,
    address: onlineAt ?? entry.addresses[0] ?? null,
    lastSeen: entry.lastSeenMs === undefined ? null : new Date(entry.lastSeenMs).toISOString(),
    online: onlineAt !== undefined,
  });
}

function checkedId(text: string): ReturnType<typeof parseDeviceId> {
  try {
    return parseDeviceId(text);
  } catch (error) {
    if (error instanceof DeviceIdError) throw new UsageError(error.message, error.hint, error);
    throw error;
  }
}

/** The host as sockets take it, zone included. */
export function hostOf(address: { host: string; zone: string | undefined; port: number }): {
  host: string;
  port: number;
} {
  const { host, zone, port } = address;
  return { host: zone === undefined ? host : `${host}%${zone}`, port };
}
