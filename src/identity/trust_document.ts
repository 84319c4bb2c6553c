import { type Bytes, decodeUtf8, equalBytes, utf8 } from "../base/bytes.ts";
import { messageOf } from "../base/errors.ts";
import { toHex } from "../base/bytes.ts";
import {
  deviceIdFromFingerprint,
  fingerprintOf,
  fingerprintOfSpki,
  parseDeviceId,
  shortId,
} from "./device_id.ts";
import { IdentityError } from "./identity_error.ts";
import { parsePeerAddress } from "./peer_address.ts";
import { cleanPeerName } from "./peer_name.ts";
import {
  ADDRESSES_MAX,
  GRANTS_MAX,
  keysOf,
  type ShareGrant,
  type TrustEntry,
} from "./trust_entry.ts";

/** Most entries, tombstones included. */
export const PEERS_MAX = 1000;
/** Larger files are refused unread. */
export const PEERS_BYTES_MAX = 8 * 1024 * 1024;

const VERSION = 1;
/** Characters of a string in the file that is shown or compared. */
const TEXT_CHARS_MAX = 255;

/** The contents of the trust store. */
export interface TrustDocument {
  readonly entries: readonly TrustEntry[];
  /** Top-level fields that this version does not know; written back as they were. */
  readonly unknownFields: Readonly<Record<string, unknown>>;
}

/** A trust store in which nobody is trusted yet. */
export const EMPTY_DOCUMENT: TrustDocument = { entries: [], unknownFields: {} };

/** Writes the trust store as JSON that a person can read. */
export function encodeTrustDocument({ entries, unknownFields }: TrustDocument): Bytes {
  const json = { ...unknownFields, version: VERSION, peers: entries.map(encodeEntry) };
  return utf8(JSON.stringify(json, undefined, 2) + "\n");
}

/**
 * Reads the trust store. One bad entry makes the whole file bad: dropping it could drop a tombstone.
 *
 * @param path For messages.
 * @throws {IdentityError} `trust_store_broken`, naming the entry and the field.
 */
export function parseTrustDocument(bytes: Uint8Array, path: string): TrustDocument {
  try {
    const { version, peers, ...unknownFields } = objectOf(JSON.parse(textOf(bytes)), "the file");
    if (version !== VERSION) {
      throw new FieldError(`version ${JSON.stringify(version)} is not ${VERSION}`);
    }
    if (!Array.isArray(peers) || peers.length > PEERS_MAX) {
      throw new FieldError(`"peers" is no list of at most ${PEERS_MAX}`);
    }
    const entries = peers.map(parseEntry);
    refuseSharedKeys(entries);
    return { entries, unknownFields };
  } catch (error) {
    const why = error instanceof SyntaxError ? "it is no JSON" : messageOf(error);
    throw new IdentityError(
      "trust_store_broken",
      `Cannot read the trusted peers in ${path}: ${why}`,
      {
        hint:
          `correct ${path} or restore it from a backup; or move it away and pair all peers again`,
        cause: error,
      },
    );
  }
}

/** Something in the file that landropic did not write. */
class FieldError extends Error {}

function encodeEntry(entry: TrustEntry): Record<string, unknown> {
  const { successor, predecessor } = entry;
  return {
    ...entry.unknownFields,
    id: entry.id,
    spki: entry.spki?.toBase64(),
    alias: entry.alias,
    announcedName: entry.announcedName,
    addedAt: isoOf(entry.addedAtMs),
    method: entry.method,
    state: entry.state,
    revokedAt: isoOf(entry.revokedAtMs),
    grants: entry.grants,
    addresses: entry.addresses,
    lastSeen: isoOf(entry.lastSeenMs),
    successor: successor && {
      id: deviceIdFromFingerprint(successor.fingerprint),
      spki: successor.spki.toBase64(),
      announcedAt: isoOf(successor.announcedAtMs),
    },
    predecessor: predecessor && {
      id: deviceIdFromFingerprint(predecessor.fingerprint),
      until: isoOf(predecessor.untilMs),
    },
  };
}

function parseEntry(json: unknown, index: number): TrustEntry {
  try {
    return entryOf(json);
  } catch (error) {
    throw new FieldError(`entry ${index + 1}: ${messageOf(error)}`, { cause: error });
  }
}

