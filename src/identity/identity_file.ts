import { type Bytes, decodeUtf8, equalBytes, utf8 } from "../base/bytes.ts";
import { messageOf } from "../base/errors.ts";
import type { DeviceId } from "../base/ids.ts";
import { type Certificate, parseCertificate } from "./certificate.ts";
import { issueCertificate } from "./certificate_issuer.ts";
import { deviceIdFromFingerprint, fingerprintOfSpki } from "./device_id.ts";
import { generatePkcs8, isPkcs8, signEd25519, spkiOfPkcs8, verifyEd25519 } from "./ed25519.ts";
import { IdentityError, type IdentityReason } from "./identity_error.ts";
import { decodePem, encodePem } from "./pem.ts";

/** Larger identity files are refused unread; ours have about 600 bytes. */
export const IDENTITY_BYTES_MAX = 64 * 1024;

const KEY_LABEL = "PRIVATE KEY";
const CERTIFICATE_LABEL = "CERTIFICATE";

/**
 * This device: its key, its certificate, and the id that follows from the key. Logging or serialising
 * one never shows the private key; only {@linkcode DeviceIdentity.keyPem} hands it out, for TLS.
 */
export class DeviceIdentity {
  /** Text form of {@linkcode DeviceIdentity.fingerprint}. */
  readonly id: DeviceId;
  /** SHA-256 of {@linkcode DeviceIdentity.spki}: 32 bytes. Not to be written to. */
  readonly fingerprint: Bytes;
  /** SubjectPublicKeyInfo in DER: 44 bytes. Not to be written to. */
  readonly spki: Bytes;
  /** The self-signed certificate, PEM. */
  readonly certPem: string;
  /** The certificate's first moment, milliseconds since the Unix epoch. */
  readonly notBeforeMs: number;
  /** The certificate's last moment, milliseconds since the Unix epoch. */
  readonly notAfterMs: number;
  readonly #pkcs8: Bytes;

  /** Built by {@linkcode parseIdentity} and {@linkcode issueIdentity} alone, from checked parts. */
  constructor(pkcs8: Bytes, spki: Bytes, certificate: Bytes) {
    const { notBeforeMs, notAfterMs } = checkCertificate(certificate, spki);
    this.#pkcs8 = pkcs8;
    this.spki = spki;
    this.fingerprint = fingerprintOfSpki(spki);
    this.id = deviceIdFromFingerprint(this.fingerprint);
    this.certPem = encodePem({ label: CERTIFICATE_LABEL, bytes: certificate });
    this.notBeforeMs = notBeforeMs;
    this.notAfterMs = notAfterMs;
  }

  /** The private key as PKCS #8 PEM. Goes to the TLS library and nowhere else. */
  get keyPem(): string {
    return encodePem({ label: KEY_LABEL, bytes: this.#pkcs8 });
  }

  /** Signs with Ed25519 (RFC 8032): 64 bytes. Callers put a label of their own in front of `bytes`. */
  sign(bytes: Uint8Array): Bytes {
    return signEd25519(this.#pkcs8, bytes);
  }

  /** The same key with a new certificate, valid for ten years from `nowMs`. */
  async reissue(nowMs: number): Promise<DeviceIdentity> {
    const keys = { pkcs8: this.#pkcs8, spki: this.spki };
    return new DeviceIdentity(this.#pkcs8, this.spki, await issueCertificate(keys, nowMs));
  }

  /** What may be seen of an identity in JSON. */
  toJSON(): { readonly id: DeviceId } {
    return { id: this.id };
  }

  /** What `console.log` shows. */
  [Symbol.for("Deno.customInspect")](): string {
    return `DeviceIdentity(${this.id})`;
  }
}

/** Makes a new key and its certificate, valid for ten years from `nowMs`. Takes 0.1 s. */
export async function issueIdentity(nowMs: number): Promise<DeviceIdentity> {
  const pkcs8 = generatePkcs8();
  const spki = spkiOfPkcs8(pkcs8);
  return new DeviceIdentity(pkcs8, spki, await issueCertificate({ pkcs8, spki }, nowMs));
}

/** The contents of an identity file: key and certificate in one, so that no crash can part them. */
export function encodeIdentity(identity: DeviceIdentity): Bytes {
  return utf8(identity.keyPem + identity.certPem);
}

/**
 * Reads an identity file and checks it as strictly as a peer would, so that a damaged one is found
 * here and not in a failing handshake.
 *
 * @param path For messages.
 * @throws {IdentityError} `identity_broken`, or `identity_mismatch` if key and certificate don't belong
 * together.
 */
export function parseIdentity(bytes: Uint8Array, path: string): DeviceIdentity {
  const text = decodeUtf8(bytes);
  const blocks = text === undefined ? undefined : decodePem(text);
  if (blocks === undefined) throw brokenFile("identity_broken", path, "it is damaged");
  const keys = blocks.filter(({ label }) => label.endsWith(KEY_LABEL));
  const certificates = blocks.filter(({ label }) => label === CERTIFICATE_LABEL);
  if (blocks.length !== 2 || keys.length !== 1 || certificates.length !== 1) {
    throw brokenFile(
      "identity_broken",
      path,
      "it does not hold one private key and one certificate",
    );
  }
  const pkcs8 = keys[0]!.bytes;
  if (keys[0]!.label !== KEY_LABEL || !isPkcs8(pkcs8)) {
    throw brokenFile("identity_broken", path, "its key is no plain Ed25519 key");
  }
  try {
    return new DeviceIdentity(pkcs8, spkiOfPkcs8(pkcs8), certificates[0]!.bytes);
  } catch (error) {
    const reason = error instanceof IdentityError && error.reason === "identity_mismatch"
      ? "identity_mismatch"
      : "identity_broken";
    throw brokenFile(reason, path, messageOf(error), error);
  }
}

function checkCertificate(der: Bytes, spki: Bytes): Certificate {
  const certificate = parseCertificate(der);
  if (!equalBytes(certificate.spki, spki)) {
    throw new IdentityError("identity_mismatch", "key and certificate do not belong together");
  }
  const { signedPart: message, signature } = certificate;
  if (!verifyEd25519({ spki, message, signature })) {
    throw new IdentityError("identity_broken", "the certificate's signature is wrong");
  }
  return certificate;
}

function brokenFile(
  reason: IdentityReason,
  path: string,
  why: string,
  cause?: unknown,
): IdentityError {
  return new IdentityError(reason, `Cannot use the device key in ${path}: ${why}`, {
    hint: `restore ${path} from a backup; or move it away to become a new device, and pair again`,
    cause,
  });
}
