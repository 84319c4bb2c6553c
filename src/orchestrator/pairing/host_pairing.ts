import { messageOf } from "../../base/errors.ts";
import { CLOSE_CODE } from "../../base/wire_codes.ts";
import {
  DisplayerSession,
  freshPairingSeeds,
  Invitation,
  INVITATION_ADDRESSES_MAX,
  PAIRING_ALPN,
  PairingCode,
  PairingError,
  PairingWindow,
  RUN_TIMEOUT_MS,
  WINDOW_LIFETIME_MS,
} from "../../identity/pairing/mod.ts";
import {
  type BidiStream,
  formatHostPort,
  type HostPort,
  type QuicConnection,
  type QuicEndpoint,
  QuicError,
} from "../../quic/mod.ts";
import { announce } from "../announcement.ts";
import type { Orchestrator } from "../orchestrator.ts";
import { invitationAddresses } from "./own_addresses.ts";
import { type PairedPeer, storeTrust, verifyStranger } from "./paired_peer.ts";
import { PairingExchange } from "./pairing_exchange.ts";

/** Clients that may be half way in at once; one run at a time is all there is to do. */
const LIMITS = { handshakesMax: 16, connectionsMax: 32 };

/** What is shown to the user; secrets, both of them. */
export interface ShownPairing {
  readonly code: PairingCode;
  readonly invitation: Invitation;
  /** When both end, milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
  /** Where it waits. */
  readonly listening: HostPort;
}

/** How to show a code. */
export interface HostPairingOptions {
  /** Where to wait; if left out, on `servePort` of every address, or any port where that is taken. */
  readonly listen?: HostPort | undefined;
  /** The port that devices serve on unless told otherwise: where the peer may be found later. */
  readonly servePort: number;
  /** How long to wait for the other device; a code lives ten minutes at most. */
  readonly timeoutMs: number;
  /** What to call the peer. */
  readonly alias: string | undefined;
  readonly signal: AbortSignal;
  /** The code is good from now on. */
  readonly onShown: (shown: ShownPairing) => void;
  /** Somebody tried a wrong code, or broke off. */
  readonly onAttemptFailed: (attempt: { error: PairingError; attemptsLeft: number }) => void;
}

/**
 * Shows a code and an invitation, and waits until one device has paired with either.
 *
 * @throws {PairingError} `expired` if nobody did in time, `attempts_spent` once the code was guessed at
 * too often, `trust_not_stored`.
 * @throws {QuicError} if the address can't be bound.
 */
export async function hostPairing(
  orchestrator: Orchestrator,
  options: HostPairingOptions,
): Promise<PairedPeer> {
  const endpoint = await bind(orchestrator, options);
  const host = new PairingHost(orchestrator, endpoint, options);
  await using _ = host;
  return await host.wait();
}

class PairingHost implements AsyncDisposable {
  readonly #orchestrator: Orchestrator;
  readonly #endpoint: QuicEndpoint;
  readonly #options: HostPairingOptions;
  readonly #window: PairingWindow;
  readonly #code = PairingCode.generate();
  readonly #invitation: Invitation;
  readonly #expiresAtMs: number;
  readonly #stop = new AbortController();
  readonly #result = Promise.withResolvers<PairedPeer>();
  readonly #serving = new Set<Promise<void>>();
  #attemptsTold: number;

