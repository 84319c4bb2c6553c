import { LandropicError } from "../../base/errors.ts";
import { CLOSE_CODE } from "../../base/wire_codes.ts";
import type { TrustEntry } from "../../identity/mod.ts";
import type { QuicConnection } from "../../quic/mod.ts";
import { type ReachOptions, reachPeer } from "../dialer.ts";
import type { Orchestrator } from "../orchestrator.ts";
import { PoolCore, type PoolCounters } from "./pool_core.ts";
import type { PoolLimits } from "./pool_limits.ts";
import { PooledPeer } from "./pooled_peer.ts";

/** What the pool looks after: a connection of this thread, or a lane with one. */
export interface PooledLink {
  /** Resolves when it has ended. */
  readonly ended: Promise<unknown>;
  /** Resolves when the peer has answered. */
  ping(): Promise<unknown>;
  close(code: number, error?: Error): Promise<void>;
}

/** A connection with a peer, and what was made of it in an earlier session. */
export interface Reached {
  readonly connection: QuicConnection;
  readonly peer: PooledPeer | undefined;
}

/**
 * The connections of a command with its peers. Sessions borrow them and give them back; the next session
 * with the same peer finds its connection waiting. Looks after all of them: whether they are alive, and
 * whether anybody still needs them.
 */
export class ConnectionPool implements AsyncDisposable {
  readonly limits: PoolLimits;
  readonly #orchestrator: Orchestrator;
  readonly #core: PoolCore;
  readonly #links = new Map<number, PooledLink>();
  /** Waiting for somebody. */
  readonly #idle = new Set<PooledPeer>();
  /** Connections that peers have dialled, by whose they are. */
  readonly #accepted = new Map<string, Set<QuicConnection>>();
  #isOver = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAtMs = Infinity;

  constructor(orchestrator: Orchestrator, limits: PoolLimits) {
    this.#orchestrator = orchestrator;
    this.limits = limits;
    this.#core = new PoolCore(limits);
  }

  /** What has happened so far, for metrics. */
  get counters(): Readonly<PoolCounters> {
    return this.#core.counters;
  }

  /** Connections that somebody uses, and that wait for somebody. */
  get states(): { readonly used: number; readonly idle: number } {
    return this.#core.states;
  }

  /**
   * Finds a connection with a peer: one that waits, or a new one. It is the caller's until
   * {@linkcode open} has taken it.
   *
   * @throws as {@linkcode reachPeer}.
   */
  async reach(entry: TrustEntry, options: ReachOptions): Promise<Reached> {
    for (const peer of this.#idle) {
      if (peer.entry.id !== entry.id) continue;
      this.#idle.delete(peer);
      if (!peer.isUsable) continue;
      this.#core.use(peer.id);
      return { connection: peer.connection, peer };
    }
    return { connection: await reachPeer(this.#orchestrator, entry, options), peer: undefined };
  }

  /**
   * Speaks first on a connection, unless that was done before. To be given back with
   * {@linkcode release} when no session runs on it.
   *
   * @throws whatever ends the connection.
   */
  async open(entry: TrustEntry, { connection, peer }: Reached): Promise<PooledPeer> {
    return peer ?? await this.#open(entry, { connection, isGuest: false });
  }

  /**
   * Keeps a connection with a peer that appeared, as long as any that nobody uses. Where both have dialled
   * each other, the one that the device with the smaller id has dialled stays.
   */
  async welcome(entry: TrustEntry, connection: QuicConnection): Promise<void> {
    const peer = await this.#open(entry, { connection, isGuest: true });
    try {
      await peer.connected;
    } finally {
      await this.release(peer);
    }
    this.#settleDualDial(entry.id);
  }

  /** Says that a peer has dialled. */
  handleAccepted(entry: TrustEntry, connection: QuicConnection): void {
    const accepted = this.#accepted.get(entry.id) ?? new Set();
    this.#accepted.set(entry.id, accepted.add(connection));
    void connection.closed.then(() => {
      accepted.delete(connection);
      if (accepted.size === 0) this.#accepted.delete(entry.id);
    });
    this.#settleDualDial(entry.id);
  }

  /** True while there is a connection with the peer, whoever has dialled. */
  isConnected({ id }: TrustEntry): boolean {
    return this.#accepted.has(id) || this.#core.countOf(id) > 0;
  }

  /** Takes a connection back, for whoever comes next. */
  async release(peer: PooledPeer): Promise<void> {
    peer.endTransfer();
    if (!peer.isUsable) return await peer.close();
    this.#core.release(peer.id, this.#nowMs);
    this.#idle.add(peer);
    this.#run();
  }

  /**
   * Looks after one connection from now on, in use by whoever brings it.
   *
   * @param peer Whose it is; connections dialled and accepted are counted apart.
   * @returns Its id; `undefined` where the peer has as many as it may.
   */
  enter(peer: string, link: PooledLink): number | undefined {
    const id = this.#core.add(peer, this.#nowMs);
    if (id === undefined) return undefined;
    this.#links.set(id, link);
    void link.ended.then(() => {
      this.#links.delete(id);
      this.#core.remove(id);
    });
    this.#run();
    return id;
  }

  /** Counts what groups of connections do. */
  count(what: "joined" | "failedJoins" | "retired"): void {
    this.#core.count(what);
  }

  /** A joined connection serves again. */
  use(id: number): void {
    this.#core.use(id);
  }

  /** A joined connection has nothing to do for now. */
  rest(id: number): void {
    this.#core.release(id, this.#nowMs);
    this.#run();
  }

  /** Asks a peer at once whether it is there; without an answer soon, its connection is ended. */
  probe(id: number): void {
    this.#core.probe(id, this.#nowMs);
    this.#run();
  }

  /** Closes every connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#idle.clear();
    await Promise.all([...this.#links.values()].map((link) => link.close(CLOSE_CODE.normal)));
  }

  async #open(
    entry: TrustEntry,
    how: { readonly connection: QuicConnection; readonly isGuest: boolean },
  ): Promise<PooledPeer> {
    try {
      return await PooledPeer.open(this.#orchestrator, entry, how);
    } catch (error) {
      await how.connection.close(CLOSE_CODE.normal);
      throw error;
    }
  }

  /** Each side closes only what it has dialled itself, and nobody uses: what a session runs on stays. */
  #settleDualDial(peerId: string): void {
    if (!this.#accepted.has(peerId) || this.#orchestrator.identity.id < peerId) return;
    for (const peer of this.#idle) {
      if (peer.entry.id !== peerId) continue;
      this.#idle.delete(peer);
      void peer.close();
    }
  }

  get #nowMs(): number {
    return this.#orchestrator.options.clock.nowMs();
  }

  /** Does what is due, and sees to it that it is called again. */
  #run(): void {
    if (this.#isOver) return;
    for (let action; (action = this.#core.poll(this.#nowMs)) !== undefined;) {
      const { id } = action;
      const link = this.#links.get(id);
      if (link === undefined) continue;
      if (action.kind === "ping") {
        link.ping().then(() => this.#core.handleAnswer(id), () => {});
        continue;
      }
      const error = action.why === "dead"
        ? new LandropicError("peer_unreachable", "The peer does not answer any more")
        : undefined;
      void link.close(CLOSE_CODE.normal, error);
    }
    this.#arm(this.#core.pollTimeout());
  }

  #arm(atMs: number): void {
    // An earlier ring than needed costs nothing; one timer for each change would.
    if (this.#timer !== undefined && this.#timerAtMs <= atMs) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (atMs === Infinity) return;
    this.#timerAtMs = atMs;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#run();
    }, Math.max(1, atMs - this.#nowMs));
  }
}
