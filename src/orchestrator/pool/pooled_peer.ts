import { LandropicError, messageOf } from "../../base/errors.ts";
import { CLOSE_CODE } from "../../base/wire_codes.ts";
import type { TrustEntry } from "../../identity/mod.ts";
import { FEATURE_GROUPS, GROUP_ID_BYTES, type Hello, laneTicket } from "../../protocol/mod.ts";
import type { QuicConnection } from "../../quic/mod.ts";
import { JoinedHandler, Lane, LinkGroup, type PeerLink, SessionRouter } from "../../sync/mod.ts";
import { ANSWER_TIMEOUT_MS, reachPeer } from "../dialer.ts";
import { laneStart } from "../lanes/lane_start.ts";
import type { Orchestrator } from "../orchestrator.ts";
import { callPeer, type ConnectedPeer } from "../peer_call.ts";
import type { WireCounters } from "../session_wire.ts";
import type { PacketCounter } from "./accepted_watch.ts";
import { connectionsFor } from "./connections_for.ts";
import { type GroupAction, GroupCore } from "./group_core.ts";
import { StallWatch } from "./stall_watch.ts";
import { type Counted, WireSum } from "./wire_sum.ts";

/** The peer may have to start a thread before it answers, and nobody waits for it. */
const LANE_TIMEOUT_MS = 10_000;

/** A connection of the group, of this thread or of another. */
interface Wire {
  readonly counter: PacketCounter & Counted;
  readonly link: PeerLink | Lane;
  readonly stall: StallWatch;
}

/**
 * A peer that was dialled: the connection that carries the sessions with it, and those that join it while
 * many bytes move. Belongs to the pool.
 */
export class PooledPeer {
  readonly entry: TrustEntry;
  /** The first connection. */
  readonly connection: QuicConnection;
  readonly group: LinkGroup;
  /** Makes sessions, and hears of changes. */
  readonly router: SessionRouter;
  /** The id of the first connection in the pool. */
  readonly id: number;
  /** Resolves when the peer has said Hello, and so accepted this device. */
  readonly connected: Promise<ConnectedPeer>;
  readonly #orchestrator: Orchestrator;
  readonly #groupId: Uint8Array<ArrayBuffer> | undefined;
  readonly #core: GroupCore;
  readonly #wires = new Map<number, Wire>();
  readonly #sum = new WireSum();
  /** The next lane's. */
  #ticket = 0;
  #useThreads = true;
  readonly #timer: ReturnType<typeof setInterval>;
  /** Ends the dials of a transfer with it. */
  #transfer: AbortController | undefined;

  /**
   * Says Hello on a connection that was just made.
   *
   * @param isGuest It is not there for sessions: nothing will join it, and the peer may end it any time.
   */
  static async open(
    orchestrator: Orchestrator,
    entry: TrustEntry,
    { connection, isGuest }: { readonly connection: QuicConnection; readonly isGuest: boolean },
  ): Promise<PooledPeer> {
    const router = new SessionRouter();
    const group = isGuest ? undefined : crypto.getRandomValues(new Uint8Array(GROUP_ID_BYTES));
    const connected = Promise.withResolvers<ConnectedPeer>();
    connected.promise.catch(() => {});
    const link = await callPeer(orchestrator, entry, connection, {
      handler: router,
      ...(group && { group: { group } }),
      onConnected: connected.resolve,
    });
    link.peerHello.catch(connected.reject);
    return new PooledPeer(orchestrator, entry, {
      first: { connection, link },
      router,
      groupId: group,
      connected: connected.promise,
    });
  }

