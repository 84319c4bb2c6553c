import type { Bytes } from "../../base/bytes.ts";
import type { Entry } from "../../base/tree.ts";
import { ByteReader, ByteWriter } from "../../base/varint.ts";
import { isIdentical, isLeaf } from "./agreement.ts";
import type { Item } from "./node.ts";
import type { Paired, Pairs } from "./pairing.ts";

/** What to remember of one name, depending on whether its operations are done. */
export interface ItemResult {
  /** The name among all of its directory; `undefined` for one that was in none of the listings. */
  readonly index: number | undefined;
  /** What both sides hold once all of `needs` are done. */
  readonly next: Entry | undefined;
  /** Ids of operations. */
  readonly needs: readonly number[];
  /** The directory beneath makes up the shape by its own results. */
  readonly hasDir: boolean;
}

/** The results of one directory: 8 bytes each, mostly, and objects only for what was on neither side. */
export class DirResults {
  readonly #bytes: Bytes;
  readonly #made: readonly Entry[];

  constructor(bytes: Bytes, made: readonly Entry[]) {
    this.#bytes = bytes;
    this.#made = made;
  }

  /** @param pairs The names of the directory. */
  *read(pairs: Pairs): Generator<ItemResult> {
    const from = new ByteReader(this.#bytes);
    let made = 0;
    while (from.remaining > 0) {
      const flags = from.varint();
      const place = from.varint();
      const needs = Array.from({ length: flags >>> COUNT_SHIFT }, () => from.varint());
      const index = place === 0 ? undefined : place - 1;
      const pair = index === undefined ? undefined : pairs.at(index);
      const source = SOURCES[flags & SOURCE_MASK]!;
      const next = source === "made" ? this.#made[made++] : source && pair?.[source];
      yield { index, next, needs, hasDir: (flags & HAS_DIR) !== 0 };
    }
  }
}

/** Collects the results of one directory. */
export class ResultWriter {
  readonly #writer = new ByteWriter(64);
  readonly #made: Entry[] = [];

  /** Notes what a name of the directory comes to. */
  add(
    { index, pair }: Item,
    next: Entry | undefined,
    needs: readonly number[],
    hasDir: boolean,
  ): void {
    this.#write(index + 1, { next, source: sourceOf(next, pair), needs, hasDir });
  }

  /** Notes what a name comes to that was in no listing. */
  addNew(next: Entry, needs: readonly number[]): void {
    this.#write(0, { next, source: "made", needs, hasDir: false });
  }

  finish(): DirResults {
    return new DirResults(this.#writer.finish(), this.#made);
  }

  #write(
    place: number,
    { next, source, needs, hasDir }: {
      next: Entry | undefined;
      source: Source;
      needs: readonly number[];
      hasDir: boolean;
    },
  ): void {
    if (source === "made") this.#made.push(next!);
    const flags = SOURCES.indexOf(source) | (hasDir ? HAS_DIR : 0) | needs.length << COUNT_SHIFT;
    this.#writer.varint(flags).varint(place);
    for (const id of needs) this.#writer.varint(id);
  }
}

const SOURCES = [undefined, "local", "remote", "ancestor", "made"] as const;
type Source = typeof SOURCES[number];
const SOURCE_MASK = 7;
const HAS_DIR = 8;
const COUNT_SHIFT = 4;

/** Where the very same entry is to be found. */
function sourceOf(next: Entry | undefined, pair: Paired): Source {
  if (next === undefined) return undefined;
  return (["local", "remote", "ancestor"] as const).find((source) => {
    const entry = pair[source];
    if (entry === undefined || entry === next) return entry !== undefined;
    if (entry.name !== next.name) return false;
    if (entry.kind === "dir" && next.kind === "dir") {
      return entry.mode === next.mode && entry.shape === next.shape;
    }
    return isLeaf(entry) && isLeaf(next) && isIdentical(entry, next);
  }) ?? "made";
}
