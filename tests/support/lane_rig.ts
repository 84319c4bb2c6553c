import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { FEATURE_GROUPS } from "../../src/protocol/mod.ts";
import { Lane, type Providers } from "../../src/sync/lane/lane.ts";
import { LaneHost } from "../../src/sync/lane/lane_host.ts";
import type { FromLane, ToLane } from "../../src/sync/lane/lane_messages.ts";
import { type LinkHandler, PeerLink } from "../../src/sync/link/peer_link.ts";
import { type MemoryTransport, memoryTransportPair } from "./memory_transport.ts";
import { testHello } from "./test_hello.ts";

const hello = testHello(FEATURE_GROUPS);
const common = { hello, clock: systemClock, logger: silentLogger };

/** A lane without a thread: both halves in one, and a connection in memory to a peer. */
export interface LaneRig {
  readonly lane: Lane;
  /** The peer's end of the connection. */
  readonly peer: PeerLink;
  readonly far: MemoryTransport;
  /** What went between the halves. */
  readonly toLane: ToLane[];
  readonly fromLane: FromLane[];
}

/** Messages are copied, as between threads, and arrive later. */
export async function openLaneRig(
  peer: LinkHandler,
  providers: Providers = { providerOf: () => Promise.resolve(undefined) },
): Promise<LaneRig> {
  const [near, far] = memoryTransportPair();
  const toLane: ToLane[] = [];
  const fromLane: FromLane[] = [];
  const stats = () => ({ sentBytes: 1, receivedBytes: 2, sentPackets: 3, receivedPackets: 4 });
  const host = new LaneHost({
    stats,
    post: (message) => {
      fromLane.push(message);
      const copy = structuredClone(message);
      queueMicrotask(() => lane.handleMessage(copy));
    },
  });
  const lane = new Lane({
    providers,
    post: (message) => {
      toLane.push(message);
      const copy = structuredClone(message);
      queueMicrotask(() => host.handleToLane(copy));
    },
  });
  const [link, peerLink] = await Promise.all([
    PeerLink.open(near, { ...common, handler: host }),
    PeerLink.open(far, { ...common, handler: peer }),
  ]);
  void link.ended.then((error) => {
    host[Symbol.dispose]();
    // Behind whatever the host still has to tell.
    setTimeout(() => lane.handleEnd(error), 1);
  });
  return { lane, peer: peerLink, far, toLane, fromLane };
}
