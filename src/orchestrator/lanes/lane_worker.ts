/**
 * The thread of a lane: one QUIC connection with a socket of its own, and the reading, hashing and writing
 * for the bytes that it moves. Started by lane_threads.ts, for one lane after the other.
 */
import { equalBytes } from "../../base/bytes.ts";
import { systemClock } from "../../base/clock.ts";
import { LandropicError, messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { CLOSE_CODE } from "../../base/wire_codes.ts";
import { verifyPeer } from "../../identity/mod.ts";
import { ALPN_SYNC, type Hello, ProtocolError } from "../../protocol/mod.ts";
import {
  type HandshakePeer,
  loadOwnInstance,
  PathMemory,
  type QuicBinding,
  type QuicConnection,
  QuicEndpoint,
} from "../../quic/mod.ts";
import { LaneHost, type LaneStats, PeerLink } from "../../sync/lane/mod.ts";
import {
  type FromThread,
  type LaneStart,
  type PlainError,
  remoteOf,
  type ToThread,
} from "./thread_messages.ts";

/** How often the counters are told while nothing else is. */
const STATS_MS = 1000;
/** A client that was branched off to this thread gets so long for its handshake. */
const ACCEPT_TIMEOUT_MS = 10_000;

const scope = self as unknown as {
  postMessage(message: FromThread): void;
  onmessage: ((event: MessageEvent<ToThread>) => void) | null;
};
const post = (message: FromThread) => scope.postMessage(message);
const logger: Logger = {
  log: (level, message, fields) => post({ type: "log", level, message, fields }),
};

/** This thread's own. */
let core: QuicBinding | undefined;
/** The lane that runs. */
let host: LaneHost | undefined;
let stop = new AbortController();

// What nobody waits for any more may fail; it must not take the thread with it.
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  logger.log("debug", `a thread: ${messageOf(event.reason)}`);
});
scope.onmessage = ({ data }) => {
  switch (data.type) {
    case "start":
      stop = new AbortController();
      runLane(data, stop.signal).then(
        (error) => post({ type: "over", error: error && plain(error) }),
        (error) => post({ type: "over", error: plain(error) }),
      );
      return;
    case "stop":
      return stop.abort(new LandropicError("interrupted", "The lane is not wanted any more"));
    default:
      host?.handleToLane(data);
  }
};

/** Opens the connection, and serves until it ends; gives back why, if that was not wanted. */
async function runLane(start: LaneStart, signal: AbortSignal): Promise<Error | undefined> {
  const { way, identity, path } = start;
  await using endpoint = await QuicEndpoint.bind({
    identity,
    clock: systemClock,
    logger,
    binding: core ??= loadOwnInstance(),
    paths: new PathMemory(path && [[remoteOf(way).host, path]]),
    ...(way.kind === "accept" && { branch: way.branch.socket }),
  });
  const connection = await connect(endpoint, start, signal);
  const stats = () => statsOf(connection);
  using lane = host = new LaneHost({ post, stats });
  await using link = await PeerLink.open(connection, {
    hello: start.hello,
    handler: {
      attach: (link) => lane.attach(link),
      handleHello: (hello) => checkHello(hello, start),
      handleMessage: (message) => lane.handleMessage(message),
      handleRequest: (request, stream) => lane.handleRequest(request, stream),
    },
    clock: systemClock,
    logger,
  });
  signal.addEventListener("abort", () => void link.close(), { once: true });
  post({ type: "open" });
  const timer = setInterval(() => post({ type: "stats", stats: stats() }), STATS_MS);
  const error = await link.ended;
  clearInterval(timer);
  post({ type: "stats", stats: stats() });
  await connection.close(CLOSE_CODE.normal);
  return error;
}

async function connect(
  endpoint: QuicEndpoint,
  start: LaneStart,
  signal: AbortSignal,
): Promise<QuicConnection> {
  const { way } = start;
  const verify = (peer: HandshakePeer) => verifyAs(peer, start);
  if (way.kind === "dial") {
    const { remote, ticket: sourceId, timeoutMs } = way;
    return await endpoint.connect(remote, { alpn: ALPN_SYNC, verify, sourceId, timeoutMs, signal });
  }
  const accepted = Promise.withResolvers<QuicConnection>();
  const timer = setTimeout(() => {
    accepted.reject(new LandropicError("timed_out", "A connection did not join in time"));
  }, ACCEPT_TIMEOUT_MS);
  signal.addEventListener("abort", () => accepted.reject(signal.reason), { once: true });
  endpoint.listen({ alpns: () => [ALPN_SYNC], verify, onConnection: accepted.resolve });
  endpoint.takeBranch(way.branch);
  try {
    return await accepted.promise;
  } finally {
    clearTimeout(timer);
    endpoint.stopListening();
  }
}

/** Only the peer of the group's first connection may join it. */
function verifyAs(peer: HandshakePeer, { ownFingerprint, peerKeys }: LaneStart): void {
  verifyPeer(peer, {
    ownFingerprint,
    expectedAlpns: [ALPN_SYNC],
    expectedFingerprints: peerKeys,
    trust: (fingerprint) =>
      peerKeys.some((key) => equalBytes(key, fingerprint)) ? "trusted" : undefined,
    nowMs: systemClock.wallMs(),
  });
}

function checkHello(hello: Hello, { way }: LaneStart): void {
  if (way.kind === "dial") return;
  if (hello.joins && hello.group !== undefined && equalBytes(hello.group, way.group)) return;
  throw new ProtocolError("A connection joins another group than its id says");
}

function statsOf(connection: QuicConnection): LaneStats {
  const { sentBytes, receivedBytes, sentPackets, receivedPackets } = connection.stats();
  return { sentBytes, receivedBytes, sentPackets, receivedPackets };
}

function plain(error: unknown): PlainError {
  const code = error instanceof LandropicError ? error.code : "failed";
  return { code, message: messageOf(error) };
}
