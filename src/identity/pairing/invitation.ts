import { sha256 } from "@noble/hashes/sha2.js";
import { decodeBase32, encodeBase32 } from "../../base/base32.ts";
import { type Bytes, concat, decodeUtf8, equalBytes, utf8 } from "../../base/bytes.ts";
import { formatIpAddress, parseIpAddress } from "../../base/ip_address.ts";
import { sanitizeName } from "../../base/names.ts";
import { ByteReader, ByteWriter } from "../../base/varint.ts";
import { PairingError } from "./pairing_error.ts";
import { cryptoRandomBytes, PairingSecret, type RandomBytes } from "./pairing_secret.ts";

/** Addresses an invitation may carry. */
export const INVITATION_ADDRESSES_MAX = 4;
/** UTF-8 bytes of the inviting device's name; longer ones are cut. */
export const INVITATION_NAME_BYTES_MAX = 32;
/** An invitation is a bearer secret: it lives a day at most. */
export const INVITATION_LIFETIME_MAX_MS = 24 * 60 * 60 * 1000;

/** How far this clock may run ahead of the inviting device's; its own window is the real limit. */
const CLOCK_SKEW_MAX_MS = 5 * 60 * 1000;
const VERSION = 1;
const FINGERPRINT_BYTES = 32;
const SECRET_BYTES = 16;
const CHECK_BYTES = 4;
/** Longest text looked at; a full invitation has about 280 characters, more where it was wrapped. */
const TEXT_CHARS_MAX = 1000;

/** The public parts of an invitation. */
export interface InvitationFields {
  /** SHA-256 of the inviting device's SubjectPublicKeyInfo, 32 bytes; checked before talking. */
  readonly fingerprint: Uint8Array;
  /** Milliseconds since the Unix epoch; kept to whole seconds. */
  readonly expiresAtMs: number;
  /** UDP port, 1 to 65535. */
  readonly port: number;
  /** IP literals without a zone, at most {@linkcode INVITATION_ADDRESSES_MAX}; hints. */
  readonly addresses: readonly string[];
  /** What the inviting device calls itself; printable, perhaps empty. */
  readonly name: string;
}

/**
 * All that another device needs to pair with this one, in one string that can be pasted or scanned:
 * `LDR1:` and base32 of `version u8 | flags u8 | fingerprint 32 | secret 16 | expiry u32, Unix
 * seconds | port u16 | count u8 | count * (family u8, 4 or 16 bytes) | name: varint length, bytes |
 * check`, where check is the first 4 bytes of SHA-256 over everything before it. Only letters,
 * digits and a colon, so a QR code needs its compact alphanumeric mode.
 *
 * Whoever holds the string can pair once: {@linkcode reveal} is the only way to it.
 */
export class Invitation implements InvitationFields {
  readonly fingerprint: Bytes;
  readonly expiresAtMs: number;
  readonly port: number;
  readonly addresses: readonly string[];
  readonly name: string;
  readonly #secret: Bytes;

  private constructor(fields: InvitationFields, secret: Uint8Array) {
    this.fingerprint = new Uint8Array(fields.fingerprint);
    this.expiresAtMs = fields.expiresAtMs;
    this.port = fields.port;
    this.addresses = fields.addresses;
    this.name = fields.name;
    this.#secret = new Uint8Array(secret);
  }

  /**
   * Makes an invitation with a fresh secret.
   *
   * @param wallMs Now, milliseconds since the Unix epoch.
   * @throws {PairingError} `invitation_malformed` for a field out of its range.
   */
  static create(
    fields: InvitationFields,
    wallMs: number,
    random: RandomBytes = cryptoRandomBytes,
  ): Invitation {
    const refuse = (what: string) =>
      new PairingError("invitation_malformed", `Cannot make an invitation: ${what}`);
    const { fingerprint, expiresAtMs, port, addresses } = fields;
    if (fingerprint.length !== FINGERPRINT_BYTES) throw refuse("the fingerprint has not 32 bytes");
    if (!Number.isInteger(port) || port < 1 || port > 0xffff) throw refuse(`no port: ${port}`);
    if (!(expiresAtMs > wallMs && expiresAtMs - wallMs <= INVITATION_LIFETIME_MAX_MS)) {
      throw refuse("it must expire within a day");
    }
    if (addresses.length > INVITATION_ADDRESSES_MAX) {
      throw refuse(`more than ${INVITATION_ADDRESSES_MAX} addresses`);
    }
    const canonical = addresses.map((text) => {
      const address = parseIpAddress(text);
      if (!address || address.zone !== undefined) throw refuse(`"${text}" is no plain IP address`);
      return formatIpAddress(address);
    });
    return new Invitation({
      fingerprint,
      expiresAtMs: Math.floor(expiresAtMs / 1000) * 1000,
      port,
      addresses: canonical,
      name: cutToBytes(sanitizeName(fields.name), INVITATION_NAME_BYTES_MAX),
    }, random(SECRET_BYTES));
  }

  /**
   * Reads an invitation as pasted: any case, with spaces and line breaks anywhere.
   *
   * @param wallMs Now, milliseconds since the Unix epoch. A clock up to five minutes ahead of the
   * inviting device's is forgiven; that device keeps the time itself.
   * @throws {PairingError} `invitation_truncated`, `invitation_checksum`, `invitation_malformed`,
   * `invitation_unsupported` or `expired`.
   */
  static decode(text: string, wallMs: number): Invitation {
    const invitation = parseBody(
      decodeChecked(text),
      (fields, secret) => new Invitation(fields, secret),
    );
    if (wallMs > invitation.expiresAtMs + CLOCK_SKEW_MAX_MS) {
      throw new PairingError(
        "expired",
        `This invitation expired at ${new Date(invitation.expiresAtMs).toISOString()}`,
        "Make a new one on the other device with: landropic pair",
      );
    }
    return invitation;
  }

