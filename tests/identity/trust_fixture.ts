import type { Bytes } from "../../src/base/bytes.ts";
import { fingerprintOfSpki } from "../../src/identity/device_id.ts";
import { spkiOfPublicKey } from "../../src/identity/ed25519.ts";
import { IdentityError, type IdentityReason } from "../../src/identity/identity_error.ts";
import { type Entries, type NewTrust, trustDevice } from "../../src/identity/trust_edits.ts";
import type { TrustEntry } from "../../src/identity/trust_entry.ts";

export const NOW_MS = Date.UTC(2026, 10, 22, 20, 0, 0);
export const DAY_MS = 24 * 60 * 60 * 1000;

/** A made-up public key for each number. */
export function spki(n: number): Bytes {
  const key = new Uint8Array(32).fill(7);
  key[0] = n & 255;
  key[1] = n >> 8;
  return spkiOfPublicKey(key);
}

export function fingerprint(n: number): Bytes {
  return fingerprintOfSpki(spki(n));
}

/** Entries with one trusted device for each alias; device n has key n. */
export function trusting(...aliases: readonly string[]): Entries {
  return aliases.reduce<Entries>((entries, alias, n) => trust(entries, n, { alias }), []);
}

export function trust(entries: Entries, n: number, more: Partial<NewTrust> = {}, nowMs = NOW_MS) {
  return trustDevice(entries, { fingerprint: fingerprint(n), method: "code", ...more }, nowMs);
}

export function only(entries: Entries): TrustEntry {
  if (entries.length !== 1) throw new Error(`${entries.length} entries`);
  return entries[0]!;
}

/** For `assert.throws()`: the error is ours and has this reason. */
export function refused(reason: IdentityReason, hint?: RegExp): (error: unknown) => boolean {
  return (error) => {
    if (!(error instanceof IdentityError)) return false;
    return error.reason === reason && (hint === undefined || hint.test(error.hint ?? ""));
  };
}
