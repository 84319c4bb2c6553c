import type {
  ConnectionStates,
  EndpointCounters,
  QuicEndpoint,
  Traffic,
  UdpCounters,
} from "../../quic/mod.ts";
import type { LaneStats } from "../../sync/mod.ts";
import type { LaneThreads } from "../lanes/lane_threads.ts";
import type { ConnectionPool } from "../pool/connection_pool.ts";
import type { PoolCounters } from "../pool/pool_core.ts";
import type { ServeCounters, ServedSession, ShareServer } from "../share_server.ts";
import type { SessionCount, SessionSums, SessionTally } from "./session_tally.ts";

/** Where the metrics of a server come from. */
export interface VitalSources {
  readonly endpoint: Pick<
    QuicEndpoint,
    "counters" | "socketCounters" | "connectionStates" | "traffic"
  >;
  readonly server: Pick<ShareServer, "counters" | "visitors">;
  readonly pool: Pick<ConnectionPool, "counters" | "states">;
  readonly threads: Pick<LaneThreads, "running" | "traffic">;
  readonly sessions: SessionTally;
  /** Of this program. */
  readonly version: string;
}

/** A server at one moment; each number is read once, so that all metrics of a scrape agree. */
export interface Vitals {
  readonly version: string;
  readonly states: ConnectionStates;
  readonly endpoint: Readonly<EndpointCounters>;
  readonly socket: Readonly<UdpCounters>;
  /** Bytes and packets of all connections; losses and streams of those of the main thread. */
  readonly traffic: Traffic;
  /** Connections that have threads of their own. */
  readonly lanes: number;
  readonly serve: ServeCounters;
  readonly pool: Readonly<PoolCounters>;
  readonly poolStates: ConnectionPool["states"];
  readonly peers: readonly PeerVitals[];
  readonly sessionCounts: readonly SessionCount[];
  readonly sessionsRunning: ReadonlyMap<ServedSession["mode"], number>;
  /** Of sessions that have ended, and bytes also of those under way. */
  readonly sums: SessionSums;
  readonly process: {
    readonly cpuSeconds: number;
    readonly residentBytes: number;
    /** Since the Unix epoch. */
    readonly startSeconds: number;
  };
}

/** All connections of one peer. */
export interface PeerVitals {
  readonly peer: string;
  readonly connections: number;
  /** The least of its connections'. */
  readonly rttSeconds: number;
  /** Sums over its connections. */
  readonly congestionWindowBytes: number;
  readonly deliveryRate: number;
}

/** Reads everything that is measured, now. Costs about 40 microseconds a connection. */
export function readVitals(sources: VitalSources): Vitals {
  const { endpoint, server, pool, threads, sessions, version } = sources;
  const { user, system } = process.cpuUsage();
  const sums = { ...sessions.sums };
  const sessionsRunning = new Map<ServedSession["mode"], number>();
  const peers = new Map<string, PeerVitals>();
  for (const [connection, { peer, responder }] of server.visitors) {
    const stats = connection.stats();
    const before = peers.get(peer);
    peers.set(peer, {
      peer,
      connections: (before?.connections ?? 0) + 1,
      rttSeconds: Math.min(before?.rttSeconds ?? Infinity, stats.rttMs / 1000),
      congestionWindowBytes: (before?.congestionWindowBytes ?? 0) + stats.congestionWindowBytes,
      deliveryRate: (before?.deliveryRate ?? 0) + stats.deliveryRate,
    });
    for (
      const { mode, sums: { bytesSent, bytesReceived, bytesReused } } of responder?.running ?? []
    ) {
      sessionsRunning.set(mode, (sessionsRunning.get(mode) ?? 0) + 1);
      sums.bytesSent += bytesSent;
      sums.bytesReceived += bytesReceived;
      sums.bytesReused += bytesReused;
    }
  }
  return {
    version,
    states: endpoint.connectionStates,
    endpoint: endpoint.counters,
    socket: endpoint.socketCounters,
    traffic: withLanes(endpoint.traffic(), threads.traffic()),
    lanes: threads.running,
    serve: server.counters,
    pool: pool.counters,
    poolStates: pool.states,
    peers: [...peers.values()],
    sessionCounts: [...sessions.counts],
    sessionsRunning,
    sums,
    process: {
      cpuSeconds: (user + system) / 1e6,
      residentBytes: process.memoryUsage.rss(),
      startSeconds: performance.timeOrigin / 1000,
    },
  };
}

function withLanes(traffic: Traffic, lanes: LaneStats): Traffic {
  return {
    ...traffic,
    sentBytes: traffic.sentBytes + lanes.sentBytes,
    receivedBytes: traffic.receivedBytes + lanes.receivedBytes,
    sentPackets: traffic.sentPackets + lanes.sentPackets,
    receivedPackets: traffic.receivedPackets + lanes.receivedPackets,
  };
}
