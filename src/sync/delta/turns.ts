import { nextTurn } from "../../base/turn.ts";

/** Bytes copied or hashed before other work gets a turn: 2 to 4 ms. */
const TURN_BYTES = 4 * 1024 * 1024;

/** Shares the thread during long loops over bytes, and ends them when the session does. */
export class Turns {
  readonly #signal: AbortSignal;
  #spent = 0;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** Counts work done; true if it is time to await {@linkcode pass}. */
  spend(bytes: number): boolean {
    this.#spent += bytes;
    return this.#spent >= TURN_BYTES;
  }

  /** Lets everything else run once. @throws The signal's reason when it is aborted. */
  async pass(): Promise<void> {
    this.#spent = 0;
    await nextTurn();
    this.#signal.throwIfAborted();
  }
}
