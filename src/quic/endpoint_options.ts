import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import type { HostPort } from "./address.ts";
import type { QuicBinding } from "./binding.ts";
import type { QuicConnection } from "./connection.ts";
import type { ListenLimits } from "./doorkeeper.ts";
import type { HandshakePeer, VerifyPeer } from "./handshake.ts";
import type { PathMemory } from "./path_memory.ts";
import type { TlsIdentity, TransportProfile } from "./profile.ts";
import type { Timers } from "./timers.ts";
import type { UdpKind, UdpSocket } from "./udp.ts";

/** How an endpoint is made. */
export interface EndpointOptions {
  /** Where to receive; without it any port on all addresses, which is enough to dial. */
  readonly listen?: HostPort;
  readonly identity: TlsIdentity;
  readonly profile?: Partial<TransportProfile>;
  readonly clock?: Clock;
  readonly timers?: Timers;
  readonly logger?: Logger;
  readonly udp?: UdpKind;
  /** What is known of paths, and what is learnt of them; forgotten with the endpoint if left out. */
  readonly paths?: PathMemory;
  /** A socket that another endpoint of this process has branched off, to use instead of a new one. */
  readonly branch?: number;
  /** The QUIC core to use, in a thread that must have its own, or in tests. */
  readonly binding?: QuicBinding;
  /** For tests. */
  readonly socket?: UdpSocket;
}

/** How to dial. */
export interface ConnectOptions {
  readonly alpn: string;
  readonly verify: VerifyPeer;
  /** Until the handshake is complete; default is the profile's. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** UDP payload of outgoing datagrams, 1200 to 16383; default is what the path carries. */
  readonly datagramBytes?: number;
  /** The id that this side goes by, `CONNECTION_ID_BYTES` of them; random if left out. The server sees it first. */
  readonly sourceId?: Uint8Array<ArrayBuffer>;
}

/** A client's first datagram, and a socket of its own for what follows. */
export interface Branch {
  /** File descriptor; whoever gets the branch closes it. */
  readonly socket: number;
  readonly datagram: Uint8Array<ArrayBuffer>;
  readonly remote: HostPort;
}

/** How to accept. */
export interface ListenOptions {
  /** What is offered to a client that arrives now; none turns it away silently. */
  readonly alpns: () => readonly string[];
  readonly verify: VerifyPeer;
  /**
   * Tells peers apart for the limits on connections per peer, by what does not change with a new
   * certificate; without it there are no such limits. Called after `verify`.
   */
  readonly peerKey?: (peer: HandshakePeer) => string;
  /** Gets each connection once, verified. */
  readonly onConnection: (connection: QuicConnection) => void;
  /** A peer at its limit, all of its connections alive, is here again: true if one was closed for it. */
  readonly makeRoom?: (peerKey: string) => boolean;
  readonly limits?: Partial<ListenLimits>;
  /**
   * Says whether a client is served by another thread, by the id that it goes by; what it returns gets the
   * client. Where the system can't branch off a socket, the client is served here.
   */
  readonly branchFor?: (
    sourceId: Uint8Array,
    remote: HostPort,
  ) => ((branch: Branch) => void) | undefined;
}

/** Connections of an endpoint now. */
export interface ConnectionStates {
  /** Not verified yet. */
  readonly handshaking: number;
  readonly open: number;
  /** Ended, and kept until the peer must have heard of it. */
  readonly closing: number;
  /** Streams of all of them that have a half which takes part. */
  readonly streams: number;
}

/** What an endpoint has seen since it was bound. */
export interface EndpointCounters {
  /** Handshakes that proved who the peer is, and that it may be here. */
  verifiedPeers: number;
  /** Handshakes that TLS, the peer or silence ended. */
  failedHandshakes: number;
  /** Clients and servers turned down by a verifier. */
  refusedPeers: number;
  /** Datagrams that belong to no connection and open none. */
  strayDatagrams: number;
  /** Datagrams of a known connection from an address that is not its peer's. */
  misaddressedDatagrams: number;
  /** Clients ignored because a limit was reached. */
  shedClients: number;
  /** Clients asked to prove their address. */
  retries: number;
  /** Address tokens that were expired, altered or someone else's. */
  badTokens: number;
  /** Verified connections closed because their peer, or all peers, had too many. */
  surplusConnections: number;
  /** Handshakes that did not finish in time. */
  handshakeTimeouts: number;
}
