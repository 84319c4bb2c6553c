import { setImmediate } from "node:timers";

/** Lets everything that is due run once: for work that would keep the event loop to itself for long. */
export function nextTurn(): Promise<void> {
  return new Promise<void>((resolve) => setImmediate(resolve));
}
