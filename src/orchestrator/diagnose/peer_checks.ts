import { delay } from "../../base/clock.ts";
import { LandropicError, messageOf } from "../../base/errors.ts";
import { parsePeerAddress, type TrustEntry } from "../../identity/mod.ts";
import {
  formatHostPort,
  type HostPort,
  type QuicConnection,
  resolveAddress,
  StreamStopped,
} from "../../quic/mod.ts";
import { AddressRace } from "../address_race.ts";
import type { Orchestrator } from "../orchestrator.ts";
import { PeerSearch } from "../peer_search.ts";
import { PeerVisit } from "../peer_visit.ts";
import { explainRefusal } from "../refusal.ts";
import type { Check } from "./check.ts";

/** First byte of a one-way stream that no peer knows: it is stopped, which is an answer. */
const KIND_PROBE = 0x3f;
/** Enough for several datagrams of any size. */
const PROBE_BYTES = 64 * 1024;
const PROBE_AGAIN_MS = 10;
/** Beside two round trips, until what is lost counts as lost. */
const LOSS_SHOWS_MS = 50;
/**
 * How long other addresses get once one has answered: its peer waits for a first word, and ends the
 * connection without one after 10 s.
 */
const OTHERS_MS = 2_000;
/** How long the answer may take. */
const PROBE_MS = 3_000;

/** How to look. */
export interface PeerCheckOptions {
  readonly address: { readonly host: string; readonly port: number } | undefined;
  /** For each check. */
  readonly timeoutMs: number;
  readonly discovery: boolean;
  readonly signal: AbortSignal;
}

/** Looks at every way to a peer, then at what the peer says over the best one. */
export async function* checkPeer(
  orchestrator: Orchestrator,
  entry: TrustEntry,
  options: PeerCheckOptions,
): AsyncGenerator<Check, void> {
  const found = options.address ? [] : yield* checkDiscovery(orchestrator, entry, options);
  const known = options.address ? [options.address] : entry.addresses.map(parsePeerAddress);
  const connection = yield* checkAddresses(orchestrator, entry, known, found, options);
  if (connection === undefined) return;
  const address = connection.remoteAddress;
  yield* checkWelcome(orchestrator, entry, connection);
  yield* checkPath(orchestrator, entry, address, options);
}

async function* checkDiscovery(
  orchestrator: Orchestrator,
  entry: TrustEntry,
  { timeoutMs, discovery, signal }: PeerCheckOptions,
): AsyncGenerator<Check, readonly HostPort[]> {
  const name = "discovery";
  if (!discovery) {
    yield { name, ok: true, message: "not looked at (--no-discovery)" };
    return [];
  }
  using search = new PeerSearch(orchestrator, entry, 0);
  const patience = delay(Math.min(timeoutMs, PROBE_MS), signal).catch(() => {});
  await Promise.race([search.news, search.over, patience]);
  signal.throwIfAborted();
  const { addresses } = search;
  yield addresses.length > 0
    ? { name, ok: true, message: `it announces ${addresses.map(formatHostPort).join(", ")}` }
    : {
      name,
      ok: false,
      message: "it does not announce itself on the local network",
      hint: 'run "landropic serve" there; across routers, give its address by --address',
    };
  return addresses;
}

/** One line an address; the first one that answered is gone on with. */
async function* checkAddresses(
  orchestrator: Orchestrator,
  entry: TrustEntry,
  known: readonly HostPort[],
  found: readonly HostPort[],
  { timeoutMs, signal }: PeerCheckOptions,
): AsyncGenerator<Check, QuicConnection | undefined> {
  const { clock } = orchestrator.options;
  const addresses = new Map<string, HostPort>();
  for (const { host, port } of [...known, ...found]) {
    try {
      for (const one of await resolveAddress(host, port)) addresses.set(formatHostPort(one), one);
    } catch (error) {
      const hint = error instanceof LandropicError ? error.hint : undefined;
      yield { name: host, ok: false, message: messageOf(error), ...(hint && { hint }) };
    }
  }
  const late = new AbortController();
  const stop = AbortSignal.any([signal, late.signal]);
  let patience: ReturnType<typeof setTimeout> | undefined;
  const dials = [...addresses].map(async ([name, address]) => {
    const startMs = clock.nowMs();
    try {
      const connection = await dialOne(orchestrator, entry, address, { timeoutMs, signal: stop });
      patience ??= setTimeout(() => late.abort(new Error("no answer so far")), OTHERS_MS);
      return { name, connection, tookMs: clock.nowMs() - startMs };
    } catch (error) {
      return { name, error };
    }
  });
  const results = await Promise.all(dials);
  clearTimeout(patience);
  signal.throwIfAborted();
  const best = results.find(({ connection }) => connection !== undefined)?.connection;
  for (const { name, connection, error, tookMs } of results) {
    if (connection) {
      yield { name, ok: true, message: `answers after ${tookMs.toFixed(1)} ms` };
      if (connection !== best) await connection.close(0);
    } else if (best) {
      yield { name, ok: true, message: `of no use now: ${messageOf(error)}` };
    } else {
      const hint = (error instanceof LandropicError ? error.hint : undefined) ??
        'check that "landropic serve" runs there, and that no firewall stops UDP';
      yield { name, ok: false, message: messageOf(error), hint };
    }
  }
  if (addresses.size === 0) {
    yield {
      name: "addresses",
      ok: false,
      message: `no address of "${entry.alias}" is known`,
      hint: "give one: --address HOST:PORT",
    };
  }
  return best;
}

