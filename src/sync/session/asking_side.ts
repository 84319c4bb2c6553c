import { delay } from "../../base/clock.ts";
import { type ErrorCode, LandropicError } from "../../base/errors.ts";
import { STREAM_CODE } from "../../base/wire_codes.ts";
import type { ErrorMessage, WireError } from "../../protocol/mod.ts";
import type { SessionLink } from "../link/requester.ts";

/** How long the words may take that explain why a stream has ended: they travel on another one. */
const WORDS_MS = 1_000;

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
    case "locked":
      return "wait until it has finished, or give it time with --lock-wait";
    case "not_allowed":
      return `take its files with --pull, or have it served there without ":ro"`;
    case "storage":
      return `see to that folder on "${peer}": its disk, who owns it, its permissions`;
    default:
      return undefined;
  }
}

/**
 * Waits for work of a session, or for what ends the session. Where a stream was reset, what the peer says of
 * it counts; where it says nothing, the code does.
 *
 * @param failure Rejects with what ends the session.
 */
export async function untilFailure<T>(
  work: Promise<T>,
  failure: Promise<never>,
  peer: string,
): Promise<T> {
  try {
    return await Promise.race([work, failure]);
  } catch (error) {
    if (streamCodeOf(error) === undefined) throw error;
    await Promise.race([failure, delay(WORDS_MS)]);
    throw explainStreamEnd(error, peer);
  }
}

/** The end of a stream in the user's terms; other errors stay as they are. */
export function explainStreamEnd(error: unknown, peer: string): unknown {
  const code = streamCodeOf(error);
  switch (code) {
    case undefined:
      return error;
    case STREAM_CODE.corrupt:
      return new LandropicError(
        "protocol",
        `"${peer}" does not understand a request of this device`,
        "update landropic on the device with the older version",
        error,
      );
    case STREAM_CODE.limit:
      return new LandropicError(
        "timed_out",
        `"${peer}" gave up waiting for this device`,
        "try again; if it stays so, look whether the disk or the network is much too slow",
        error,
      );
    default:
      // It was stopped, or could not read something: that may pass.
      return new LandropicError(
        "peer_unreachable",
        `"${peer}" has ended the session in the middle of it`,
        `see what landropic says there`,
        error,
      );
  }
}

function streamCodeOf(error: unknown): number | undefined {
  return error instanceof Error && "streamCode" in error && typeof error.streamCode === "number"
    ? error.streamCode
    : undefined;
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
