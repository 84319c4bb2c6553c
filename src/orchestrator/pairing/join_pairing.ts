import { equalBytes, toHex } from "../../base/bytes.ts";
import { delay } from "../../base/clock.ts";
import { messageOf, UsageError } from "../../base/errors.ts";
import { CLOSE_CODE } from "../../base/wire_codes.ts";
import { deviceIdFromFingerprint } from "../../identity/mod.ts";
import {
  EntererSession,
  freshPairingSeeds,
  Invitation,
  PairingError,
  type PairingFailure,
  TargetBudget,
} from "../../identity/pairing/mod.ts";
import {
  ConnectionLost,
  formatHostPort,
  type HostPort,
  type QuicConnection,
  resolveAddress,
} from "../../quic/mod.ts";
import { announcedId } from "../announcement.ts";
import { backoffMs } from "../backoff.ts";
import type { Orchestrator } from "../orchestrator.ts";
import { type PairedPeer, storeTrust, verifyStranger } from "./paired_peer.ts";
import { PairingExchange } from "./pairing_exchange.ts";
import { PairingTarget } from "./pairing_target.ts";
import type { PairingTicket } from "./ticket.ts";

/** How long others that show the same slot are waited for, once one of them has failed. */
const OTHER_TARGETS_MS = 1_500;
/** Longest pause before a device that does not answer yet is dialled again. */
const SILENT_PAUSE_MAX_MS = 2_000;
/** First and longest pause where the other device is busy; it counts runs, ten a minute. */
const BUSY_PAUSE_MS = 1_500;
const BUSY_PAUSE_MAX_MS = 8_000;
/** Devices that one code is looked for at; each costs a dial now and then. */
const TARGETS_MAX = 64;

/** How to join. */
export interface JoinPairingOptions {
  readonly ticket: PairingTicket;
  /** Where the other device is; else it is found by what it announces, or what the invitation says. */
  readonly address: { readonly host: string; readonly port: number } | undefined;
  /** The port that devices serve on unless told otherwise. */
  readonly servePort: number;
  /** How long to wait for the other device to appear. */
  readonly timeoutMs: number;
  /** What to call the peer. */
  readonly alias: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * Finds the device that shows a code, and pairs with it. It may start to show it later than this
 * looks for it. Whoever else announces the same slot gets one guess at the words, and at most three
 * devices get one at all.
 *
 * @throws {PairingError} why it did not come about: `wrong_secret`, `wrong_device`, `expired`, …;
 * `timed_out` if no such device appeared.
 */
export async function joinPairing(
  orchestrator: Orchestrator,
  options: JoinPairingOptions,
): Promise<PairedPeer> {
  return await new PairingJoin(orchestrator, options).run();
}

class PairingJoin {
  readonly #orchestrator: Orchestrator;
  readonly #options: JoinPairingOptions;
  readonly #budget = new TargetBudget();
  readonly #targets = new Map<string, PairingTarget>();
  readonly #failures: PairingError[] = [];
  /** What came of devices that had their guess, by fingerprint in hex. */
  readonly #refused = new Map<string, PairingError>();
  readonly #result = Promise.withResolvers<PairedPeer>();
  readonly #stop = new AbortController();
  readonly #work = new Set<Promise<void>>();
  readonly #startMs: number;
  #verdictTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(orchestrator: Orchestrator, options: JoinPairingOptions) {
    this.#orchestrator = orchestrator;
    this.#options = options;
    this.#startMs = orchestrator.options.clock.nowMs();
    this.#result.promise.catch(() => {});
  }

