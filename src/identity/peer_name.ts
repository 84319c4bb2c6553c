import { NAME_CHARS_MAX, sanitizeName } from "../base/names.ts";
import { DeviceIdError, parseDeviceId } from "./device_id.ts";
import { IdentityError } from "./identity_error.ts";

/**
 * Turns a name that a device announced (or the system's hostname) into one that can be stored, printed
 * and typed as PEER: printable, at most 64 characters, none of `:` `/` `\`, not read as a flag, and not
 * the spelling of a device id, with which one peer could pass for another.
 *
 * @returns The empty string where nothing is left.
 */
export function cleanPeerName(announced: string): string {
  const name = sanitizeName(sanitizeName(announced).replace(/[:/\\]/g, "-").replace(/^[-\s]+/, ""));
  return isDeviceId(name) ? "" : name;
}

/**
 * Checks a name that the user chose; nothing in it is changed silently but its Unicode form (NFC) and
 * outer spaces.
 *
 * @throws {IdentityError} `name_invalid`.
 */
export function checkPeerName(chosen: string): string {
  const name = cleanPeerName(chosen);
  if (name === "" || name !== chosen.trim().normalize("NFC")) {
    const shown = JSON.stringify(sanitizeName(chosen));
    throw new IdentityError("name_invalid", `Cannot use the name ${shown}`, {
      hint:
        `a name has 1 to ${NAME_CHARS_MAX} printable characters, no : / \\, no leading dash, and ` +
        "is no device id",
    });
  }
  return name;
}

/** Names with the same key look too much alike for two peers to have them. */
export function nameKey(name: string): string {
  return name.normalize("NFKC").toLowerCase();
}

function isDeviceId(text: string): boolean {
  try {
    parseDeviceId(text);
    return true;
  } catch (error) {
    if (error instanceof DeviceIdError) return false;
    throw error;
  }
}
