import { sha512 } from "@noble/hashes/sha2.js";
import { builtin } from "../../base/builtin.ts";
import { type Bytes, concat, equalBytes, utf8 } from "../../base/bytes.ts";
import {
  confirmationTag,
  type CpaceInputs,
  type CpaceMessage,
  type CpaceRun,
  lvCat,
} from "./cpace.ts";

const nodeCrypto = builtin("node:crypto");

/** The application protocol (ALPN) of a pairing connection, also bound into the keys. */
export const PAIRING_ALPN = "landropic-pair/1";

/** Who sits where in one run, and its two nonces. */
export interface RunIdentity {
  readonly entererFingerprint: Uint8Array;
  readonly displayerFingerprint: Uint8Array;
  readonly entererNonce: Uint8Array;
  readonly displayerNonce: Uint8Array;
}

/**
 * What CPace is run over: the secret, both certificates with their roles, and a session id that
 * both sides contributed to. A man in the middle shows each side a certificate of his own, so the
 * two sides start from different inputs and no tag of one fits the other.
 */
export function cpaceInputs(password: Uint8Array, run: RunIdentity): CpaceInputs {
  const sessionId = sha512(
    concat([utf8(`${PAIRING_ALPN} sid`), run.entererNonce, run.displayerNonce]),
  ).slice(0, SESSION_ID_BYTES);
  const channel = lvCat(
    utf8(PAIRING_ALPN),
    utf8("enterer"),
    run.entererFingerprint,
    utf8("displayer"),
    run.displayerFingerprint,
  );
  return { password, channel, sessionId };
}

/** The tags of a run: what the peer must send, and what it must be sent. */
export interface RunTags {
  readonly enterer: Bytes;
  readonly displayer: Bytes;
}

/** Finishes CPace and keeps only the tags; the keys are used for nothing else and dropped. */
export function runTags(
  run: CpaceRun,
  peer: "enterer" | "displayer",
  messages: { readonly enterer: CpaceMessage; readonly displayer: CpaceMessage },
): RunTags {
  const keys = run.finish(peer === "enterer" ? "initiator" : "responder", {
    initiator: messages.enterer,
    responder: messages.displayer,
  });
  return {
    enterer: confirmationTag(keys.confirmationKey, messages.enterer),
    displayer: confirmationTag(keys.confirmationKey, messages.displayer),
  };
}

/** Compares tags in constant time. */
export function tagsEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && nodeCrypto.timingSafeEqual(a, b);
}

/** Refuses what only a mirror sends. @throws {RangeError} where the peer's value is this side's own. */
export function assertNotEchoed(own: Uint8Array, peers: Uint8Array): void {
  if (equalBytes(own, peers)) throw new RangeError("the peer sent this side's own value back");
}

const SESSION_ID_BYTES = 32;
