/**
 * QUIC connections between devices: the driver around the native QUIC core, with its UDP sockets, timers,
 * streams and statistics. This layer moves bytes and proves who holds which key; it never decides whom to
 * trust (the caller's verifier does), and knows nothing of messages, shares or files.
 *
 * @module
 */
export {
  formatHostPort,
  type HostPort,
  isLoopback,
  resolveAddress,
  resolveListen,
} from "./address.ts";
export type { Arrivals } from "./arrivals.ts";
export type { QuicBinding } from "./binding.ts";
export { type ClosedBy, type CloseInfo, closeWords } from "./close_codes.ts";
export type { ConnectionStats, QuicConnection } from "./connection.ts";
export { DEFAULT_LISTEN_LIMITS, type ListenLimits } from "./doorkeeper.ts";
export { QuicEndpoint } from "./endpoint.ts";
export { loadOwnInstance } from "./own_instance.ts";
export { CONNECTION_ID_BYTES } from "./packet.ts";
export type {
  Branch,
  ConnectionStates,
  ConnectOptions,
  EndpointCounters,
  EndpointOptions,
  ListenOptions,
} from "./endpoint_options.ts";
export {
  ConnectionLost,
  HandshakeRefused,
  QuicError,
  StreamClosed,
  StreamReset,
  StreamStopped,
} from "./errors.ts";
export type { HandshakePeer, Role, VerifyPeer } from "./handshake.ts";
export { classifyPath, type PathClass, type PathEvidence } from "./path_class.ts";
export { PathMemory } from "./path_memory.ts";
export {
  type CongestionControl,
  DEFAULT_PROFILE,
  type TlsIdentity,
  type TransportProfile,
} from "./profile.ts";
export type { RecvStream } from "./recv_stream.ts";
export type { SendStream } from "./send_stream.ts";
export type { BidiStream } from "./stream_table.ts";
export type { Timers } from "./timers.ts";
export type { Traffic } from "./traffic.ts";
export type { UdpCounters, UdpKind } from "./udp.ts";
