import { findCodeWord } from "./pairing_code.ts";

/**
 * Takes invitations and codes out of a text bound for a log: the last line of defence for messages
 * of other libraries and echoed arguments. Own values hide themselves.
 */
export function redactPairingSecrets(text: string): string {
  return text
    .replace(/\b(LDR\d{1,3}):[A-Z2-7]+/gi, "$1:(hidden)")
    .replace(/\b(\d{1,4})((?:[-\s_.,][a-z]{3,8}){3})(?![a-z])/gi, (whole, slot, words) => {
      const parts = (words as string).toLowerCase().split(/[-\s_.,]/).slice(1);
      return parts.every((part) => findCodeWord(part)) ? `${slot}-***-***-***` : whole;
    });
}
