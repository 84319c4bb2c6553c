import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import {
  type DeviceIdentity,
  loadDeviceName,
  loadOrCreateIdentity,
  type TrustEntry,
  TrustStore,
  type VerifiedPeer,
  verifyPeer,
} from "../identity/mod.ts";
import type { Index } from "../index/mod.ts";
import { ALPN_SYNC, type Hello, MINOR_VERSION } from "../protocol/mod.ts";
import type { HandshakePeer, HostPort, QuicConnection, QuicEndpoint } from "../quic/mod.ts";

/** What an {@linkcode Orchestrator} is built from, once for each invocation. */
export interface OrchestratorOptions {
  /** Folder of the identity, the trusted peers and the configuration. */
  readonly configDir: string;
  /** Folder of the index and of lock files. */
  readonly stateDir: string;
  /** Program and version, told to peers. */
  readonly implementation: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends everything cleanly. */
  readonly signal: AbortSignal;
}

/** How to dial a peer. */
export interface DialOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Owns everything that lives as long as one command: identity, trusted peers, index, QUIC transport. Parts
 * are opened when they are first needed, so that a command pays for what it uses, and closed in reverse
 * order when the orchestrator is disposed.
 */
export class Orchestrator implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  #index: Promise<Index> | undefined;
  #endpoint: Promise<QuicEndpoint> | undefined;

  /** Loads, or on a new device makes, the identity; opens the trust store. */
  static async create(options: OrchestratorOptions): Promise<Orchestrator> {
    const { configDir: folder, clock, logger } = options;
    const identity = await loadOrCreateIdentity({ folder, clock, logger });
    const [trust, deviceName] = await Promise.all([
      TrustStore.open({ folder, clock, logger }),
      loadDeviceName({ folder, logger }),
    ]);
    return new Orchestrator(options, identity, trust, deviceName);
  }

  private constructor(
    readonly options: OrchestratorOptions,
    readonly identity: DeviceIdentity,
    readonly trust: TrustStore,
    readonly deviceName: string,
  ) {}

  /** Folder of lock files. */
  get lockFolder(): string {
    return join(this.options.stateDir, "locks");
  }

  /** What this device says first to every peer. */
  get hello(): Omit<Hello, "type"> {
    return {
      minor: MINOR_VERSION,
      features: [],
      implementation: this.options.implementation,
      name: this.deviceName,
    };
  }

  /** What this device remembers of its folders; opened at the first call. */
  index(): Promise<Index> {
    return this.#index ??= this.#openIndex();
  }

  /**
   * Opens the UDP socket that all connections of this command share.
   *
   * @param listen Where to be reachable; any free port if left out, which is enough to dial.
   * @throws {QuicError} if the address can't be bound.
   */
  initializeQuicTransport(listen?: HostPort): Promise<QuicEndpoint> {
    return this.#endpoint ??= this.#openEndpoint(listen);
  }

  /**
   * Dials one address of a trusted peer, and makes sure that it is that peer.
   *
   * @throws {QuicError} `peer_unreachable`, or `peer_untrusted` if somebody else answers.
   */
  async dial(entry: TrustEntry, address: HostPort, options: DialOptions): Promise<QuicConnection> {
    const endpoint = await this.initializeQuicTransport();
    const expectedFingerprints = this.trust.acceptedKeys(entry);
    return await endpoint.connect(address, {
      alpn: ALPN_SYNC,
      verify: (peer) => void this.verify(peer, expectedFingerprints),
      ...options,
    });
  }

  /** Checks a peer's certificate (docs/protocol.md); only trusted peers pass. @throws {IdentityError} */
  verify(peer: HandshakePeer, expectedFingerprints?: readonly Uint8Array[]): VerifiedPeer {
    const verified = verifyPeer(peer, {
      ownFingerprint: this.identity.fingerprint,
      expectedAlpns: [ALPN_SYNC],
      trust: this.trust.lookup,
      nowMs: this.options.clock.wallMs(),
      ...(expectedFingerprints && { expectedFingerprints }),
    });
    if (verified.isOutsideValidity) {
      this.options.logger.log("warn", "The peer's certificate is out of date: check both clocks");
    }
    return verified;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  async #openIndex(): Promise<Index> {
    const { stateDir, clock, logger } = this.options;
    const { openIndex } = await import("../index/mod.ts");
    const path = join(stateDir, "index.db");
    return this.#stack.use(
      await openIndex({ path, deviceId: this.identity.id, clock, logger }),
    );
  }

  async #openEndpoint(listen: HostPort | undefined): Promise<QuicEndpoint> {
    const { clock, logger } = this.options;
    const { QuicEndpoint } = await import("../quic/mod.ts");
    const { keyPem, certPem } = this.identity;
    return this.#stack.use(
      await QuicEndpoint.bind({
        identity: { keyPem, certPem },
        clock,
        logger,
        ...(listen && { listen }),
      }),
    );
  }
}
