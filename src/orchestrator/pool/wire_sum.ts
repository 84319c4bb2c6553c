import type { WireCounters } from "../session_wire.ts";

/** What has counters: a connection, or a lane with one. */
export interface Counted {
  /** Resolves when the counters are final. */
  readonly closed: Promise<unknown>;
  stats(): WireCounters;
}

/** Adds up what several connections have moved, beyond their ends. */
export class WireSum {
  readonly #live = new Set<Counted>();
  #count = 0;
  #sentBytes = 0;
  #receivedBytes = 0;

  /** Connections added so far. */
  get count(): number {
    return this.#count;
  }

  add(connection: Counted): void {
    this.#count++;
    this.#live.add(connection);
    void connection.closed.then(() => {
      this.#live.delete(connection);
      const { sentBytes, receivedBytes } = connection.stats();
      this.#sentBytes += sentBytes;
      this.#receivedBytes += receivedBytes;
    });
  }

  /** Bytes of UDP payload so far. */
  read(): WireCounters {
    let [sentBytes, receivedBytes] = [this.#sentBytes, this.#receivedBytes];
    for (const connection of this.#live) {
      const stats = connection.stats();
      sentBytes += stats.sentBytes;
      receivedBytes += stats.receivedBytes;
    }
    return { sentBytes, receivedBytes };
  }
}
