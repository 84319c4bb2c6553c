import { EDIT_STEP } from "../base/version_vector.ts";

/** Numbers reserved by one durable write: 256 edits. */
const BLOCK = 256 * EDIT_STEP;

/**
 * Numbers for edits, each by {@linkcode EDIT_STEP} and more larger than all before it in this epoch. They are
 * reserved in blocks, each with a durable write, so that none comes twice after a crash.
 */
export class EditCounter {
  readonly #reserve: (after: number, count: number) => number;
  #last = 0;
  #reservedTo = 0;

  /** @param reserve Reserves so many numbers behind `after`, durably; returns the last of them. */
  constructor(reserve: (after: number, count: number) => number) {
    this.#reserve = reserve;
  }

  /** The next number. */
  next(): number {
    if (this.#last + EDIT_STEP > this.#reservedTo) {
      this.#reservedTo = this.#reserve(this.#last, BLOCK);
      this.#last = this.#reservedTo - BLOCK;
    }
    return this.#last += EDIT_STEP;
  }

  /** What was reserved counts no more: its write was undone. */
  forgetReserved(): void {
    this.#reservedTo = 0;
  }
}
