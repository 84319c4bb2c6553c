import { IdentityError } from "../../identity/mod.ts";
import { PAIRING_ALPN, PairingError } from "../../identity/pairing/mod.ts";
import {
  ConnectionLost,
  formatHostPort,
  HandshakeRefused,
  type HostPort,
  type QuicConnection,
} from "../../quic/mod.ts";
import { AddressRace } from "../address_race.ts";
import type { Orchestrator } from "../orchestrator.ts";
import { verifyStranger } from "./paired_peer.ts";

/** How long one address gets to answer. */
const ANSWER_TIMEOUT_MS = 3_000;
/** Head start of one address over the next. */
const STAGGER_MS = 50;
/** Addresses of one target. */
const ADDRESSES_MAX = 32;
/** The alert of a server that does not speak the client's protocol (RFC 7301 section 3.2), in QUIC. */
const NO_COMMON_PROTOCOL = 0x178;

/** One device that may be the one showing the code, and the ways to it. */
export class PairingTarget {
  readonly #orchestrator: Orchestrator;
  readonly #expected: Uint8Array | undefined;
  readonly #addresses = new Map<string, HostPort>();
  #race: AddressRace<QuicConnection> | undefined;
  #state: "looking" | "silent" | "failed" = "looking";
  #noted: Error | undefined;

  /** @param expected The fingerprint that it must have. */
  constructor(
    orchestrator: Orchestrator,
    addresses: readonly HostPort[],
    expected: Uint8Array | undefined,
  ) {
    this.#orchestrator = orchestrator;
    this.#expected = expected;
    this.add(addresses);
  }

  /** False where it has failed, or does not answer. */
  get isPromising(): boolean {
    return this.#state === "looking";
  }

  /** Why it could not be paired with yet. */
  get noted(): Error | undefined {
    return this.#noted;
  }

  /** Adds ways to it, also while it is dialled. */
  add(addresses: readonly HostPort[]): void {
    for (const address of addresses) {
      if (this.#addresses.size >= ADDRESSES_MAX) break;
      this.#addresses.set(formatHostPort(address), address);
    }
    this.#race?.add(addresses, STAGGER_MS);
  }

  note(error: Error): void {
    this.#noted = error;
  }

  /** No more is to be hoped of it. */
  fail(): void {
    this.#state = "failed";
  }

  /**
   * Dials all addresses once.
   *
   * @returns A connection over which to pair; `undefined` if it does not pair now; or why it never will.
   * @throws The signal's reason.
   */
  async dial(signal: AbortSignal): Promise<QuicConnection | PairingError | undefined> {
    const endpoint = await this.#orchestrator.initializeQuicTransport();
    const race = new AddressRace((address, stop) =>
      endpoint.connect(address, {
        alpn: PAIRING_ALPN,
        verify: (peer) => void verifyStranger(this.#orchestrator, peer, this.#expected),
        timeoutMs: ANSWER_TIMEOUT_MS,
        signal: stop,
      }), signal);
    this.#race = race;
    race.add([...this.#addresses.values()], STAGGER_MS);
    race.complete();
    try {
      const connection = await race.winner;
      this.#state = "looking";
      return connection;
    } catch (error) {
      signal.throwIfAborted();
      this.#state = "silent";
      return this.#judge((error as AggregateError).errors);
    }
  }

  #judge(errors: readonly unknown[]): PairingError | undefined {
    for (const error of errors) {
      const reason = error instanceof HandshakeRefused && error.cause instanceof IdentityError
        ? error.cause.reason
        : undefined;
      if (reason !== undefined) return refusalFor(reason, error as HandshakeRefused);
    }
    const isBusyElsewhere = errors.find((error) =>
      error instanceof ConnectionLost && error.info.code === NO_COMMON_PROTOCOL
    );
    if (isBusyElsewhere) this.#noted = new Error("a device answers there, but shows no code");
    return undefined;
  }
}

function refusalFor(reason: IdentityError["reason"], error: HandshakeRefused): PairingError {
  switch (reason) {
    case "own_device":
      return new PairingError(
        "same_device",
        "Cannot pair: this is the device that shows the code",
        "enter the code on the other device",
        error,
      );
    case "wrong_device":
      return new PairingError(
        "wrong_device",
        "Cannot pair: the device that answers is not the one that made the invitation",
        "make a new invitation with: landropic pair",
        error,
      );
    default:
      return new PairingError("protocol", `Cannot pair: ${error.message}`, error.hint, error);
  }
}