async function dialOne(
  orchestrator: Orchestrator,
  entry: TrustEntry,
  address: HostPort,
  { timeoutMs, signal }: Pick<PeerCheckOptions, "timeoutMs" | "signal">,
): Promise<QuicConnection> {
  const race = new AddressRace(
    (address, stop) => orchestrator.dial(entry, address, { timeoutMs, signal: stop }),
    signal,
  );
  race.add([address], 0);
  race.complete();
  try {
    return await race.winner;
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  }
}

async function* checkWelcome(
  orchestrator: Orchestrator,
  entry: TrustEntry,
  connection: QuicConnection,
): AsyncGenerator<Check, void> {
  try {
    await using visit = await PeerVisit.open(orchestrator, entry, connection);
    yield { name: "trust", ok: true, message: `"${entry.alias}" trusts this device` };
    const shares = await visit.shares();
    const listed = shares.map(({ name, writable }) => writable ? name : `${name} (read only)`);
    yield shares.length > 0 ? { name: "shares", ok: true, message: listed.join(", ") } : {
      name: "shares",
      ok: false,
      message: "it offers nothing to this device",
      hint: "name a folder there: landropic serve DIR",
    };
  } catch (error) {
    const told = explainRefusal(orchestrator, entry, error);
    const hint = told instanceof LandropicError ? told.hint : undefined;
    yield { name: "trust", ok: false, message: messageOf(told), ...(hint && { hint }) };
  }
}

/** Sends datagrams of full size; a connection whose path swallows them goes on with smaller ones. */
async function* checkPath(
  orchestrator: Orchestrator,
  entry: TrustEntry,
  address: HostPort,
  options: PeerCheckOptions,
): AsyncGenerator<Check, void> {
  const name = "path";
  const connection = await dialOne(orchestrator, entry, address, options).catch(() => undefined);
  const before = connection?.stats().datagramBytes ?? 0;
  const isCarried = connection !== undefined && await carries(connection);
  const { datagramBytes, lostPackets } = connection?.stats() ??
    { datagramBytes: 0, lostPackets: 0 };
  await connection?.close(0);
  const message = `carries ${datagramBytes} bytes in a datagram, ${lostPackets} lost`;
  if (isCarried && datagramBytes === before) {
    yield { name, ok: true, message };
  } else if (isCarried) {
    yield {
      name,
      ok: false,
      message: `${message}; those of ${before} bytes vanish`,
      hint: "a tunnel or router on the way drops what it can't carry: lower the interface's MTU",
    };
  } else {
    yield {
      name,
      ok: false,
      message: "data does not get through after the handshake",
      hint: "look for a firewall between the devices that lets only some UDP through",
    };
  }
}

/**
 * Whether the peer reacts to streams of full datagrams. What those would have brought may reach it in small ones,
 * which follow when there is no answer: so there is another stream until nothing of one is lost, or it is known
 * what the path carries.
 */
async function carries(connection: QuicConnection): Promise<boolean> {
  const { datagramBytes } = connection.stats();
  const startMs = performance.now();
  for (;;) {
    const { lostPackets, rttMs } = connection.stats();
    if (!await isAnswered(connection)) return false;
    await delay(LOSS_SHOWS_MS + 2 * rttMs);
    const now = connection.stats();
    if (now.lostPackets === lostPackets || now.datagramBytes < datagramBytes) return true;
    if (performance.now() - startMs > PROBE_MS) return true;
  }
}

/** Whether the peer stops a stream of full datagrams, as it does with what it does not know. */
async function isAnswered(connection: QuicConnection): Promise<boolean> {
  const bytes = new Uint8Array(PROBE_BYTES);
  bytes[0] = KIND_PROBE;
  const stop = new AbortController();
  const probing = (async () => {
    const stream = await connection.openUni();
    try {
      await stream.write(bytes);
      // It fitted into the windows; the answer comes with the next write.
      for (;;) {
        await delay(PROBE_AGAIN_MS, stop.signal);
        await stream.write(bytes.subarray(1, 2));
      }
    } catch (error) {
      return error instanceof StreamStopped;
    }
  })();
  const timer = setTimeout(() => {
    stop.abort();
    void connection.close(0);
  }, PROBE_MS);
  try {
    return await probing;
  } finally {
    clearTimeout(timer);
  }
}
