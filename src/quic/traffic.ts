import type { ConnectionCore } from "./connection_core.ts";

/** What connections have moved. Packets and bytes are of UDP payload, streams are those opened. */
export interface Traffic {
  sentPackets: number;
  receivedPackets: number;
  lostPackets: number;
  sentBytes: number;
  receivedBytes: number;
  lostBytes: number;
  /** Stream bytes sent again. */
  retransmittedBytes: number;
  /** By this side, in both directions and in one. */
  openedBidi: number;
  openedUni: number;
  /** By the peers. */
  acceptedBidi: number;
  acceptedUni: number;
}

/**
 * Adds up connections, also those that are gone, so that no sum ever goes backwards. Costs nothing while
 * packets move: the native core counts, and is asked when a connection goes and when somebody wants sums.
 */
export class TrafficLedger {
  readonly #gone = zeros();

  /** Takes in a connection that moves nothing more. */
  retire(core: ConnectionCore): void {
    add(this.#gone, core);
  }

  /** All so far. @param live Connections that were not retired; each costs about 10 microseconds. */
  total(live: Iterable<ConnectionCore>): Traffic {
    const total = { ...this.#gone };
    for (const core of live) add(total, core);
    return total;
  }
}

function add(sums: Traffic, { native, streams, payload }: ConnectionCore): void {
  const stats = native.stats();
  sums.sentPackets += stats.sent;
  sums.receivedPackets += stats.recv;
  sums.lostPackets += stats.lost;
  sums.sentBytes += payload.sentBytes;
  sums.receivedBytes += payload.receivedBytes;
  sums.lostBytes += stats.lostBytes;
  sums.retransmittedBytes += stats.streamRetransBytes;
  const { opened } = streams;
  sums.openedBidi += opened.ownBidi;
  sums.openedUni += opened.ownUni;
  sums.acceptedBidi += opened.peerBidi;
  sums.acceptedUni += opened.peerUni;
}

function zeros(): Traffic {
  return {
    sentPackets: 0,
    receivedPackets: 0,
    lostPackets: 0,
    sentBytes: 0,
    receivedBytes: 0,
    lostBytes: 0,
    retransmittedBytes: 0,
    openedBidi: 0,
    openedUni: 0,
    acceptedBidi: 0,
    acceptedUni: 0,
  };
}
