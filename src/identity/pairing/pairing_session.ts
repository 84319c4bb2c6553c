import type { Bytes } from "../../base/bytes.ts";
import { CPACE_SCALAR_BYTES, CpaceShareError } from "./cpace.ts";
import { PairingError, type PairingFailure } from "./pairing_error.ts";
import {
  decodePairingMessage,
  encodePairingMessage,
  NONCE_BYTES,
  type PairingMessage,
  PairingMessageSplitter,
  type Refusal,
} from "./pairing_message.ts";
import { cryptoRandomBytes, type PairingMethod, type RandomBytes } from "./pairing_secret.ts";

/** A run that has proved nothing by then is over. */
export const RUN_TIMEOUT_MS = 10_000;
/** How long a side that has written its trust waits to hear the same from the peer. */
export const DONE_TIMEOUT_MS = 10_000;

/** All randomness of one side of one run. Never use one twice. */
export interface PairingSeeds {
  /** 16 bytes. */
  readonly nonce: Uint8Array;
  /** 32 bytes. */
  readonly scalar: Uint8Array;
}

/** Draws the randomness of one run. */
export function freshPairingSeeds(random: RandomBytes = cryptoRandomBytes): PairingSeeds {
  return { nonce: random(NONCE_BYTES), scalar: random(CPACE_SCALAR_BYTES) };
}

/** What both sides of a run are told. */
export interface PairingSessionOptions {
  /** SHA-256 of this device's SubjectPublicKeyInfo, 32 bytes. */
  readonly ownFingerprint: Uint8Array;
  /**
   * The same of the certificate the peer showed on this very connection; never from a message.
   * The connection must not be resumed, and the certificate must have passed every check but trust.
   */
  readonly peerFingerprint: Uint8Array;
  /** What this device calls itself. */
  readonly ownName: string;
  /** Fresh; see {@linkcode freshPairingSeeds}. */
  readonly seeds: PairingSeeds;
  /** Monotonic milliseconds. */
  readonly nowMs: number;
}

/** Asked of the shell: write the trust entry and flush it, then call `handleTrustStored`. */
export interface TrustEffect {
  readonly type: "trust";
  /** Whom to trust: the fingerprint given as `peerFingerprint`. */
  readonly fingerprint: Bytes;
  /** What the peer calls itself; printable, at most 64 characters, perhaps empty. */
  readonly peerName: string;
  readonly method: PairingMethod;
}

/** How a run ended. */
export type PairingOutcome =
  | {
    readonly type: "paired";
    readonly fingerprint: Bytes;
    readonly peerName: string;
    readonly method: PairingMethod;
    /**
     * Whether the peer said that it wrote its trust too. Where it did not, it may still refuse this
     * device, and pairing again is harmless.
     */
    readonly confirmed: boolean;
  }
  | { readonly type: "failed"; readonly error: PairingError };

/**
 * One side of a pairing run, without socket, clock or randomness of its own. After every `handle*`
 * call: send what {@linkcode pollTransmit} gives, do what {@linkcode pollEffect} asks, and arm one
 * timer for {@linkcode pollTimeout}. Once {@linkcode outcome} is set and nothing is left to send,
 * close the connection.
 *
 * Nothing here throws for what a peer sends; a bad peer gives a failed outcome.
 */
export abstract class PairingSession implements Disposable {
  protected readonly options: PairingSessionOptions;
  readonly #splitter = new PairingMessageSplitter();
  readonly #transmits: Bytes[] = [];
  readonly #effects: TrustEffect[] = [];
  #outcome: PairingOutcome | undefined;
  #deadlineMs: number;
  #nowMs: number;
  #trust: TrustEffect | undefined;
  #trustStored = false;
  #peerDone = false;