  constructor(orchestrator: Orchestrator, endpoint: QuicEndpoint, options: HostPairingOptions) {
    const { clock } = orchestrator.options;
    const lifetimeMs = Math.min(options.timeoutMs, WINDOW_LIFETIME_MS);
    const { host, port } = endpoint.localAddress;
    this.#orchestrator = orchestrator;
    this.#endpoint = endpoint;
    this.#options = options;
    this.#window = new PairingWindow(clock.nowMs(), lifetimeMs);
    this.#attemptsTold = this.#window.attemptsLeft;
    this.#expiresAtMs = clock.wallMs() + lifetimeMs;
    this.#invitation = Invitation.create({
      fingerprint: orchestrator.identity.fingerprint,
      // It keeps whole seconds; the window itself is the limit.
      expiresAtMs: this.#expiresAtMs + 1000,
      port,
      addresses: invitationAddresses(host, INVITATION_ADDRESSES_MAX),
      name: orchestrator.deviceName,
    }, clock.wallMs());
    this.#result.promise.catch(() => {});
  }

  async wait(): Promise<PairedPeer> {
    const { signal, onShown } = this.#options;
    const { clock } = this.#orchestrator.options;
    const onAbort = () => this.#result.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    const leftMs = this.#window.expiresAtMs - clock.nowMs();
    const timer = setTimeout(() => void this.#handleExpiry(), leftMs);
    try {
      this.#endpoint.listen({
        alpns: () => this.#isOpen() ? [PAIRING_ALPN] : [],
        verify: (peer) => void verifyStranger(this.#orchestrator, peer),
        onConnection: (connection) => this.#accept(connection),
        limits: LIMITS,
      });
      const listening = this.#endpoint.localAddress;
      await using _announcement = announce(this.#orchestrator, listening, this.#code.slot);
      const [code, invitation, expiresAtMs] = [this.#code, this.#invitation, this.#expiresAtMs];
      onShown({ code, invitation, expiresAtMs, listening });
      return await this.#result.promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#endpoint.stopListening();
    this.#stop.abort();
    await Promise.allSettled(this.#serving);
  }

  #isOpen(): boolean {
    return this.#window.state(this.#orchestrator.options.clock.nowMs()) === "open";
  }

  /** Whoever proves the code this moment may finish. */
  async #handleExpiry(): Promise<void> {
    await Promise.allSettled(this.#serving);
    this.#result.reject(
      new PairingError(
        "expired",
        "Nobody paired with this device before the code expired",
        "make a new code with: landropic pair",
      ),
    );
  }

  #accept(connection: QuicConnection): void {
    const serving: Promise<void> = this.#serve(connection).catch((error) => {
      const from = formatHostPort(connection.remoteAddress);
      this.#orchestrator.options.logger.log("info", `pairing failed: ${messageOf(error)}`, {
        from,
      });
    }).finally(() => this.#serving.delete(serving));
    this.#serving.add(serving);
  }

  async #serve(connection: QuicConnection): Promise<void> {
    const { clock } = this.#orchestrator.options;
    const verified = verifyStranger(this.#orchestrator, connection.peer);
    // A run begins with the first stream: a silent client keeps nobody out.
    const stream = await firstStream(connection, this.#stop.signal);
    if (stream === undefined) return await connection.close(CLOSE_CODE.handshakeTimeout);
    let stored: Awaited<ReturnType<typeof storeTrust>> | undefined;
    const session = new DisplayerSession({
      ownFingerprint: this.#orchestrator.identity.fingerprint,
      peerFingerprint: verified.fingerprint,
      ownName: this.#orchestrator.deviceName,
      seeds: freshPairingSeeds(),
      nowMs: clock.nowMs(),
      secrets: [this.#code.secret(), this.#invitation.secret()],
      window: this.#window,
      peerAddress: connection.remoteAddress.host,
    });
    const exchange = new PairingExchange(session, connection, {
      stream,
      clock,
      trust: async (effect) => {
        // Where the peer called from is no place to reach it; where it would serve may be.
        const { host } = connection.remoteAddress;
        const addresses = [{ host, port: this.#options.servePort }];
        const { alias } = this.#options;
        stored = await storeTrust(this.#orchestrator, effect, { verified, alias, addresses });
      },
    });
    const outcome = await exchange.run(this.#stop.signal);
    if (outcome.type === "paired") {
      return this.#result.resolve({ ...stored!, isConfirmed: outcome.confirmed });
    }
    this.#handleFailure(outcome.error);
  }

  #handleFailure(error: PairingError): void {
    const { attemptsLeft } = this.#window;
    const state = this.#window.state(this.#orchestrator.options.clock.nowMs());
    const isNews = attemptsLeft < this.#attemptsTold && state !== "used";
    this.#attemptsTold = attemptsLeft;
    if (isNews) this.#options.onAttemptFailed({ error, attemptsLeft });
    if (state === "used") return this.#result.reject(error);
    if (state !== "attempts_spent") return;
    this.#result.reject(
      new PairingError(
        "attempts_spent",
        "All attempts at the code are spent: it was mistyped, or someone is guessing",
        "make a new code with: landropic pair",
        error,
      ),
    );
  }
}

/** Binds where the user said, or where others look first, or anywhere. */
async function bind(
  orchestrator: Orchestrator,
  options: HostPairingOptions,
): Promise<QuicEndpoint> {
  const { listen, servePort: port } = options;
  if (listen) return await orchestrator.initializeQuicTransport(listen);
  for (const host of ["::", "0.0.0.0"]) {
    try {
      return await orchestrator.initializeQuicTransport({ host, port });
    } catch (error) {
      // Most likely this device is serving there.
      if (!(error instanceof QuicError)) throw error;
    }
  }
  return await orchestrator.initializeQuicTransport();
}

/** The stream that the peer opens, or `undefined` if it does not in time. */
async function firstStream(
  connection: QuicConnection,
  signal: AbortSignal,
): Promise<BidiStream | undefined> {
  const { promise: patience, resolve } = Promise.withResolvers<undefined>();
  const giveUp = () => resolve(undefined);
  const timer = setTimeout(giveUp, RUN_TIMEOUT_MS);
  signal.addEventListener("abort", giveUp, { once: true });
  if (signal.aborted) giveUp();
  try {
    const arriving = connection.incomingBidi.next().then(({ value }) => value);
    return await Promise.race([arriving, patience]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", giveUp);
  }
}
