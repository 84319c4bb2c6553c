import { Invitation, looksLikeInvitation, PairingCode } from "../../identity/pairing/mod.ts";

/** What a person was given to join with: a code or an invitation, read and checked. */
export type PairingTicket = PairingCode | Invitation;

/**
 * Reads a code or an invitation. Typing mistakes show here, before anybody is asked anything.
 *
 * @param wallMs Now, milliseconds since the Unix epoch.
 * @throws {PairingError} `code_malformed`, `invitation_…`, `expired`.
 */
export function readTicket(text: string, wallMs: number): PairingTicket {
  return looksLikeInvitation(text) ? Invitation.decode(text, wallMs) : PairingCode.parse(text);
}
