import type { AttemptBudget } from "./pairing_window.ts";
import type { Refusal } from "./pairing_message.ts";

/** Devices that one entered code may be tried on. */
export const TARGETS_MAX = 3;

/**
 * The enterer's side of the guessing limit. Anyone on the network can announce the slot of a code;
 * each device that the code is tried on gets one guess at its words, so it is tried on few.
 */
export class TargetBudget implements AttemptBudget {
  #left = TARGETS_MAX;

  /** Targets the code may still be tried on. */
  get left(): number {
    return this.#left;
  }

  /** Takes one target. */
  spend(): Refusal | undefined {
    if (this.#left === 0) return "attempts_spent";
    this.#left--;
    return undefined;
  }
}
