import { decodeUtf8 } from "../base/bytes.ts";
import type { HostPort } from "./address.ts";
import type { NativeConnection } from "./binding.ts";
import { QuicError } from "./errors.ts";

/** Which end of a connection this side is. */
export type Role = "client" | "server";

/** What the TLS handshake proved about the peer: it holds the key of the first certificate. */
export interface HandshakePeer {
  /** The chain as sent, DER, leaf first. Hostile bytes: nothing but the key's possession was checked. */
  readonly certificates: readonly Uint8Array[];
  readonly alpn: string;
  /** True if TLS resumed a session, which proves nothing about the key: always refused. */
  readonly resumed: boolean;
  readonly earlyData: boolean;
  readonly remote: HostPort;
  readonly role: Role;
}

/**
 * Decides whether the peer may connect; throws to refuse. Called once for each connection, as soon as
 * the handshake is complete and before any byte of a stream is read or written. Must not be async.
 */
export type VerifyPeer = (peer: HandshakePeer) => void;

/** Reads from an established connection what a verifier needs. */
export function readHandshakePeer(
  native: NativeConnection,
  remote: HostPort,
  role: Role,
): HandshakePeer {
  return {
    certificates: native.peerCertChain() ?? [],
    alpn: decodeUtf8(native.applicationProto()) ?? "",
    resumed: native.isResumed(),
    earlyData: native.isInEarlyData(),
    remote: { host: remote.host, port: remote.port },
    role,
  };
}

/**
 * Checks what no verifier may forget, then asks the verifier.
 *
 * @throws what the verifier throws; {QuicError} `peer_untrusted` for a resumed session, early data, an
 * absent certificate or a protocol that was not offered.
 */
export function checkHandshake(
  peer: HandshakePeer,
  alpns: readonly string[],
  verify: VerifyPeer,
): void {
  if (peer.resumed || peer.earlyData) {
    throw new QuicError("peer_untrusted", "the peer resumed a TLS session");
  }
  if (peer.certificates.length === 0) {
    throw new QuicError("peer_untrusted", "the peer showed no certificate");
  }
  if (!alpns.includes(peer.alpn)) {
    throw new QuicError("peer_untrusted", `the peer chose protocol "${peer.alpn}"`);
  }
  const result: unknown = verify(peer);
  // An async verifier would let everyone in before it has decided.
  if (result !== undefined) throw new TypeError("verify() must be synchronous");
}
