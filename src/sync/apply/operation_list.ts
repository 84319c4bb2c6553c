import { RecordLog } from "../../base/record_log.ts";
import { ByteWriter } from "../../base/varint.ts";
import type { Operation } from "./operation.ts";
import { decodeOwnOperation, encodeOperation } from "./operation_codec.ts";

/**
 * Operations kept as they travel, 60 to 120 bytes each where objects take half a kilobyte, and half of that
 * where there are many. They are decoded each time they are looked at (2 µs). A plan may have millions.
 */
export class OperationLog {
  readonly #records = new RecordLog();
  readonly #writer = new ByteWriter(256);
  /** Who looks at one often looks again, and at another in between. */
  #last: Decoded | undefined;
  #before: Decoded | undefined;

  /** Operations in the log. */
  get length(): number {
    return this.#records.length;
  }

  /** Bytes that are kept of all of them. */
  get bytes(): number {
    return this.#records.bytes;
  }

  /** Adds an operation. @returns The number that it is found by. */
  add(operation: Operation): number {
    return this.#records.append(encodeOperation(operation, this.#writer));
  }

  /** @throws {RangeError} where there is none. */
  at(id: number): Operation {
    if (this.#last?.id === id) return this.#last.operation;
    const known = this.#before?.id === id ? this.#before : undefined;
    this.#before = this.#last;
    this.#last = known ?? { id, operation: decodeOwnOperation(this.#records.at(id)) };
    return this.#last.operation;
  }

  /** The encoded operation with its length in front, as a view. */
  framed(id: number): Uint8Array {
    return this.#records.framed(id);
  }
}

interface Decoded {
  readonly id: number;
  readonly operation: Operation;
}

/** A file that is to be written, unless it turns out that both sides have the same. */
export interface ToCompare {
  /** Of the operation. */
  readonly index: number;
  /** Its mode is another one than that of the file which it replaces. */
  readonly changesMode: boolean;
}

/** The operations of one side, in their order. */
export class OperationList implements Iterable<Operation> {
  readonly #log: OperationLog;
  /** Numbers in the log. */
  readonly #order: Uint32Array;
  /** By position, as {@linkcode packToCompare} makes them; ascending. */
  readonly #toCompare: Uint32Array;

  constructor(log: OperationLog, order: Uint32Array, toCompare: Uint32Array = new Uint32Array(0)) {
    this.#log = log;
    this.#order = order;
    this.#toCompare = toCompare;
  }

  /** A list of these operations. */
  static of(operations: Iterable<Operation>): OperationList {
    const log = new OperationLog();
    for (const operation of operations) log.add(operation);
    return new OperationList(log, Uint32Array.from({ length: log.length }, (_, id) => id));
  }

  /** Operations in the list. */
  get length(): number {
    return this.#order.length;
  }

  /** Files of which it is not known yet whether they have to be written. */
  get countToCompare(): number {
    return this.#toCompare.length;
  }

  /** One of these, in the order of the list. */
  toCompare(nth: number): ToCompare {
    return unpackToCompare(this.#toCompare[nth]!);
  }

  /** The operation at a position. @throws {RangeError} where there is none. */
  at(index: number): Operation {
    const id = this.#order[index];
    if (id === undefined) throw new RangeError(`no operation at ${index}`);
    return this.#log.at(id);
  }

  *[Symbol.iterator](): Generator<Operation> {
    for (const id of this.#order) yield this.#log.at(id);
  }

  /** The operation at a position, with its length in front, as it travels; as a view. */
  framed(index: number): Uint8Array {
    return this.#log.framed(this.#order[index]!);
  }
}

/** Some operations of a list that follow each other, of which some have become others. */
export class OperationPart implements Iterable<Operation> {
  readonly #list: OperationList;
  readonly #others = new Map<number, Operation>();

  /** Those from a position up to another one. */
  constructor(list: OperationList, readonly from = 0, readonly to = list.length) {
    this.#list = list;
  }

  /** True if nothing follows. */
  get isLast(): boolean {
    return this.to === this.#list.length;
  }

  /** Puts another operation in place of one. */
  replace(index: number, operation: Operation): void {
    this.#others.set(index, operation);
  }

  *[Symbol.iterator](): Generator<Operation> {
    for (let i = this.from; i < this.to; i++) yield this.#others.get(i) ?? this.#list.at(i);
  }

  /** Each with its length in front, as it travels; a view that is good until the next one is asked for. */
  *framed(): Generator<Uint8Array> {
    const encoded = new ByteWriter(256);
    const framed = new ByteWriter(256);
    for (let i = this.from; i < this.to; i++) {
      const other = this.#others.get(i);
      if (other === undefined) yield this.#list.framed(i);
      else {
        framed.clear();
        yield framed.lv(encodeOperation(other, encoded)).view();
      }
    }
  }
}

/** What {@linkcode OperationList} keeps of a file to compare. */
export function packToCompare({ index, changesMode }: ToCompare): number {
  return index * 2 + (changesMode ? 1 : 0);
}

/** The opposite of {@linkcode packToCompare}. */
export function unpackToCompare(packed: number): ToCompare {
  return { index: packed >>> 1, changesMode: packed % 2 === 1 };
}
