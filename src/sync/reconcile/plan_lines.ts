import { Uint32List } from "../../base/uint32_list.ts";
import type { Operation } from "../apply/operation.ts";
import type { OperationLog } from "../apply/operation_list.ts";
import type { PlanItem } from "../plan/sync_plan.ts";
import type { Side } from "./side.ts";

/** How an operation shows in the plan. */
export interface Shown {
  readonly action: PlanItem["action"];
  readonly type: PlanItem["type"];
  /** With the size of the file; without it, as 0 bytes. */
  readonly isSized?: boolean;
  /** Under the path that the operation moves away from. */
  readonly isOldPath?: boolean;
}

const ACTIONS = ["+", "M", "m", "R", "-", "C", "!", "s"] as const;
const TYPES = ["f", "d", "l"] as const;

/** Operations have lower numbers than this: there are two at most for each entry of the trees. */
const IDS = 1 << 25;
const LOOK_BITS = 7;

/**
 * The lines of a plan. A line is made from its operation each time it is looked at: of each, 4 bytes are
 * kept.
 */
export class PlanLines {
  readonly #log: OperationLog;
  /** The operation of each line, and how it shows. */
  readonly #lines = new Uint32List();

  constructor(log: OperationLog) {
    this.#log = log;
  }

  /** Lines so far: where the next one goes. */
  get length(): number {
    return this.#lines.length;
  }

  /** Adds a line for an operation. */
  add(id: number, shown: Shown): void {
    if (id >= IDS) throw new RangeError(`no line for operation ${id}`);
    this.#lines.push(id * (1 << LOOK_BITS) + encodeLook(shown));
  }

  /** Moves the last line up: a directory stands before what is in it. */
  raiseLast(to: number): void {
    this.#lines.moveLast(to);
  }

  /** One line. @throws {RangeError} where there is none. */
  at(index: number, positionOf: (id: number) => { side: Side; index: number }): PlanItem {
    const line = this.#lines.at(index);
    const id = line >>> LOOK_BITS;
    const { action, type, isSized, isOldPath } = decodeLook(line);
    const operation = this.#log.at(id);
    const position = positionOf(id);
    return {
      action,
      path: isOldPath && operation.op === "move" ? operation.from : operation.path,
      bytes: isSized ? sizeOf(operation) : 0,
      direction: position.side === "remote" ? ">" : "<",
      type,
      operation: position,
      ...(action === "R" && operation.op === "move" && { from: operation.from }),
    };
  }
}

function encodeLook({ action, type, isSized, isOldPath }: Shown): number {
  return ACTIONS.indexOf(action) | TYPES.indexOf(type) << 3 | (isSized ? 1 : 0) << 5 |
    (isOldPath ? 1 : 0) << 6;
}

function decodeLook(look: number): Required<Shown> {
  return {
    action: ACTIONS[look & 7]!,
    type: TYPES[look >>> 3 & 3]!,
    isSized: (look & 0x20) !== 0,
    isOldPath: (look & 0x40) !== 0,
  };
}

function sizeOf(operation: Operation): number {
  if (operation.op === "write-file" || operation.op === "copy-file") return operation.size;
  return operation.before.kind === "file" ? operation.before.size : 0;
}
