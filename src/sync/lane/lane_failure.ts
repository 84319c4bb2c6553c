import { messageOf } from "../../base/errors.ts";
import { StoreError } from "../../store/mod.ts";
import { ContentError } from "../delta/content_error.ts";
import type { LaneFailure } from "./lane_messages.ts";

/** An expected failure of one file as it travels between threads; `undefined` for anything else. */
export function encodeFailure(error: unknown): LaneFailure | undefined {
  const message = messageOf(error);
  if (error instanceof StoreError) return { kind: "store", reason: error.reason, message };
  if (error instanceof ContentError) return { kind: "content", reason: error.reason, message };
  return undefined;
}

/** The failure as an error again. */
export function decodeFailure({ kind, reason, message }: LaneFailure): StoreError | ContentError {
  if (kind === "content") return new ContentError(reason, message);
  // The message is whole already.
  return Object.assign(new StoreError(reason, message), { message });
}
