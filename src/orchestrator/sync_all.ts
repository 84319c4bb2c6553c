import type { TrustEntry } from "../identity/mod.ts";
import { type ReachOptions, reachPeer } from "./dialer.ts";
import type { Orchestrator } from "./orchestrator.ts";

/** How to go through the peers. */
export interface EachPeerOptions extends Pick<ReachOptions, "timeoutMs" | "waitMs" | "signal"> {
  /** One peer at a time: for work that changes one local folder. */
  readonly isSerial: boolean;
  /** What to do with a peer that is there; `reachPeer()` then has its connection. */
  readonly work: (entry: TrustEntry) => Promise<void>;
  /** A peer was not to be reached. */
  readonly onUnreachable: (entry: TrustEntry, error: unknown) => void;
}

/** What became of one peer. */
export interface PeerOutcome {
  readonly entry: TrustEntry;
  readonly isReached: boolean;
  /** Why it was not reached, or what the work threw. */
  readonly error: unknown;
}

/**
 * Reaches every trusted peer, all at once, and does some work with each that is there: at once too, or
 * in the order in which they answered. What goes wrong with one peer is no matter of the others.
 *
 * @returns In the order of `trust.list()`.
 * @throws the signal's reason.
 */
export async function forEachPeer(
  orchestrator: Orchestrator,
  options: EachPeerOptions,
): Promise<PeerOutcome[]> {
  const { signal, isSerial, work, onUnreachable } = options;
  const reach = { ...options, retries: 0 };
  let turn: Promise<void> = Promise.resolve();
  const outcomes = orchestrator.trust.list().map(async (entry): Promise<PeerOutcome> => {
    try {
      orchestrator.appeared.put(entry, await reachPeer(orchestrator, entry, reach));
    } catch (error) {
      signal.throwIfAborted();
      onUnreachable(entry, error);
      return { entry, isReached: false, error };
    }
    // While it waits for its turn the peer may end the connection; it is then dialled again.
    const before = turn;
    const mine = (isSerial ? before : Promise.resolve()).then(() => work(entry));
    turn = mine.catch(() => {});
    try {
      await mine;
      return { entry, isReached: true, error: undefined };
    } catch (error) {
      signal.throwIfAborted();
      return { entry, isReached: true, error };
    }
  });
  return await Promise.all(outcomes);
}
