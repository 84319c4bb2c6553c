import {
  IdentityError,
  type TrustEntry,
  type VerifiedPeer,
  verifyPeer,
} from "../../identity/mod.ts";
import { PAIRING_ALPN, type TrustEffect } from "../../identity/pairing/mod.ts";
import { formatHostPort, type HandshakePeer, type HostPort } from "../../quic/mod.ts";
import type { Orchestrator } from "../orchestrator.ts";

/** A device that this one trusts from now on. */
export interface PairedPeer {
  readonly entry: TrustEntry;
  /** `HOST:PORT` under which it is remembered. */
  readonly address: string;
  /** Whether the peer said that it trusts this device too; else it may have to pair again. */
  readonly isConfirmed: boolean;
  /** The name that was asked for, where another peer has it already. */
  readonly takenName?: string;
}

/**
 * Checks the certificate of a device that is yet to be trusted: everything but trust.
 *
 * @param expected The fingerprint in an invitation.
 * @throws {IdentityError}
 */
export function verifyStranger(
  orchestrator: Orchestrator,
  peer: HandshakePeer,
  expected?: Uint8Array,
): VerifiedPeer {
  return verifyPeer(peer, {
    ownFingerprint: orchestrator.identity.fingerprint,
    expectedAlpns: [PAIRING_ALPN],
    trust: "pairing",
    nowMs: orchestrator.options.clock.wallMs(),
    ...(expected && { expectedFingerprints: [expected] }),
  });
}

/** What is written down about a device that has proved the secret. */
export interface NewPeer {
  readonly verified: VerifiedPeer;
  /** What the user calls it; else its own name. */
  readonly alias: string | undefined;
  /** Where it may be reached, best first; at least one. */
  readonly addresses: readonly HostPort[];
}

/** Writes down the trust, durably; a name that another peer has gives way to the device's own. */
export async function storeTrust(
  orchestrator: Orchestrator,
  effect: TrustEffect,
  { verified, alias, addresses }: NewPeer,
): Promise<Omit<PairedPeer, "isConfirmed">> {
  const { trust } = orchestrator;
  const { fingerprint, peerName: announcedName, method } = effect;
  const [address, ...others] = addresses.map(formatHostPort).toReversed();
  const device = { fingerprint, spki: verified.spki, method, announcedName, address: address! };
  let takenName: string | undefined;
  let entry: TrustEntry;
  try {
    entry = await trust.trust({ ...device, ...(alias !== undefined && { alias }) });
  } catch (error) {
    // The code is used up by now: a trusted peer under another name is better than none.
    if (!(error instanceof IdentityError && error.reason === "name_taken")) throw error;
    takenName = alias;
    entry = await trust.trust(device);
  }
  for (const address of others) {
    entry = await trust.touch({ fingerprint, address }) ?? entry;
  }
  const best = formatHostPort(addresses[0]!);
  return { entry, address: best, ...(takenName !== undefined && { takenName }) };
}
