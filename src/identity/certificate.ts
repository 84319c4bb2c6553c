import { decodeUtf8, equalBytes, toHex } from "../base/bytes.ts";
import { DerError, DerReader, TAG } from "./der.ts";
import { ED25519_ALGORITHM, publicKeyOfSpki, SIGNATURE_BYTES } from "./ed25519.ts";
import { IdentityError, type IdentityReason } from "./identity_error.ts";

/** Most bytes of a peer's certificate that are looked at; ours take about 270. */
export const CERTIFICATE_BYTES_MAX = 2048;
/** Extensions beyond this number are refused. */
const EXTENSIONS_MAX = 16;
/** RFC 5280 section 4.1.2.2. */
const SERIAL_BYTES_MAX = 20;

/** Content bytes, in hex, of the OIDs of the critical extensions that are understood. */
const OID_BASIC_CONSTRAINTS = "551d13";
const OID_KEY_USAGE = "551d0f";
/** Bit 0 of KeyUsage (RFC 5280 section 4.2.1.3), the one that TLS 1.3 signatures need. */
const DIGITAL_SIGNATURE = 0x80;

/** What a device certificate says. Byte fields are views into the certificate. */
export interface Certificate {
  /** The signed part (TBSCertificate), as encoded. */
  readonly signedPart: Uint8Array;
  /** The Ed25519 signature over {@linkcode signedPart}. */
  readonly signature: Uint8Array;
  /** Name of the signer, as encoded. */
  readonly issuer: Uint8Array;
  /** Name of the key's owner, as encoded. */
  readonly subject: Uint8Array;
  /** First moment of validity, milliseconds since the Unix epoch. */
  readonly notBeforeMs: number;
  /** Last moment of validity, milliseconds since the Unix epoch. */
  readonly notAfterMs: number;
  /** SubjectPublicKeyInfo of an Ed25519 key: 44 bytes of DER. */
  readonly spki: Uint8Array;
  /** The raw Ed25519 key: 32 bytes. */
  readonly publicKey: Uint8Array;
}

/**
 * Reads a device certificate: X.509 v3 (RFC 5280 section 4.1), Ed25519 key and signature (RFC 8410),
 * strict DER without a byte too many, no critical extension but basicConstraints and keyUsage. Says
 * nothing about signature, dates or trust: that is the verifier's part.
 *
 * Written by hand since it meets bytes of anyone who reaches the port: general X.509 libraries accept
 * far more than the one form our devices make, and the one we issue with takes 100 ms to load.
 *
 * @throws {IdentityError} `certificate_too_large`, `certificate_malformed`, `certificate_version`,
 * `unknown_critical_extension`, `unsupported_signature` or `unsupported_key`.
 */
export function parseCertificate(der: Uint8Array): Certificate {
  if (der.length > CERTIFICATE_BYTES_MAX) {
    throw refusal("certificate_too_large", `it has over ${CERTIFICATE_BYTES_MAX} bytes`);
  }
  try {
    return readCertificate(der);
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    throw refusal("certificate_malformed", error.message, error);
  }
}

function readCertificate(der: Uint8Array): Certificate {
  const outside = new DerReader(der);
  const certificate = outside.readSequence();
  outside.end();
  const signed = certificate.read(TAG.sequence);
  readAlgorithm(certificate);
  const signature = readBits(certificate.read(TAG.bitString).content);
  certificate.end();
  if (signature.length !== SIGNATURE_BYTES) throw new DerError("signature is not 64 bytes");

  const fields = new DerReader(signed.content);
  readVersion(fields);
  checkSerial(fields.read(TAG.integer).content);
  readAlgorithm(fields);
  const issuer = readName(fields);
  const validity = fields.readSequence();
  const notBeforeMs = readTime(validity);
  const notAfterMs = readTime(validity);
  validity.end();
  if (notAfterMs < notBeforeMs) throw new DerError("validity ends before it begins");
  const subject = readName(fields);
  const spki = fields.read(TAG.sequence).encoding;
  const publicKey = publicKeyOfSpki(spki);
  if (publicKey === undefined) throw refusal("unsupported_key", "its key is not Ed25519");
  if (!fields.atEnd) readExtensions(fields.read(TAG.context3).content);
  fields.end();
  return {
    signedPart: signed.encoding,
    signature,
    issuer,
    subject,
    notBeforeMs,
    notAfterMs,
    spki,
    publicKey,
  };
}

function readVersion(fields: DerReader): void {
  // Version 1 is written by leaving the field out.
  if (fields.peekTag() !== TAG.context0) throw refusal("certificate_version", "it is not X.509 v3");
  const inner = new DerReader(fields.read(TAG.context0).content);
  const version = inner.read(TAG.integer).content;
  inner.end();
  if (version.length !== 1 || version[0] !== 2) {
    throw refusal("certificate_version", "it is not X.509 v3");
  }
}

function checkSerial(serial: Uint8Array): void {
  const isShortest = serial.length === 1 || serial[0] !== 0 || serial[1]! >= 0x80;
  const isPositive = serial.length > 0 && serial[0]! < 0x80 && serial.some((byte) => byte !== 0);
  if (!isShortest || !isPositive || serial.length > SERIAL_BYTES_MAX) {
    throw new DerError("serial number is not a positive integer of at most 20 bytes");
  }
}

