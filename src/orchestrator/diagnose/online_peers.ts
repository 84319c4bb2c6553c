import { delay } from "../../base/clock.ts";
import { CLOSE_CODE } from "../../base/wire_codes.ts";
import { parsePeerAddress, type TrustEntry } from "../../identity/mod.ts";
import { formatHostPort, resolveAddress } from "../../quic/mod.ts";
import { AddressRace } from "../address_race.ts";
import type { Orchestrator } from "../orchestrator.ts";

/** How long a peer gets to show that it is there: enough for a LAN and most of the world. */
export const ONLINE_PROBE_MS = 1_000;

/** Head start of one address over the next. */
const STAGGER_MS = 50;

/**
 * Finds out which trusted peers are there now: dials their last addresses and whatever announces
 * itself as one of them, all at once, and takes a finished handshake with the right key for a yes.
 * Takes {@linkcode ONLINE_PROBE_MS} at most, and less where all answer.
 *
 * @returns Where each peer that is there was found, `HOST:PORT`, by its id.
 */
export async function onlinePeers(
  orchestrator: Orchestrator,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const entries = orchestrator.trust.list();
  const online = new Map<string, string>();
  if (entries.length === 0) return online;
  await orchestrator.initializeQuicTransport();
  const stop = new AbortController();
  const until = AbortSignal.any([signal, stop.signal]);
  const all = Promise.withResolvers<void>();
  const note: Parameters<Orchestrator["watchPeers"]>[0] = (entry, connection) => {
    online.set(entry.id, formatHostPort(connection.remoteAddress));
    void connection.close(CLOSE_CODE.normal);
    if (online.size === entries.length) all.resolve();
  };
  using _watch = orchestrator.watchPeers(note);
  for (const entry of entries) {
    void race(orchestrator, entry, until).then((connection) => note(entry, connection), () => {});
  }
  try {
    await Promise.race([all.promise, delay(ONLINE_PROBE_MS, until)]);
    return online;
  } finally {
    stop.abort(new DOMException("Time is up", "AbortError"));
  }
}

async function race(orchestrator: Orchestrator, entry: TrustEntry, until: AbortSignal) {
  const race = new AddressRace(
    (address, signal) => orchestrator.dial(entry, address, { timeoutMs: ONLINE_PROBE_MS, signal }),
    until,
  );
  const resolved = await Promise.allSettled(
    entry.addresses.map(parsePeerAddress).map(({ host, port }) => resolveAddress(host, port)),
  );
  race.add(resolved.flatMap((one) => one.status === "fulfilled" ? one.value : []), STAGGER_MS);
  race.complete();
  return await race.winner;
}