  private constructor(
    orchestrator: Orchestrator,
    entry: TrustEntry,
    { first, router, groupId, connected }: {
      readonly first: { readonly connection: QuicConnection; readonly link: PeerLink };
      readonly router: SessionRouter;
      readonly groupId: Uint8Array<ArrayBuffer> | undefined;
      readonly connected: Promise<ConnectedPeer>;
    },
  ) {
    const { pool } = orchestrator;
    this.entry = entry;
    this.connection = first.connection;
    this.router = router;
    this.connected = connected;
    this.#orchestrator = orchestrator;
    this.#groupId = groupId;
    this.id = pool.enter(entry.id, first.link) ?? tooMany(entry);
    this.group = new LinkGroup(first.link);
    this.#core = new GroupCore(this.id, {
      connectionsMax: groupId === undefined ? 1 : pool.limits.connectionsPerPeerMax,
      packetsMax: pool.limits.packetsMax,
    });
    const { connection: counter, link } = first;
    this.#wires.set(this.id, { counter, link, stall: new StallWatch() });
    this.#sum.add(counter);
    this.#timer = setInterval(() => this.#look(), pool.limits.packetCheckMs);
    void this.group.ended.then(() => {
      clearInterval(this.#timer);
      this.endTransfer();
    });
  }

  /** True while another session may begin on it. */
  get isUsable(): boolean {
    return !this.group.primary.isEnded && !this.#core.isWorn;
  }

  /** Connections so far, those that are gone included. */
  get connections(): number {
    return this.#sum.count;
  }

  /** What all of them moved. */
  wire(): WireCounters {
    return this.#sum.read();
  }

  /** Asks the peer whether it is there; without an answer soon, the connection is ended. */
  probe(): void {
    this.#orchestrator.pool.probe(this.id);
  }

  /**
   * Bytes are about to move: opens the connections that are worth having for so many, meanwhile.
   *
   * @param options.asked How many connections the user wants, if that was said.
   * @param options.threads False to have them all in this thread, which can hold them to a rate.
   */
  beginTransfer(
    bytes: number,
    { asked, threads }: { readonly asked: number | undefined; readonly threads: boolean },
  ): void {
    if (this.#transfer !== undefined) return;
    this.#useThreads = threads;
    const cores = threads ? navigator.hardwareConcurrency : 1;
    const { rttMs } = this.connection.stats();
    const connections = connectionsFor({ bytes, asked, cores, rttMs });
    this.#transfer = new AbortController();
    for (const id of this.#wires.keys()) if (id !== this.id) this.#orchestrator.pool.use(id);
    this.#core.want(connections);
    this.#look();
  }

  /** They have moved. Connections that joined wait for the next time, as long as any. */
  endTransfer(): void {
    if (this.#transfer === undefined) return;
    this.#transfer.abort(new LandropicError("interrupted", "The transfer is over"));
    this.#transfer = undefined;
    this.#core.want(0);
    for (const id of this.#wires.keys()) if (id !== this.id) this.#orchestrator.pool.rest(id);
  }

  /** Ends all its connections in good order. */
  async close(): Promise<void> {
    await this.group[Symbol.asyncDispose]();
    await this.connection.close(CLOSE_CODE.normal);
  }

  /** Takes the counters and does what follows from them. */
  #look(): void {
    if (this.group.primary.isEnded) return;
    for (const [id, { counter, link, stall }] of this.#wires) {
      const { sentPackets, receivedPackets } = counter.stats();
      const load = this.group.loadOf(link);
      this.#core.handleState(id, Math.max(sentPackets, receivedPackets), load);
      if (id !== this.id && stall.check(receivedPackets, load)) this.#orchestrator.pool.probe(id);
    }
    for (let action; (action = this.#core.poll()) !== undefined;) this.#do(action);
  }

  #do(action: GroupAction): void {
    switch (action.kind) {
      case "dial":
        return this.#orchestrator.background(this.#join(this.#transfer!.signal));
      case "retire":
        this.#orchestrator.pool.count("retired");
        this.#log("debug", "a connection has carried its share of packets, another one takes over");
        return this.group.retire(this.#wires.get(action.id)!.link);
      case "close":
        return void this.#wires.get(action.id)?.link.close();
    }
  }

  /** Dials, and joins the group with what comes of it. */
  async #join(signal: AbortSignal): Promise<void> {
    const isByLane = this.#useThreads && this.#orchestrator.threads.areUsable;
    try {
      await this.group.primary.peerHello;
      if (!this.group.knows(FEATURE_GROUPS)) throw new Error("the peer works with one connection");
      if (isByLane) await this.#joinByLane(signal);
      else await this.#joinHere(signal);
    } catch (error) {
      // It may be that one side can't have threads, and says so only by its silence.
      if (isByLane) this.#useThreads = false;
      this.#core.handleDialFailed();
      this.#orchestrator.pool.count("failedJoins");
      this.#log("info", `no further connection with the peer: ${messageOf(error)}`);
    }
    this.#look();
  }

  /** With a connection of this thread. */
  async #joinHere(signal: AbortSignal): Promise<void> {
    const connection = await this.#dial(signal);
    try {
      const link = await callPeer(this.#orchestrator, this.entry, connection, {
        handler: new JoinedHandler(this.router),
        group: this.#membership,
      });
      await link.peerHello;
      this.#enter({ counter: connection, link, stall: new StallWatch() });
    } catch (error) {
      await connection.close(CLOSE_CODE.normal);
      throw error;
    }
  }

  /** With a connection of another thread. */
  async #joinByLane(signal: AbortSignal): Promise<void> {
    const orchestrator = this.#orchestrator;
    const lane = await orchestrator.threads.start({
      start: laneStart(orchestrator, this.entry, {
        kind: "dial",
        remote: this.connection.remoteAddress,
        ticket: laneTicket(this.#groupId!, this.#ticket++),
        timeoutMs: LANE_TIMEOUT_MS,
      }, this.#membership),
      providers: this.router,
      logger: orchestrator.options.logger,
      signal,
    });
    try {
      this.#enter({ counter: lane, link: lane, stall: new StallWatch() });
      this.#log("debug", "another thread helps with a connection of its own");
    } catch (error) {
      await lane.close();
      throw error;
    }
  }

  /** What a connection says in its Hello that is to help the first one. */
  get #membership(): Required<Pick<Hello, "group" | "joins">> {
    return { group: this.#groupId!, joins: true };
  }

  #enter(wire: Wire): void {
    const { counter, link } = wire;
    const { pool } = this.#orchestrator;
    const id = pool.enter(this.entry.id, link) ?? tooMany(this.entry);
    const isIn = link instanceof Lane ? this.group.addLane(link) : this.group.add(link);
    if (!isIn) throw new Error("the group has ended");
    this.#wires.set(id, wire);
    this.#sum.add(counter);
    this.#core.handleJoined(id);
    pool.count("joined");
    if (this.#transfer === undefined) pool.rest(id);
    void link.ended.then((error) => {
      this.#wires.delete(id);
      if (error) this.#log("info", `a connection of several ended: ${messageOf(error)}`);
      this.#core.handleEnded(id, isDismissal(error));
      this.#look();
    });
  }

  /** Where the first connection leads, else wherever the peer is. */
  async #dial(signal: AbortSignal): Promise<QuicConnection> {
    const { remoteAddress } = this.connection;
    const timeoutMs = ANSWER_TIMEOUT_MS;
    try {
      return await this.#orchestrator.dial(this.entry, remoteAddress, { timeoutMs, signal });
    } catch (error) {
      signal.throwIfAborted();
      this.#log("debug", `the peer is looked for elsewhere: ${messageOf(error)}`);
      return await reachPeer(this.#orchestrator, this.entry, { retries: 0, waitMs: 0, signal });
    }
  }

  #log(level: "debug" | "info", message: string): void {
    this.#orchestrator.options.logger.log(level, message, { peer: this.entry.alias });
  }
}

function tooMany({ alias }: TrustEntry): never {
  throw new LandropicError("failed", `Too many connections with "${alias}"`);
}

/** True where the peer has not let a connection in, or has sent it away, in good order. */
function isDismissal(error: Error | undefined): boolean {
  return error === undefined || (error instanceof LandropicError && error.code === "failed");
}
