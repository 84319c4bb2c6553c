import type { Bytes } from "../base/bytes.ts";

/** Buffers that wait for the next user: the requests of a session that are under way at once. */
const FREE_MAX = 8;

/**
 * Buffers of one size that are used again, one after the other. There is one for each answer, and the first
 * touch of a new one's pages takes longer than all that is done with it: up to a millisecond for 512 KiB.
 */
export class BlockBuffers {
  readonly #length: number;
  readonly #free: Bytes[] = [];

  /** @param length Bytes in each. */
  constructor(length: number) {
    this.#length = length;
  }

  /** A buffer with anything in it. It is the caller's. */
  take(): Bytes {
    return this.#free.pop() ?? new Uint8Array(this.#length);
  }

  /** Takes a buffer back; nobody may look at it any more. One that is never given back is garbage. */
  giveBack(buffer: Bytes): void {
    if (this.#free.length < FREE_MAX) this.#free.push(buffer);
  }
}