function readAlgorithm(from: DerReader): void {
  if (!equalBytes(from.read(TAG.sequence).encoding, ED25519_ALGORITHM)) {
    throw refusal("unsupported_signature", "it is not signed with Ed25519");
  }
}

/** RFC 5280 section 4.1.2.4; checks the shape and returns the encoding. */
function readName(fields: DerReader): Uint8Array {
  const name = fields.read(TAG.sequence);
  const parts = new DerReader(name.content);
  if (parts.atEnd) throw new DerError("empty name");
  while (!parts.atEnd) {
    const attributes = new DerReader(parts.read(TAG.set).content);
    do {
      const attribute = attributes.readSequence();
      checkOid(attribute.read(TAG.oid).content);
      checkText(attribute.readAny());
      attribute.end();
    } while (!attributes.atEnd);
  }
  return name.encoding;
}

function checkText({ tag, content }: { tag: number; content: Uint8Array }): void {
  const isText = tag === TAG.utf8String || tag === TAG.printableString || tag === TAG.ia5String;
  if (!isText || decodeUtf8(content) === undefined) throw new DerError("name is no text");
}

function checkOid(content: Uint8Array): void {
  // Base-128 digits, high bit set on all but the last, none starting with an empty one.
  let isStart = true;
  for (const byte of content) {
    if (isStart && byte === 0x80) throw new DerError("object identifier not in its shortest form");
    isStart = byte < 0x80;
  }
  if (content.length === 0 || !isStart) throw new DerError("object identifier ends early");
}

/** RFC 5280 section 4.1.2.5: UTCTime up to 2049, GeneralizedTime from 2050, seconds, Zulu. */
function readTime(from: DerReader): number {
  const { tag, content } = from.readAny();
  const text = String.fromCharCode(...content.subarray(0, 16));
  let digits: string;
  if (tag === TAG.utcTime && /^\d{12}Z$/.test(text)) {
    digits = (text < "50" ? "20" : "19") + text;
  } else if (tag === TAG.generalizedTime && /^\d{14}Z$/.test(text) && text >= "2050") {
    digits = text;
  } else {
    throw new DerError("malformed time");
  }
  const iso = digits.replace(/^(....)(..)(..)(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6.000Z");
  const ms = Date.parse(iso);
  // Date.parse() rolls 31 February over into March; a real date prints as it was read.
  if (Number.isNaN(ms) || new Date(ms).toISOString() !== iso) throw new DerError("no such date");
  return ms;
}

/** RFC 5280 section 4.2. */
function readExtensions(content: Uint8Array): void {
  const outside = new DerReader(content);
  const extensions = outside.readSequence();
  outside.end();
  if (extensions.atEnd) throw new DerError("empty list of extensions");
  const seen = new Set<string>();
  while (!extensions.atEnd) {
    const extension = extensions.readSequence();
    const oid = extension.read(TAG.oid).content;
    checkOid(oid);
    const isCritical = extension.peekTag() === TAG.boolean &&
      readTrue(extension.read(TAG.boolean).content);
    const value = extension.read(TAG.octetString).content;
    extension.end();
    const key = toHex(oid);
    if (seen.has(key) || seen.size === EXTENSIONS_MAX) {
      throw new DerError("repeated extension, or too many");
    }
    seen.add(key);
    if (key === OID_KEY_USAGE) checkKeyUsage(value);
    else if (key === OID_BASIC_CONSTRAINTS) checkBasicConstraints(value);
    else if (isCritical) {
      throw refusal("unknown_critical_extension", "it has a critical extension unknown here");
    }
  }
}

/** DER writes a BOOLEAN that is present and has the default FALSE not at all, and TRUE as 0xff. */
function readTrue(content: Uint8Array): true {
  if (content.length !== 1 || content[0] !== 0xff) throw new DerError("malformed boolean");
  return true;
}

function checkKeyUsage(value: Uint8Array): void {
  const reader = new DerReader(value);
  const { content } = reader.read(TAG.bitString);
  reader.end();
  const unused = content[0] ?? 8;
  const last = content.at(-1)!;
  const isShortest = content.length >= 2 && content.length <= 3 && unused < 8 &&
    ((last >>> unused) & 1) === 1 && (last & ((1 << unused) - 1)) === 0;
  if (!isShortest) throw new DerError("malformed key usage");
  if ((content[1]! & DIGITAL_SIGNATURE) === 0) {
    throw refusal("unsupported_key", "its key may not sign");
  }
}

/** Only the shape: nothing here depends on whether a key may issue for others. */
function checkBasicConstraints(value: Uint8Array): void {
  const reader = new DerReader(value);
  const constraints = reader.readSequence();
  reader.end();
  if (constraints.peekTag() === TAG.boolean) {
    readTrue(constraints.read(TAG.boolean).content);
    if (constraints.peekTag() === TAG.integer) {
      const pathLength = constraints.read(TAG.integer).content;
      if (pathLength.length !== 1 || pathLength[0]! >= 0x80) {
        throw new DerError("malformed path length");
      }
    }
  }
  constraints.end();
}

/** The bytes of a BIT STRING that is whole bytes. */
function readBits(content: Uint8Array): Uint8Array {
  if (content[0] !== 0) throw new DerError("bit string is not whole bytes");
  return content.subarray(1);
}

function refusal(reason: IdentityReason, why: string, cause?: unknown): IdentityError {
  return new IdentityError(reason, `certificate refused: ${why}`, { cause });
}
