import type { Clock } from "../base/clock.ts";
import type { LogFields, Logger, LogLevel } from "../base/log.ts";
import { escapeText, safeJson } from "./escape.ts";
import type { Output } from "./output.ts";
import { rfc3339 } from "./units.ts";

/** What the logger of the command line is made with. */
export interface StderrLoggerOptions {
  readonly output: Output;
  readonly clock: Clock;
  /** The id of this run; part of every JSON line. */
  readonly run: string;
  readonly format: "text" | "json";
  /** -1 shows errors alone, 0 warnings too, 1 info too, 2 everything. */
  readonly verbosity: number;
}

/** Writes diagnostics to stderr, one line each, as text or as JSON. */
export class StderrLogger implements Logger {
  readonly #options: StderrLoggerOptions;

  constructor(options: StderrLoggerOptions) {
    this.#options = options;
  }

  log(level: LogLevel, message: string, fields: LogFields = {}): void {
    const { format, verbosity, output, clock, run } = this.#options;
    if (LEVELS.indexOf(level) > verbosity + 1) return;
    output.err(
      format === "json"
        ? safeJson({ time: rfc3339(clock.wallMs()), run, level, message, ...fields }) + "\n"
        : this.#textLine(level, message, fields),
    );
  }

  #textLine(level: LogLevel, message: string, fields: LogFields): string {
    // The time is for reading logs of long runs; a lone warning does not need it.
    const time = this.#options.verbosity > 0 ? `${rfc3339(this.#options.clock.wallMs())} ` : "";
    let line = `${time}${level}: ${message}`;
    for (const [key, value] of Object.entries(fields)) {
      if (value !== undefined) line += ` ${key}=${formatField(value)}`;
    }
    return escapeText(line) + "\n";
  }
}

function formatField(value: string | number | boolean): string {
  const text = String(value);
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}

const LEVELS: readonly LogLevel[] = ["error", "warn", "info", "debug"];
