import type { PoolLimits } from "./pool_limits.ts";

/** What is to be done with a connection. A closed one is forgotten. */
export type PoolAction =
  | { readonly kind: "ping"; readonly id: number }
  | { readonly kind: "close"; readonly id: number; readonly why: "idle" | "dead" };

/** What a pool has seen. */
export interface PoolCounters {
  /** Connections taken in. */
  added: number;
  /** Times that a session found a connection waiting. */
  reused: number;
  closedIdle: number;
  closedDead: number;
  checksAnswered: number;
  checksMissed: number;
  /** Connections that joined another one, those that were to and could not, and those replaced. */
  joined: number;
  failedJoins: number;
  retired: number;
}

interface Member {
  readonly id: number;
  readonly peer: string;
  users: number;
  idleSinceMs: number;
  nextCheckMs: number;
  /** Questions in a row without an answer. */
  unanswered: number;
  /** An answer must come by then. */
  probeDeadlineMs: number;
  /** That question is still to be asked. */
  isProbeDue: boolean;
}

/**
 * Decides which connections are kept: bounds how many there are with each peer, asks those that are quiet
 * whether they are alive, and gives up those that do not answer or that nobody has used for long. No
 * clock and no timer of its own: `poll()` until there is nothing to do, again at `pollTimeout()`.
 */
export class PoolCore {
  readonly #limits: PoolLimits;
  readonly #members = new Map<number, Member>();
  readonly #counters: PoolCounters = {
    added: 0,
    reused: 0,
    closedIdle: 0,
    closedDead: 0,
    checksAnswered: 0,
    checksMissed: 0,
    joined: 0,
    failedJoins: 0,
    retired: 0,
  };
  #nextId = 1;

  constructor(limits: PoolLimits) {
    this.#limits = limits;
  }

  get counters(): Readonly<PoolCounters> {
    return this.#counters;
  }

  /** Counts what groups of connections do. */
  count(what: "joined" | "failedJoins" | "retired"): void {
    this.#counters[what]++;
  }

  /** Connections that somebody uses, and that wait for somebody. */
  get states(): { readonly used: number; readonly idle: number } {
    let used = 0;
    for (const { users } of this.#members.values()) if (users > 0) used++;
    return { used, idle: this.#members.size - used };
  }

  /** Connections with a peer. */
  countOf(peer: string): number {
    let count = 0;
    for (const member of this.#members.values()) if (member.peer === peer) count++;
    return count;
  }

  /**
   * Takes in a connection, in use by whoever brings it.
   *
   * @returns Its id, or `undefined` where the peer has as many as it may.
   */
  add(peer: string, nowMs: number): number | undefined {
    if (this.countOf(peer) >= this.#limits.connectionsPerPeerMax) return undefined;
    const id = this.#nextId++;
    this.#members.set(id, {
      id,
      peer,
      users: 1,
      idleSinceMs: nowMs,
      nextCheckMs: nowMs + this.#limits.checkIntervalMs,
      unanswered: 0,
      probeDeadlineMs: Infinity,
      isProbeDue: false,
    });
    this.#counters.added++;
    return id;
  }

  /** Somebody else uses a connection that is there. */
  use(id: number): void {
    const member = this.#members.get(id);
    if (member === undefined) return;
    if (member.users++ === 0) this.#counters.reused++;
  }

  /** Somebody is through with it. */
  release(id: number, nowMs: number): void {
    const member = this.#members.get(id);
    if (member === undefined || member.users === 0) return;
    if (--member.users === 0) member.idleSinceMs = nowMs;
  }

  /** Something is about to depend on the peer: it is asked now, and has little time to answer. */
  probe(id: number, nowMs: number): void {
    const member = this.#members.get(id);
    if (member === undefined || member.probeDeadlineMs !== Infinity) return;
    member.probeDeadlineMs = nowMs + this.#limits.probeMs;
    member.isProbeDue = true;
  }

  /** The peer has answered. */
  handleAnswer(id: number): void {
    const member = this.#members.get(id);
    if (member === undefined) return;
    member.unanswered = 0;
    member.probeDeadlineMs = Infinity;
    this.#counters.checksAnswered++;
  }

  /** The connection has ended by itself. */
  remove(id: number): void {
    this.#members.delete(id);
  }

  /** The next thing to do, if there is one. */
  poll(nowMs: number): PoolAction | undefined {
    for (const member of this.#members.values()) {
      const { id } = member;
      if (nowMs >= member.probeDeadlineMs) return this.#close(member, "dead");
      if (member.isProbeDue) {
        member.isProbeDue = false;
        return { kind: "ping", id };
      }
      if (nowMs >= member.nextCheckMs) {
        if (member.unanswered > 0) this.#counters.checksMissed++;
        if (member.unanswered >= this.#limits.missesMax) return this.#close(member, "dead");
        member.unanswered++;
        member.nextCheckMs = nowMs + this.#limits.checkIntervalMs;
        return { kind: "ping", id };
      }
      if (nowMs >= this.#idleDeadlineMs(member)) return this.#close(member, "idle");
    }
    return undefined;
  }

  /** When there will be something to do; Infinity if never, -Infinity for now. */
  pollTimeout(): number {
    let earliestMs = Infinity;
    for (const member of this.#members.values()) {
      const { probeDeadlineMs, nextCheckMs } = member;
      if (member.isProbeDue) return -Infinity;
      const deadlineMs = Math.min(probeDeadlineMs, nextCheckMs, this.#idleDeadlineMs(member));
      earliestMs = Math.min(earliestMs, deadlineMs);
    }
    return earliestMs;
  }

  #idleDeadlineMs({ users, idleSinceMs }: Member): number {
    return users > 0 ? Infinity : idleSinceMs + this.#limits.idleTimeoutMs;
  }

  #close({ id }: Member, why: "idle" | "dead"): PoolAction {
    this.#members.delete(id);
    this.#counters[why === "idle" ? "closedIdle" : "closedDead"]++;
    return { kind: "close", id, why };
  }
}
