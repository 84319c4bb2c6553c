import { BASE32_ALPHABET, decodeBase32, encodeBase32 } from "../base/base32.ts";
import { type Bytes, equalBytes } from "../base/bytes.ts";
import { sha256 } from "../base/digest.ts";
import type { DeviceId } from "../base/ids.ts";
import { IdentityError } from "./identity_error.ts";

/** Bytes in a fingerprint: the SHA-256 of a SubjectPublicKeyInfo. */
export const FINGERPRINT_BYTES = 32;
/** Characters of a device id without its dashes. */
export const DEVICE_ID_CHARS = 56;
/** Characters between two dashes. */
export const DEVICE_ID_GROUP_CHARS = 7;
/** Characters of the short form shown in lists. */
export const SHORT_ID_CHARS = 7;

/** Data characters behind which one check character follows. */
const BLOCK_CHARS = 13;
const BLOCKS = 4;
/** Longer input is refused unread: 56 characters, and generous separators. */
const TEXT_CHARS_MAX = 512;
const SEPARATORS = /[\s\p{Pd}]+/u;
/** Digits outside the alphabet that people type for a letter in it. */
const LOOKALIKE: Readonly<Record<string, string>> = { "0": "O", "1": "I", "8": "B" };

/** A device id that can't be read; `groups` names where, counted from 1, empty where unknown. */
export class DeviceIdError extends IdentityError {
  override readonly name = "DeviceIdError";
  constructor(message: string, readonly groups: readonly number[] = []) {
    super("device_id_malformed", `Cannot read the device id: ${message}`, {
      hint: 'compare it with the output of "landropic id" on that device',
    });
  }
}

/** The fingerprint of a public key: SHA-256 over its SubjectPublicKeyInfo in DER. */
export function fingerprintOfSpki(spki: Uint8Array): Bytes {
  return sha256(spki);
}

/**
 * The text form of a fingerprint: 52 base32 characters (RFC 4648) in four blocks of 13, each followed
 * by its Luhn mod 32 check character, printed as 8 groups of 7.
 *
 * @param fingerprint Exactly {@linkcode FINGERPRINT_BYTES}; another length is our own bug.
 */
export function deviceIdFromFingerprint(fingerprint: Uint8Array): DeviceId {
  if (fingerprint.length !== FINGERPRINT_BYTES) {
    throw new RangeError(`a fingerprint has ${FINGERPRINT_BYTES} bytes, not ${fingerprint.length}`);
  }
  const data = encodeBase32(fingerprint);
  let checked = "";
  for (let block = 0; block < BLOCKS; block++) {
    const part = data.slice(block * BLOCK_CHARS, (block + 1) * BLOCK_CHARS);
    checked += part + checkCharacter(part);
  }
  return checked.match(/.{7}/g)!.join("-") as DeviceId;
}

/**
 * Reads a device id as people type it: case, spaces and dashes don't matter, 0, 1 and 8 are read as
 * O, I and B.
 *
 * @throws {DeviceIdError} naming the group (or the two groups one check character covers) at fault.
 */
export function parseDeviceId(text: string): DeviceId {
  const plain = normalizeIdText(text);
  if (plain.length !== DEVICE_ID_CHARS) throw lengthError(text, plain);
  let data = "";
  for (let block = 0; block < BLOCKS; block++) {
    const start = block * (BLOCK_CHARS + 1);
    const part = plain.slice(start, start + BLOCK_CHARS);
    if (checkCharacter(part) !== plain[start + BLOCK_CHARS]) {
      const first = block * 2 + 1;
      throw new DeviceIdError(`there is a typo in group ${first} or ${first + 1}`, [
        first,
        first + 1,
      ]);
    }
    data += part;
  }
  const fingerprint = decodeBase32(data);
  // Only the four unused bits of the last data character can be wrong here.
  if (fingerprint === undefined) throw new DeviceIdError("there is a typo in group 8", [8]);
  return deviceIdFromFingerprint(fingerprint);
}

/** The fingerprint that an id stands for; 32 bytes, owned by the caller. */
export function fingerprintOf(id: DeviceId): Bytes {
  const plain = id.replaceAll("-", "");
  let data = "";
  for (let block = 0; block < BLOCKS; block++) {
    const start = block * (BLOCK_CHARS + 1);
    data += plain.slice(start, start + BLOCK_CHARS);
  }
  return decodeBase32(data)!;
}

/** The first 7 characters, for display only: 35 bits can be ground out, so never for trust. */
export function shortId(id: DeviceId): string {
  return id.slice(0, SHORT_ID_CHARS);
}

/** True if the id stands for this fingerprint. */
export function isIdOf(id: DeviceId, fingerprint: Uint8Array): boolean {
  return equalBytes(fingerprintOf(id), fingerprint);
}

/**
 * Upper case without separators, look-alike digits as letters: the form in which ids and prefixes of
 * ids are compared.
 *
 * @throws {DeviceIdError} for a character that no spelling of an id has.
 */
export function normalizeIdText(text: string): string {
  if (text.length > TEXT_CHARS_MAX) throw new DeviceIdError("it is far too long");
  let plain = "";
  for (const character of text.split(SEPARATORS).join("")) {
    // Matched before toUpperCase(), which would turn "ı" into "I" and "ſ" into "S".
    if (!/^[A-Za-z0-8]$/.test(character)) {
      const group = Math.floor(plain.length / DEVICE_ID_GROUP_CHARS) + 1;
      const shown = JSON.stringify(character);
      throw new DeviceIdError(`${shown} in group ${group} is no base32 character`, [group]);
    }
    const upper = character.toUpperCase();
    plain += LOOKALIKE[upper] ?? upper;
  }
  return plain;
}

function lengthError(text: string, plain: string): DeviceIdError {
  const count = `it has ${plain.length} of ${DEVICE_ID_CHARS} characters`;
  const groups = text.split(SEPARATORS).filter((group) => group !== "");
  const wrong = groups.findIndex((group) => group.length !== DEVICE_ID_GROUP_CHARS);
  if (groups.length !== 8 || wrong < 0) return new DeviceIdError(count);
  return new DeviceIdError(`${count}, group ${wrong + 1} is not 7 long`, [wrong + 1]);
}

/** Luhn mod 32: from the right, every other digit is doubled and its own base-32 digits are summed. */
function checkCharacter(block: string): string {
  let sum = 0;
  let factor = 2;
  for (let i = block.length - 1; i >= 0; i--) {
    const product = BASE32_ALPHABET.indexOf(block[i]!) * factor;
    sum += (product >>> 5) + (product & 31);
    factor = 3 - factor;
  }
  return BASE32_ALPHABET[(32 - (sum & 31)) & 31]!;
}
