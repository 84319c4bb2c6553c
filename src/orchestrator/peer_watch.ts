import { messageOf } from "../base/errors.ts";
import type { PeerHint } from "../discovery/mod.ts";
import type { TrustEntry } from "../identity/mod.ts";
import { formatHostPort, type HostPort, type QuicConnection } from "../quic/mod.ts";
import { AddressRace } from "./address_race.ts";
import { ANSWER_TIMEOUT_MS } from "./dialer.ts";
import type { Orchestrator } from "./orchestrator.ts";
import { hintsInRounds, isHintFor } from "./peer_search.ts";

/** Head start of one address over the next. */
const STAGGER_MS = 50;
/** Announcements remembered as dealt with; beyond, all are looked at anew. */
const SETTLED_MAX = 1024;

/** A trusted peer that announces itself, if the hint tells the truth. */
export interface DiscoveredPeer {
  readonly entry: TrustEntry;
  readonly addresses: readonly HostPort[];
}

/** What becomes of peers that appear. */
export interface PeerWatchEvents {
  /** No QUIC transport is initialised: somebody else may want to connect. */
  onDiscovered(peer: DiscoveredPeer): void;
  /** The peer was dialled, and is the one that was meant. The connection belongs to the callee. */
  onConnected(entry: TrustEntry, connection: QuicConnection): void;
}

/**
 * Watches the local network for trusted peers until it is disposed, and connects with each that
 * appears. Where another host speaks in a peer's name, the dial fails and nothing else happens.
 */
export class PeerWatch implements Disposable {
  readonly #orchestrator: Orchestrator;
  readonly #events: PeerWatchEvents;
  readonly #stop = new AbortController();
  /** Dials under way, by the id of the peer. */
  readonly #races = new Map<string, AddressRace<QuicConnection>>();
  /** Announcements whose device was connected with. */
  readonly #settled = new Set<string>();

  constructor(orchestrator: Orchestrator, events: PeerWatchEvents) {
    this.#orchestrator = orchestrator;
    this.#events = events;
    void this.#run();
  }

  [Symbol.dispose](): void {
    this.#stop.abort(new DOMException("The watch is over", "AbortError"));
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const { logger } = this.#orchestrator.options;
    try {
      for await (const hint of hintsInRounds(this.#orchestrator, { signal })) {
        if (this.#settled.has(hint.instance)) continue;
        const entries = this.#orchestrator.trust.list();
        const entry = entries.find((one) => isHintFor(this.#orchestrator, one, hint));
        if (entry) this.#appear(entry, hint);
      }
    } catch (error) {
      if (!signal.aborted) logger.log("info", `no local discovery: ${messageOf(error)}`);
    }
  }

  #appear(entry: TrustEntry, { instance, addresses }: PeerHint): void {
    if (!this.#orchestrator.hasQuicTransport) {
      return this.#events.onDiscovered({ entry, addresses });
    }
    // Whoever is there already needs no other connection; but where it serves is worth knowing.
    const isKnownThere = addresses.some((one) => entry.addresses.includes(formatHostPort(one)));
    if (isKnownThere && this.#orchestrator.pool.isConnected(entry)) return;
    const running = this.#races.get(entry.id);
    if (running && !running.isOver) return running.add(addresses, STAGGER_MS);
    const race = new AddressRace(
      (address, signal) =>
        this.#orchestrator.dial(entry, address, { timeoutMs: ANSWER_TIMEOUT_MS, signal }),
      this.#stop.signal,
    );
    this.#races.set(entry.id, race);
    race.add(addresses, STAGGER_MS);
    race.complete();
    race.winner.then(
      (connection) => {
        if (this.#settled.size >= SETTLED_MAX) this.#settled.clear();
        this.#settled.add(instance);
        this.#events.onConnected(entry, connection);
      },
      () => {
        if (this.#stop.signal.aborted) return;
        const shown = addresses.map(formatHostPort).join(" ");
        this.#orchestrator.options.logger.log(
          "info",
          `"${entry.alias}" announces itself, but does not answer`,
          { addresses: shown },
        );
      },
    );
  }
}
