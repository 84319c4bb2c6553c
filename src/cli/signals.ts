import { LandropicError } from "../base/errors.ts";
import { EXIT_SIGNAL } from "./exit_codes.ts";

/** The signals that ask a command to stop. */
export type StopSignal = "SIGHUP" | "SIGINT" | "SIGTERM";

/** What listening to signals needs from the system. */
export interface SignalPort {
  /** Calls `listener` on each signal, until the returned function is called. */
  listen(signal: StopSignal, listener: () => void): () => void;
  /** Ends the process at once. */
  exit(code: number): void;
}

/**
 * Turns SIGINT, SIGTERM and SIGHUP (the terminal is gone) into an `AbortSignal`: the first asks for a
 * clean stop, the second ends the process at once.
 */
export class StopSignals implements Disposable {
  readonly #stopListening: (() => void)[] = [];
  readonly #controller: AbortController;
  #received: StopSignal | undefined;

  /**
   * @param controller Aborted by the first signal with a `LandropicError` `interrupted`.
   * @param beforeExit Called before the second signal ends the process, to tidy the terminal.
   */
  constructor(port: SignalPort, controller: AbortController, beforeExit: () => void) {
    this.#controller = controller;
    // With the first of them the runtime catches all, and ends the process by those nobody listens to yet.
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      this.#stopListening.push(port.listen(signal, () => {
        if (this.#received !== undefined) {
          beforeExit();
          port.exit(EXIT_SIGNAL[signal]);
          return;
        }
        this.#received = signal;
        this.#controller.abort(new LandropicError("interrupted", `stopped by ${signal}`));
      }));
    }
  }

  /** The exit code of the signal that came, or `undefined` where none did. */
  get exitCode(): number | undefined {
    return this.#received === undefined ? undefined : EXIT_SIGNAL[this.#received];
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stopListening.splice(0)) stop();
  }
}
