import { Uint32List } from "../../base/uint32_list.ts";
import type { Operation } from "../apply/operation.ts";
import {
  OperationList,
  OperationLog,
  packToCompare,
  unpackToCompare,
} from "../apply/operation_list.ts";
import { isAdjustment } from "../plan/sync_plan.ts";
import { PlanLines, type Shown } from "./plan_lines.ts";
import { type BySide, bySide, type Side } from "./side.ts";

/**
 * When an operation is carried out. What comes earlier is done before what comes later begins, on its
 * side; only bytes for `contents` may travel ahead.
 */
export const PHASES = [
  /** Room is made where a file becomes a directory, or a directory a file. */
  "clear",
  "dirs",
  "moves",
  "copies",
  "contents",
  /** After all files, as what they point to. */
  "links",
  "attributes",
  /** Children first. */
  "deletes",
  /** Of directories, deepest first: nothing changes inside any more. */
  "dir-attributes",
] as const;
/** See {@linkcode PHASES}. */
export type Phase = typeof PHASES[number];

/** An operation in a plan that is being made. */
export interface Draft {
  /** Names it until the plan has its order. */
  readonly id: number;
}

/** Where an operation stands once the plan has its order. */
export interface Position {
  readonly side: Side;
  readonly index: number;
}

/** Operations in the order in which they work. */
export interface OrderedOperations {
  readonly lists: BySide<OperationList>;
  positionOf(id: number): Position;
  phaseOf(position: Position): Phase;
}

/** What operations and their lines come to. */
export interface PlanSums {
  /** Files and links that come, new or with other contents, to the peer and to here. */
  send: number;
  receive: number;
  renames: number;
  /** Lines of folders that are made or removed, and of permissions and times. */
  adjustments: number;
  /** Files that are written or copied. */
  files: number;
  /** Bytes that may have to travel to each side. */
  readonly bytes: Record<Side, number>;
  /** By how many bytes the written files of each side outgrow those that they replace. */
  readonly growth: Record<Side, number>;
  /** Bytes of deleted files. */
  readonly deletedBytes: Record<Side, number>;
}

