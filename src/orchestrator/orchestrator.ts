import type { Clock } from "../base/clock.ts";
import { LandropicError, messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { join } from "../base/system_path.ts";
import {
  type DeviceIdentity,
  deviceIdFromFingerprint,
  loadDeviceName,
  loadNextIdentity,
  loadOrCreateIdentity,
  type TrustEntry,
  TrustStore,
  type VerifiedPeer,
  verifyPeer,
} from "../identity/mod.ts";
import type { Discovery, MdnsOptions } from "../discovery/mod.ts";
import type { Index } from "../index/mod.ts";
import {
  ALPN_SYNC,
  FEATURE_DISK_BYTES,
  FEATURE_EARLIER,
  FEATURE_GROUPS,
  FEATURE_WORKING,
  type Hello,
  MINOR_VERSION,
} from "../protocol/mod.ts";
import type {
  HandshakePeer,
  HostPort,
  PathEvidence,
  PathMemory,
  QuicConnection,
  QuicEndpoint,
} from "../quic/mod.ts";
import { AppearedPeers } from "./appeared_peers.ts";
import { LaneThreads } from "./lanes/lane_threads.ts";
import { readPaths, writePaths } from "./path_file.ts";
import { type DiscoveredPeer, PeerWatch } from "./peer_watch.ts";
import { ConnectionPool } from "./pool/connection_pool.ts";
import { DEFAULT_POOL_LIMITS, type PoolLimits } from "./pool/pool_limits.ts";
import { TrustGuard } from "./trust_guard.ts";

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
  /** How peers are found on the local network; multicast DNS if left out. */
  readonly openDiscovery?: (options: MdnsOptions) => Promise<Discovery>;
  /** Have connections beyond the first run in threads of their own, where they can. */
  readonly threads?: boolean;
  /** How connections are kept; {@linkcode DEFAULT_POOL_LIMITS} where left out. */
  readonly pool?: Partial<PoolLimits>;
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
  #paths: PathMemory | undefined;
  #discovery: Promise<Discovery> | undefined;
  #peerDiscovered: (peer: DiscoveredPeer) => void = () => {};
  readonly #background = new Set<Promise<void>>();
  /** Cuts off live connections of peers that are removed. */
  readonly guard: TrustGuard;
  /** Peers that were connected by themselves when they appeared. */
  readonly appeared: AppearedPeers;
  /** Connections with peers, for one session after the other. */
  readonly pool: ConnectionPool;
  /** Where connections beyond the first run. */
  readonly threads: LaneThreads;

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
  ) {
    this.#stack.defer(async () => void await Promise.allSettled(this.#background));
    this.guard = this.#stack.use(new TrustGuard(trust, options.logger));
    this.appeared = new AppearedPeers();
    this.threads = new LaneThreads(options.threads ?? false);
    this.pool = this.#stack.use(
      new ConnectionPool(this, { ...DEFAULT_POOL_LIMITS, ...options.pool }),
    );
  }

  /** Folder of lock files. */
  get lockFolder(): string {
    return join(this.options.stateDir, "locks");
  }

  /** What no peer may see, wherever it lies. */
  get privateFolders(): readonly string[] {
    return [this.options.configDir, this.options.stateDir];
  }

  /** What this device says first to every peer. */
  get hello(): Omit<Hello, "type"> {
    return {
      minor: MINOR_VERSION,
      features: [FEATURE_GROUPS, FEATURE_EARLIER, FEATURE_WORKING, FEATURE_DISK_BYTES],
      implementation: this.options.implementation,
      name: this.deviceName,
    };
  }

  /** What this device remembers of its folders; opened at the first call. */
  async index(): Promise<Index> {
    const index = await (this.#index ??= this.#openIndex().catch((error) => {
      // What was in the way, such as a full disk, may be gone by the next call.
      this.#index = undefined;
      throw error;
    }));
    // What was in common with a peer holds under its new key too.
    for (const { id, predecessor } of this.trust.list()) {
      if (predecessor) index.inheritPeer(deviceIdFromFingerprint(predecessor.fingerprint), id);
    }
    return index;
  }

  /**
   * Opens the UDP socket that all connections of this command share.
   *
   * @param listen Where to be reachable; any free port if left out, which is enough to dial.
   * @throws {QuicError} if the address can't be bound; another may then be tried.
   */
  initializeQuicTransport(listen?: HostPort): Promise<QuicEndpoint> {
    return this.#endpoint ??= this.#openEndpoint(listen).catch((error) => {
      this.#endpoint = undefined;
      throw error;
    });
  }

  /** What is known of the path to a numeric address, for a connection that another thread makes. */
  pathTo(host: string): PathEvidence | undefined {
    return this.#paths?.get(host);
  }

  /** True once {@linkcode initializeQuicTransport} was called and did not fail. */
  get hasQuicTransport(): boolean {
    return this.#endpoint !== undefined;
  }

  /** Finding and being found on the local network; opened at the first call. */
  discovery(): Promise<Discovery> {
    return this.#discovery ??= this.#openDiscovery();
  }

  /**
   * Registers what hears of trusted peers that appear while no QUIC transport is initialised; one
   * listener at a time.
   */
  onPeerDiscovered(callback: (peer: DiscoveredPeer) => void): void {
    this.#peerDiscovered = callback;
  }

  /**
   * From now on, and until the handle is disposed, connects with every trusted peer that appears on
   * the local network; the connection waits in {@linkcode appeared} unless somebody takes it. Without a
   * QUIC transport the callback of {@linkcode onPeerDiscovered} is called instead.
   */
  watchPeers(
    onConnected: (entry: TrustEntry, connection: QuicConnection) => void = (entry, connection) =>
      this.appeared.put(entry, connection),
  ): Disposable {
    const onDiscovered = (peer: DiscoveredPeer) => this.#peerDiscovered(peer);
    return new PeerWatch(this, { onDiscovered, onConnected });
  }

  /** Has the end of the command wait for this; what it throws is logged. */
  background(work: Promise<void>): void {
    const watched: Promise<void> = work.catch((error) => {
      this.options.logger.log("warn", messageOf(error));
    }).finally(() => this.#background.delete(watched));
    this.#background.add(watched);
  }

  /**
   * Dials one address of a trusted peer, and makes sure that it is that peer.
   *
   * @throws {QuicError} `peer_unreachable`, or `peer_untrusted` if somebody else answers.
   */
  async dial(entry: TrustEntry, address: HostPort, options: DialOptions): Promise<QuicConnection> {
    const endpoint = await this.initializeQuicTransport();
    const expectedFingerprints = this.keysOf(entry);
    let verified: VerifiedPeer;
    const connection = await endpoint.connect(address, {
      alpn: ALPN_SYNC,
      verify: (peer) => void (verified = this.verify(peer, expectedFingerprints)),
      ...options,
    });
    this.guard.watch(connection, verified!.fingerprint);
    return connection;
  }

  /** The keys that a peer may show, by what the trust store says of it now; none once removed. */
  keysOf(entry: TrustEntry): Uint8Array[] {
    return this.trust.acceptedKeys(this.trust.get(entry.fingerprint) ?? entry);
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

  async #openDiscovery(): Promise<Discovery> {
    const { openDiscovery = openMulticastDns, logger, clock } = this.options;
    const discovery = await openDiscovery({ logger, clock });
    if (!this.#stack.disposed) return this.#stack.use(discovery);
    await discovery[Symbol.asyncDispose]();
    throw this.options.signal.reason ?? new LandropicError("interrupted", "The command has ended");
  }

  async #openIndex(): Promise<Index> {
    const { configDir: folder, stateDir, clock, logger } = this.options;
    const { openIndex } = await import("../index/mod.ts");
    const path = join(stateDir, "index.db");
    const next = await loadNextIdentity({ folder, clock, logger });
    const deviceId = this.identity.id;
    const nextDeviceId = next?.identity.id;
    return this.#stack.use(await openIndex({ path, deviceId, nextDeviceId, clock, logger }));
  }

  async #openEndpoint(listen: HostPort | undefined): Promise<QuicEndpoint> {
    const { clock, logger, stateDir } = this.options;
    const { PathMemory, QuicEndpoint, resolveListen } = await import("../quic/mod.ts");
    const { keyPem, certPem } = this.identity;
    const paths = this.#paths ??= new PathMemory(readPaths(stateDir, logger));
    const endpoint = await QuicEndpoint.bind({
      identity: { keyPem, certPem },
      clock,
      logger,
      paths,
      ...(listen && { listen: await resolveListen(listen) }),
    });
    this.#stack.defer(() => writePaths(stateDir, paths, logger));
    return this.#stack.use(endpoint);
  }
}

async function openMulticastDns(options: MdnsOptions): Promise<Discovery> {
  const { MdnsDiscovery } = await import("../discovery/mod.ts");
  return new MdnsDiscovery(options);
}
