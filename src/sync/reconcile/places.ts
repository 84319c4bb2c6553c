import { Uint32List } from "../../base/uint32_list.ts";
import type { DirNode, Place } from "./node.ts";

/** Very many names in directories, each of a numbered group: 12 bytes each. */
export class Places {
  readonly #nodes: DirNode[] = [];
  readonly #nodeOf = new Uint32List();
  readonly #indexes = new Uint32List();
  readonly #groups = new Uint32List();

  get length(): number {
    return this.#indexes.length;
  }

  /** Adds one. Those of one directory are to come one after the other. */
  add({ parent, index }: Place, group: number): void {
    if (this.#nodes.at(-1) !== parent) this.#nodes.push(parent);
    this.#nodeOf.push(this.#nodes.length - 1);
    this.#indexes.push(index);
    this.#groups.push(group);
  }

  at(row: number): Place {
    return { parent: this.#nodes[this.#nodeOf.at(row)]!, index: this.#indexes.at(row) };
  }

  groupOf(row: number): number {
    return this.#groups.at(row);
  }

  /** All of them by their groups, of which there are so many; within one in the order they came. */
  ordered(groups: number): Order {
    const starts = new Uint32Array(groups + 1);
    for (let row = 0; row < this.length; row++) starts[this.groupOf(row) + 1]!++;
    for (let group = 0; group < groups; group++) starts[group + 1]! += starts[group]!;
    const next = starts.slice();
    const rows = new Uint32Array(this.length);
    for (let row = 0; row < this.length; row++) rows[next[this.groupOf(row)]!++] = row;
    return new Order(starts, rows);
  }
}

/** {@linkcode Places} by their groups. */
export class Order {
  readonly #starts: Uint32Array;
  readonly #rows: Uint32Array;

  constructor(starts: Uint32Array, rows: Uint32Array) {
    this.#starts = starts;
    this.#rows = rows;
  }

  /** The rows of some groups that follow one another. */
  rows(group: number, groups = 1): Uint32Array {
    return this.#rows.subarray(this.#starts[group], this.#starts[group + groups]);
  }
}
