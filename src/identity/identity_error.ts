import { type ErrorCode, LandropicError } from "../base/errors.ts";

/**
 * Every way in which this layer refuses, by what it means to the user. Reasons are stable: they go to
 * the log and into `--json` output, never to the peer.
 */
const CODE_OF_REASON = {
  // The peer verifier: the checklist of docs/protocol.md section 3, in its order.
  resumed: "peer_untrusted",
  early_data: "peer_untrusted",
  wrong_alpn: "peer_untrusted",
  no_certificate: "peer_untrusted",
  chain_length: "peer_untrusted",
  certificate_too_large: "peer_untrusted",
  certificate_malformed: "peer_untrusted",
  certificate_version: "peer_untrusted",
  unknown_critical_extension: "peer_untrusted",
  unsupported_signature: "peer_untrusted",
  unsupported_key: "peer_untrusted",
  weak_key: "peer_untrusted",
  issuer_mismatch: "peer_untrusted",
  self_signature: "peer_untrusted",
  not_yet_valid: "peer_untrusted",
  expired: "peer_untrusted",
  own_device: "peer_untrusted",
  wrong_device: "peer_untrusted",
  unknown_device: "peer_untrusted",
  revoked: "peer_untrusted",
  // Key rotation.
  rotation_invalid: "peer_untrusted",
  rotation_refused: "peer_untrusted",
  // Text from the command line.
  device_id_malformed: "usage",
  name_invalid: "usage",
  name_taken: "usage",
  address_invalid: "usage",
  peer_ambiguous: "usage",
  peer_unknown: "peer_untrusted",
  // This device's own files.
  folder_unusable: "storage",
  file_unusable: "storage",
  identity_broken: "storage",
  identity_mismatch: "storage",
  trust_store_broken: "storage",
  trust_store_full: "storage",
  device_name_broken: "storage",
  locked: "locked",
} as const satisfies Record<string, ErrorCode>;

/** Exactly why this layer refused, for logs, tests and scripts. */
export type IdentityReason = keyof typeof CODE_OF_REASON;

/** What an {@linkcode IdentityError} carries besides its reason and message. */
export interface IdentityErrorDetails {
  /** The next thing to try, one line. */
  readonly hint?: string;
  /** The failure underneath. */
  readonly cause?: unknown;
}

/** A refusal by the identity layer; `reason` is the machine form, `code` follows from it. */
export class IdentityError extends LandropicError {
  override readonly name: string = "IdentityError";
  constructor(
    readonly reason: IdentityReason,
    message: string,
    details: IdentityErrorDetails = {},
  ) {
    super(CODE_OF_REASON[reason], message, details.hint, details.cause);
  }
}