function entryOf(json: unknown): TrustEntry {
  const {
    id: idText,
    spki: spkiText,
    alias,
    announcedName,
    addedAt,
    method,
    state,
    revokedAt,
    grants,
    addresses,
    lastSeen,
    successor,
    predecessor,
    ...unknownFields
  } = objectOf(json, "it");
  const id = parseDeviceId(stringOf(idText, "id"));
  const fingerprint = fingerprintOf(id);
  if (state !== "trusted" && state !== "revoked") throw new FieldError('"state" is unknown');
  return {
    id,
    fingerprint,
    ...(spkiText !== undefined && { spki: spkiOf(spkiText, fingerprint) }),
    // The file may have been edited by hand.
    alias: cleanPeerName(stringOf(alias, "alias")) || shortId(id),
    ...(announcedName !== undefined && {
      announcedName: cleanPeerName(stringOf(announcedName, "announcedName")),
    }),
    addedAtMs: msOf(addedAt, "addedAt"),
    method: stringOf(method, "method"),
    state,
    ...(revokedAt !== undefined && { revokedAtMs: msOf(revokedAt, "revokedAt") }),
    grants: listOf(grants ?? [], "grants", GRANTS_MAX).map(grantOf),
    addresses: listOf(addresses ?? [], "addresses", ADDRESSES_MAX).map(addressOf),
    ...(lastSeen !== undefined && { lastSeenMs: msOf(lastSeen, "lastSeen") }),
    ...(successor !== undefined && { successor: successorOf(successor) }),
    ...(predecessor !== undefined && { predecessor: predecessorOf(predecessor) }),
    unknownFields,
  };
}

function successorOf(json: unknown): NonNullable<TrustEntry["successor"]> {
  const { id, spki, announcedAt } = objectOf(json, '"successor"');
  const fingerprint = fingerprintOf(parseDeviceId(stringOf(id, "successor.id")));
  const announcedAtMs = msOf(announcedAt, "successor.announcedAt");
  return { fingerprint, spki: spkiOf(spki, fingerprint), announcedAtMs };
}

function predecessorOf(json: unknown): NonNullable<TrustEntry["predecessor"]> {
  const { id, until } = objectOf(json, '"predecessor"');
  const fingerprint = fingerprintOf(parseDeviceId(stringOf(id, "predecessor.id")));
  return { fingerprint, untilMs: msOf(until, "predecessor.until") };
}

function grantOf(json: unknown): ShareGrant {
  const { share, access } = objectOf(json, "a grant");
  if (access !== "read" && access !== "write") throw new FieldError('"access" is unknown');
  return { share: stringOf(share, "share"), access };
}

function addressOf(json: unknown): string {
  const address = stringOf(json, "addresses", 300);
  parsePeerAddress(address);
  return address;
}

function spkiOf(json: unknown, fingerprint: Uint8Array): Bytes {
  const spki = Uint8Array.fromBase64(stringOf(json, "spki", 1024));
  if (!equalBytes(fingerprintOfSpki(spki), fingerprint)) {
    throw new FieldError('"spki" is not the key of "id"');
  }
  return spki;
}

/** Two devices with one key would make trust in it depend on their order. */
function refuseSharedKeys(entries: readonly TrustEntry[]): void {
  const seen = new Set<string>();
  for (const [index, entry] of entries.entries()) {
    for (const key of keysOf(entry).map(toHex)) {
      if (seen.has(key)) throw new FieldError(`entry ${index + 1}: its key is there twice`);
      seen.add(key);
    }
  }
}

function textOf(bytes: Uint8Array): string {
  const text = decodeUtf8(bytes);
  if (text === undefined) throw new FieldError("it is no UTF-8");
  return text;
}

function objectOf(json: unknown, what: string): Record<string, unknown> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new FieldError(`${what} is no object`);
  }
  return json as Record<string, unknown>;
}

function listOf(json: unknown, field: string, max: number): unknown[] {
  if (!Array.isArray(json) || json.length > max) {
    throw new FieldError(`"${field}" is no list of at most ${max}`);
  }
  return json;
}

function stringOf(json: unknown, field: string, charsMax = TEXT_CHARS_MAX): string {
  if (typeof json !== "string" || json.length === 0 || json.length > charsMax) {
    throw new FieldError(`"${field}" is no text of 1 to ${charsMax} characters`);
  }
  return json;
}

function msOf(json: unknown, field: string): number {
  const ms = Date.parse(stringOf(json, field));
  // Nothing here is so far off that adding to it could leave what a date can hold.
  if (!(Math.abs(ms) < Date.UTC(10_000, 0))) throw new FieldError(`"${field}" is no date`);
  return ms;
}

function isoOf(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}
