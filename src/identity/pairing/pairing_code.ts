import { wordlist } from "@scure/bip39/wordlists/english.js";
import { utf8 } from "../../base/bytes.ts";
import { sanitizeName } from "../../base/names.ts";
import { PairingError } from "./pairing_error.ts";
import { cryptoRandomBytes, PairingSecret, type RandomBytes } from "./pairing_secret.ts";

/** Words in a code: 3 of 2048, 33 bits. */
export const CODE_WORDS = 3;
/** Words suggested for a mistyped one. */
export const SUGGESTIONS_MAX = 3;
/** Slots are 1 to this. */
export const SLOT_MAX = 999;

/** Letters after which a BIP-39 word is unique. */
const PREFIX_LETTERS = 4;
/** Longest input looked at; the longest code has 3 + 3 * (1 + 8) characters. */
const CODE_CHARS_MAX = 100;
const EXAMPLE = "42-apple-river-stone";

/**
 * A short code for people, `slot-word-word-word`. The slot is public: it is announced on the local
 * network so that the other device finds this one, and is never derived from the words. The words
 * are the secret; {@linkcode reveal} is the only way to their text.
 */
export class PairingCode {
  readonly #words: readonly string[];

  private constructor(
    /** 1 to {@linkcode SLOT_MAX}; public. */
    readonly slot: number,
    words: readonly string[],
  ) {
    this.#words = words;
  }

  /** Draws a new code: each word from 11 bits of its own, the slot from other bytes. */
  static generate(random: RandomBytes = cryptoRandomBytes): PairingCode {
    const slotBytes = random(4);
    const slot = new DataView(slotBytes.buffer, slotBytes.byteOffset).getUint32(0) % SLOT_MAX + 1;
    const wordBytes = random(CODE_WORDS * 2);
    const words = Array.from({ length: CODE_WORDS }, (_, i) => {
      const index = ((wordBytes[i * 2]! << 8) | wordBytes[i * 2 + 1]!) & (wordlist.length - 1);
      return wordlist[index]!;
    });
    return new PairingCode(slot, words);
  }

  /**
   * Reads what a person typed: any case, words joined by dashes, spaces, dots, commas or
   * underscores, each word whole or cut behind its fourth letter or later. A mistyped word is named
   * here, before it costs an attempt.
   *
   * @throws {PairingError} `code_malformed`.
   */
  static parse(text: string): PairingCode {
    const parts = text.slice(0, CODE_CHARS_MAX).normalize("NFKC").toLowerCase()
      .split(/[\s\-\u2010-\u2015\u2212_.,]+/u).filter((part) => part !== "");
    if (text.length > CODE_CHARS_MAX || parts.length !== CODE_WORDS + 1) {
      throw malformed(
        `expected a number and ${CODE_WORDS} words`,
        `A code looks like ${EXAMPLE}.`,
      );
    }
    const [slotText, ...words] = parts;
    return new PairingCode(parseSlot(slotText!), words.map(parseWord));
  }

  /** The code as it is shown and typed. Never for logs. */
  reveal(): string {
    return [this.slot, ...this.#words].join("-");
  }

  /** What CPace is run with; the slot is not part of it. */
  secret(): PairingSecret {
    return new PairingSecret("code", utf8(this.#words.join("-")));
  }

  /** The slot alone, with the words hidden. */
  toString(): string {
    return [this.slot, ...this.#words.map(() => "***")].join("-");
  }

  toJSON(): string {
    return this.toString();
  }
}

/** The word of the list that was typed whole, or cut behind its fourth letter or later. */
export function findCodeWord(typed: string): string | undefined {
  if (WORDS.has(typed)) return typed;
  const whole = WORD_BY_PREFIX.get(typed.slice(0, PREFIX_LETTERS));
  return whole?.startsWith(typed) ? whole : undefined;
}

/**
 * The words of the list that a mistyped one may have been meant to be, all equally near, at most
 * {@linkcode SUGGESTIONS_MAX}; none where even the nearest has more than one slip in three letters.
 */
export function nearestWords(typed: string): string[] {
  let nearest: string[] = [];
  let nearestSlips = Math.max(1, Math.floor(typed.length / 3));
  for (const word of wordlist) {
    const slips = editDistance(typed, word);
    if (slips > nearestSlips) continue;
    if (slips < nearestSlips) nearest = [];
    nearestSlips = slips;
    nearest.push(word);
  }
  return nearest.slice(0, SUGGESTIONS_MAX);
}

function parseSlot(text: string): number {
  const slot = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (slot >= 1 && slot <= SLOT_MAX) return slot;
  throw malformed(
    `it starts with "${sanitizeName(text)}" instead of a number from 1 to ${SLOT_MAX}`,
    `A code looks like ${EXAMPLE}.`,
  );
}

function parseWord(typed: string, index: number): string {
  const word = findCodeWord(typed);
  if (word !== undefined) return word;
  const suggestions = nearestWords(typed.slice(0, 16)).map((near) => `"${near}"`).join(" or ");
  throw malformed(
    `word ${index + 1}, "${sanitizeName(typed)}", is not in the word list`,
    suggestions === "" ? undefined : `Did you mean ${suggestions}? No attempt was spent.`,
  );
}

function malformed(what: string, hint?: string): PairingError {
  return new PairingError("code_malformed", `Cannot read the pairing code: ${what}`, hint);
}

/** Slips between two words: letters added, dropped, changed, or two neighbours swapped. */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let slips = Math.min(previous[j]! + 1, row[j - 1]! + 1, changed);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        slips = Math.min(slips, beforePrevious[j - 2]! + 1);
      }
      row.push(slips);
    }
    [beforePrevious, previous] = [previous, row];
  }
  return previous[b.length]!;
}

const WORDS: ReadonlySet<string> = new Set(wordlist);
const WORD_BY_PREFIX: ReadonlyMap<string, string> = new Map(
  wordlist.filter((word) => word.length >= PREFIX_LETTERS).map((
    word,
  ) => [word.slice(0, PREFIX_LETTERS), word]),
);
