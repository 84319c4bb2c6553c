import { LandropicError } from "../base/errors.ts";

/** The peer sent what the protocol does not allow. Ends the stream or the connection (close code 3). */
export class ProtocolError extends LandropicError {
  override readonly name = "ProtocolError";
  constructor(message: string, hint?: string, cause?: unknown) {
    super("protocol", message, hint, cause);
  }
}
