/** What is said about anything thrown. */
import { type ErrorCode, LandropicError, messageOf } from "../base/errors.ts";

/** A thrown value, made fit to print. */
export interface Failure {
  readonly code: ErrorCode;
  /** One line. May hold characters that still have to be escaped. */
  readonly message: string;
  /** One line. */
  readonly hint: string | undefined;
  /** The stack of the error and of each cause, for `-vv`. */
  readonly stack: string;
}

/**
 * Describes anything thrown: landropic's own errors by their code, the system's by their kind, and
 * whatever else as `failed`. Never throws.
 */
export function describeFailure(thrown: unknown): Failure {
  const error = unwrap(thrown);
  return {
    code: codeOf(error),
    message: oneLine(textOf(error)),
    hint: error instanceof LandropicError && error.hint ? oneLine(error.hint) : undefined,
    stack: stackOf(thrown, 0),
  };
}

/** The error behind errors: of `await using` the first one, of an aggregate its only one. */
function unwrap(thrown: unknown): unknown {
  let error = thrown;
  for (let depth = 0; depth < CAUSE_DEPTH_MAX; depth++) {
    if (error instanceof SuppressedError) error = error.suppressed;
    else if (error instanceof AggregateError && error.errors.length === 1) error = error.errors[0];
    else break;
  }
  return error;
}

function codeOf(error: unknown): ErrorCode {
  if (error instanceof LandropicError) return error.code;
  if (!(error instanceof Error)) return "failed";
  if (error.name === "AbortError") return "interrupted";
  if (error.name === "TimeoutError") return "timed_out";
  const code = "code" in error ? error.code : undefined;
  if (typeof code === "string" && STORAGE_CODES.has(code)) return "storage";
  return STORAGE_ERRORS.some((kind) => error instanceof kind) ? "storage" : "failed";
}

function textOf(error: unknown): string {
  let text: string;
  try {
    text = messageOf(error);
  } catch {
    text = "";
  }
  if (text === "" && error instanceof Error) text = error.name;
  return text === "" || text === "[object Object]" ? "an unknown error" : text;
}

function oneLine(text: string): string {
  return text.trim().replace(/\s*[\r\n]+\s*/g, " ");
}

function stackOf(thrown: unknown, depth: number): string {
  if (!(thrown instanceof Error)) return textOf(thrown);
  const stack = thrown.stack ?? `${thrown.name}: ${thrown.message}`;
  if (depth >= CAUSE_DEPTH_MAX) return stack;
  const inner = thrown instanceof SuppressedError
    ? [thrown.suppressed, thrown.error]
    : thrown instanceof AggregateError
    ? thrown.errors
    : thrown.cause === undefined
    ? []
    : [thrown.cause];
  return [stack, ...inner.map((cause) => `caused by: ${stackOf(cause, depth + 1)}`)].join("\n");
}

/** Chains of causes are cut here, and loops of causes end. */
const CAUSE_DEPTH_MAX = 8;

const STORAGE_CODES = new Set([
  ...["ENOSPC", "EDQUOT", "EACCES", "EPERM", "EROFS", "ENOTDIR", "EISDIR", "EIO", "ENAMETOOLONG"],
  ...["EMFILE", "ENFILE", "ELOOP"],
]);

const STORAGE_ERRORS = [
  Deno.errors.NotFound,
  Deno.errors.PermissionDenied,
  Deno.errors.NotADirectory,
  Deno.errors.IsADirectory,
  Deno.errors.FilesystemLoop,
];
