import type { Bytes } from "../base/bytes.ts";
import { equalBytes } from "../base/bytes.ts";
import type { DeviceId } from "../base/ids.ts";
import { deviceIdFromFingerprint } from "./device_id.ts";
import { ROTATION_KEEP_MS } from "./rotation.ts";

/** How trust in a device came about: a typed code, an invitation's token, `peers trust DEVICE-ID`. */
export type TrustMethod = "code" | "token" | "id";

/** What a peer may do with one share. Trust alone grants nothing. */
export interface ShareGrant {
  readonly share: string;
  readonly access: "read" | "write";
}

/** Most grants of one peer. */
export const GRANTS_MAX = 256;
/** Most addresses remembered of one peer, the latest first. */
export const ADDRESSES_MAX = 8;

/** A device that is or was trusted. Immutable; byte fields are not to be written to. */
export interface TrustEntry {
  /** Id of the key in use. */
  readonly id: DeviceId;
  /** Fingerprint of the key in use. */
  readonly fingerprint: Bytes;
  /** The key in use, DER; absent until first met where trust was given by id. */
  readonly spki?: Bytes;
  /** What the peer is called on this device, unique among trusted peers. A peer never changes it. */
  readonly alias: string;
  /** What the peer calls itself, made printable. */
  readonly announcedName?: string;
  /** Milliseconds since the Unix epoch, as all times here. */
  readonly addedAtMs: number;
  /** A {@linkcode TrustMethod}, or the word of a newer landropic. */
  readonly method: string;
  /** `"revoked"` is a tombstone: kept, so that the key cannot come back unnoticed. */
  readonly state: "trusted" | "revoked";
  readonly revokedAtMs?: number;
  readonly grants: readonly ShareGrant[];
  /** `HOST:PORT`, latest first, at most {@linkcode ADDRESSES_MAX}. */
  readonly addresses: readonly string[];
  readonly lastSeenMs?: number;
  /** The key that the device announced to move to, not yet seen in use. */
  readonly successor?: {
    readonly fingerprint: Bytes;
    readonly spki: Bytes;
    readonly announcedAtMs: number;
  };
  /** The key that the device moved away from, accepted until then. */
  readonly predecessor?: { readonly fingerprint: Bytes; readonly untilMs: number };
  /** Fields of the stored entry that this version does not know; written back as they were. */
  readonly unknownFields: Readonly<Record<string, unknown>>;
}

/** True if the device has, had, or announced this key. */
export function hasKey(entry: TrustEntry, fingerprint: Uint8Array): boolean {
  return keysOf(entry).some((key) => equalBytes(key, fingerprint));
}

/** Every key that the entry speaks of, accepted or not. */
export function keysOf({ fingerprint, successor, predecessor }: TrustEntry): Bytes[] {
  const keys = [fingerprint];
  if (successor) keys.push(successor.fingerprint);
  if (predecessor) keys.push(predecessor.fingerprint);
  return keys;
}

/** The keys under which the device is accepted at `nowMs`; none of a revoked one. */
export function acceptedKeysOf(entry: TrustEntry, nowMs: number): Bytes[] {
  if (entry.state !== "trusted") return [];
  const { fingerprint, successor, predecessor } = entry;
  const keys: Bytes[] = [];
  if (successor) keys.push(successor.fingerprint);
  if (!successor || nowMs < retiredAtMs(successor)) keys.push(fingerprint);
  if (predecessor && nowMs < predecessor.untilMs) keys.push(predecessor.fingerprint);
  return keys;
}

/** The entry once its announced key is in use: the old one becomes the predecessor. */
export function withSuccessorInUse(entry: TrustEntry): TrustEntry {
  const { successor, ...rest } = entry;
  if (!successor) return entry;
  return {
    ...rest,
    id: deviceIdFromFingerprint(successor.fingerprint),
    fingerprint: successor.fingerprint,
    spki: successor.spki,
    predecessor: { fingerprint: entry.fingerprint, untilMs: retiredAtMs(successor) },
  };
}

/** When the key before the announced one is no longer accepted. */
function retiredAtMs({ announcedAtMs }: { readonly announcedAtMs: number }): number {
  return announcedAtMs + ROTATION_KEEP_MS;
}
