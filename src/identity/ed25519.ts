import { Buffer } from "node:buffer";
import { createPublicKey, verify } from "node:crypto";
import { type Bytes, concat, equalBytes, fromHex } from "../base/bytes.ts";

/** Bytes of a raw Ed25519 public key (RFC 8032). */
export const PUBLIC_KEY_BYTES = 32;
/** Bytes of an Ed25519 signature. */
export const SIGNATURE_BYTES = 64;
/** Bytes of an Ed25519 SubjectPublicKeyInfo in DER. */
export const SPKI_BYTES = 44;

/** AlgorithmIdentifier {1.3.101.112} without parameters (RFC 8410 section 3). */
export const ED25519_ALGORITHM: Bytes = fromHex("300506032b6570");
/** All of an Ed25519 SubjectPublicKeyInfo but the key (RFC 8410 section 4). */
const SPKI_PREFIX = concat([fromHex("302a"), ED25519_ALGORITHM, fromHex("032100")]);

/** Every y coordinate of a point whose order divides 8, little-endian, without the sign bit of x. */
const SMALL_ORDER_Y: readonly Bytes[] = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
].map(fromHex);

/** The raw key inside a SubjectPublicKeyInfo, as a view; `undefined` unless it is Ed25519's exact form. */
export function publicKeyOfSpki(spki: Uint8Array): Uint8Array | undefined {
  if (spki.length !== SPKI_BYTES) return undefined;
  if (!equalBytes(spki.subarray(0, SPKI_PREFIX.length), SPKI_PREFIX)) return undefined;
  return spki.subarray(SPKI_PREFIX.length);
}

/** The SubjectPublicKeyInfo around a raw key of {@linkcode PUBLIC_KEY_BYTES}. */
export function spkiOfPublicKey(publicKey: Uint8Array): Bytes {
  return concat([SPKI_PREFIX, publicKey]);
}

/**
 * True for keys that no honest device has: points of small order, under which one signature fits
 * every message (node:crypto accepts it, tested), and second spellings of a point (y ≥ p).
 *
 * A table of the five y coordinates decides it, so that no curve library loads to check a peer; the
 * test holds the table against @noble/curves. Points that mix in a small-order part pass: they have a
 * private key like any other, and one key still has one fingerprint.
 */
export function isWeakPublicKey(publicKey: Uint8Array): boolean {
  const y = publicKey.slice();
  y[31] = y[31]! & 0x7f;
  if (isAtLeastPrime(y)) return true;
  return SMALL_ORDER_Y.some((small) => equalBytes(small, y));
}

/**
 * Verifies an Ed25519 signature (RFC 8032 section 5.1.7; S ≥ L is refused). About 80 µs.
 *
 * @returns `false` also where the key is no point on the curve.
 */
export function verifyEd25519(
  { spki, message, signature }: {
    readonly spki: Uint8Array;
    readonly message: Uint8Array;
    readonly signature: Uint8Array;
  },
): boolean {
  if (signature.length !== SIGNATURE_BYTES || publicKeyOfSpki(spki) === undefined) return false;
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
    return verify(null, message, key, signature);
  } catch {
    return false;
  }
}

/** True for y ≥ p = 2^255 - 19, little-endian, sign bit already cleared. */
function isAtLeastPrime(y: Uint8Array): boolean {
  if (y[31] !== 0x7f || y[0]! < 0xed) return false;
  return y.subarray(1, 31).every((byte) => byte === 0xff);
}
