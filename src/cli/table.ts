/**
 * Lays out rows in columns two blanks apart, the header first. The last column is not padded.
 *
 * @param header Column titles; as many as each row has cells.
 * @param rows Printable cells without line breaks.
 * @returns Lines without trailing blanks.
 */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string[] {
  const all = [header, ...rows];
  const widths = header.map((_, column) =>
    Math.max(...all.map((row) => displayWidth(row[column]!)))
  );
  return all.map((row) =>
    row.map((cell, column) => cell + " ".repeat(widths[column]! - displayWidth(cell)))
      .join("  ").trimEnd()
  );
}

/** Terminal columns of a printable text: 2 for East Asian letters and emoji, 0 for marks. */
export function displayWidth(text: string): number {
  if (ONLY_ASCII.test(text)) return text.length;
  // Made when first needed: it loads tables that take longer than all of `--help`.
  graphemes ??= new Intl.Segmenter("en", { granularity: "grapheme" });
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += WIDE.test(segment) ? 2 : 1;
  return width;
}

const ONLY_ASCII = /^[\x20-\x7e]*$/;
const WIDE =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]/u;
let graphemes: Intl.Segmenter | undefined;
