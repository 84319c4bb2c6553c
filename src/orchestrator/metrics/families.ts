import type { ServedSession } from "../share_server.ts";
import type { SessionResult } from "./session_tally.ts";
import type { Vitals } from "./vitals.ts";

/** Values of labels, and the number that belongs to them. */
export type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

/** One metric with all its labels. */
export interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly labels: readonly string[];
  samples(vitals: Vitals): readonly Sample[];
}

/** Both ways, as seen from this device. */
const sentAndReceived = (sent: number, received: number): readonly Sample[] => [
  [{ direction: "sent" }, sent],
  [{ direction: "received" }, received],
];
const single = (value: number): readonly Sample[] => [[{}, value]];
const modes: readonly ServedSession["mode"][] = ["two-way", "push", "pull", "compare"];
const results: readonly SessionResult[] = ["ok", "incomplete", "broken"];

/**
 * All metrics of a server, in the order of the output. Names follow Prometheus' conventions: base units,
 * `_total` for what only grows. Labels take few values: kinds, and names of trusted peers.
 */
export const FAMILIES: readonly Family[] = [
  {
    name: "landropic_build_info",
    type: "gauge",
    help: "Always 1; the version is in the label",
    labels: ["version"],
    samples: ({ version }) => [[{ version }, 1]],
  },
  {
    name: "landropic_connections",
    type: "gauge",
    help: "QUIC connections now, of all peers",
    labels: ["state"],
    samples: ({ states: { handshaking, open, closing } }) => [
      [{ state: "handshaking" }, handshaking],
      [{ state: "open" }, open],
      [{ state: "closing" }, closing],
    ],
  },
  {
    name: "landropic_lanes",
    type: "gauge",
    help: "Connections now that have threads of their own, besides the others",
    labels: [],
    samples: ({ lanes }) => single(lanes),
  },
  {
    name: "landropic_peer_connections",
    type: "gauge",
    help: "Connections of a peer that has said Hello: the size of its pool",
    labels: ["peer"],
    samples: ({ peers }) => peers.map(({ peer, connections }) => [{ peer }, connections]),
  },
  {
    name: "landropic_peer_rtt_seconds",
    type: "gauge",
    help: "Smoothed round-trip time to a peer, in steps of a millisecond",
    labels: ["peer"],
    samples: ({ peers }) => peers.map(({ peer, rttSeconds }) => [{ peer }, rttSeconds]),
  },
  {
    name: "landropic_peer_congestion_window_bytes",
    type: "gauge",
    help: "Bytes that may be under way to a peer, over all its connections",
    labels: ["peer"],
    samples: ({ peers }) =>
      peers.map(({ peer, congestionWindowBytes }) => [{ peer }, congestionWindowBytes]),
  },
  {
    name: "landropic_peer_delivery_rate_bytes_per_second",
    type: "gauge",
    help: "What the congestion control takes the path to a peer to deliver",
    labels: ["peer"],
    samples: ({ peers }) => peers.map(({ peer, deliveryRate }) => [{ peer }, deliveryRate]),
  },
  {
    name: "landropic_pool_connections",
    type: "gauge",
    help: "Connections that are looked after: dialled from here, and those that joined another one",
    labels: ["state"],
    samples: ({ poolStates: { used, idle } }) => [
      [{ state: "used" }, used],
      [{ state: "idle" }, idle],
    ],
  },
  {
    name: "landropic_pool_events_total",
    type: "counter",
    help: "What became of connections that are looked after",
    labels: ["event"],
    samples: ({ pool }) => [
      [{ event: "added" }, pool.added],
      [{ event: "reused" }, pool.reused],
      [{ event: "closed_idle" }, pool.closedIdle],
      [{ event: "closed_dead" }, pool.closedDead],
      [{ event: "joined" }, pool.joined],
      [{ event: "failed_to_join" }, pool.failedJoins],
      [{ event: "retired" }, pool.retired],
    ],
  },
  {
    name: "landropic_handshakes_total",
    type: "counter",
    help: "Handshakes that ended, dialled and accepted",
    labels: ["result"],
    samples: ({ endpoint }) => [
      [{ result: "verified" }, endpoint.verifiedPeers],
      [{ result: "refused" }, endpoint.refusedPeers],
      [{ result: "timed_out" }, endpoint.handshakeTimeouts],
      [{ result: "failed" }, endpoint.failedHandshakes],
    ],
  },
  {
    name: "landropic_clients_turned_away_total",
    type: "counter",
    help: "Clients that a limit kept out, or whose address token was not valid",
    labels: ["reason"],
    samples: ({ endpoint }) => [
      [{ reason: "limit" }, endpoint.shedClients],
      [{ reason: "bad_token" }, endpoint.badTokens],
      [{ reason: "too_many_connections" }, endpoint.surplusConnections],
    ],
  },
  {
    name: "landropic_retries_total",
    type: "counter",
    help: "Clients that were asked to prove their address",
    labels: [],
    samples: ({ endpoint }) => single(endpoint.retries),
  },
  {
    name: "landropic_reconnects_total",
    type: "counter",
    help: "Peers that came back when they had no connection left",
    labels: [],
    samples: ({ serve }) => single(serve.reconnects),
  },
  {
    name: "landropic_health_checks_total",
    type: "counter",
    help: "Connections that were asked whether they are alive",
    labels: ["result"],
    samples: ({ serve }) => [
      [{ result: "answered" }, serve.answeredChecks],
      [{ result: "missed" }, serve.missedChecks],
    ],
  },
  {
    name: "landropic_packets_total",
    type: "counter",
    help: "QUIC packets",
    labels: ["direction"],
    samples: ({ traffic }) => sentAndReceived(traffic.sentPackets, traffic.receivedPackets),
  },
  {
    name: "landropic_packets_lost_total",
    type: "counter",
    help: "Sent packets that were taken for lost",
    labels: [],
    samples: ({ traffic }) => single(traffic.lostPackets),
  },
  {
    name: "landropic_wire_bytes_total",
    type: "counter",
    help: "UDP payload of connections",
    labels: ["direction"],
    samples: ({ traffic }) => sentAndReceived(traffic.sentBytes, traffic.receivedBytes),
  },
  {
    name: "landropic_wire_bytes_lost_total",
    type: "counter",
    help: "UDP payload of packets that were taken for lost",
    labels: [],
    samples: ({ traffic }) => single(traffic.lostBytes),
  },
  {
    name: "landropic_stream_bytes_retransmitted_total",
    type: "counter",
    help: "Stream bytes that were sent again",
    labels: [],
    samples: ({ traffic }) => single(traffic.retransmittedBytes),
  },
  {
    name: "landropic_datagrams_total",
    type: "counter",
    help: "UDP datagrams of the socket, whoever they came from",
    labels: ["direction"],
    samples: ({ socket }) => sentAndReceived(socket.sentDatagrams, socket.receivedDatagrams),
  },
  {
    name: "landropic_socket_calls_total",
    type: "counter",
    help: "System calls that moved datagrams",
    labels: ["direction"],
    samples: ({ socket }) => sentAndReceived(socket.sendCalls, socket.receiveCalls),
  },
  {
    name: "landropic_datagrams_dropped_total",
    type: "counter",
    help: "Datagrams that went no further",
    labels: ["reason"],
    samples: ({ endpoint, socket }) => [
      [{ reason: "not_sent" }, socket.droppedDatagrams],
      [{ reason: "too_large" }, socket.oversizedDatagrams],
      [{ reason: "no_connection" }, endpoint.strayDatagrams],
      [{ reason: "wrong_address" }, endpoint.misaddressedDatagrams],
    ],
  },
  {
    name: "landropic_streams_open",
    type: "gauge",
    help: "QUIC streams in use now",
    labels: [],
    samples: ({ states }) => single(states.streams),
  },
  {
    name: "landropic_streams_total",
    type: "counter",
    help: "QUIC streams that were opened",
    labels: ["kind", "opener"],
    samples: ({ traffic }) => [
      [{ kind: "bidirectional", opener: "local" }, traffic.openedBidi],
      [{ kind: "bidirectional", opener: "peer" }, traffic.acceptedBidi],
      [{ kind: "unidirectional", opener: "local" }, traffic.openedUni],
      [{ kind: "unidirectional", opener: "peer" }, traffic.acceptedUni],
    ],
  },
  {
    name: "landropic_sessions",
    type: "gauge",
    help: "Sessions under way",
    labels: ["mode"],
    samples: ({ sessionsRunning }) =>
      modes.map((mode) => [{ mode }, sessionsRunning.get(mode) ?? 0]),
  },
  {
    name: "landropic_sessions_total",
    type: "counter",
    help: "Sessions that ended: all well, with errors or conflicts, or broken off",
    labels: ["mode", "result"],
    samples: ({ sessionCounts }) =>
      modes.flatMap((mode) =>
        results.map((result): Sample => [
          { mode, result },
          sessionCounts.find((one) => one.mode === mode && one.result === result)?.count ?? 0,
        ])
      ),
  },
  {
    name: "landropic_session_seconds_total",
    type: "counter",
    help: "Time that sessions took which have ended",
    labels: [],
    samples: ({ sums }) => single(sums.seconds),
  },
  {
    name: "landropic_file_bytes_total",
    type: "counter",
    help: "Contents of files that moved; grows with each file that is complete",
    labels: ["direction"],
    samples: ({ sums }) => sentAndReceived(sums.bytesSent, sums.bytesReceived),
  },
  {
    name: "landropic_file_bytes_reused_total",
    type: "counter",
    help: "Contents of received files that were on this device already",
    labels: [],
    samples: ({ sums }) => single(sums.bytesReused),
  },
  {
    name: "landropic_files_total",
    type: "counter",
    help: "What sessions did to files that have ended",
    labels: ["action"],
    samples: ({ sums }) => [
      [{ action: "sent" }, sums.filesSent],
      [{ action: "received" }, sums.filesReceived],
      [{ action: "deleted" }, sums.filesDeleted],
      [{ action: "renamed" }, sums.filesRenamed],
      [{ action: "failed" }, sums.fileErrors],
    ],
  },
  {
    name: "process_cpu_seconds_total",
    type: "counter",
    help: "Processor time of this process, in user mode and in the kernel",
    labels: [],
    samples: ({ process }) => single(process.cpuSeconds),
  },
  {
    name: "process_resident_memory_bytes",
    type: "gauge",
    help: "Memory of this process",
    labels: [],
    samples: ({ process }) => single(process.residentBytes),
  },
  {
    name: "process_start_time_seconds",
    type: "gauge",
    help: "When this process was started, since the Unix epoch",
    labels: [],
    samples: ({ process }) => single(process.startSeconds),
  },
];
