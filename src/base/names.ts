/** Most characters (code points) a device or share name shown to a person may have. */
export const NAME_CHARS_MAX = 64;

/** UTF-16 units of a name that are looked at; the rest of a hostile megabyte is never scanned. */
const NAME_UNITS_SCANNED_MAX = 1024;

/**
 * Everything that shows nothing or changes how its neighbours show: controls (with ANSI escapes'
 * ESC), format characters (bidi overrides, zero-width characters, tags), lone surrogates, private
 * use, unassigned, line and paragraph separators.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;

/**
 * Makes a name that a peer announced safe to print and to store: unprintable characters out, runs
 * of spaces made one, Unicode NFC, at most {@linkcode NAME_CHARS_MAX} code points. Idempotent.
 *
 * @returns The empty string where nothing printable is left; the caller then shows the device id.
 */
export function sanitizeName(name: string): string {
  const printable = name.slice(0, NAME_UNITS_SCANNED_MAX)
    .replace(/[\t\n\v\f\r\p{Z}]/gu, " ")
    .replace(UNPRINTABLE, "")
    .replace(/ +/g, " ")
    .normalize("NFC");
  return [...printable.trim()].slice(0, NAME_CHARS_MAX).join("").trim();
}