  constructor(options: PairingSessionOptions) {
    assertLength("own fingerprint", options.ownFingerprint, FINGERPRINT_BYTES);
    assertLength("peer's fingerprint", options.peerFingerprint, FINGERPRINT_BYTES);
    assertLength("nonce", options.seeds.nonce, NONCE_BYTES);
    assertLength("scalar", options.seeds.scalar, CPACE_SCALAR_BYTES);
    this.options = options;
    this.#nowMs = options.nowMs;
    this.#deadlineMs = options.nowMs + RUN_TIMEOUT_MS;
  }

  /** Set once, when the run is over. */
  get outcome(): PairingOutcome | undefined {
    return this.#outcome;
  }

  /** Takes bytes of the stream as they arrive, in pieces of any size. */
  handleBytes(chunk: Uint8Array, nowMs: number): void {
    let messages: Bytes[];
    try {
      messages = this.#splitter.push(chunk);
    } catch (error) {
      return this.failAsProtocol(error, nowMs);
    }
    for (const message of messages) this.handleMessage(message, nowMs);
  }

  /** Takes one whole encoded message. */
  handleMessage(bytes: Uint8Array, nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.#outcome) return;
    if (nowMs >= this.#deadlineMs) return this.handleTimeout(nowMs);
    let message: PairingMessage;
    try {
      message = decodePairingMessage(bytes);
    } catch (error) {
      return this.failAsProtocol(error, nowMs);
    }
    if (message.type === "refusal") return this.#handleRefusal(message.reason);
    if (message.type === "done" && this.#trust && !this.#peerDone) return this.#handlePeerDone();
    try {
      this.handleStep(message, nowMs);
    } catch (error) {
      if (!(error instanceof RangeError || error instanceof CpaceShareError)) throw error;
      this.failAsProtocol(error, nowMs);
    }
  }

  /** The next message to send, encoded. */
  pollTransmit(): Bytes | undefined {
    return this.#transmits.shift();
  }

  /** The next thing to do on this device. */
  pollEffect(): TrustEffect | undefined {
    return this.#effects.shift();
  }

  /** When to call {@linkcode handleTimeout}; Infinity where nothing is waited for. */
  pollTimeout(): number {
    return this.#outcome ? Infinity : this.#deadlineMs;
  }

  /** Ends a run whose peer stayed silent. Early calls do nothing. */
  handleTimeout(nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.#outcome || nowMs < this.#deadlineMs) return;
    if (this.#trustStored) return this.#finish();
    this.fail("timed_out", "the other device stopped answering", nowMs);
  }

  /** The trust entry is on disk; only now the peer is told. */
  handleTrustStored(nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.#outcome || !this.#trust || this.#trustStored) return;
    this.#trustStored = true;
    this.transmit({ type: "done" });
    if (this.#peerDone) return this.#finish();
    this.#deadlineMs = nowMs + DONE_TIMEOUT_MS;
  }

  /** The trust entry could not be written. */
  handleTrustFailed(cause: unknown, nowMs: number): void {
    this.fail("trust_not_stored", "the trust entry could not be written", nowMs, cause);
  }

  /** The connection is gone. */
  handleDisconnect(nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.#outcome) return;
    if (this.#trustStored) return this.#finish();
    this.fail("connection_lost", "the connection ended before the run did", nowMs);
  }

  /** Gives up; whoever waits for this run's place gets it. */
  [Symbol.dispose](): void {
    this.handleDisconnect(this.#nowMs);
  }

  /** The messages of one role, in their order. A RangeError means the peer broke the protocol. */
  protected abstract handleStep(message: PairingMessage, nowMs: number): void;

  /** Called once, when the outcome is set. */
  protected handleEnd(_nowMs: number): void {}

  protected transmit(message: PairingMessage): void {
    this.#transmits.push(encodePairingMessage(message));
  }

  /** Asks the shell for the trust entry; the peer has proved the secret. */
  protected requestTrust(peerName: string, method: PairingMethod): void {
    const fingerprint = new Uint8Array(this.options.peerFingerprint);
    this.#trust = { type: "trust", fingerprint, peerName, method };
    this.#effects.push(this.#trust);
    this.#deadlineMs = Infinity; // what comes next is this device's disk
  }

  /** Ends the run, telling the peer what it may know. */
  protected fail(failure: PairingFailure, what: string, nowMs: number, cause?: unknown): void {
    if (this.#outcome) return;
    this.#nowMs = nowMs;
    const told = TOLD_TO_PEER[failure];
    if (told) this.transmit({ type: "refusal", reason: told });
    const error = new PairingError(failure, `Cannot pair: ${what}`, HINT[failure], cause);
    this.#end({ type: "failed", error });
  }

  protected failAsProtocol(cause: unknown, nowMs: number): void {
    this.fail("protocol", "the other device broke the pairing protocol", nowMs, cause);
  }

  /** Ends the run for a limit of this side's own. */
  protected refuse(reason: Refusal, nowMs: number): void {
    this.fail(reason, OWN_LIMIT[reason], nowMs);
  }

  #handleRefusal(reason: Refusal): void {
    const error = new PairingError(reason, `Cannot pair: ${REFUSED[reason]}`, HINT[reason]);
    this.#end({ type: "failed", error });
  }

  #handlePeerDone(): void {
    this.#peerDone = true;
    if (this.#trustStored) this.#finish();
  }

  #finish(): void {
    const { fingerprint, peerName, method } = this.#trust!;
    const confirmed = this.#peerDone;
    this.#end({ type: "paired", fingerprint, peerName, method, confirmed });
  }

  #end(outcome: PairingOutcome): void {
    this.#outcome = outcome;
    this.#effects.length = 0;
    this.handleEnd(this.#nowMs);
  }
}

function assertLength(what: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) throw new RangeError(`the ${what} has ${bytes.length} bytes`);
}

const FINGERPRINT_BYTES = 32;

const TOLD_TO_PEER: Partial<Record<PairingFailure, Refusal>> = {
  expired: "expired",
  used: "used",
  attempts_spent: "attempts_spent",
  busy: "busy",
  rate_limited: "rate_limited",
  wrong_secret: "wrong_secret",
  protocol: "protocol",
  timed_out: "timed_out",
  trust_not_stored: "peer_failed",
};

/** What this side says when it stops a run at a limit of its own. */
const OWN_LIMIT: Record<Refusal, string> = {
  expired: "the code has expired",
  used: "the code has paired a device already",
  attempts_spent: "all attempts at the code are spent",
  busy: "another device is pairing right now",
  rate_limited: "too many runs from one address",
  wrong_secret: "the codes of the two devices differ",
  protocol: "the other device broke the pairing protocol",
  timed_out: "the other device stopped answering",
  peer_failed: "the other device gave up",
};

/** What this side says when the peer stopped the run. */
const REFUSED: Record<Refusal, string> = {
  ...OWN_LIMIT,
  busy: "the other device is pairing with someone else right now",
  rate_limited: "the other device had too many runs from this address",
  protocol: "the other device did not understand this one",
  timed_out: "this device answered too late",
  attempts_spent: "all attempts at the code are spent: mistyped, or someone is guessing",
};

const HINT: Partial<Record<PairingFailure, string>> = {
  expired: "Make a new code with: landropic pair",
  used: "Make a new code with: landropic pair",
  attempts_spent:
    "The code was mistyped or someone is guessing. Make a new one with: landropic pair",
  busy: "Try again in a moment.",
  rate_limited: "Try again in a minute.",
  wrong_secret:
    "Check the code on the other device; if it is right, somebody may be between the two. Each code " +
    "has three attempts.",
  wrong_device: "Something else answers at that address. Make a new invitation.",
  same_device: "Enter the code on the other device, not on the one that shows it.",
  peer_failed: "See what the other device says, then pair again.",
  connection_lost: "Pair again; nothing was left half done.",
};
