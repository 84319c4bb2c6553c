import { utf8 } from "../base/bytes.ts";
import type { NativeConfig, QuicBinding } from "./binding.ts";

/** Congestion control algorithms of the native core. */
export type CongestionControl = "bbr" | "cubic" | "reno";

/** How connections behave. Windows are flow control limits: what a peer may have sent beyond what was read. */
export interface TransportProfile {
  /** Silence after which a connection counts as dead; the smaller of both sides' applies. */
  readonly idleTimeoutMs: number;
  /** From the first packet until both sides are verified. */
  readonly handshakeTimeoutMs: number;
  /** Unread bytes of one bidirectional stream, at first and after growing with its speed. */
  readonly streamWindowBytes: number;
  readonly streamWindowBytesMax: number;
  /** Unread bytes of one unidirectional stream, at first; grows to `streamWindowBytesMax`. */
  readonly uniStreamWindowBytes: number;
  /** Unread bytes of all streams of a connection: what a reader that stopped reading costs in memory. */
  readonly connectionWindowBytes: number;
  readonly connectionWindowBytesMax: number;
  /** Streams that the peer may have open at once. */
  readonly bidiStreamsMax: number;
  readonly uniStreamsMax: number;
  /** Undefined: by what is known of the path; see `PATH_RULES`. */
  readonly congestionControl: CongestionControl | undefined;
  /** False sends whatever the congestion window allows at once; see `Pacer`. */
  readonly isPaced: boolean;
  /** UDP payload of outgoing datagrams, 1200 to 16383; undefined: what the path carries. */
  readonly datagramBytes: number | undefined;
}

/**
 * Values for syncing.
 *
 * The windows keep a connection's unread bytes at 64 MiB; a stream of up to 18 MiB
 * (a full data request and its framing) never waits for a window update. That matters on long links:
 * the native core grows its windows from 32 KiB, whatever they were at first.
 */
export const DEFAULT_PROFILE: TransportProfile = {
  idleTimeoutMs: 60_000,
  handshakeTimeoutMs: 10_000,
  streamWindowBytes: 18 << 20,
  streamWindowBytesMax: 32 << 20,
  uniStreamWindowBytes: 2 << 20,
  connectionWindowBytes: 64 << 20,
  connectionWindowBytesMax: 64 << 20,
  bidiStreamsMax: 1024,
  uniStreamsMax: 128,
  congestionControl: undefined,
  isPaced: true,
  datagramBytes: undefined,
};

/** The smallest datagram that every QUIC path carries (RFC 9000 section 14). */
export const DATAGRAM_BYTES_MIN = 1200;
/** The largest that the native core writes. */
export const DATAGRAM_BYTES_MAX = 16_383;

/** A device's TLS identity, in PEM. */
export interface TlsIdentity {
  readonly keyPem: string;
  readonly certPem: string;
}

/**
 * Makes the settings for connections that offer `alpns`. Both sides must show a certificate, and any
 * certificate whose key they hold passes: who the peer is, is up to the verifier.
 */
export function makeConfig(
  binding: QuicBinding,
  identity: TlsIdentity,
  profile: TransportProfile,
  alpns: readonly string[],
): NativeConfig {
  const config = binding.Config.withBoringSslCtx(
    true,
    true,
    null,
    [utf8(identity.keyPem)],
    [utf8(identity.certPem)],
    "ed25519",
  );
  config.setApplicationProtos([...alpns]);
  config.setMaxIdleTimeout(profile.idleTimeoutMs);
  config.setMaxRecvUdpPayloadSize(DATAGRAM_BYTES_MAX);
  config.setInitialMaxData(profile.connectionWindowBytes);
  config.setInitialMaxStreamDataBidiLocal(profile.streamWindowBytes);
  config.setInitialMaxStreamDataBidiRemote(profile.streamWindowBytes);
  config.setInitialMaxStreamDataUni(profile.uniStreamWindowBytes);
  config.setInitialMaxStreamsBidi(profile.bidiStreamsMax);
  config.setInitialMaxStreamsUni(profile.uniStreamsMax);
  config.setMaxConnectionWindow(profile.connectionWindowBytesMax);
  config.setMaxStreamWindow(profile.streamWindowBytesMax);
  config.setActiveConnectionIdLimit(2);
  config.setDisableActiveMigration(true);
  // The native core's pacing times cannot be read from JavaScript; `Pacer` does it.
  config.enablePacing(false);
  return config;
}
