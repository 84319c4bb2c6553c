import { type ErrorCode, LandropicError } from "../../base/errors.ts";
import type { ErrorMessage, WireError } from "../../protocol/mod.ts";
import type { SessionLink } from "../link/requester.ts";

/** Names the chunking in SyncOpen. */
export const CHUNKER_ID = 1;

const CODE_OF: { readonly [code in WireError]: ErrorCode } = {
  failed: "failed",
  no_such_share: "share_unavailable",
  not_allowed: "share_unavailable",
  locked: "locked",
  storage: "storage",
  busy: "peer_unreachable",
  root_missing: "safety_limit",
  safety_limit: "safety_limit",
  protocol: "protocol",
  no_such_group: "peer_unreachable",
  // It may be back soon, as after an update.
  stopping: "peer_unreachable",
  timed_out: "timed_out",
};

/** What the peer says of a session that failed there, in the user's terms. */
export function errorFromPeer(message: ErrorMessage, peer: string): LandropicError {
  const { code } = message;
  return new LandropicError(
    CODE_OF[code],
    `"${peer}" says: ${message.message}`,
    hintFor(code, peer),
  );
}

function hintFor(code: WireError, peer: string): string | undefined {
  switch (code) {
    case "no_such_share":
      return `see "landropic status ${peer}" for what it offers`;
    case "root_missing":
    case "safety_limit":
      return `nothing was changed; look at that folder there: its disk may not be mounted`;
    case "not_allowed":
      return `take its files with --pull, or have it served there without ":ro"`;
    case "storage":
      return `see to that folder on "${peer}": its disk, who owns it, its permissions`;
    default:
      return undefined;
  }
}

/** Rejects when the connection has ended. */
export async function endOf(link: Pick<SessionLink, "ended">): Promise<never> {
  const error = await link.ended;
  throw error ?? new LandropicError("peer_unreachable", "The peer closed the connection");
}

/** Rejects with the signal's reason when it is aborted; costs a listener until then. */
export function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
