/** Every change to the trust store as a pure function from entries to entries. */
import { type Bytes, equalBytes } from "../base/bytes.ts";
import { NAME_CHARS_MAX } from "../base/names.ts";
import { deviceIdFromFingerprint, fingerprintOfSpki, shortId } from "./device_id.ts";
import { IdentityError } from "./identity_error.ts";
import { checkPeerName, cleanPeerName, nameKey } from "./peer_name.ts";
import { parsePeerAddress } from "./peer_address.ts";
import { resolvePeer } from "./peer_resolver.ts";
import type { VerifiedRotation } from "./rotation.ts";
import { PEERS_MAX } from "./trust_document.ts";
import {
  acceptedKeysOf,
  ADDRESSES_MAX,
  GRANTS_MAX,
  hasKey,
  type ShareGrant,
  type TrustEntry,
  type TrustMethod,
  withSuccessorInUse,
} from "./trust_entry.ts";

/** A sighting that brings nothing new is written down at most this often. */
export const SIGHTING_INTERVAL_MS = 60_000;
/** Characters of a share's name in a grant. */
const SHARE_CHARS_MAX = 255;

/** A device to trust. */
export interface NewTrust {
  /** 32 bytes: of the key the connection really showed, or behind the id that the user typed. */
  readonly fingerprint: Uint8Array;
  /** The key itself where it is known. */
  readonly spki?: Uint8Array;
  readonly method: TrustMethod;
  /** What the user wants to call it; else it gets its own name, made unique. */
  readonly alias?: string;
  /** What the device calls itself; hostile text is fine. */
  readonly announcedName?: string;
  /** `HOST:PORT`. */
  readonly address?: string;
}

/** What a session learned of its peer. */
export interface Sighting {
  /** The key that the verified connection showed. */
  readonly fingerprint: Uint8Array;
  readonly spki?: Uint8Array;
  readonly announcedName?: string;
  /** `HOST:PORT`. */
  readonly address?: string;
}

/** All entries, in the order of the file. An edit returns the same array if nothing changes. */
export type Entries = readonly TrustEntry[];

/**
 * Trusts a device for the first time, again, or after it was removed. Grants never come with it.
 *
 * @throws {IdentityError} `name_invalid`, `name_taken`, `address_invalid`, `trust_store_full`.
 */
export function trustDevice(entries: Entries, device: NewTrust, nowMs: number): Entries {
  const known = entries.find((entry) => hasKey(entry, device.fingerprint));
  if (known === undefined && entries.length >= PEERS_MAX) {
    throw full(`this device can know ${PEERS_MAX} peers`);
  }
  const before = known ? withKeyInUse(known, device.fingerprint) : newEntry(device, nowMs);
  const { revokedAtMs: _, ...kept } = before;
  const entry: TrustEntry = {
    ...kept,
    ...spkiOf(kept, device.spki),
    ...announcedNameOf(device.announcedName),
    alias: aliasFor(entries, known, device),
    addedAtMs: known?.state === "trusted" ? kept.addedAtMs : nowMs,
    method: device.method,
    state: "trusted",
    addresses: withAddress(kept.addresses, device.address),
  };
  return known ? replaced(entries, known, entry) : [...entries, entry];
}

/**
 * Changes what a trusted peer is called here.
 *
 * @throws {IdentityError} `name_invalid`, `name_taken`, and as {@linkcode resolvePeer}.
 */
export function renamePeer(entries: Entries, peer: string, name: string): Entries {
  const entry = resolvePeer(peer, entries);
  const alias = checkPeerName(name);
  refuseTakenAlias(entries, alias, entry);
  return entry.alias === alias ? entries : replaced(entries, entry, { ...entry, alias });
}

/**
 * Ends the trust in a peer and in every key that it announced, and drops its grants. A tombstone stays.
 *
 * @throws {IdentityError} as {@linkcode resolvePeer}.
 */
