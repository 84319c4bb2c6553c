/**
 * Draws a QR code out of half-block characters, two modules a character.
 *
 * @param text An invitation has only characters of QR's alphanumeric mode: about 41 columns, 21 lines.
 * @param options `color` states black on white by ANSI codes, which any terminal shows right;
 * without it light modules are drawn in the text colour, right on dark backgrounds.
 * @returns Lines joined by `\n`, with a quiet zone of two modules.
 */
export async function renderQr(
  text: string,
  options: { readonly color?: boolean } = {},
): Promise<string> {
  const { renderUnicodeCompact } = await import("uqr");
  const drawn = renderUnicodeCompact(text, { border: QUIET_MODULES, ecc: "L" });
  if (!options.color) return drawn;
  return drawn.split("\n").map((line) => WHITE_ON_BLACK + line + RESET).join("\n");
}

const QUIET_MODULES = 2;
/** Exact white and black of the 256-colour palette; themes move the first sixteen. */
const WHITE_ON_BLACK = "\x1b[38;5;231;48;5;16m";
const RESET = "\x1b[0m";
