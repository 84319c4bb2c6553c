import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { type Bytes, concat, fromHex } from "../../src/base/bytes.ts";

/** DER: one element. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Bytes {
  const content = concat(parts);
  const { length } = content;
  const header = length < 0x80
    ? [tag, length]
    : length < 0x100
    ? [tag, 0x81, length]
    : [tag, 0x82, length >> 8, length & 0xff];
  return concat([new Uint8Array(header), content]);
}

/** DER with string contents. */
export function derText(tag: number, text: string): Bytes {
  return der(tag, new TextEncoder().encode(text));
}

export const ED25519 = fromHex("300506032b6570");
export const CN_LANDROPIC = name("landropic");

/** `[3]` with the given extensions. */
export function extensions(...list: readonly Uint8Array[]): Bytes {
  return der(0xa3, der(0x30, ...list));
}

export function extension(oidHex: string, options: { critical?: boolean; value?: Bytes }): Bytes {
  return der(
    0x30,
    der(0x06, fromHex(oidHex)),
    options.critical ? fromHex("0101ff") : new Uint8Array(),
    der(0x04, options.value ?? new Uint8Array([0x05, 0x00])),
  );
}

export function name(text: string): Bytes {
  return der(0x30, der(0x31, der(0x30, fromHex("0603550403"), derText(0x0c, text))));
}

export interface TestKey {
  readonly privateKey: KeyObject;
  readonly spki: Bytes;
}

export function testKey(): TestKey {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return { privateKey, spki: new Uint8Array(publicKey.export({ format: "der", type: "spki" })) };
}

/** Fields to replace in an otherwise good certificate. */
export interface CertificateParts {
  readonly version?: Bytes;
  readonly serial?: Bytes;
  readonly algorithm?: Bytes;
  readonly outerAlgorithm?: Bytes;
  readonly issuer?: Bytes;
  readonly subject?: Bytes;
  readonly notBefore?: Bytes;
  readonly notAfter?: Bytes;
  readonly spki?: Bytes;
  readonly afterSpki?: Bytes;
  readonly signer?: KeyObject;
  readonly signature?: Bytes;
  readonly afterSignature?: Bytes;
}

/** Builds a certificate byte by byte, so that every field can be wrong in its own way. */
export function buildCertificate(key: TestKey, parts: CertificateParts = {}): Bytes {
  const signed = der(
    0x30,
    parts.version ?? fromHex("a003020102"),
    parts.serial ?? fromHex("020101"),
    parts.algorithm ?? ED25519,
    parts.issuer ?? CN_LANDROPIC,
    der(
      0x30,
      parts.notBefore ?? derText(0x17, "260101000000Z"),
      parts.notAfter ?? derText(0x17, "351231235959Z"),
    ),
    parts.subject ?? CN_LANDROPIC,
    parts.spki ?? key.spki,
    parts.afterSpki ?? new Uint8Array(),
  );
  const signature = parts.signature ??
    new Uint8Array(sign(null, signed, parts.signer ?? key.privateKey));
  return der(
    0x30,
    signed,
    parts.outerAlgorithm ?? ED25519,
    der(0x03, new Uint8Array([0]), signature),
    parts.afterSignature ?? new Uint8Array(),
  );
}
