import { type ErrorCode, LandropicError } from "../../base/errors.ts";

/** Why a pairing failed; finer than the exit code, for tests, logs and the words shown. */
export type PairingFailure =
  /** What was typed is no pairing code: wrong number of parts, bad slot, unknown word. */
  | "code_malformed"
  /** The invitation was cut short while copying. */
  | "invitation_truncated"
  /** A character of the invitation was changed, or it is something else. */
  | "invitation_checksum"
  /** The invitation has no such shape or cannot be put into one. */
  | "invitation_malformed"
  /** Made by a newer landropic. */
  | "invitation_unsupported"
  /** The code or invitation is past its time. */
  | "expired"
  /** The code has paired a device already. */
  | "used"
  /** All attempts at this code are spent. */
  | "attempts_spent"
  /** Another device is pairing right now, or failed a moment ago. */
  | "busy"
  /** Too many runs from one address. */
  | "rate_limited"
  /** The two sides hold different secrets, or someone sits between them. */
  | "wrong_secret"
  /** The device reached is not the one that the invitation names. */
  | "wrong_device"
  /** Both ends show the same certificate. */
  | "same_device"
  /** Bytes that no honest peer sends. */
  | "protocol"
  /** The peer stayed silent. */
  | "timed_out"
  /** The other device gave up, for a reason of its own. */
  | "peer_failed"
  /** This device could not write down its trust. */
  | "trust_not_stored"
  /** The connection ended before the run did. */
  | "connection_lost";

const ERROR_CODE: Record<PairingFailure, ErrorCode> = {
  code_malformed: "usage",
  invitation_truncated: "usage",
  invitation_checksum: "usage",
  invitation_malformed: "usage",
  invitation_unsupported: "protocol",
  expired: "timed_out",
  used: "peer_untrusted",
  attempts_spent: "peer_untrusted",
  busy: "peer_untrusted",
  rate_limited: "peer_untrusted",
  wrong_secret: "peer_untrusted",
  wrong_device: "peer_untrusted",
  same_device: "peer_untrusted",
  protocol: "protocol",
  timed_out: "timed_out",
  peer_failed: "failed",
  trust_not_stored: "storage",
  connection_lost: "peer_unreachable",
};

/** A pairing that did not come about. Messages never hold a code's or an invitation's secret. */
export class PairingError extends LandropicError {
  override readonly name: string = "PairingError";
  constructor(readonly failure: PairingFailure, message: string, hint?: string, cause?: unknown) {
    super(ERROR_CODE[failure], message, hint, cause);
  }
}
