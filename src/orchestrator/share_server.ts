import { delay } from "../base/clock.ts";
import { LandropicError, messageOf } from "../base/errors.ts";
import type { DeviceId } from "../base/ids.ts";
import { CLOSE_CODE } from "../base/wire_codes.ts";
import {
  type Branch,
  formatHostPort,
  type HostPort,
  isLoopback,
  type QuicConnection,
} from "../quic/mod.ts";
import type { TrustEntry } from "../identity/mod.ts";
import { ALPN_SYNC, type SyncResult } from "../protocol/mod.ts";
import {
  FolderWatches,
  PeerLink,
  Responder,
  type ResponderOptions,
  type RunningSession,
  type ServedShare,
  type ServedSums,
} from "../sync/mod.ts";
import { announce } from "./announcement.ts";
import { laneStart } from "./lanes/lane_start.ts";
import { IndexUpkeep } from "./index_upkeep.ts";
import type { Orchestrator } from "./orchestrator.ts";
import { AcceptedWatch } from "./pool/accepted_watch.ts";
import { WireSum } from "./pool/wire_sum.ts";
import { openingMessages, rotationTaker } from "./rotation_exchange.ts";
import { ServedConnection, type ServedGroup, ServedGroups } from "./served_connection.ts";
import { SessionWire } from "./session_wire.ts";

/** How long a connection may take to answer before it counts as dead. */
const ANSWER_TIMEOUT_MS = 1_500;
/** With `once`: how long a peer whose session has ended may stay without beginning another one. */
const LAST_PAUSE_MS = 10_000;
/** Threads for connections that help others, over all peers; more of those are served by the main one. */
const LANES_MAX = 2 * navigator.hardwareConcurrency;

/** What is served, to whom. */
export interface ServeOptions {
  readonly shares: readonly ServedShare[];
  /** Only these; empty for every trusted peer. */
  readonly allow: readonly TrustEntry[];
  readonly listen: HostPort;
  /** End after the first session has ended. */
  readonly once: boolean;
  readonly versionsMax: number;
  readonly observer: ServeObserver;
  /** For tests. */
  readonly lastPauseMs?: number;
  readonly times?: ResponderOptions["times"] | undefined;
}

/** A session as the serving side sees it. */
export interface ServedSession extends RunningSession {
  readonly peer: string;
}

/** What a session came to, as the serving side sees it. */
export interface ServedEnd extends ServedSession {
  readonly seconds: number;
  readonly sums: ServedSums;
  /** UDP payload bytes since the session before it; 0 where others ran beside it. */
  readonly wireSent: number;
  readonly wireReceived: number;
  /** Connections that it ran over, as of its end. */
  readonly connections: number;
}

/** Hears what a server is doing. */
export interface ServeObserver {
  sessionStart(session: ServedSession): void;
  /** `result` is missing where the session broke off. */
  sessionEnd(session: ServedEnd, result: SyncResult | undefined): void;
}

/** A peer at the other end of a connection. */
export interface Visitor {
  readonly peerId: DeviceId;
  /** What it is called here. */
  readonly peer: string;
  readonly link: PeerLink;
  /** Of a connection that carries sessions; one that joined another carries bytes only. */
  readonly responder: Responder | undefined;
  /** It came without a word of what it is to carry: the peer just keeps in touch. */
  readonly isGuest: boolean;
}

/** What a server has counted since it was started. */
export interface ServeCounters {
  /** Peers that came back when they had no connection left. */
  readonly reconnects: number;
  /** Connections that were asked whether they are alive, and answered or did not. */
  readonly answeredChecks: number;
  readonly missedChecks: number;
}

/**
 * Serves folders to trusted peers until it is disposed. Each connection stands for itself: what one peer
 * does wrong ends its own connection and no other.
 */
