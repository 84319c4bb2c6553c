import { join } from "../base/system_path.ts";
import type { Orchestrator } from "../orchestrator/mod.ts";
import type { PeerProbe, StatusCommand } from "./commands/diagnose.ts";
import type { CliContext } from "./handlers.ts";
import { hostOf } from "./run_peers.ts";
import { withOrchestrator } from "./with_orchestrator.ts";

/** Shows this device, or the connection with a peer. */
export async function runStatus(command: StatusCommand, context: CliContext): Promise<void> {
  const { discovery, probe, timeoutMs } = command;
  await withOrchestrator(context, async (orchestrator) => {
    if (probe) await showPeer(orchestrator, { ...probe, timeoutMs }, context);
    else await showDevice(orchestrator, context);
  }, { discovery });
}

async function showDevice(
  { identity, deviceName, trust }: Orchestrator,
  { reporter, paths: { configDir, stateDir } }: CliContext,
): Promise<void> {
  reporter.emit({
    event: "status",
    id: identity.id,
    name: deviceName,
    configDir,
    stateDir,
    indexBytes: await sizeOf(join(stateDir, "index.db")),
    peers: trust.list().length,
  });
}

async function showPeer(
  orchestrator: Orchestrator,
  { peer, address, timeoutMs }: PeerProbe & { timeoutMs: number },
  { reporter, signal }: CliContext,
): Promise<void> {
  const { reportPeer } = await import("../orchestrator/diagnose/mod.ts");
  const report = await reportPeer(orchestrator, orchestrator.trust.resolve(peer), {
    address: address && hostOf(address),
    timeoutMs,
    signal,
  });
  reporter.emit({
    event: "peer-status",
    peer: report.entry.alias,
    id: report.entry.id,
    address: report.address,
    rttMs: report.rttMs,
    pathMtu: report.stats.datagramBytes,
    packetsSent: report.stats.sentPackets,
    packetsLost: report.stats.lostPackets,
    shares: report.shares.map(({ name, writable }) => ({
      name,
      access: writable ? "read-write" : "read",
    })),
  });
}

/** Bytes of a database with what SQLite keeps beside it; 0 where there is none yet. */
async function sizeOf(path: string): Promise<number> {
  let bytes = 0;
  for (const file of [path, `${path}-wal`, `${path}-shm`]) {
    try {
      bytes += (await Deno.stat(file)).size;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return bytes;
}
