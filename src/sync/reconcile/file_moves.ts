import { decodeUtf8 } from "../../base/bytes.ts";
import { type Digest, DIGEST_BYTES } from "../../base/digest.ts";
import { PATH_BYTES_MAX, type RelPath } from "../../base/paths.ts";
import { RecordLog } from "../../base/record_log.ts";
import { Uint32List } from "../../base/uint32_list.ts";
import { ByteReader, ByteWriter } from "../../base/varint.ts";
import type { Item, Place } from "./node.ts";

/** Where a file comes from that moves. */
export interface MoveSource {
  /** Its path by then. */
  readonly path: RelPath;
  readonly mode: number;
}

/** A file that a side has twice once the plan is carried out. */
export interface OwnCopy {
  readonly path: RelPath;
  readonly digest: Digest;
}

const MOVED_HERE = 1;
const MOVED_AWAY = 2;
const COPIED = 3;
const KIND_BITS = 2;
const KIND_MASK = 3;

/** Stands for the operations of a move in what depends on them, as long as they have no numbers. */
const NEED_FROM = 2 ** 29;

/**
 * Files that a side does not get but has elsewhere: those that move there, and those that are copied. As
 * bytes, some 60 of each: all the files of a tree may have moved, one by one. A directory that moves as a
 * whole is none of them.
 */
export class FileMoves {
  /** For each move its source, until it is planned. */
  #sources = new RecordLog();
  #copies = new RecordLog();
  /** For each move its first operation, counted from 1, and whether there is a second. */
  readonly #operations = new Uint32List();
  readonly #writer = new ByteWriter(256);

  /** Adds a move within a side. */
  add(gone: Place, wanted: Place, { path, mode }: MoveSource): void {
    const into = this.#writer;
    into.clear();
    const id = this.#sources.append(into.text(path).varint(mode).view());
    this.#operations.push(0);
    setFate(gone, id, MOVED_AWAY);
    setFate(wanted, id, MOVED_HERE);
  }

  /** Adds a copy within a side. */
  addCopy(wanted: Place, { path, digest }: OwnCopy): void {
    const into = this.#writer;
    into.clear();
    const id = this.#copies.append(into.raw(digest).text(path).view());
    setFate(wanted, id, COPIED);
  }

  /** True if it is known how the side gets what it is to have there. */
  isFound(wanted: Place): boolean {
    return fateOf(wanted, MOVED_HERE) !== undefined || fateOf(wanted, COPIED) !== undefined;
  }

  /** The number of the move that brings an item into place. */
  moveTo(item: Item): number | undefined {
    return fateOf(item, MOVED_HERE);
  }

  /** The number of the move that takes an item away. */
  moveFrom(item: Item): number | undefined {
    return fateOf(item, MOVED_AWAY);
  }

  /** What an item is to be copied from. */
  copyOf(item: Item): OwnCopy | undefined {
    const id = fateOf(item, COPIED);
    if (id === undefined) return undefined;
    const from = new ByteReader(this.#copies.at(id));
    const digest = from.take(DIGEST_BYTES).slice();
    return { digest, path: decodeUtf8(from.lv(PATH_BYTES_MAX)) as RelPath };
  }

  sourceOf(move: number): MoveSource {
    const from = new ByteReader(this.#sources.at(move));
    return { path: decodeUtf8(from.lv(PATH_BYTES_MAX)) as RelPath, mode: from.varint() };
  }

  /** Notes the operations of a move: the one given, and perhaps the one behind it. */
  setOperations(move: number, first: number, hasSecond: boolean): void {
    this.#operations.set(move, (first + 1) * 2 + (hasSecond ? 1 : 0));
  }

  /** What depends on a move depends on this, whose operations may come later. */
  needOf(move: number): number {
    return NEED_FROM + move;
  }

  /** True if all that a need stands for is done. @param isDone Of a single operation. */
  isDone(need: number, isDone: (operation: number) => boolean): boolean {
    if (need < NEED_FROM) return isDone(need);
    const noted = this.#operations.at(need - NEED_FROM);
    if (noted === 0) return false;
    const first = (noted >>> 1) - 1;
    return isDone(first) && ((noted & 1) === 0 || isDone(first + 1));
  }

  /** Forgets what only serves to plan. */
  endPlanning(): void {
    this.#sources = new RecordLog();
    this.#copies = new RecordLog();
  }
}

function setFate({ parent, index }: Place, id: number, kind: number): void {
  parent.fates ??= new Uint32Array(parent.facts!.names);
  parent.fates[index] = id * (1 << KIND_BITS) + kind;
}

function fateOf({ parent, index }: Place, kind: number): number | undefined {
  const fate = parent.fates?.[index] ?? 0;
  return (fate & KIND_MASK) === kind ? fate >>> KIND_BITS : undefined;
}
