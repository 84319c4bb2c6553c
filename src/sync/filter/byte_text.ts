import { utf8 } from "../../base/bytes.ts";

// deno-lint-ignore no-control-regex
const ASCII = /^[\x00-\x7f]*$/;

/**
 * The UTF-8 bytes of a text as a string with one character a byte. Git matches bytes: its `?` is one
 * byte, so it takes two of them to match "é". ASCII, nearly everything, is returned as it is.
 */
export function byteText(text: string): string {
  if (ASCII.test(text)) return text;
  let bytes = "";
  for (const byte of utf8(text)) bytes += String.fromCharCode(byte);
  return bytes;
}
