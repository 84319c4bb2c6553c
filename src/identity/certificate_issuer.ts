import type { Bytes } from "../base/bytes.ts";

/** How long a new certificate is valid: ten years. */
export const CERTIFICATE_LIFETIME_MS = 3652 * 24 * 60 * 60 * 1000;
/** The name in every device certificate. It names nobody: who it is, the key says. */
const COMMON_NAME = "landropic";
/** Random bytes of a serial number, 127 bits of them free. */
const SERIAL_BYTES = 16;
/** The last moment that X.509 can write down (RFC 5280 section 4.1.2.5.2). */
const LAST_MOMENT_MS = Date.UTC(9999, 11, 31, 23, 59, 59);
const FIRST_MOMENT_MS = Date.UTC(1950, 0, 1);

/**
 * Issues the self-signed certificate of a device key: X.509 v3, CN=landropic, random serial, ten years
 * from now, for signatures only and not for issuing others. Nothing in it names the device or its owner.
 *
 * Loads the X.509 library, which takes 0.1 s: done once at the first start and every eight years.
 *
 * @param keys The Ed25519 key as PKCS #8 and as SubjectPublicKeyInfo, both DER.
 * @param nowMs First moment of validity, milliseconds since the Unix epoch.
 * @returns The certificate in DER.
 */
export async function issueCertificate(
  keys: { readonly pkcs8: Bytes; readonly spki: Bytes },
  nowMs: number,
): Promise<Bytes> {
  // The library's decorators need the metadata API to be there before it loads.
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const algorithm = { name: "Ed25519" };
  const [privateKey, publicKey] = await Promise.all([
    crypto.subtle.importKey("pkcs8", keys.pkcs8, algorithm, false, ["sign"]),
    crypto.subtle.importKey("spki", keys.spki, algorithm, true, ["verify"]),
  ]);
  const notBeforeMs = Math.min(Math.max(nowMs, FIRST_MOMENT_MS), LAST_MOMENT_MS);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: randomSerial(),
    name: `CN=${COMMON_NAME}`,
    notBefore: new Date(notBeforeMs),
    notAfter: new Date(Math.min(notBeforeMs + CERTIFICATE_LIFETIME_MS, LAST_MOMENT_MS)),
    signingAlgorithm: algorithm,
    keys: { privateKey, publicKey },
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    ],
  });
  return new Uint8Array(certificate.rawData);
}

/** A positive serial number in hex (RFC 5280 section 4.1.2.2) that never needs a padding byte. */
function randomSerial(): string {
  const serial = crypto.getRandomValues(new Uint8Array(SERIAL_BYTES));
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  return serial.toHex();
}
