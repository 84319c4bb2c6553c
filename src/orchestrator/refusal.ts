import { LandropicError } from "../base/errors.ts";
import type { TrustEntry } from "../identity/mod.ts";
import { ConnectionLost } from "../quic/mod.ts";
import type { Orchestrator } from "./orchestrator.ts";

/**
 * Says in the user's terms why a connection with a peer was refused after its handshake: by the peer,
 * which tells no more than a close code, or by this side. Other errors stay as they are; a refusal of
 * who answered says already what it is about.
 */
export function explainRefusal(
  orchestrator: Orchestrator,
  { alias }: TrustEntry,
  error: unknown,
): unknown {
  if (!(error instanceof ConnectionLost) || error.code !== "peer_untrusted") return error;
  if (error.info.by === "local") {
    const why = `"${alias}" was removed from the trusted peers`;
    return new LandropicError("peer_untrusted", why, undefined, error);
  }
  return new LandropicError(
    "peer_untrusted",
    `"${alias}" does not trust this device, or not for what it serves now`,
    `run there: landropic peers trust ${orchestrator.identity.id}`,
    error,
  );
}
