import type { TrustEntry } from "../../identity/mod.ts";
import type { ShareInfo } from "../../protocol/mod.ts";
import { type ConnectionStats, formatHostPort } from "../../quic/mod.ts";
import { type ReachOptions, reachPeer } from "../dialer.ts";
import type { Orchestrator } from "../orchestrator.ts";
import { PeerVisit } from "../peer_visit.ts";
import { explainRefusal } from "../refusal.ts";

/** Round trips measured; the quickest one counts, since the others waited for something. */
const PINGS = 5;

/** A peer, and the connection with it. */
export interface PeerReport {
  readonly entry: TrustEntry;
  /** `HOST:PORT`. */
  readonly address: string;
  /** Through both devices' programs. */
  readonly rttMs: number;
  readonly stats: ConnectionStats;
  /** What the peer lets this device use. */
  readonly shares: readonly ShareInfo[];
}

/** Connects with a peer, looks, and leaves. @throws as `reachPeer()`. */
export async function reportPeer(
  orchestrator: Orchestrator,
  entry: TrustEntry,
  { answerMs, ...options }: Pick<ReachOptions, "address" | "timeoutMs" | "signal"> & {
    /** For tests. */
    readonly answerMs?: number;
  },
): Promise<PeerReport> {
  const reach = { ...options, retries: 0, waitMs: 0 };
  const connection = await reachPeer(orchestrator, entry, reach);
  try {
    await using visit = await PeerVisit.open(orchestrator, entry, connection, answerMs);
    const shares = await visit.shares();
    let rttMs = Infinity;
    for (let i = 0; i < PINGS; i++) rttMs = Math.min(rttMs, await visit.ping());
    const address = formatHostPort(connection.remoteAddress);
    return { entry, address, rttMs, stats: connection.stats(), shares };
  } catch (error) {
    throw explainRefusal(orchestrator, entry, error);
  }
}