export function removePeer(entries: Entries, peer: string, nowMs: number): Entries {
  const entry = resolvePeer(peer, entries);
  const tombstone: TrustEntry = { ...entry, state: "revoked", revokedAtMs: nowMs, grants: [] };
  return replaced(entries, entry, tombstone);
}

/**
 * Notes that a peer was met over a verified connection. Its name for itself never becomes its alias,
 * and nothing happens for a key that is not accepted (any more).
 *
 * @throws {IdentityError} `address_invalid`.
 */
export function sightPeer(entries: Entries, sighting: Sighting, nowMs: number): Entries {
  const { fingerprint } = sighting;
  const entry = entries.find((entry) => hasKey(entry, fingerprint));
  const isAccepted = entry !== undefined &&
    acceptedKeysOf(entry, nowMs).some((key) => equalBytes(key, fingerprint));
  if (!isAccepted) return entries;
  const isSuccessor = entry.successor && equalBytes(entry.successor.fingerprint, fingerprint);
  const current = isSuccessor ? withSuccessorInUse(entry) : entry;
  const seen: TrustEntry = {
    ...current,
    ...spkiOf(current, sighting.spki),
    ...announcedNameOf(sighting.announcedName),
    addresses: withAddress(current.addresses, sighting.address),
    lastSeenMs: nowMs,
  };
  const isNews = current !== entry || seen.announcedName !== entry.announcedName ||
    seen.addresses !== entry.addresses || (seen.spki === undefined) !== (entry.spki === undefined);
  const sinceMs = Math.abs(nowMs - (entry.lastSeenMs ?? -Infinity));
  return isNews || sinceMs >= SIGHTING_INTERVAL_MS ? replaced(entries, entry, seen) : entries;
}

/**
 * Says what a trusted peer may do with a share; `undefined` takes the grant away.
 *
 * @throws {IdentityError} `peer_unknown` if the key is not trusted, `trust_store_full`.
 */
export function grantShare(
  entries: Entries,
  fingerprint: Uint8Array,
  { share, access }: { readonly share: string; readonly access: ShareGrant["access"] | undefined },
): Entries {
  if (share === "" || share.length > SHARE_CHARS_MAX) {
    throw new RangeError(`a share's name has 1 to ${SHARE_CHARS_MAX} characters`);
  }
  const entry = entries.find((entry) => hasKey(entry, fingerprint));
  if (entry?.state !== "trusted") {
    const id = deviceIdFromFingerprint(fingerprint);
    throw new IdentityError("peer_unknown", `Cannot share "${share}": device ${id} is not trusted`);
  }
  const before = entry.grants.find((grant) => grant.share === share);
  if (before?.access === access) return entries;
  const others = entry.grants.filter((grant) => grant !== before);
  const grants = access === undefined ? others : [...others, { share, access }];
  if (grants.length > GRANTS_MAX) throw full(`a peer can have ${GRANTS_MAX} grants`);
  return replaced(entries, entry, { ...entry, grants });
}

/**
 * Notes the next key of a device. Hearing of the same key again changes and prolongs nothing.
 *
 * @throws {IdentityError} `rotation_refused`: the old key is unknown, revoked or itself replaced; the
 * device announced another key before; the new key is known already.
 */
export function rotateKey(entries: Entries, rotation: VerifiedRotation, nowMs: number): Entries {
  const { oldFingerprint, newFingerprint: fingerprint, newSpki: spki } = rotation;
  const entry = entries.find((entry) => hasKey(entry, oldFingerprint));
  if (entry?.state !== "trusted") throw refusedRotation("the old key is not trusted");
  if (!equalBytes(entry.fingerprint, oldFingerprint)) {
    throw refusedRotation("the old key is not the one in use");
  }
  if (!acceptedKeysOf(entry, nowMs).some((key) => equalBytes(key, oldFingerprint))) {
    throw refusedRotation("the old key was replaced");
  }
  if (entry.successor) {
    if (equalBytes(entry.successor.fingerprint, fingerprint)) return entries;
    throw refusedRotation("the device announced another key before");
  }
  if (entries.some((entry) => hasKey(entry, fingerprint))) {
    throw refusedRotation("the new key is known already");
  }
  const successor = { fingerprint, spki, announcedAtMs: nowMs };
  return replaced(entries, entry, { ...entry, successor });
}

