import { type Bytes, concat, equalBytes, utf8 } from "../base/bytes.ts";
import { fingerprintOfSpki } from "./device_id.ts";
import { isWeakPublicKey, publicKeyOfSpki, verifyEd25519 } from "./ed25519.ts";
import { IdentityError } from "./identity_error.ts";
import type { DeviceIdentity } from "./identity_file.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
/** How long a peer takes either key of a device after it heard of the new one. */
export const ROTATION_KEEP_MS = 30 * DAY_MS;
/**
 * How long a rotating device goes on showing its old key, so that peers who dial it still find the key
 * they know and can be told of the new one. Shorter than {@linkcode ROTATION_KEEP_MS}: a process that
 * started on the last day with the old key keeps being understood for nine more.
 */
export const ROTATION_SWITCH_MS = 21 * DAY_MS;

/** In front of what is signed, so that the signature means this and nothing else. */
const SIGNED_LABEL = utf8("landropic-rotate/1");

/** A device's word that its next key is its own: what a RotateKey message carries. */
export interface KeyRotation {
  /** SubjectPublicKeyInfo of the next key, DER. */
  readonly newSpki: Uint8Array;
  /** By the old key, over `"landropic-rotate/1" ‖ old fingerprint ‖ new fingerprint`; 64 bytes. */
  readonly signatureByOld: Uint8Array;
  /** By the new key, over the same: nobody can claim a key that is not theirs. 64 bytes. */
  readonly signatureByNew: Uint8Array;
}

/** A rotation whose signatures fit. */
export interface VerifiedRotation {
  readonly oldFingerprint: Bytes;
  readonly newFingerprint: Bytes;
  readonly newSpki: Bytes;
}

/** States that `next` follows `current`; both keys sign. The same input gives the same statement. */
export function createRotation(current: DeviceIdentity, next: DeviceIdentity): KeyRotation {
  const message = signedMessage(current.fingerprint, next.fingerprint);
  return {
    newSpki: next.spki,
    signatureByOld: current.sign(message),
    signatureByNew: next.sign(message),
  };
}

/**
 * Checks a rotation received inside an authenticated session. Whether the old key may still speak for
 * the device is for `TrustStore.rotate()` to say.
 *
 * @param oldSpki The key of the session's peer, as the verifier returned it: never one from a message.
 * @throws {IdentityError} `rotation_invalid`.
 */
export function verifyRotation(rotation: KeyRotation, oldSpki: Uint8Array): VerifiedRotation {
  const publicKey = publicKeyOfSpki(rotation.newSpki);
  if (publicKey === undefined) throw invalid("the new key is not Ed25519");
  if (isWeakPublicKey(publicKey)) throw invalid("anyone can sign with the new key");
  if (equalBytes(rotation.newSpki, oldSpki)) throw invalid("the new key is the old one");
  const oldFingerprint = fingerprintOfSpki(oldSpki);
  const newFingerprint = fingerprintOfSpki(rotation.newSpki);
  const message = signedMessage(oldFingerprint, newFingerprint);
  if (!verifyEd25519({ spki: oldSpki, message, signature: rotation.signatureByOld })) {
    throw invalid("it is not signed by the old key");
  }
  if (!verifyEd25519({ spki: rotation.newSpki, message, signature: rotation.signatureByNew })) {
    throw invalid("it is not signed by the new key");
  }
  return { oldFingerprint, newFingerprint, newSpki: rotation.newSpki.slice() };
}

function signedMessage(oldFingerprint: Uint8Array, newFingerprint: Uint8Array): Bytes {
  return concat([SIGNED_LABEL, oldFingerprint, newFingerprint]);
}

function invalid(why: string): IdentityError {
  return new IdentityError("rotation_invalid", `Refused a key rotation: ${why}`);
}
