import type { Lane, LinkGroup, PeerLink } from "../../sync/mod.ts";
import type { ConnectionPool } from "./connection_pool.ts";
import { StallWatch } from "./stall_watch.ts";

/** What tells of a connection's packets. */
export interface PacketCounter {
  readonly closed: Promise<unknown>;
  stats(): { readonly sentPackets: number; readonly receivedPackets: number };
}

/** A connection that a peer has dialled. */
export interface Accepted {
  readonly link: PeerLink | Lane;
  /** Those that work together with it, itself included. */
  readonly links: LinkGroup;
  /** Its id in the pool, where it has joined others: it is given up as soon as it does not answer. */
  readonly id: number | undefined;
}

/**
 * Counts the packets of accepted connections, and notices those that fall silent. To replace one is up to
 * the side that dialled; until it has, this side only puts no new requests on it.
 */
export class AcceptedWatch implements Disposable {
  readonly #pool: ConnectionPool;
  readonly #watched = new Map<PacketCounter, Accepted & { readonly stall: StallWatch }>();
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(pool: ConnectionPool) {
    this.#pool = pool;
    this.#timer = setInterval(() => this.#look(), pool.limits.packetCheckMs);
  }

  /** Looks after a connection until it ends. */
  add(connection: PacketCounter, accepted: Accepted): void {
    this.#watched.set(connection, { ...accepted, stall: new StallWatch() });
    void connection.closed.then(() => this.#watched.delete(connection));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const { packetsMax } = this.#pool.limits;
    for (const [connection, { link, links, id, stall }] of this.#watched) {
      const { sentPackets, receivedPackets } = connection.stats();
      if (Math.max(sentPackets, receivedPackets) >= packetsMax) links.retire(link);
      const isSilent = stall.check(receivedPackets, links.loadOf(link));
      if (isSilent && id !== undefined) this.#pool.probe(id);
    }
  }
}
