import { Buffer } from "node:buffer";
import type { KeyObject } from "node:crypto";
import { builtin } from "../base/builtin.ts";
import { type Bytes, concat, equalBytes, fromHex } from "../base/bytes.ts";
import { libcrypto } from "../base/libcrypto.ts";

const nodeCrypto = builtin("node:crypto");

/** Bytes of a raw Ed25519 public key (RFC 8032). */
export const PUBLIC_KEY_BYTES = 32;
/** Bytes of an Ed25519 signature. */
export const SIGNATURE_BYTES = 64;
/** Bytes of an Ed25519 SubjectPublicKeyInfo in DER. */
export const SPKI_BYTES = 44;

/** AlgorithmIdentifier {1.3.101.112} without parameters (RFC 8410 section 3). */
export const ED25519_ALGORITHM: Bytes = fromHex("300506032b6570");
/** All of an Ed25519 PKCS #8 key but the 32 secret bytes (RFC 8410 section 7). */
const PKCS8_PREFIX = fromHex("302e020100300506032b657004220420");
const PKCS8_BYTES = 48;
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

/** True for the one form of an Ed25519 private key in PKCS #8 that devices have here. */
export function isPkcs8(bytes: Uint8Array): boolean {
  return bytes.length === PKCS8_BYTES &&
    equalBytes(bytes.subarray(0, PKCS8_PREFIX.length), PKCS8_PREFIX);
}

/** Makes a private key, in PKCS #8. */
export function generatePkcs8(): Bytes {
  const { privateKey } = nodeCrypto.generateKeyPairSync("ed25519");
  return new Uint8Array(privateKey.export({ format: "der", type: "pkcs8" }));
}

/**
 * The SubjectPublicKeyInfo of a private key: 44 bytes.
 *
 * @param pkcs8 One that {@linkcode isPkcs8} knows.
 */
export function spkiOfPkcs8(pkcs8: Bytes): Bytes {
  const publicKey = libcrypto()?.ed25519PublicKey(pkcs8.subarray(PKCS8_PREFIX.length));
  if (publicKey !== undefined) return spkiOfPublicKey(publicKey);
  const key = nodeCrypto.createPublicKey(privateKeyOf(pkcs8));
  return new Uint8Array(key.export({ format: "der", type: "spki" }));
}

/** Signs with Ed25519 (RFC 8032 section 5.1.6): 64 bytes. */
export function signEd25519(pkcs8: Bytes, message: Uint8Array): Bytes {
  return new Uint8Array(nodeCrypto.sign(null, message, privateKeyOf(pkcs8)));
}

function privateKeyOf(pkcs8: Bytes): KeyObject {
  return nodeCrypto.createPrivateKey({ key: Buffer.from(pkcs8), format: "der", type: "pkcs8" });
}

/**
 * True for keys that no honest device has: points of small order, under which one signature fits
 * every message (node:crypto and OpenSSL accept it, tested), and second spellings of a point (y ≥ p).
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
  const publicKey = publicKeyOfSpki(spki);
  if (signature.length !== SIGNATURE_BYTES || publicKey === undefined) return false;
  const isGood = libcrypto()?.verifyEd25519({ publicKey, message, signature });
  if (isGood !== undefined) return isGood;
  try {
    const key = nodeCrypto.createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
    return nodeCrypto.verify(null, message, key, signature);
  } catch {
    return false;
  }
}

/** True for y ≥ p = 2^255 - 19, little-endian, sign bit already cleared. */
function isAtLeastPrime(y: Uint8Array): boolean {
  if (y[31] !== 0x7f || y[0]! < 0xed) return false;
  return y.subarray(1, 31).every((byte) => byte === 0xff);
}