export class ShareServer implements AsyncDisposable {
  readonly #orchestrator: Orchestrator;
  readonly #options: ServeOptions;
  readonly #connections = new Set<QuicConnection>();
  readonly #links = new Map<QuicConnection, Visitor>();
  readonly #groups = new ServedGroups();
  readonly #accepted: AcceptedWatch;
  readonly #counters = { reconnects: 0, answeredChecks: 0, missedChecks: 0 };
  /** Peers that were here; bounded by whom this device trusts. */
  readonly #known = new Set<DeviceId>();
  readonly #serving = new Set<Promise<void>>();
  /** Connections that other threads serve. */
  readonly #lanes = new Set<Promise<void>>();
  readonly #done = Promise.withResolvers<void>();
  readonly #stop = new AbortController();
  readonly #watches: FolderWatches;
  readonly #upkeep: IndexUpkeep;
  #sessionsRunning = 0;
  /** Ends the pause between sessions. */
  #pause = new AbortController();
  readonly #network = new AsyncDisposableStack();

  /** Starts listening. @throws {QuicError} if the address can't be bound. */
  static async start(orchestrator: Orchestrator, options: ServeOptions): Promise<ShareServer> {
    const endpoint = await orchestrator.initializeQuicTransport(options.listen);
    const server = new ShareServer(orchestrator, options, endpoint.localAddress);
    endpoint.listen({
      alpns: () => [ALPN_SYNC],
      verify: (peer) => void orchestrator.verify(peer, server.#allowedKeys()),
      peerKey: (peer) => orchestrator.verify(peer).id,
      onConnection: (connection) => server.#accept(connection),
      makeRoom: (peerId) => server.#sendAway(peerId),
      branchFor: (sourceId, remote) => server.#laneFor(sourceId, remote),
    });
    server.#appear();
    return server;
  }

  private constructor(
    orchestrator: Orchestrator,
    options: ServeOptions,
    /** Where it listens. */
    readonly address: HostPort,
  ) {
    this.#orchestrator = orchestrator;
    this.#options = options;
    const { clock, logger } = orchestrator.options;
    this.#watches = new FolderWatches({ clock, logger });
    this.#upkeep = new IndexUpkeep(() => orchestrator.index(), { clock, logger });
    orchestrator.guard.start();
    this.#accepted = new AcceptedWatch(orchestrator.pool);
  }

  /** Resolves when nothing more will be served: after one session, where only one was wanted. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  /** What has happened so far, for metrics. */
  get counters(): Readonly<ServeCounters> {
    const { checksAnswered, checksMissed } = this.#orchestrator.pool.counters;
    const { reconnects, answeredChecks, missedChecks } = this.#counters;
    return {
      reconnects,
      answeredChecks: answeredChecks + checksAnswered,
      missedChecks: missedChecks + checksMissed,
    };
  }

  /** Connections whose peers have said Hello. */
  get visitors(): Iterable<readonly [QuicConnection, Visitor]> {
    return this.#links;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new LandropicError("interrupted", "The server stops"));
    this.#accepted[Symbol.dispose]();
    for (const connection of this.#connections) await connection.close(CLOSE_CODE.normal);
    await Promise.allSettled([...this.#serving, ...this.#lanes]);
    this.#watches[Symbol.dispose]();
    await this.#network.disposeAsync();
    this.#done.resolve();
  }

  /** Shows itself on the local network, and looks who of the trusted peers is there. */
  #appear(): void {
    // What only this machine can reach is nothing to tell others about.
    if (isLoopback(this.address.host)) return;
    this.#network.use(announce(this.#orchestrator, this.address));
    this.#network.use(this.#orchestrator.watchPeers((entry, connection) => {
      this.#orchestrator.background(this.#orchestrator.pool.welcome(entry, connection));
    }));
  }

