/**
 * Finds the word a user probably meant.
 *
 * A word matches when the typed text is the beginning of it alone, or when at most a third of its
 * letters were mistyped (Damerau-Levenshtein: a swap of neighbours is one mistake).
 *
 * @returns The nearest word, or `undefined` where none is near.
 */
export function nearest(typed: string, words: Iterable<string>): string | undefined {
  const text = typed.toLowerCase().slice(0, TYPED_LENGTH_MAX);
  const candidates = [...words];
  const beginnings = text.length < 2 ? [] : candidates.filter((word) => word.startsWith(text));
  if (beginnings.length === 1) return beginnings[0];
  let best: { word: string; mistakes: number } | undefined;
  for (const word of candidates) {
    const mistakes = distance(text, word.toLowerCase());
    const allowed = Math.max(1, Math.floor(word.length / 3));
    // A one-letter word is "one mistake" away from every other.
    if (mistakes > allowed || mistakes >= word.length) continue;
    if (best === undefined || mistakes < best.mistakes) best = { word, mistakes };
  }
  return best?.word;
}

/** Edits (insert, delete, replace, swap neighbours) that turn one text into the other. */
export function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(replace, last[j]! + 1, row[j - 1]! + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j]!, beforeLast[j - 2]! + 1);
      }
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}

/** Longer texts are nobody's typo; it also bounds the work. */
const TYPED_LENGTH_MAX = 100;
