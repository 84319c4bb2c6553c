/** How connections with peers are kept. */
export interface PoolLimits {
  /** Connections with one peer, those that are being replaced included. */
  readonly connectionsPerPeerMax: number;
  /** How long a connection that nobody uses is kept for the next session. */
  readonly idleTimeoutMs: number;
  /** How often a peer is asked whether it is still there. */
  readonly checkIntervalMs: number;
  /** Questions in a row that stay unanswered before it counts as gone. */
  readonly missesMax: number;
  /** A peer on which something is about to depend may take so long to say that it is there. */
  readonly probeMs: number;
  /**
   * Packets, sent or received, after which another connection takes over. The native core never changes
   * keys, and AES-GCM's are good for 2^23 packets (RFC 9001 section 6.6).
   */
  readonly packetsMax: number;
  /** How often they are counted: 2^23 are a second and more away from the limit at any speed. */
  readonly packetCheckMs: number;
}

/** What every command uses; tests use less. */
export const DEFAULT_POOL_LIMITS: PoolLimits = {
  connectionsPerPeerMax: 4,
  idleTimeoutMs: 300_000,
  checkIntervalMs: 30_000,
  missesMax: 2,
  probeMs: 10_000,
  packetsMax: 6_000_000,
  packetCheckMs: 5_000,
};
