import { hostLimitKey } from "../base/ip_address.ts";
import { type HostPort, isLoopback } from "./address.ts";

/** What an endpoint accepts at most. */
export interface ListenLimits {
  /** Connections that are not verified yet; further clients are ignored. */
  readonly handshakesMax: number;
  /** The same from one host, or one /64 of IPv6. */
  readonly handshakesPerHostMax: number;
  /** With more under way than this, a client must first prove that it receives at its address (Retry). */
  readonly handshakesUnproven: number;
  /** Accepted connections of any state. */
  readonly connectionsMax: number;
  /** Verified connections of one peer, as `ListenOptions.peerKey` tells them apart. */
  readonly connectionsPerPeerMax: number;
  /** Peers with verified connections. */
  readonly peersMax: number;
}

/** Limits against strangers that flood, and peers that leak. */
export const DEFAULT_LISTEN_LIMITS: ListenLimits = {
  handshakesMax: 64,
  handshakesPerHostMax: 8,
  handshakesUnproven: 16,
  connectionsMax: 256,
  connectionsPerPeerMax: 4,
  peersMax: 64,
};

/** What to do with a client: let it in, have it prove its address, or ignore it. */
export type Admission = "accept" | "retry" | "ignore";

/** A client's place among the handshakes under way. */
export interface Place {
  readonly hostKey: string;
}

/** New connections in a second, on average, and at once after a pause. */
const RATE_PER_SECOND = 10;
const BURST = 20;
/** Hosts whose rates are remembered; past that the one heard of longest ago is forgotten. */
const HOSTS_MAX = 1024;

interface Allowance {
  left: number;
  atMs: number;
}

/**
 * Decides which clients an endpoint begins a handshake with, each of which costs memory and signatures.
 * Anyone can write any address on a datagram, so whatever an unproven one may use up, it shares with all
 * unproven ones and never takes from those that proved their address: they keep most places, and a rate
 * for each host. Loopback, which no stranger can write from, is spared all but the totals.
 */
export class Doorkeeper {
  readonly #unproven: Allowance = { left: BURST, atMs: -Infinity };
  /** In the order of the last use. */
  readonly #allowances = new Map<string, Allowance>();
  readonly #perHost = new Map<string, number>();
  #handshakes = 0;
  #connections = 0;

  /** Handshakes under way. */
  get handshakes(): number {
    return this.#handshakes;
  }

  /** Hosts that something is remembered of: bounded, whoever writes. */
  get hostsKnown(): number {
    return Math.max(this.#allowances.size, this.#perHost.size);
  }

  /**
   * A client's first datagram is here.
   *
   * @param isProven True if it showed a valid token, and so receives at `client`.
   */
  admit(client: HostPort, isProven: boolean, limits: ListenLimits, nowMs: number): Admission {
    if (this.#connections >= limits.connectionsMax) return "ignore";
    if (this.#handshakes >= limits.handshakesMax) return "ignore";
    const isLocal = isLoopback(client.host);
    const hostKey = hostLimitKey(client.host);
    const ofHost = isLocal ? 0 : this.#perHost.get(hostKey) ?? 0;
    if (!isProven) {
      // Half the places of a host stay for those that prove it is theirs.
      const isCrowded = this.#handshakes > limits.handshakesUnproven ||
        ofHost >= Math.ceil(limits.handshakesPerHostMax / 2);
      return isCrowded || !(isLocal || spend(this.#unproven, nowMs)) ? "retry" : "accept";
    }
    if (ofHost >= limits.handshakesPerHostMax) return "ignore";
    return isLocal || spend(this.#allowanceOf(hostKey, nowMs), nowMs) ? "accept" : "ignore";
  }

  /** Takes a place for a client that was admitted. */
  enter(client: HostPort): Place {
    const hostKey = hostLimitKey(client.host);
    this.#handshakes++;
    this.#connections++;
    this.#perHost.set(hostKey, (this.#perHost.get(hostKey) ?? 0) + 1);
    return { hostKey };
  }

  /** A handshake is over: with a verified peer, or with the connection. */
  endHandshake({ hostKey }: Place): void {
    this.#handshakes--;
    const left = this.#perHost.get(hostKey)! - 1;
    if (left > 0) this.#perHost.set(hostKey, left);
    else this.#perHost.delete(hostKey);
  }

  /** A connection is gone, its handshake having ended before. */
  leave(): void {
    this.#connections--;
  }

  #allowanceOf(hostKey: string, nowMs: number): Allowance {
    const known = this.#allowances.get(hostKey);
    const allowance = known ?? { left: BURST, atMs: nowMs };
    this.#allowances.delete(hostKey);
    this.#allowances.set(hostKey, allowance);
    if (this.#allowances.size > HOSTS_MAX) {
      this.#allowances.delete(this.#allowances.keys().next().value!);
    }
    return allowance;
  }
}

/** Token bucket: false if nothing is left. */
function spend(allowance: Allowance, nowMs: number): boolean {
  const seconds = Math.max(0, nowMs - allowance.atMs) / 1000;
  allowance.left = Math.min(BURST, allowance.left + seconds * RATE_PER_SECOND);
  allowance.atMs = nowMs;
  if (allowance.left < 1) return false;
  allowance.left--;
  return true;
}
