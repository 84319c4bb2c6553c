import { type ErrorCode, LandropicError } from "../../base/errors.ts";

/** Two trees that can't be reconciled at all. */
export class ReconcileError extends LandropicError {
  override readonly name = "ReconcileError";
  constructor(code: ErrorCode, message: string, hint?: string) {
    super(code, message, hint);
  }
}
