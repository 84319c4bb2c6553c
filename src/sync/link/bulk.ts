import type { GetFiles, GetRanges, Request } from "../../protocol/mod.ts";

/** A request for bytes. */
export type BulkRequest = GetFiles | GetRanges;

/** True for requests whose answers any connection of a group may carry. */
export function isBulk(request: Request): request is BulkRequest {
  return request.kind === "get-files" || request.kind === "get-ranges";
}
