/** Whether a pattern's stars and question marks may match "/". */
export type SlashRule =
  /** `*` stays within one name, `**` as a whole name crosses them (git's `WM_PATHNAME`). */
  | "names"
  /** Everything matches everything; for patterns that only ever see one name. */
  | "none";

const STAR = 0x2a;
const SLASH = 0x2f;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE = 0x5d;
const CARET = 0x5e;
const BANG = 0x21;
const DASH = 0x2d;
const COLON = 0x3a;

/**
 * Matches a whole text against a glob as git does (gitignore(5), git's own variant of rsync's wildmatch),
 * byte by byte. All ways through the text are followed at once, so a pattern from a peer costs pattern ×
 * text steps at most.
 *
 * @param pattern As {@linkcode byteText} gives it; malformed brackets match nothing.
 * @param text As {@linkcode byteText} gives it.
 */
export function wildmatch(pattern: string, text: string, slashes: SlashRule): boolean {
  const ways = new Ways(text, slashes === "names");
  let p = 0;
  while (p < pattern.length && ways.isAlive) {
    const wanted = pattern.charCodeAt(p);
    if (wanted === STAR) {
      const starAt = p;
      while (pattern.charCodeAt(p) === STAR) p++;
      if (slashes === "none") {
        ways.passAny();
      } else if (p === starAt + 1 || !isNameAlone(pattern, starAt, p)) {
        ways.passName();
      } else if (pattern.charCodeAt(p) === SLASH) {
        ways.passDirs();
        p++;
      } else {
        ways.passAny();
      }
    } else if (wanted === QUESTION) {
      ways.passOne(() => true);
      p++;
    } else if (wanted === OPEN) {
      let end = -1;
      ways.passOne((byte) => {
        const found = matchBracket(pattern, p, byte);
        if (found > 0) end = found;
        return found > 0;
      });
      p = end;
    } else {
      // A backslash at the end quotes nothing and equals nothing (NaN), as in git.
      const literal = wanted === BACKSLASH ? pattern.charCodeAt(++p) : wanted;
      ways.passLiteral(literal);
      p++;
    }
  }
  return ways.isAlive && ways.isAtEnd;
}

/** The places in a text that the pattern so far can have led to. */
class Ways {
  readonly #places: Uint8Array;
  /** First and last place; none where the first is behind the last. */
  #first = 0;
  #last = 0;

  constructor(readonly text: string, readonly isPath: boolean) {
    this.#places = new Uint8Array(text.length + 1);
    this.#places[0] = 1;
  }

  get isAlive(): boolean {
    return this.#first <= this.#last;
  }

  get isAtEnd(): boolean {
    return this.#places[this.text.length] === 1;
  }

  /** One byte that passes the test, but no "/" of a path. */
  passOne(test: (byte: number) => boolean): void {
    this.#step((byte) => !(this.isPath && byte === SLASH) && test(byte));
  }

  /** One byte, and exactly this one. */
  passLiteral(literal: number): void {
    this.#step((byte) => byte === literal);
  }

  /** Any bytes. */
  passAny(): void {
    this.#last = this.text.length;
    this.#places.fill(1, this.#first);
  }