/** Collects operations, and puts them into the order in which they work. */
export class PlanBuilder {
  readonly #log = new OperationLog();
  readonly lines = new PlanLines(this.#log);
  readonly sums: PlanSums = {
    send: 0,
    receive: 0,
    renames: 0,
    adjustments: 0,
    files: 0,
    bytes: { local: 0, remote: 0 },
    growth: { local: 0, remote: 0 },
    deletedBytes: { local: 0, remote: 0 },
  };
  /** Side and rank of each operation. */
  readonly #ranks = new Uint32List();
  /** By number in the log, ascending. */
  readonly #toCompare = new Uint32List();

  /** Adds an operation; with `shown`, also its line. */
  add(side: Side, phase: Phase, operation: Operation, shown?: Shown): Draft {
    const id = this.#log.add(operation);
    this.#ranks.push(rankOf(phase, operation) * 2 + (side === "remote" ? 1 : 0));
    this.#sumBytes(side, operation);
    if (operation.op === "write-file" || operation.op === "copy-file") this.sums.files++;
    const draft = { id };
    if (shown !== undefined) this.show(draft, shown);
    return draft;
  }

  /** Adds a line for an operation. */
  show({ id }: Draft, shown: Shown): void {
    this.lines.add(id, shown);
    const { action } = shown;
    if (isAdjustment(shown)) {
      this.sums.adjustments++;
      return;
    }
    if (action === "R") this.sums.renames++;
    if (action !== "+" && action !== "M") return;
    if (this.#sideOf(id) === "remote") this.sums.send++;
    else this.sums.receive++;
  }

  /**
   * Notes that a file just added is only to be written where the contents differ.
   *
   * @param changesMode Its mode is another one than that of the file which it replaces.
   */
  compareFirst({ id }: Draft, changesMode: boolean): void {
    this.#toCompare.push(packToCompare({ index: id, changesMode }));
  }

  /** Puts the operations of each side into their order. To be called once, when all are there. */
  ordered(): OrderedOperations {
    const count = this.#log.length;
    // By counting: where the operations of a rank begin on their side, and afterwards where they end.
    const next = new Uint32Array(2 * RANKS + 2);
    for (let id = 0; id < count; id++) next[this.#ranks.at(id) + 2]!++;
    for (let i = 2; i < next.length; i++) next[i]! += next[i - 2]!;
    const lengths = { local: next[2 * RANKS]!, remote: next[2 * RANKS + 1]! };
    const orders = bySide((side) => new Uint32Array(lengths[side]));
    for (let id = 0; id < count; id++) {
      orders[this.#sideOf(id)][next[this.#ranks.at(id)]!++] = id;
    }
    const found = { local: -1, remote: -1 };
    const positionOf = (id: number): Position => {
      const side = this.#sideOf(id);
      const order = orders[side];
      // Mostly the one behind that of the last call.
      let index = found[side] + 1;
      if (order[index] !== id) {
        const rank = this.#ranks.at(id);
        index = searchAscending(order, id, { from: next[rank - 2] ?? 0, to: next[rank]! });
      }
      found[side] = index;
      return { side, index };
    };
    const toCompare = this.#positionsToCompare(positionOf);
    return {
      lists: bySide((side) => new OperationList(this.#log, orders[side], toCompare[side])),
      positionOf,
      phaseOf: ({ side, index }) => PHASES[this.#rankAt(orders[side][index]!) >>> SUBRANK_BITS]!,
    };
  }

  /** Their order is that of the log: all are of one phase. */
  #positionsToCompare(positionOf: (id: number) => Position): BySide<Uint32Array> {
    const found = bySide(() => new Uint32Array(this.#toCompare.length));
    const counts = { local: 0, remote: 0 };
    for (let i = 0; i < this.#toCompare.length; i++) {
      const { index: id, changesMode } = unpackToCompare(this.#toCompare.at(i));
      const { side, index } = positionOf(id);
      found[side][counts[side]++] = packToCompare({ index, changesMode });
    }
    return bySide((side) => found[side].slice(0, counts[side]));
  }

  #sumBytes(side: Side, operation: Operation): void {
    const { op, before } = operation;
    const old = before.kind === "file" ? before.size : 0;
    if (op === "remove") this.sums.deletedBytes[side] += old;
    if (op !== "write-file") return;
    this.sums.bytes[side] += operation.size;
    this.sums.growth[side] += Math.max(0, operation.size - old);
  }

  #sideOf(id: number): Side {
    return this.#ranks.at(id) % 2 === 0 ? "local" : "remote";
  }

  #rankAt(id: number): number {
    return this.#ranks.at(id) >>> 1;
  }
}

/** Where a number is that lies in a part of a list in which numbers grow. */
function searchAscending(
  list: Uint32Array,
  wanted: number,
  { from, to }: { readonly from: number; readonly to: number },
): number {
  let low = from;
  let high = to;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (list[middle]! <= wanted) low = middle;
    else high = middle;
  }
  return low;
}

/** A path has at most 2048 names. */
const SUBRANK_BITS = 12;
const SUBRANK_MAX = (1 << SUBRANK_BITS) - 1;
const RANKS = PHASES.length << SUBRANK_BITS;

/** By phase; within it, where the order of the tree does not do. */
function rankOf(phase: Phase, operation: Operation): number {
  return PHASES.indexOf(phase) << SUBRANK_BITS | subrankOf(phase, operation);
}

function subrankOf(phase: Phase, operation: Operation): number {
  switch (phase) {
    case "dirs":
      return depthOf(operation.path);
    case "dir-attributes":
      return SUBRANK_MAX - depthOf(operation.path);
    case "clear":
    case "deletes":
      return operation.op === "remove" && operation.before.kind === "dir"
        ? SUBRANK_MAX - depthOf(operation.path)
        : 0;
    default:
      return 0;
  }
}

function depthOf(path: string): number {
  let depth = 0;
  for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) depth++;
  return Math.min(depth, SUBRANK_MAX >>> 1);
}
