import { delay } from "../base/clock.ts";
import { LandropicError, messageOf } from "../base/errors.ts";
import { parsePeerAddress, type TrustEntry } from "../identity/mod.ts";
import type { HostPort, QuicConnection } from "../quic/mod.ts";
import { AddressRace } from "./address_race.ts";
import { backoffMs } from "./backoff.ts";
import type { Orchestrator } from "./orchestrator.ts";
import { PeerSearch } from "./peer_search.ts";

/** How long one address gets to answer. */
export const ANSWER_TIMEOUT_MS = 3_000;
/** Head start of an address over the next one (RFC 8305 section 5, connection attempt delay). */
const STAGGER_MS = 250;
/** The same among addresses that were just announced, the likeliest ones. */
const FOUND_STAGGER_MS = 50;
/** Head start of the last addresses over the search on the local network. */
export const SEARCH_DELAY_MS = 100;
/** How long one try waits for the peer to announce itself. */
const SEARCH_MS = 3_000;

/** How long, and where, to look for a peer. */
export interface ReachOptions {
  /** Where the user says it is; else where it was last, and where it announces itself. */
  readonly address?: { readonly host: string; readonly port: number } | undefined;
  /** Tries after the first one; a run has as many in each outage. */
  readonly retries: number;
  /** Bound on all tries together; in a run, on those of one outage. */
  readonly timeoutMs?: number | undefined;
  /** Wait at least this long for the peer to appear, however many tries it takes. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

/**
 * Connects with a trusted peer: all its addresses side by side, those where it was last first and soon
 * those where it announces itself; again and again with growing pauses, which end as soon as it appears.
 * A stranger at one address keeps nobody from finding the peer at another.
 *
 * @throws {LandropicError} `peer_unreachable`, `timed_out`, or `peer_untrusted` where nobody but strangers
 * answered; at once for what no further try can change.
 */
export async function reachPeer(
  orchestrator: Orchestrator,
  entry: TrustEntry,
  options: ReachOptions,
): Promise<QuicConnection> {
  const ready = orchestrator.appeared.take(entry);
  if (ready) return ready;
  const bound = new AbortController();
  const timer = options.timeoutMs === undefined
    ? undefined
    : setTimeout(() => bound.abort(tooLate(entry)), options.timeoutMs);
  try {
    return await new PeerReach(orchestrator, entry, {
      ...options,
      signal: AbortSignal.any([options.signal, bound.signal]),
    }).reach();
  } finally {
    clearTimeout(timer);
  }
}

/** True for failures that may pass: nobody answered, or the connection broke. */
export function isWorthAnotherTry(error: unknown): boolean {
  return error instanceof LandropicError &&
    (error.code === "peer_unreachable" || error.code === "timed_out");
}

class PeerReach {
  readonly #orchestrator: Orchestrator;
  readonly #entry: TrustEntry;
  readonly #options: ReachOptions;
  readonly #startMs: number;
  #search: PeerSearch | undefined;

  constructor(orchestrator: Orchestrator, entry: TrustEntry, options: ReachOptions) {
    this.#orchestrator = orchestrator;
    this.#entry = entry;
    this.#options = options;
    this.#startMs = orchestrator.options.clock.nowMs();
  }

  async reach(): Promise<QuicConnection> {
    const { address, signal } = this.#options;
    const known = address ? [address] : this.#entry.addresses.map(parsePeerAddress);
    // The head start begins when dials can: loading the transport is nobody's silence.
    if (known.length > 0) await this.#orchestrator.initializeQuicTransport();
    const delayMs = known.length === 0 ? 0 : SEARCH_DELAY_MS;
    const search = address ? undefined : new PeerSearch(this.#orchestrator, this.#entry, delayMs);
    using _ = search;
    this.#search = search;
    for (let failures = 1;; failures++) {
      try {
        return await this.#tryOnce(known);
      } catch (error) {
        signal.throwIfAborted();
        if (this.#isFinal(error, failures)) throw error;
        this.#orchestrator.options.logger.log(
          "info",
          `no answer from "${this.#entry.alias}", trying again`,
          { error: messageOf(error) },
        );
        await this.#pause(backoffMs(failures, Math.random()));
      }
    }
  }

  /** Dials everything that is known and found, once. */
  async #tryOnce(known: readonly HostPort[]): Promise<QuicConnection> {
    const race = new AddressRace(
      (address, signal) =>
        this.#orchestrator.dial(this.#entry, address, { timeoutMs: ANSWER_TIMEOUT_MS, signal }),
      this.#options.signal,
    );
    const search = this.#search;
    search?.listen((addresses) => race.add(addresses, FOUND_STAGGER_MS));
    if (search) race.add(search.addresses, FOUND_STAGGER_MS);
    const timer = setTimeout(() => race.complete(), SEARCH_MS);
    const unresolved: unknown[] = [];
    try {
      const resolving = this.#resolve(known, race).then((errors) => unresolved.push(...errors));
      void Promise.all([resolving, search?.over]).then(() => race.complete());
      return await race.winner;
    } catch (error) {
      if (!(error instanceof AggregateError)) throw error;
      throw this.#explain([...unresolved, ...error.errors]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Adds the numeric addresses behind what is known; returns why some have none. */
  async #resolve(
    known: readonly HostPort[],
    race: AddressRace<QuicConnection>,
  ): Promise<unknown[]> {
    const { resolveAddress } = await import("../quic/mod.ts");
    const resolved = await Promise.allSettled(
      known.map(({ host, port }) => resolveAddress(host, port)),
    );
    const found = resolved.flatMap((one) => one.status === "fulfilled" ? one.value : []);
    race.add(found, STAGGER_MS);
    return resolved.flatMap((one) => one.status === "rejected" ? [one.reason] : []);
  }

  #isFinal(error: unknown, failures: number): boolean {
    const { address, retries, waitMs } = this.#options;
    // Who answers at the address that the user gave answers there the next time too.
    if (address && !isWorthAnotherTry(error)) return true;
    if (!address && this.#search!.isOver && this.#entry.addresses.length === 0) return true;
    const elapsedMs = this.#orchestrator.options.clock.nowMs() - this.#startMs;
    return failures > retries && elapsedMs >= waitMs;
  }

  /** Waits; not longer than until the peer announces itself. */
  async #pause(ms: number): Promise<void> {
    const news = this.#search?.news;
    const woken = new AbortController();
    const pausing = delay(ms, AbortSignal.any([this.#options.signal, woken.signal]));
    void news?.then(() => woken.abort());
    await pausing.catch(() => this.#options.signal.throwIfAborted());
  }

  /** Somebody who is not the peer tells more than somebody who did not answer. */
  #explain(errors: readonly unknown[]): unknown {
    const telling = errors.find((error) => !isWorthAnotherTry(error)) ?? errors[0];
    if (telling !== undefined) return telling;
    const isSearching = !this.#search!.isOver;
    return new LandropicError(
      "peer_unreachable",
      isSearching
        ? `Cannot find "${this.#entry.alias}": it does not announce itself on the local network`
        : `No address of "${this.#entry.alias}" is known`,
      `check that it serves, or say where it is: --address HOST:PORT`,
    );
  }
}

function tooLate(entry: TrustEntry): LandropicError {
  return new LandropicError(
    "timed_out",
    `Cannot reach "${entry.alias}" within the time given`,
    "check that it serves, and that its address is right (--address)",
  );
}
