/**
 * Draws a text as a QR code of half blocks, dark on light.
 *
 * On a terminal with colours both are set, so it scans whatever the theme; without, light modules
 * are drawn as blocks, which is right on a dark background. Loads the QR library when called.
 *
 * @returns Lines, each with its line break; a frame of 2 light modules is part of it.
 */
export async function renderQr(text: string, color: boolean): Promise<string> {
  const { encode } = await import("uqr");
  const { data, size } = encode(text, { ecc: "L", border: QUIET_ZONE });
  let drawing = "";
  for (let y = 0; y < size; y += 2) {
    let line = "";
    for (let x = 0; x < size; x++) {
      const upperLight = !data[y]![x];
      const lowerLight = !(data[y + 1]?.[x] ?? false);
      line += upperLight ? (lowerLight ? "█" : "▀") : (lowerLight ? "▄" : " ");
    }
    drawing += color ? `\x1b[97;40m${line}\x1b[0m\n` : `${line}\n`;
  }
  return drawing;
}

/** The standard asks for 4 modules; 2 are enough for phones and fit 24 lines better. */
const QUIET_ZONE = 2;
