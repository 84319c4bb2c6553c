import { delay } from "../base/clock.ts";
import { LandropicError } from "../base/errors.ts";
import { parsePeerAddress, type TrustEntry } from "../identity/mod.ts";
import type { HostPort, QuicConnection } from "../quic/mod.ts";
import { backoffMs } from "./backoff.ts";
import type { Orchestrator } from "./orchestrator.ts";

/** How long one address gets to answer. */
const ANSWER_TIMEOUT_MS = 3_000;
/** Head start of an address over the next one (RFC 8305 section 5, connection attempt delay). */
const STAGGER_MS = 250;

/** How long, and where, to look for a peer. */
export interface ReachOptions {
  /** Where the user says it is; else where it was last. */
  readonly address?: { readonly host: string; readonly port: number } | undefined;
  /** Tries after the first one. */
  readonly retries: number;
  /** Bound on all tries together. */
  readonly timeoutMs?: number | undefined;
  /** Wait at least this long for the peer to appear, however many tries it takes. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

/**
 * Connects with a trusted peer: all its addresses side by side, again and again with growing pauses.
 *
 * @throws {LandropicError} `peer_unreachable` or `timed_out` in the end; at once for what no further try
 * can change, such as another device answering.
 */
export async function reachPeer(
  orchestrator: Orchestrator,
  entry: TrustEntry,
  options: ReachOptions,
): Promise<QuicConnection> {
  const { clock } = orchestrator.options;
  const startMs = clock.nowMs();
  const elapsedMs = () => clock.nowMs() - startMs;
  for (let failures = 1;; failures++) {
    try {
      return await dialAll(orchestrator, entry, await addressesOf(entry, options), options.signal);
    } catch (error) {
      options.signal.throwIfAborted();
      if (!isWorthAnotherTry(error)) throw error;
      const isWaiting = elapsedMs() < options.waitMs;
      if (failures > options.retries && !isWaiting) throw error;
      const pauseMs = backoffMs(failures, Math.random());
      if (options.timeoutMs !== undefined && elapsedMs() + pauseMs > options.timeoutMs) {
        throw new LandropicError(
          "timed_out",
          `Cannot reach "${entry.alias}" within the time given`,
          "check that it serves, and that its address is right (--address)",
          error,
        );
      }
      orchestrator.options.logger.log("info", `no answer from "${entry.alias}", trying again`);
      await delay(pauseMs, options.signal);
    }
  }
}

/** True for failures that may pass: nobody answered, or the connection broke. */
export function isWorthAnotherTry(error: unknown): boolean {
  return error instanceof LandropicError &&
    (error.code === "peer_unreachable" || error.code === "timed_out");
}

async function addressesOf(entry: TrustEntry, options: ReachOptions): Promise<HostPort[]> {
  const { resolveAddress } = await import("../quic/mod.ts");
  const known = options.address ? [options.address] : entry.addresses.map(parsePeerAddress);
  if (known.length === 0) {
    throw new LandropicError(
      "peer_unreachable",
      `No address of "${entry.alias}" is known`,
      "say where it is with --address HOST:PORT",
    );
  }
  const resolved = await Promise.allSettled(
    known.map(({ host, port }) => resolveAddress(host, port)),
  );
  const found = resolved.flatMap((result) => result.status === "fulfilled" ? result.value : []);
  const failed = resolved.find((result) => result.status === "rejected");
  if (found.length === 0 && failed) throw failed.reason;
  return found;
}

/** Dials all addresses, each a little after the one before; the first to answer wins. */
async function dialAll(
  orchestrator: Orchestrator,
  entry: TrustEntry,
  addresses: readonly HostPort[],
  signal: AbortSignal,
): Promise<QuicConnection> {
  const won = new AbortController();
  const stop = AbortSignal.any([signal, won.signal]);
  const tries = addresses.map(async (address, i) => {
    await delay(i * STAGGER_MS, stop);
    const connection = await orchestrator.dial(entry, address, {
      timeoutMs: ANSWER_TIMEOUT_MS,
      signal: stop,
    });
    if (won.signal.aborted) {
      await connection.close(0);
      throw new LandropicError("interrupted", "Another address answered first");
    }
    won.abort();
    return connection;
  });
  try {
    return await Promise.any(tries);
  } catch (error) {
    signal.throwIfAborted();
    throw mostTelling((error as AggregateError).errors);
  }
}

/** Somebody who is not the peer tells more than somebody who did not answer. */
function mostTelling(errors: readonly unknown[]): unknown {
  return errors.find((error) => !isWorthAnotherTry(error)) ?? errors[0];
}
