const BLOCK_BITS = 14;
const BLOCK_LENGTH = 1 << BLOCK_BITS;
const BLOCK_MASK = BLOCK_LENGTH - 1;

/** A list of numbers from 0 to 2^32 - 1 that grows in blocks: 4 bytes each, and never a copy of them all. */
export class Uint32List {
  readonly #blocks: Uint32Array[] = [];
  #length = 0;

  /** Numbers in the list. */
  get length(): number {
    return this.#length;
  }

  /** Appends. @returns The position. */
  push(value: number): number {
    const at = this.#length++;
    if ((at & BLOCK_MASK) === 0) this.#blocks.push(new Uint32Array(BLOCK_LENGTH));
    this.#blocks[at >>> BLOCK_BITS]![at & BLOCK_MASK] = value;
    return at;
  }

  /** Puts another number at a position. @throws {RangeError} where there is none. */
  set(index: number, value: number): void {
    this.#check(index);
    this.#blocks[index >>> BLOCK_BITS]![index & BLOCK_MASK] = value;
  }

  /** The number at a position. @throws {RangeError} where there is none. */
  at(index: number): number {
    this.#check(index);
    return this.#blocks[index >>> BLOCK_BITS]![index & BLOCK_MASK]!;
  }

  /** Takes the last number out and puts it in at a position; what stood there and behind moves up. */
  moveLast(to: number): void {
    this.#check(to);
    let carried = this.at(this.#length - 1);
    for (let i = to; i < this.#length; i++) {
      const block = this.#blocks[i >>> BLOCK_BITS]!;
      const next = block[i & BLOCK_MASK]!;
      block[i & BLOCK_MASK] = carried;
      carried = next;
    }
  }

  #check(index: number): void {
    if (!(index >= 0 && index < this.#length)) throw new RangeError(`no number at ${index}`);
  }
}
