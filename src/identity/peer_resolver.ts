import { sanitizeName } from "../base/names.ts";
import {
  DEVICE_ID_CHARS,
  DeviceIdError,
  deviceIdFromFingerprint,
  fingerprintOf,
  normalizeIdText,
  parseDeviceId,
  SHORT_ID_CHARS,
  shortId,
} from "./device_id.ts";
import { IdentityError } from "./identity_error.ts";
import { hasKey, keysOf, type TrustEntry } from "./trust_entry.ts";

/** Candidates named in a hint. */
const CANDIDATES_MAX = 8;
/** From here on, text that names no peer is taken for an id with a typo, not for a name. */
const ID_LIKE_CHARS_MIN = DEVICE_ID_CHARS - 6;

/**
 * Finds the trusted peer that PEER on a command line means: its exact alias, its device id, or a
 * prefix of the id that fits no other trusted peer. While a device rotates, either id is its own.
 *
 * @throws {IdentityError} `peer_unknown`, `peer_ambiguous`, `revoked`, or `device_id_malformed` for a
 * whole id with a typo; hints name the candidates.
 */
export function resolvePeer(text: string, entries: readonly TrustEntry[]): TrustEntry {
  const trusted = entries.filter(({ state }) => state === "trusted");
  const alias = text.trim().normalize("NFC");
  const named = trusted.filter((entry) => entry.alias === alias);
  const prefix = idPrefixOf(text);
  const fitting = prefix === undefined
    ? []
    : trusted.filter((entry) => plainIdsOf(entry).some((id) => id.startsWith(prefix)));
  if (named.length > 0) {
    // A peer must not come to be called what somebody would type for the short id of another.
    const others = (prefix?.length ?? 0) < SHORT_ID_CHARS ? [] : fitting;
    return onlyOne(text, [...new Set([...named, ...others])]);
  }
  if (fitting.length > 0) return onlyOne(text, fitting);
  throw noSuchPeer(text, prefix, entries);
}

/** The ids of every key of the device, without dashes. */
function plainIdsOf(entry: TrustEntry): string[] {
  return keysOf(entry).map((key) => deviceIdFromFingerprint(key).replaceAll("-", ""));
}

/** The text as the beginning of an id, or `undefined` where it cannot be one. */
function idPrefixOf(text: string): string | undefined {
  try {
    return normalizeIdText(text) || undefined;
  } catch (error) {
    if (error instanceof DeviceIdError) return undefined;
    throw error;
  }
}

function onlyOne(text: string, candidates: readonly TrustEntry[]): TrustEntry {
  if (candidates.length === 1) return candidates[0]!;
  const shown = JSON.stringify(sanitizeName(text));
  throw new IdentityError("peer_ambiguous", `Cannot tell which peer ${shown} is`, {
    hint: `it could be ${listed(candidates)}`,
  });
}

function noSuchPeer(
  text: string,
  prefix: string | undefined,
  entries: readonly TrustEntry[],
): IdentityError {
  const shown = JSON.stringify(sanitizeName(text));
  if (prefix !== undefined && prefix.length >= ID_LIKE_CHARS_MIN) {
    // Throws for a typo.
    const fingerprint = fingerprintOf(parseDeviceId(text));
    if (entries.some((entry) => hasKey(entry, fingerprint))) return removedPeer(shown);
  }
  const removed = entries.some(({ state, alias }) => state === "revoked" && alias === text.trim());
  if (removed) return removedPeer(shown);
  const trusted = entries.filter(({ state }) => state === "trusted");
  return new IdentityError("peer_unknown", `No trusted peer is called ${shown}`, {
    hint: trusted.length === 0
      ? 'no device is trusted yet: run "landropic pair" on both devices'
      : `trusted peers: ${listed(trusted)}`,
  });
}

function removedPeer(shown: string): IdentityError {
  return new IdentityError("revoked", `Peer ${shown} was removed from the trusted peers`, {
    hint: 'pair again with "landropic pair" if that was a mistake',
  });
}

function listed(entries: readonly TrustEntry[]): string {
  const shown = entries.slice(0, CANDIDATES_MAX).map(({ alias, id }) =>
    `${alias} (${shortId(id)})`
  );
  if (entries.length > shown.length) shown.push(`and ${entries.length - shown.length} more`);
  return shown.join(", ");
}
