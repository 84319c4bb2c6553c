import { LandropicError } from "../../base/errors.ts";
import { STATUS } from "../../protocol/mod.ts";
import type { Failure } from "../transfer/remote_share.ts";

/** Why contents did not come, as outcomes have it. */
export type ContentReason = "changed" | "denied" | "io" | "file_too_large";

/** The contents of one file can't be had; other files are not concerned. */
export class ContentError extends LandropicError {
  override readonly name = "ContentError";
  constructor(readonly reason: ContentReason, message: string) {
    super("failed", message);
  }
}

/** What a status of the peer's means for the file. */
export function errorOfStatus(status: Failure): ContentError {
  const [reason, message] = FAILURES[status];
  return new ContentError(reason, message);
}

const FAILURES: { readonly [status in Failure]: readonly [ContentReason, string] } = {
  [STATUS.changed]: ["changed", "The file changed on the other side"],
  [STATUS.denied]: ["denied", "The other side does not share the file"],
  [STATUS.io]: ["io", "The other side can't read the file"],
};