/** A device never met before. */
function newEntry({ fingerprint, method }: NewTrust, nowMs: number): TrustEntry {
  return {
    id: deviceIdFromFingerprint(fingerprint),
    fingerprint: fingerprint.slice(),
    alias: "",
    addedAtMs: nowMs,
    method,
    state: "trusted",
    grants: [],
    addresses: [],
    unknownFields: {},
  };
}

/** The entry once its device was trusted anew under this key: other keys end, unless it rotates. */
function withKeyInUse(entry: TrustEntry, fingerprint: Uint8Array): TrustEntry {
  const isCurrent = equalBytes(entry.fingerprint, fingerprint);
  if (entry.state === "trusted") {
    if (isCurrent) return entry;
    const isSuccessor = entry.successor && equalBytes(entry.successor.fingerprint, fingerprint);
    if (isSuccessor) return withSuccessorInUse(entry);
  }
  const { spki, successor: _successor, predecessor: _predecessor, ...rest } = entry;
  return {
    ...rest,
    id: deviceIdFromFingerprint(fingerprint),
    fingerprint: fingerprint.slice(),
    ...(isCurrent && spki && { spki }),
  };
}

/** The chosen alias if it is free; else the one it had, or its own name, made unique. */
function aliasFor(entries: Entries, known: TrustEntry | undefined, device: NewTrust): string {
  if (device.alias !== undefined) {
    const alias = checkPeerName(device.alias);
    refuseTakenAlias(entries, alias, known);
    return alias;
  }
  const id = deviceIdFromFingerprint(device.fingerprint);
  const wanted = known?.alias || cleanPeerName(device.announcedName ?? "") ||
    `device-${shortId(id)}`;
  // Cut first, so that the number is never what gets cut.
  const stem = [...wanted].slice(0, NAME_CHARS_MAX - 5).join("");
  let alias = wanted;
  for (let n = 2; isTaken(entries, alias, known); n++) alias = `${stem}-${n}`;
  return alias;
}

function refuseTakenAlias(entries: Entries, alias: string, own: TrustEntry | undefined): void {
  if (!isTaken(entries, alias, own)) return;
  throw new IdentityError("name_taken", `Another trusted peer is called ${JSON.stringify(alias)}`, {
    hint: 'choose another name, or rename that one with "landropic peers rename"',
  });
}

function isTaken(entries: Entries, alias: string, own: TrustEntry | undefined): boolean {
  const key = nameKey(alias);
  return entries.some((entry) =>
    entry !== own && entry.state === "trusted" && nameKey(entry.alias) === key
  );
}

/** The key itself, where it is news and really is the key of the entry. */
function spkiOf(entry: TrustEntry, spki: Uint8Array | undefined): { spki?: Bytes } {
  if (entry.spki || spki === undefined) return {};
  return equalBytes(fingerprintOfSpki(spki), entry.fingerprint) ? { spki: spki.slice() } : {};
}

function announcedNameOf(name: string | undefined): { announcedName?: string } {
  const announcedName = cleanPeerName(name ?? "");
  return announcedName === "" ? {} : { announcedName };
}

/** The addresses with this one in front; the same array where it is there already. */
function withAddress(addresses: readonly string[], address: string | undefined): readonly string[] {
  if (address === undefined || addresses[0] === address) return addresses;
  parsePeerAddress(address);
  return [address, ...addresses.filter((other) => other !== address)].slice(0, ADDRESSES_MAX);
}

function replaced(entries: Entries, before: TrustEntry, after: TrustEntry): Entries {
  return entries.map((entry) => entry === before ? after : entry);
}

function refusedRotation(why: string): IdentityError {
  return new IdentityError("rotation_refused", `Refused a key rotation: ${why}`);
}

function full(why: string): IdentityError {
  return new IdentityError("trust_store_full", `Cannot add to the trust store: ${why}`);
}
