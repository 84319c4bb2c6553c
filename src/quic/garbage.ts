import { collectYoungGarbage } from "../base/garbage.ts";

/**
 * Keeps the number of dead native handles small. Each datagram that the native core sends leaves an
 * object with a finalizer, and the runtime's cost of finalizing one grows with how many there are, so
 * many small collections are cheaper than few large ones.
 */
export class GarbageMeter {
  #sends = 0;

  /** Counts native calls that leave garbage behind. Cheap; call it where a pause of 0.1 ms is fine. */
  note(sends: number): void {
    this.#sends += sends;
    if (this.#sends < SENDS_PER_COLLECTION) return;
    this.#sends = 0;
    collectYoungGarbage();
  }
}

/** Measured optimum: fewer waste collections, more make each finalizer slow. */
const SENDS_PER_COLLECTION = 500;
