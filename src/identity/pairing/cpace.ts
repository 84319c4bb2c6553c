import { ristretto255, ristretto255_hasher } from "@noble/curves/ed25519.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { type Bytes, concat, utf8 } from "../../base/bytes.ts";

/** Bytes of a public share (an encoded ristretto255 element, RFC 9496). */
export const CPACE_SHARE_BYTES = 32;
/** Bytes of randomness behind a secret scalar. */
export const CPACE_SCALAR_BYTES = 32;
/** Bytes of the intermediate session key, and of a confirmation tag. */
export const CPACE_KEY_BYTES = 64;

/** Domain separation of this group (draft-irtf-cfrg-cpace, "CPace group objects G_Ristretto255"). */
const DSI = utf8("CPaceRistretto255");
const DSI_ISK = utf8("CPaceRistretto255_ISK");
const DSI_MAC = utf8("CPaceMac");

/** Input block size of SHA-512; the password and its padding fill the first block. */
const HASH_BLOCK_BYTES = 128;

/** What both parties must agree on before the first message; one differing bit, and keys differ. */
export interface CpaceInputs {
  /** PRS: the shared low-entropy secret. */
  readonly password: Uint8Array;
  /** CI: who talks to whom over which protocol, the same bytes on both sides. */
  readonly channel: Uint8Array;
  /** sid: public, and never the same twice. */
  readonly sessionId: Uint8Array;
}

/** One public message of a run: a share and the data it authenticates (Ya, ADa or Yb, ADb). */
export interface CpaceMessage {
  readonly share: Uint8Array;
  readonly associatedData: Uint8Array;
}

/** What a finished run gives: never the Diffie-Hellman result itself, which allows offline guesses. */
export interface CpaceKeys {
  /** ISK, 64 bytes: equal on both sides exactly where all inputs and messages were. */
  readonly intermediateSessionKey: Bytes;
  /** Key of the confirmation tags, bound to the session id. */
  readonly confirmationKey: Bytes;
}

/** The peer's share is no ristretto255 element, or the neutral one: the run must end. */
export class CpaceShareError extends Error {
  override readonly name: string = "CpaceShareError";
}

/**
 * One side of a CPace run, suite CPACE-RISTR255-SHA512, initiator/responder mode
 * (draft-irtf-cfrg-cpace, "The CPace protocol"). About 3 ms of arithmetic a side.
 *
 * JavaScript's big integers are not constant time; a code allows three runs over a network, which
 * is too few for their timing to tell anything.
 */
export class CpaceRun {
  readonly #inputs: CpaceInputs;
  readonly #scalar: bigint;
  /** Ya or Yb, to be sent. */
  readonly share: Bytes;

  /**
   * @param inputs Kept by reference until {@linkcode finish}; don't change them meanwhile.
   * @param scalarSeed 32 fresh random bytes, used for this run alone.
   * @throws {RangeError} if the seed has another length, or gives the zero scalar (chance 2^-252).
   */
  constructor(inputs: CpaceInputs, scalarSeed: Uint8Array) {
    this.#inputs = inputs;
    this.#scalar = sampleScalar(scalarSeed);
    this.share = toBytes(calculateGenerator(inputs).multiply(this.#scalar).toBytes());
  }

  /**
   * Derives the keys from the two messages; the initiator's comes first on both sides.
   *
   * @throws {CpaceShareError} if the peer's share must not be used.
   */
  finish(peer: "initiator" | "responder", messages: {
    readonly initiator: CpaceMessage;
    readonly responder: CpaceMessage;
  }): CpaceKeys {
    const shared = scalarMultiplyVerified(this.#scalar, messages[peer].share);
    if (!shared) throw new CpaceShareError(`the ${peer}'s share is no usable group element`);
    const { sessionId } = this.#inputs;
    const intermediateSessionKey = toBytes(sha512(concat([
      lvCat(DSI_ISK, sessionId, shared),
      transcript(messages.initiator, messages.responder),
    ])));
    const confirmationKey = toBytes(
      sha512(concat([DSI_MAC, sessionId, intermediateSessionKey])),
    );
    return { intermediateSessionKey, confirmationKey };
  }
}

/** The tag by which the sender of `message` proves that it holds the key (draft, "Key confirmation"). */
export function confirmationTag(confirmationKey: Uint8Array, message: CpaceMessage): Bytes {
  return toBytes(hmac(sha512, confirmationKey, lvCat(message.share, message.associatedData)));
}

/** Concatenates the parts, each behind its length as LEB128 (draft, "lv_cat function"). */
export function lvCat(...parts: readonly Uint8Array[]): Bytes {
  return concat(parts.flatMap((part) => [leb128(part.length), part]));
}

/** `transcript_ir`: both public messages, the initiator's first. */
export function transcript(initiator: CpaceMessage, responder: CpaceMessage): Bytes {
  return lvCat(
    initiator.share,
    initiator.associatedData,
    responder.share,
    responder.associatedData,
  );
}

/** The string hashed to the generator; zeros after the password hide its length (draft, `generator_string`). */
export function generatorString({ password, channel, sessionId }: CpaceInputs): Bytes {
  const used = lvCat(DSI, password).length + 1;
  const padding = new Uint8Array(Math.max(0, HASH_BLOCK_BYTES - used));
  return lvCat(DSI, password, padding, channel, sessionId);
}

/** The group element that stands for the password in this session (draft, `calculate_generator`). */
export function calculateGenerator(inputs: CpaceInputs): RistrettoPoint {
  return ristretto255_hasher.deriveToCurve!(sha512(generatorString(inputs)));
}

/** Clears the bits above 2^252 and reads the rest little-endian (draft, `sample_scalar`). */
export function sampleScalar(seed: Uint8Array): bigint {
  if (seed.length !== CPACE_SCALAR_BYTES) throw new RangeError("a scalar seed has 32 bytes");
  const bytes = seed.slice();
  bytes[CPACE_SCALAR_BYTES - 1]! &= 0x0f;
  const scalar = Point.Fn.fromBytes(bytes);
  if (scalar === 0n) throw new RangeError("the zero scalar is not secret");
  return scalar;
}

/** `scalar_mult_vfy`: the product's encoding, or `undefined` where the draft says G.I. */
export function scalarMultiplyVerified(scalar: bigint, encoded: Uint8Array): Bytes | undefined {
  let point: RistrettoPoint;
  try {
    point = Point.fromBytes(encoded);
  } catch {
    return undefined;
  }
  if (point.is0()) return undefined;
  return toBytes(point.multiply(scalar).toBytes());
}

const Point = ristretto255.Point;
type RistrettoPoint = InstanceType<typeof Point>;

function leb128(length: number): Bytes {
  const bytes: number[] = [];
  do {
    const more = length > 0x7f ? 0x80 : 0;
    bytes.push((length & 0x7f) | more);
    length >>>= 7;
  } while (length > 0);
  return new Uint8Array(bytes);
}

function toBytes(bytes: Uint8Array): Bytes {
  return new Uint8Array(bytes);
}
