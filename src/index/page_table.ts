import { type Bytes, equalBytes } from "../base/bytes.ts";
import type { Digest } from "../base/digest.ts";
import { shapeOf } from "../base/tree.ts";
import { zstd } from "../base/zstd.ts";
import type { Database } from "./database.ts";

/** A directory page with the digest that names it. */
export interface NamedPage {
  readonly shape: Digest;
  readonly page: Uint8Array;
}

/** Smaller pages are kept as they are: compressing one costs 10 µs and more, as much as the insert. */
const COMPRESS_BYTES_MIN = 4096;
/** A page must shrink by this share to be kept compressed. */
const GAIN_MIN = 1 / 8;

/**
 * Directory pages by their digest, as git keeps trees: what ancestors are made of. Pages of all roots
 * lie together, and equal ones once.
 */
export class PageTable {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Adds pages in the open transaction; those that are there already cost a look-up. 6 µs a page. */
  put(pages: Iterable<NamedPage>): void {
    const insert = this.#database.prepare(
      "INSERT INTO pages (shape, raw_bytes, page) VALUES (?, ?, ?) ON CONFLICT (shape) DO NOTHING",
    );
    for (const { shape, page } of pages) insert.run(shape, page.length, compress(page));
  }

  /**
   * The page of that name, checked against it, or `undefined` if there is none.
   *
   * @throws {IndexError} `corrupt`
   */
  get(shape: Digest): Bytes | undefined {
    const row = this.#database.get<[number, Bytes]>(
      "SELECT raw_bytes, page FROM pages WHERE shape = ?",
      shape,
    );
    if (row === undefined) return undefined;
    const page = decompress(row[1], row[0]);
    if (page === undefined || !equalBytes(shapeOf(page), shape)) {
      throw this.#database.corrupt("a directory page");
    }
    return page;
  }
}

function compress(page: Uint8Array): Uint8Array {
  if (page.length < COMPRESS_BYTES_MIN) return page;
  const packed = new Uint8Array(page.length * (1 - GAIN_MIN));
  const length = zstd.compress(page, packed);
  return length === undefined ? page : packed.subarray(0, length);
}

/** Undoes {@linkcode compress}: what is as long as the page is the page. */
function decompress(stored: Bytes, rawBytes: number): Bytes | undefined {
  if (stored.length === rawBytes) return stored;
  const page = new Uint8Array(rawBytes + 1);
  try {
    return page.subarray(0, zstd.decompress(stored, page));
  } catch {
    return undefined;
  }
}
