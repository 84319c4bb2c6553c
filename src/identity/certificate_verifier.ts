import { type Bytes, equalBytes } from "../base/bytes.ts";
import type { DeviceId } from "../base/ids.ts";
import { type Certificate, parseCertificate } from "./certificate.ts";
import { deviceIdFromFingerprint, fingerprintOfSpki } from "./device_id.ts";
import { isWeakPublicKey, verifyEd25519 } from "./ed25519.ts";
import { IdentityError, type IdentityReason } from "./identity_error.ts";
import { formatPeerAddress, type PeerAddress } from "./peer_address.ts";

/** How far a certificate's dates may be off this device's clock: skew must not cut off a pinned key. */
export const CLOCK_SLACK_MS = 24 * 60 * 60 * 1000;

/** What the QUIC layer knows of a peer at the moment the handshake is done. */
export interface HandshakePeer {
  /** The peer's certificates in DER, leaf first, as TLS verified possession of the leaf's key. */
  readonly certificates: readonly Uint8Array[];
  /** The application protocol that TLS agreed on. */
  readonly alpn: string;
  /** True where TLS took up an earlier session instead of asking for the key. */
  readonly resumed: boolean;
  /** True while data could arrive before the handshake is done. */
  readonly earlyData: boolean;
  /** Where the peer is; for messages only, an address proves nothing. */
  readonly remote: PeerAddress;
  /** Our side of the connection. */
  readonly role: "client" | "server";
}

/** Whether a key is trusted: `undefined` for one never heard of. Must be cheap and synchronous. */
export type TrustLookup = (fingerprint: Uint8Array) => "trusted" | "revoked" | undefined;

/** What this connection demands of the peer. */
export interface PeerPolicy {
  /** Fingerprint of this device, which must never be met as a peer. */
  readonly ownFingerprint: Uint8Array;
  /** Application protocols allowed now; the pairing one only inside an open window. */
  readonly expectedAlpns: readonly string[];
  /** The keys of the one device that was dialled; absent where any trusted device may call. */
  readonly expectedFingerprints?: readonly Uint8Array[];
  /** `"pairing"` skips the trust step, and only that: pairing is how trust comes about. */
  readonly trust: TrustLookup | "pairing";
  /** Milliseconds since the Unix epoch, as this device believes. */
  readonly nowMs: number;
}

/** A peer that passed every check. Holds copies: nothing points into the connection's buffers. */
export interface VerifiedPeer {
  readonly id: DeviceId;
  /** SHA-256 of {@linkcode VerifiedPeer.spki}. */
  readonly fingerprint: Bytes;
  /** The peer's SubjectPublicKeyInfo in DER. */
  readonly spki: Bytes;
  readonly alpn: string;
  readonly remote: PeerAddress;
  readonly role: "client" | "server";
  /** True where the certificate is out of date by less than a day: worth a warning about clocks. */
  readonly isOutsideValidity: boolean;
}

/**
 * Decides whether a finished handshake is with a device we deal with. TLS proved only that the peer
 * holds the private key of the certificate it showed; everything else is checked here, in the order of
 * docs/protocol.md section 3. Runs once, before any byte of any stream, on both sides; on failure the
 * connection closes in the same tick with code 1 and no reason text. Pure; about 0.1 ms.
 *
 * @throws {IdentityError} with the first reason found; message and hint are for this device's user.
 */
export function verifyPeer(peer: HandshakePeer, policy: PeerPolicy): VerifiedPeer {
  checkHandshake(peer, policy);
  const certificate = readCertificate(peer);
  checkKey(peer, certificate);
  const isOutsideValidity = checkValidity(peer, certificate, policy.nowMs);
  const spki = certificate.spki.slice();
  const fingerprint = fingerprintOfSpki(spki);
  checkTrust(peer, fingerprint, policy);
  return {
    id: deviceIdFromFingerprint(fingerprint),
    fingerprint,
    spki,
    alpn: peer.alpn,
    remote: peer.remote,
    role: peer.role,
    isOutsideValidity,
  };
}

