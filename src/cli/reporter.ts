import type { CliEvent, SummaryEvent } from "./events.ts";
import type { Failure } from "./failure.ts";

/**
 * Where everything a command has to say goes: JSON lines or text for people.
 *
 * Emitting never fails and never waits; what happens when stdout is closed or full is for the
 * output underneath.
 */
export interface Reporter {
  /**
   * Reports one event.
   *
   * @param run The run it belongs to, where that is not this one: sessions of `serve` carry the
   * run id of the syncing side.
   */
  emit(event: CliEvent, run?: string): void;
  /** A remark for people, on stderr. Dropped by `--quiet` and `--json`. */
  note(text: string): void;
  /** A text for people that was asked for, on stdout, such as a QR code. Dropped by `--json`. */
  print(text: string): void;
  /** Takes what a sync had done that is about to fail: its output still ends with a summary. */
  handleUnfinished(done: SummaryEvent): void;
  /** Reports why the command failed: an `error` event, or lines on stderr. */
  fail(failure: Failure): void;
  /** Writes out what is held back, such as the rows of an unfinished table. */
  flush(): void;
}
