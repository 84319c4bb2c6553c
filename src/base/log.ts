/** Levels in rising order of detail; `-v` shows info, `-vv` debug. */
export type LogLevel = "error" | "warn" | "info" | "debug";

/** Values attached to a log line. Secrets never go here. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Where diagnostics go. Only src/cli decides how they look; other layers are handed one of these. */
export interface Logger {
  log(level: LogLevel, message: string, fields?: LogFields): void;
}

/** A logger that drops everything. */
export const silentLogger: Logger = { log() {} };