  /** The whole string, to be shown to the user. Never for logs. */
  reveal(): string {
    const writer = new ByteWriter(160).u8(VERSION).u8(0)
      .raw(this.fingerprint).raw(this.#secret)
      .u32(this.expiresAtMs / 1000)
      .u8(this.port >>> 8).u8(this.port & 0xff)
      .u8(this.addresses.length);
    for (const text of this.addresses) {
      const { family, bytes } = parseIpAddress(text)!;
      writer.u8(family).raw(bytes);
    }
    const body = writer.lv(utf8(this.name)).finish();
    return `LDR${VERSION}:${encodeBase32(concat([body, checkOf(body)]))}`;
  }

  /** What CPace is run with. */
  secret(): PairingSecret {
    return new PairingSecret("token", this.#secret);
  }

  toString(): string {
    return `LDR${VERSION}:(hidden)`;
  }

  toJSON(): string {
    return this.toString();
  }
}

/** True where the text is meant as an invitation rather than as a code of words. */
export function looksLikeInvitation(text: string): boolean {
  return /^\s*LDR\d*:/i.test(text);
}

/** Undoes the text layers: prefix, base32, checksum. Returns the struct without its check. */
function decodeChecked(text: string): Uint8Array {
  const squeezed = text.length > TEXT_CHARS_MAX ? "" : text.replace(/\s+/g, "").toUpperCase();
  const match = /^LDR(\d{1,3}):(.*)$/.exec(squeezed);
  if (!match) {
    throw broken("invitation_malformed", "it does not start with LDR1:");
  }
  if (Number(match[1]) !== VERSION) throw unsupported();
  const encoded = match[2]!;
  if (!/^[A-Z2-7]*$/.test(encoded)) {
    throw broken("invitation_checksum", "it holds a character that invitations never have");
  }
  const bytes = decodeBase32(encoded);
  if (bytes && bytes.length > CHECK_BYTES) {
    const body = bytes.subarray(0, -CHECK_BYTES);
    if (equalBytes(checkOf(body), bytes.subarray(-CHECK_BYTES))) return body;
  }
  throw endsEarly(encoded)
    ? broken("invitation_truncated", "its end is missing")
    : broken("invitation_checksum", "a character is wrong");
}

/** Whether a damaged invitation is shorter than its own lengths say. */
function endsEarly(encoded: string): boolean {
  const padded = decodeBase32(encoded.padEnd(Math.ceil(encoded.length / 8) * 8, "A"))!;
  const bytes = padded.subarray(0, Math.floor((encoded.length * 5) / 8));
  const reader = new ByteReader(bytes);
  try {
    reader.take(2 + FINGERPRINT_BYTES + SECRET_BYTES + 4 + 2);
    const count = reader.u8();
    if (count > INVITATION_ADDRESSES_MAX) return false;
    for (let i = 0; i < count; i++) reader.take(reader.u8() === 4 ? 4 : 16);
    const nameBytes = reader.varint();
    if (nameBytes > INVITATION_NAME_BYTES_MAX) return false;
    reader.take(nameBytes + CHECK_BYTES);
    return false;
  } catch {
    return true;
  }
}

function parseBody<T>(
  body: Uint8Array,
  make: (fields: InvitationFields, secret: Uint8Array) => T,
): T {
  const reader = new ByteReader(body);
  if (reader.u8() !== VERSION) throw unsupported();
  try {
    if (reader.u8() !== 0) throw unsupported();
    const fingerprint = reader.take(FINGERPRINT_BYTES);
    const secret = reader.take(SECRET_BYTES);
    const expiresAtMs = reader.u32() * 1000;
    const port = (reader.u8() << 8) | reader.u8();
    if (port === 0) throw new RangeError("port 0");
    const count = reader.u8();
    if (count > INVITATION_ADDRESSES_MAX) throw new RangeError(`${count} addresses`);
    const addresses = Array.from({ length: count }, () => readAddress(reader));
    const name = decodeUtf8(reader.lv(INVITATION_NAME_BYTES_MAX));
    if (name === undefined) throw new RangeError("the name is not UTF-8");
    if (reader.remaining > 0) throw new RangeError("bytes behind the end");
    return make({ fingerprint, expiresAtMs, port, addresses, name: sanitizeName(name) }, secret);
  } catch (error) {
    if (error instanceof PairingError) throw error;
    throw broken("invitation_malformed", (error as Error).message, error);
  }
}

function readAddress(reader: ByteReader): string {
  const family = reader.u8();
  if (family !== 4 && family !== 6) throw new RangeError(`address family ${family}`);
  return formatIpAddress({ family, bytes: new Uint8Array(reader.take(family === 4 ? 4 : 16)) });
}

function checkOf(body: Uint8Array): Uint8Array {
  return sha256(body).subarray(0, CHECK_BYTES);
}

/** Cuts between code points so that the UTF-8 form fits. */
function cutToBytes(text: string, bytesMax: number): string {
  let cut = "";
  let length = 0;
  for (const character of text) {
    length += utf8(character).length;
    if (length > bytesMax) break;
    cut += character;
  }
  return cut.trimEnd();
}

function broken(
  failure: "invitation_truncated" | "invitation_checksum" | "invitation_malformed",
  what: string,
  cause?: unknown,
): PairingError {
  return new PairingError(
    failure,
    `Cannot read the invitation: ${what}`,
    "Copy the whole string, from LDR1: to its last character.",
    cause,
  );
}

function unsupported(): PairingError {
  return new PairingError(
    "invitation_unsupported",
    "Cannot read the invitation: it was made by a newer landropic",
    "Update landropic on this device.",
  );
}