  async run(): Promise<PairedPeer> {
    const { signal, timeoutMs, ticket, address } = this.#options;
    if (
      ticket instanceof Invitation &&
      equalBytes(ticket.fingerprint, this.#orchestrator.identity.fingerprint)
    ) {
      throw sameDevice();
    }
    const onAbort = () => this.#result.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    const timer = setTimeout(() => this.#result.reject(this.#tooLate()), timeoutMs);
    try {
      if (address) this.#aim("address", await resolveAddress(address.host, address.port));
      else this.#spawn(this.#search());
      return await this.#result.promise;
    } finally {
      clearTimeout(timer);
      clearTimeout(this.#verdictTimer);
      signal.removeEventListener("abort", onAbort);
      this.#stop.abort(new DOMException("Pairing is over", "AbortError"));
      await Promise.allSettled(this.#work);
    }
  }

  /** Takes whoever announces the slot, or the device that the invitation names. */
  async #search(): Promise<void> {
    const { ticket } = this.#options;
    const { signal } = this.#stop;
    const isPinned = ticket instanceof Invitation;
    if (isPinned && ticket.addresses.length > 0) {
      const { addresses, port } = ticket;
      this.#aim("invitation", addresses.map((host) => ({ host, port })));
    }
    const discovery = await this.#orchestrator.discovery();
    const { ID_PREFIX_CHARS } = await import("../../discovery/mod.ts");
    const wanted = isPinned
      ? {
        idPrefix: announcedId(deviceIdFromFingerprint(ticket.fingerprint)).slice(
          0,
          ID_PREFIX_CHARS,
        ),
      }
      : { slot: ticket.slot };
    for await (const hint of discovery.discover({ ...wanted, timeoutMs: Infinity, signal })) {
      // The certificate must be the invited device's, so all hints are ways to one target.
      this.#aim(isPinned ? "invitation" : hint.instance, hint.addresses);
    }
    if (this.#targets.size > 0 || signal.aborted) return;
    throw new UsageError(
      "Without discovery there is no way to the other device",
      "say where it is: --address HOST:PORT",
    );
  }

  #aim(key: string, addresses: readonly HostPort[]): void {
    const known = this.#targets.get(key);
    if (known) return known.add(addresses);
    if (this.#targets.size >= TARGETS_MAX) return;
    const { ticket } = this.#options;
    const expected = ticket instanceof Invitation ? ticket.fingerprint : undefined;
    const target = new PairingTarget(this.#orchestrator, addresses, expected);
    this.#targets.set(key, target);
    this.#spawn(this.#pursue(target));
  }

  #spawn(task: Promise<void>): void {
    const work: Promise<void> = task.catch((error) => {
      if (!this.#stop.signal.aborted) this.#result.reject(error);
    }).finally(() => this.#work.delete(work));
    this.#work.add(work);
  }

  /** Dials one target again and again until a run with it has said yes or no. */
  async #pursue(target: PairingTarget): Promise<void> {
    const { signal } = this.#stop;
    for (let silent = 0, busy = 0;;) {
      const connection = await target.dial(signal);
      if (connection instanceof PairingError) return this.#giveUp(target, connection);
      if (connection === undefined) {
        this.#consider();
        await delay(Math.min(backoffMs(++silent, Math.random()), SILENT_PAUSE_MAX_MS), signal);
        continue;
      }
      const failure = await this.#pairOver(connection).catch(lostConnection);
      if (failure === undefined) return;
      if (!MAY_PASS.has(failure.failure)) return this.#giveUp(target, failure);
      target.note(failure);
      await delay(Math.min(BUSY_PAUSE_MS * 2 ** busy++, BUSY_PAUSE_MAX_MS), signal);
    }
  }

  /** One run; returns why it failed. */
  async #pairOver(connection: QuicConnection): Promise<PairingError | undefined> {
    const { clock } = this.#orchestrator.options;
    const { ticket, alias } = this.#options;
    const expected = ticket instanceof Invitation ? ticket.fingerprint : undefined;
    const verified = verifyStranger(this.#orchestrator, connection.peer, expected);
    const device = toHex(verified.fingerprint);
    const refused = this.#refused.get(device);
    if (refused !== undefined) {
      await connection.close(CLOSE_CODE.normal);
      return refused;
    }
    let stored: Awaited<ReturnType<typeof storeTrust>> | undefined;
    const session = new EntererSession({
      ownFingerprint: this.#orchestrator.identity.fingerprint,
      peerFingerprint: verified.fingerprint,
      ownName: this.#orchestrator.deviceName,
      seeds: freshPairingSeeds(),
      nowMs: clock.nowMs(),
      secret: ticket.secret(),
      targets: this.#budget,
      ...(expected && { expectedFingerprint: expected }),
    });
    const exchange = new PairingExchange(session, connection, {
      stream: await connection.openBidi(),
      clock,
      trust: async (effect) => {
        const { remoteAddress } = connection;
        // It may show codes on another port than it serves on.
        const serving = { host: remoteAddress.host, port: this.#options.servePort };
        const addresses = [remoteAddress, serving];
        stored = await storeTrust(this.#orchestrator, effect, { verified, alias, addresses });
      },
    });
    const outcome = await exchange.run(this.#stop.signal);
    if (outcome.type === "paired") {
      this.#result.resolve({ ...stored!, isConfirmed: outcome.confirmed });
      return undefined;
    }
    if (!MAY_PASS.has(outcome.error.failure)) this.#refused.set(device, outcome.error);
    return outcome.error;
  }

  #giveUp(target: PairingTarget, failure: PairingError): void {
    target.fail();
    this.#failures.push(failure);
    this.#consider();
  }

  /** Decides whether to wait for more targets, once all known ones have failed or do not answer. */
  #consider(): void {
    if (this.#failures.length === 0) return;
    if ([...this.#targets.values()].some(({ isPromising }) => isPromising)) return;
    const isSearching = this.#options.address === undefined;
    const elapsedMs = this.#orchestrator.options.clock.nowMs() - this.#startMs;
    const waitMs = isSearching ? Math.max(0, OTHER_TARGETS_MS - elapsedMs) : 0;
    clearTimeout(this.#verdictTimer);
    this.#verdictTimer = setTimeout(() => this.#result.reject(this.#mostTelling()), waitMs);
  }

  #mostTelling(): PairingError {
    const wrong = this.#failures.find(({ failure }) => failure === "wrong_secret");
    return wrong ?? this.#failures[0]!;
  }

  /** Says what was seen until then. */
  #tooLate(): PairingError {
    if (this.#failures.length > 0) return this.#mostTelling();
    const noted = [...this.#targets.values()].flatMap(({ noted }) => noted ?? []);
    const { ticket, address } = this.#options;
    const what = address !== undefined
      ? `nobody who pairs answered at ${formatHostPort(address)}`
      : ticket instanceof Invitation
      ? "the device that made the invitation did not answer"
      : `no device on the local network showed the code ${ticket}`;
    const why = noted.length > 0 ? ` (${messageOf(noted[0])})` : "";
    return new PairingError(
      "timed_out",
      `Cannot pair: ${what}${why}`,
      'run "landropic pair" on the other device; if it is not found, add --address HOST:PORT',
    );
  }
}

/** What this side says where both ends are one device. */
function sameDevice(): PairingError {
  return new PairingError(
    "same_device",
    "Cannot pair: this is the device that shows the code",
    "enter the code on the other device",
  );
}

/** A connection that ended before the run began says no more than one that ended in it. */
function lostConnection(error: unknown): PairingError {
  if (!(error instanceof ConnectionLost)) throw error;
  return new PairingError("connection_lost", `Cannot pair: ${error.message}`, undefined, error);
}

/** Failures after which the same device may still pair. */
const MAY_PASS: ReadonlySet<PairingFailure> = new Set(["busy", "connection_lost", "timed_out"]);