  /** What takes a client that is to be served by another thread; `undefined` for all others. */
  #laneFor(ticket: Uint8Array, { host }: HostPort): ((branch: Branch) => void) | undefined {
    const group = this.#groups.tickets.find(ticket);
    // The id proves nothing: only who comes from the same place may cost a thread.
    if (group === undefined || group.host !== host) return undefined;
    if (!this.#orchestrator.threads.areUsable || this.#lanes.size >= LANES_MAX) return undefined;
    this.#groups.tickets.use(ticket);
    return (branch) => {
      const serving: Promise<void> = this.#serveLane(group, branch).catch((error) => {
        const { logger } = this.#orchestrator.options;
        logger.log("info", `a connection of several did not come about: ${messageOf(error)}`);
      }).finally(() => this.#lanes.delete(serving));
      this.#lanes.add(serving);
    };
  }

  /** Has a thread of its own serve a connection that joins a group. */
  async #serveLane(served: ServedGroup, branch: Branch): Promise<void> {
    const { peerId, responder, wire } = served;
    const { pool, threads, options: { logger } } = this.#orchestrator;
    const entry = this.#orchestrator.trust.list().find(({ id }) => id === peerId);
    const links = responder.group!;
    if (entry === undefined) throw new LandropicError("peer_untrusted", "Its peer was removed");
    const lane = await threads.start({
      start: laneStart(this.#orchestrator, entry, {
        kind: "accept",
        branch,
        group: this.#groups.tickets.idOf(served)!,
      }),
      providers: responder,
      logger,
      signal: this.#stop.signal,
    });
    if (!links.addLane(lane)) return await lane.close();
    logger.log("debug", "another thread serves a connection that joined");
    wire.add(lane);
    this.#accepted.add(lane, { link: lane, links, id: pool.enter(`from ${peerId}`, lane) });
    await lane.ended;
  }

  #allowedKeys(): readonly Uint8Array[] | undefined {
    const { allow } = this.#options;
    if (allow.length === 0) return undefined;
    return allow.flatMap((entry) => this.#orchestrator.keysOf(entry));
  }

  /** Closes other connections of a peer that do not answer any more: it was killed, or its network is gone. */
  async #endDead(peerId: DeviceId, current: QuicConnection): Promise<boolean> {
    const { logger } = this.#orchestrator.options;
    const others = [...this.#links].filter(([connection, visitor]) =>
      connection !== current && visitor.peerId === peerId
    );
    const ended = await Promise.all(others.map(async ([connection, { link }]) => {
      const answer = link.ping().then(() => true, () => false);
      const isAlive = await Promise.race([answer, delay(ANSWER_TIMEOUT_MS).then(() => false)]);
      this.#counters[isAlive ? "answeredChecks" : "missedChecks"]++;
      if (isAlive) return false;
      logger.log("info", "a connection that no longer answers is ended for its peer's next one");
      await connection.close(CLOSE_CODE.normal);
      return true;
    }));
    return ended.includes(true);
  }

  #accept(connection: QuicConnection): void {
    const serving: Promise<void> = this.#serve(connection).catch(async (error) => {
      await connection.close(CLOSE_CODE.normal);
      // Who leaves in good order may only have looked whether this device is there.
      const { by, code } = await connection.closed;
      const level = by === "peer" && code === CLOSE_CODE.normal ? "debug" : "warn";
      this.#orchestrator.options.logger.log(level, `session failed: ${messageOf(error)}`);
    }).finally(() => {
      this.#connections.delete(connection);
      this.#links.delete(connection);
      this.#serving.delete(serving);
    });
    this.#serving.add(serving);
  }

  async #serve(connection: QuicConnection): Promise<void> {
    const { clock, logger } = this.#orchestrator.options;
    const { fingerprint } = this.#orchestrator.verify(connection.peer);
    this.#connections.add(connection);
    this.#orchestrator.guard.watch(connection, fingerprint);
    // Ready when the first session needs it. What is wrong with it is for that session to tell.
    await this.#orchestrator.index().catch(() => {});
    const entry = this.#orchestrator.trust.get(fingerprint)!;
    const { alias: peer, id: peerId } = entry;
    await using served = new ServedConnection({
      peerId,
      groups: this.#groups,
      found: () => this.#found(connection, { peer, peerId }),
    });
    await using link = await PeerLink.open(connection, {
      hello: this.#orchestrator.hello,
      opening: await openingMessages(this.#orchestrator),
      onRotateKey: rotationTaker(this.#orchestrator, connection),
      handler: served,
      clock,
      logger,
    });
    const { responder, links } = served;
    if (links === undefined) return void await link.ended;
    if (responder === undefined) served.group!.wire.add(connection);
    const id = responder ? undefined : this.#orchestrator.pool.enter(`from ${peerId}`, link);
    this.#accepted.add(connection, { link, links, id });
    const isBack = this.#known.has(peerId) &&
      ![...this.#links.values()].some((visitor) => visitor.peerId === peerId);
    if (isBack) this.#counters.reconnects++;
    this.#known.add(peerId);
    this.#links.set(connection, { peerId, peer, link, responder, isGuest: served.isGuest });
    if (responder) this.#orchestrator.pool.handleAccepted(entry, connection);
    const { name } = await link.peerHello;
    const address = formatHostPort(connection.remoteAddress);
    // An address that a peer calls from is where its socket was, not where it serves.
    logger.log("info", `"${peer}" connected`, { address });
    await this.#orchestrator.trust.touch({ fingerprint, announcedName: name });
    await link.ended;
    if (this.#options.once && responder && responder.sessionsEnded > 0) await this.#finish();
  }

  /** What was asked for is served: tidies up, as a run of `sync` does. */
  async #finish(): Promise<void> {
    await this.#upkeep.handleEnd(this.#stop.signal);
    this.#done.resolve();
  }

  /** Makes what serves the sessions of a connection. */
  #found(
    connection: QuicConnection,
    { peer, peerId }: { peer: string; peerId: DeviceId },
  ): ServedGroup {
    const { clock, logger } = this.#orchestrator.options;
    const { observer, shares, versionsMax, times } = this.#options;
    const wire = new WireSum();
    wire.add(connection);
    const costs = new SessionWire(() => wire.read());
    const responder: Responder = new Responder({
      shares,
      openIndex: () => this.#orchestrator.index(),
      deviceId: this.#orchestrator.identity.id,
      peerId,
      peerName: peer,
      endDeadSessions: () => this.#endDead(peerId, connection),
      lockFolder: this.#orchestrator.lockFolder,
      privateFolders: this.#orchestrator.privateFolders,
      versionsMax,
      clock,
      logger,
      signal: this.#stop.signal,
      times,
      watches: this.#watches,
      events: {
        sessionStart: (session) => {
          costs.sessionStart();
          this.#sessionsRunning++;
          this.#pause.abort();
          observer.sessionStart({ peer, ...session });
        },
        sessionEnd: (session, result) => {
          const connections = responder.group!.size;
          observer.sessionEnd({ peer, ...session, ...costs.sessionEnd(), connections }, result);
          if (--this.#sessionsRunning === 0) this.#handlePause();
        },
      },
    });
    return { responder, wire, peerId, host: connection.remoteAddress.host };
  }

  /** No session is under way. */
  #handlePause(): void {
    this.#pause = new AbortController();
    const { signal } = this.#pause;
    this.#orchestrator.background(
      this.#upkeep.handlePause(AbortSignal.any([signal, this.#stop.signal])),
    );
    if (this.#options.once) this.#orchestrator.background(this.#sendHome(signal));
  }

  /** A peer whose session was the one that was wanted, and that stays, keeps this command from its end. */
  async #sendHome(pause: AbortSignal): Promise<void> {
    try {
      const { lastPauseMs = LAST_PAUSE_MS } = this.#options;
      await delay(lastPauseMs, AbortSignal.any([pause, this.#stop.signal]));
    } catch {
      return;
    }
    for (const [connection, { responder }] of this.#links) {
      if (responder && responder.sessionsEnded > 0) await connection.close(CLOSE_CODE.normal);
    }
  }

  /** A peer that has as many connections as it may wants another: one without sessions is given up. */
  #sendAway(peerId: string): boolean {
    for (const [connection, visitor] of this.#links) {
      if (visitor.peerId !== peerId || connection.isClosed || !isDispensable(visitor)) continue;
      void connection.close(CLOSE_CODE.normal);
      return true;
    }
    return false;
  }
}

/** True for a connection that helps another one, or only keeps in touch. */
function isDispensable({ responder, isGuest }: Visitor): boolean {
  return responder === undefined || (isGuest && responder.running.length === 0);
}
