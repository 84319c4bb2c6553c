/**
 * What a failure means to the user. Stable: scripts see these codes in `--json` error events, and
 * src/cli maps each to one exit code.
 */
export type ErrorCode =
  | "failed"
  | "usage"
  | "partial"
  | "conflicts"
  | "safety_limit"
  | "locked"
  | "peer_unreachable"
  | "peer_untrusted"
  | "protocol"
  | "share_unavailable"
  | "storage"
  | "timed_out"
  | "interrupted";

/** A failure the user can act on; `hint` is the next thing to try. */
export class LandropicError extends Error {
  override readonly name: string = "LandropicError";
  /**
   * @param code What the failure means to the user.
   * @param message One line naming the action and the value: `Cannot open share "photos": …`.
   * @param hint The next thing to try, one line.
   * @param cause The failure underneath, kept for `-vv`.
   */
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly hint?: string,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
  }
}

/** A usage mistake: unknown flag, bad value, missing argument. */
export class UsageError extends LandropicError {
  override readonly name: string = "UsageError";
  constructor(message: string, hint?: string, cause?: unknown) {
    super("usage", message, hint, cause);
  }
}

/** The message of anything thrown, for wrapping into a line of context. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