/** Steps 1 to 3: no resumption, the right protocol, exactly one certificate. */
function checkHandshake(peer: HandshakePeer, { expectedAlpns }: PeerPolicy): void {
  // A resumed session shows the certificate of whoever made the session, not of who resumes it.
  if (peer.resumed) throw refusal("resumed", peer, "it resumed an earlier session");
  if (peer.earlyData) throw refusal("early_data", peer, "it sent early data");
  if (!expectedAlpns.includes(peer.alpn)) {
    const offered = JSON.stringify(peer.alpn.slice(0, 32));
    throw refusal("wrong_alpn", peer, `it speaks ${offered}, not ${expectedAlpns.join(" or ")}`);
  }
  const count = peer.certificates.length;
  if (count === 0) throw refusal("no_certificate", peer, "it showed no certificate");
  if (count > 1) throw refusal("chain_length", peer, `it showed ${count} certificates, not one`);
}

/** Step 3 and 4: the one strict form. */
function readCertificate(peer: HandshakePeer): Certificate {
  try {
    return parseCertificate(peer.certificates[0]!);
  } catch (error) {
    if (!(error instanceof IdentityError)) throw error;
    throw refusal(error.reason, peer, error.message, { cause: error });
  }
}

/** Steps 4 and 5: a key that means something, and a certificate made with it. */
function checkKey(peer: HandshakePeer, certificate: Certificate): void {
  if (isWeakPublicKey(certificate.publicKey)) {
    throw refusal("weak_key", peer, "anyone can sign with its key");
  }
  if (!equalBytes(certificate.issuer, certificate.subject)) {
    throw refusal("issuer_mismatch", peer, "its certificate was issued by someone else");
  }
  const { spki, signedPart, signature } = certificate;
  if (!verifyEd25519({ spki, message: signedPart, signature })) {
    throw refusal("self_signature", peer, "its certificate is not signed with its own key");
  }
}

/** Step 6; returns whether the dates are off by less than the slack. */
function checkValidity(peer: HandshakePeer, certificate: Certificate, nowMs: number): boolean {
  const { notBeforeMs, notAfterMs } = certificate;
  const hint = "check date and time on both devices";
  if (nowMs < notBeforeMs - CLOCK_SLACK_MS) {
    const date = new Date(notBeforeMs).toISOString();
    throw refusal("not_yet_valid", peer, `its certificate is valid only from ${date}`, { hint });
  }
  // Written so that a clock gone NaN refuses instead of letting everything pass.
  if (!(nowMs <= notAfterMs + CLOCK_SLACK_MS)) {
    const date = new Date(notAfterMs).toISOString();
    throw refusal("expired", peer, `its certificate was valid until ${date}`, { hint });
  }
  return nowMs < notBeforeMs || nowMs > notAfterMs;
}

/** Step 7: the device that was meant, or one that is trusted. */
function checkTrust(peer: HandshakePeer, fingerprint: Uint8Array, policy: PeerPolicy): void {
  if (equalBytes(fingerprint, policy.ownFingerprint)) {
    throw refusal("own_device", peer, "it is this device itself", {
      hint: "two devices must not share one identity folder",
    });
  }
  const id = deviceIdFromFingerprint(fingerprint);
  const expected = policy.expectedFingerprints;
  if (expected !== undefined && !expected.some((one) => equalBytes(one, fingerprint))) {
    throw refusal("wrong_device", peer, `another device answered: ${id}`, {
      hint: "the peer may have a new address; let discovery find it, or pass --address",
    });
  }
  if (policy.trust === "pairing") return;
  switch (policy.trust(fingerprint)) {
    case "trusted":
      return;
    case "revoked":
      throw refusal("revoked", peer, `device ${id} was removed from the trusted peers`, {
        hint: 'pair again with "landropic pair" if that was a mistake',
      });
    case undefined:
      throw refusal("unknown_device", peer, `device ${id} is not trusted`, {
        hint: 'pair with it first: run "landropic pair" on both devices',
      });
  }
}

function refusal(
  reason: IdentityReason,
  peer: HandshakePeer,
  why: string,
  details: { readonly hint?: string; readonly cause?: unknown } = {},
): IdentityError {
  return new IdentityError(reason, `Refused ${formatPeerAddress(peer.remote)}: ${why}`, details);
}
