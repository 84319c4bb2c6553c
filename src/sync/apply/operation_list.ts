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

/** The operations of one side, in their order. */
export class OperationList implements Iterable<Operation> {
  readonly #log: OperationLog;
  /** Numbers in the log. */
  readonly #order: Uint32Array;

  constructor(log: OperationLog, order: Uint32Array) {
    this.#log = log;
    this.#order = order;
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

  /** The operation at a position. @throws {RangeError} where there is none. */
  at(index: number): Operation {
    const id = this.#order[index];
    if (id === undefined) throw new RangeError(`no operation at ${index}`);
    return this.#log.at(id);
  }

  *[Symbol.iterator](): Generator<Operation> {
    for (const id of this.#order) yield this.#log.at(id);
  }

  /** All of them, so many at a time. */
  *portions(length: number): Generator<Operation[]> {
    for (let from = 0; from < this.length; from += length) {
      const ids = this.#order.subarray(from, from + length);
      yield Array.from(ids, (id) => this.#log.at(id));
    }
  }

  /** Each with its length in front, as it travels. The bytes are not to be changed. */
  *framed(): Generator<Uint8Array> {
    for (const id of this.#order) yield this.#log.framed(id);
  }
}