  /** Any bytes up to the next "/". */
  passName(): void {
    for (let t = this.#first; t < this.text.length; t++) {
      if (this.#places[t] === 1 && this.text.charCodeAt(t) !== SLASH) this.#places[t + 1] = 1;
    }
    this.#last = this.#places.lastIndexOf(1);
  }

  /** Nothing, or any bytes and a "/" behind them. */
  passDirs(): void {
    for (let t = this.#first; t < this.text.length; t++) {
      if (this.text.charCodeAt(t) === SLASH) this.#places[t + 1] = 1;
    }
    this.#last = this.#places.lastIndexOf(1);
  }

  #step(test: (byte: number) => boolean): void {
    const places = this.#places;
    let first = places.length;
    let last = -1;
    for (let t = Math.min(this.#last, this.text.length - 1); t >= this.#first; t--) {
      if (places[t] === 0 || !test(this.text.charCodeAt(t))) {
        places[t + 1] = 0;
        continue;
      }
      places[t + 1] = 1;
      first = t + 1;
      if (last < 0) last = t + 1;
    }
    places[this.#first] = 0;
    this.#first = first;
    this.#last = last;
  }
}

/** True if the stars from `starAt` to `end` stand between slashes or at the ends. */
function isNameAlone(pattern: string, starAt: number, end: number): boolean {
  if (starAt > 0 && pattern.charCodeAt(starAt - 1) !== SLASH) return false;
  if (end === pattern.length || pattern.charCodeAt(end) === SLASH) return true;
  return pattern.charCodeAt(end) === BACKSLASH && pattern.charCodeAt(end + 1) === SLASH;
}

/** Position behind the bracket expression at `open` if it takes `byte`; -1 if not, or if malformed. */
function matchBracket(pattern: string, open: number, byte: number): number {
  let p = open + 1;
  const isNegated = pattern.charCodeAt(p) === BANG || pattern.charCodeAt(p) === CARET;
  if (isNegated) p++;
  let isMatched = false;
  // What a "-" could make a range from; -1 behind a range or a class.
  let previous = -1;
  // The first member is taken whatever it is: "[]a]" holds "]" and "a".
  do {
    let member = pattern.charCodeAt(p);
    if (Number.isNaN(member)) return -1;
    const next = pattern.charCodeAt(p + 1);
    if (member === BACKSLASH) {
      member = pattern.charCodeAt(++p);
      if (Number.isNaN(member)) return -1;
      if (byte === member) isMatched = true;
      previous = member;
    } else if (member === DASH && previous >= 0 && !Number.isNaN(next) && next !== CLOSE) {
      let last = pattern.charCodeAt(++p);
      if (last === BACKSLASH) last = pattern.charCodeAt(++p);
      if (Number.isNaN(last)) return -1;
      if (byte >= previous && byte <= last) isMatched = true;
      previous = -1;
    } else if (member === OPEN && next === COLON) {
      const end = pattern.indexOf("]", p + 2);
      if (end < 0) return -1;
      if (end > p + 2 && pattern.charCodeAt(end - 1) === COLON) {
        const inClass = CLASSES[pattern.slice(p + 2, end - 1)];
        if (inClass === undefined) return -1;
        if (inClass(byte)) isMatched = true;
        previous = -1;
        p = end;
      } else {
        if (byte === OPEN) isMatched = true;
        previous = OPEN;
      }
    } else {
      if (byte === member) isMatched = true;
      previous = member;
    }
    p++;
  } while (pattern.charCodeAt(p) !== CLOSE);
  return isMatched === isNegated ? -1 : p + 1;
}

const isDigit = (byte: number) => byte >= 0x30 && byte <= 0x39;
const isUpper = (byte: number) => byte >= 0x41 && byte <= 0x5a;
const isLower = (byte: number) => byte >= 0x61 && byte <= 0x7a;
const isAlpha = (byte: number) => isUpper(byte) || isLower(byte);
const isAlnum = (byte: number) => isAlpha(byte) || isDigit(byte);
const isGraph = (byte: number) => byte > 0x20 && byte < 0x7f;

/** Git's ASCII-only classes; its white space lacks vertical tab and form feed. */
const CLASSES: { readonly [name: string]: ((byte: number) => boolean) | undefined } = Object.assign(
  Object.create(null),
  {
    alnum: isAlnum,
    alpha: isAlpha,
    blank: (byte: number) => byte === 0x20 || byte === 0x09,
    cntrl: (byte: number) => byte < 0x20 || byte === 0x7f,
    digit: isDigit,
    graph: isGraph,
    lower: isLower,
    print: (byte: number) => byte === 0x20 || isGraph(byte),
    punct: (byte: number) => isGraph(byte) && !isAlnum(byte),
    space: (byte: number) => byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d,
    upper: isUpper,
    xdigit: (byte: number) => /[0-9A-Fa-f]/.test(String.fromCharCode(byte)),
  },
);
