/**
 * A path as events carry it: text, or the bytes where the file system's name is not valid UTF-8.
 */
export type EventPath = string | Uint8Array;

/**
 * Makes any text safe to print on a terminal, on one line.
 *
 * Control characters, line separators, bidirectional marks, invisible characters and lone
 * surrogates become visible escapes (`\n`, `\x1b`, `\u{202e}`). Backslashes stay as they are, so the
 * result reads well but is not reversible; see `escapePath` for that.
 */
export function escapeText(text: string): string {
  return text.replace(UNSAFE_ALL, escapeCharacter);
}

/** Escapes each line of a text, and ends it with a line break. */
export function escapeLines(text: string): string {
  return text.split("\n").map((line) => `${escapeText(line)}\n`).join("");
}

/**
 * Makes a path safe to print, so that different paths always print differently: as `escapeText`,
 * and a backslash is doubled. A byte that is no part of valid UTF-8 becomes `\xHH`.
 */
export function escapePath(path: EventPath): string {
  if (typeof path === "string") return escapeReversibly(path);
  let escaped = "";
  for (let at = 0; at < path.length;) {
    const length = sequenceLength(path, at);
    escaped += length === 0
      ? hexEscape(path[at]!)
      : escapeReversibly(utf8Decoder.decode(path.subarray(at, at + length)));
    at += Math.max(1, length);
  }
  return escaped;
}

/** True where `escapeText` would change the text. */
export function hasUnsafeCharacter(text: string): boolean {
  return UNSAFE.test(text);
}

/**
 * Writes a value as one line of JSON that is safe on a terminal too: what `escapeText` would escape
 * and JSON would not is written as `\uXXXX`, which every JSON parser reads back to the same text.
 */
export function safeJson(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE_ALL, (character) => {
    let escaped = "";
    for (let i = 0; i < character.length; i++) {
      escaped += "\\u" + character.charCodeAt(i).toString(16).padStart(4, "0");
    }
    return escaped;
  });
}

function escapeReversibly(text: string): string {
  return escapeText(text.replaceAll("\\", "\\\\"));
}

function escapeCharacter(character: string): string {
  const short = SHORT_ESCAPES[character];
  if (short !== undefined) return short;
  const codePoint = character.codePointAt(0)!;
  // \x80 and above is kept for bytes that are no text at all.
  return codePoint < 0x80 ? hexEscape(codePoint) : `\\u{${codePoint.toString(16)}}`;
}

function hexEscape(byte: number): string {
  return "\\x" + byte.toString(16).padStart(2, "0");
}

/** Bytes of the well-formed UTF-8 sequence at `at` (RFC 3629), or 0 where there is none. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  const length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (length === 0 || first > 0xf4 || at + length > bytes.length) return 0;
  if (length === 1) return 1;
  const second = bytes[at + 1]!;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let i = 2; i < length; i++) if ((bytes[at + i]! & 0xc0) !== 0x80) return 0;
  return length;
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

// Controls, line and paragraph separators, lone surrogates; then what is invisible or turns the
// direction of text. Joiners (U+200C, U+200D) stay: scripts and emoji need them.
const UNSAFE_CLASS = "[\\p{Cc}\\p{Zl}\\p{Zp}\\p{Cs}" +
  "\\u{ad}\\u{34f}\\u{61c}\\u{115f}\\u{1160}\\u{180e}\\u{200b}\\u{200e}\\u{200f}\\u{202a}-\\u{202e}" +
  "\\u{2060}-\\u{206f}\\u{3164}\\u{feff}\\u{ffa0}\\u{fff9}-\\u{fffb}\\u{e0000}-\\u{e007f}]";
const UNSAFE = new RegExp(UNSAFE_CLASS, "u");
const UNSAFE_ALL = new RegExp(UNSAFE_CLASS, "gu");

const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
