import { DIGEST_BYTES } from "./digest.ts";
import { DIR_ENTRIES_MAX, KIND, PageError } from "./tree.ts";
import { varintAt, varintLengthAt } from "./varint.ts";

/**
 * Where the entries of a directory page lie and where their names do, without making objects of them:
 * 0.05 µs an entry. For pages that were decoded once, or written here: only lengths are checked.
 */
export class PageRows {
  /** Number of entries. */
  readonly count: number;
  /** Where each entry starts, and at last where the page ends. */
  readonly starts: Uint32Array;
  readonly nameStarts: Uint32Array;
  readonly nameEnds: Uint32Array;

  /** @throws {PageError} if the lengths don't add up. */
  constructor(readonly page: Uint8Array) {
    this.count = varintAt(page, 0);
    let at = varintLengthAt(page, 0);
    if (!(this.count <= Math.min(page.length, DIR_ENTRIES_MAX))) throw new PageError("bad count");
    this.starts = new Uint32Array(this.count + 1);
    this.nameStarts = new Uint32Array(this.count);
    this.nameEnds = new Uint32Array(this.count);
    for (let row = 0; row < this.count; row++) {
      this.starts[row] = at;
      const kind = page[at++];
      const name = at + varintLengthAt(page, at);
      at = name + varintAt(page, at);
      this.nameStarts[row] = name;
      this.nameEnds[row] = at;
      // Mode, target or nothing, then what follows it.
      if (kind === KIND.link) at += varintLengthAt(page, at) + varintAt(page, at);
      else at += varintLengthAt(page, at);
      if (kind === KIND.dir) at += DIGEST_BYTES;
      else at += varintLengthAt(page, at);
      if (kind === KIND.file || kind === KIND.fileWithDigest) at += varintLengthAt(page, at);
      if (kind === KIND.fileWithDigest) at += DIGEST_BYTES;
    }
    if (at !== page.length) throw new PageError("lengths do not add up");
    this.starts[this.count] = at;
  }

  /** True if the bytes from `at` are those of an entry, up to its end. */
  isAt(row: number, bytes: Uint8Array, at: number): boolean {
    const { page } = this;
    const start = this.starts[row]!;
    const end = this.starts[row + 1]!;
    for (let own = start, other = at; own < end; own++, other++) {
      if (page[own] !== bytes[other]) return false;
    }
    return true;
  }
}
