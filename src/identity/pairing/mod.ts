/**
 * Pairing: how two devices that know one short secret come to trust each other's keys.
 *
 * Owns the code and the invitation, the CPace run that proves the secret over an already encrypted
 * connection without giving a listener or a man in the middle anything to test guesses on, and the
 * limits that keep guessing hopeless. All of it is sans-IO. It never opens a connection, never
 * reads a certificate (the caller gives the fingerprints that the connection really showed), and
 * never writes the trust store: it asks for that by an effect.
 */
export { PairingError, type PairingFailure } from "./pairing_error.ts";
export {
  CODE_WORDS,
  findCodeWord,
  nearestWords,
  PairingCode,
  SLOT_MAX,
  SUGGESTIONS_MAX,
} from "./pairing_code.ts";
export {
  Invitation,
  INVITATION_ADDRESSES_MAX,
  INVITATION_LIFETIME_MAX_MS,
  INVITATION_NAME_BYTES_MAX,
  type InvitationFields,
  looksLikeInvitation,
} from "./invitation.ts";
export {
  cryptoRandomBytes,
  type PairingMethod,
  PairingSecret,
  type RandomBytes,
} from "./pairing_secret.ts";
export {
  DONE_TIMEOUT_MS,
  freshPairingSeeds,
  type PairingOutcome,
  type PairingSeeds,
  type PairingSession,
  type PairingSessionOptions,
  RUN_TIMEOUT_MS,
  type TrustEffect,
} from "./pairing_session.ts";
export { PAIRING_ALPN } from "./pairing_proof.ts";
export { type EntererOptions, EntererSession } from "./enterer_session.ts";
export { type DisplayerOptions, DisplayerSession } from "./displayer_session.ts";
export { type Refusal } from "./pairing_message.ts";
export {
  type AttemptBudget,
  ATTEMPTS_MAX,
  FAILURE_PAUSE_MS,
  PairingWindow,
  RUNS_PER_HOST_MAX,
  RUNS_PER_HOST_MS,
  WINDOW_LIFETIME_MS,
  type WindowState,
} from "./pairing_window.ts";
export { TargetBudget, TARGETS_MAX } from "./target_budget.ts";
export { redactPairingSecrets } from "./redact.ts";
export { renderQr } from "./qr.ts";
