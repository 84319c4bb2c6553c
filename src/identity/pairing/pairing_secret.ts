import { type Bytes, utf8 } from "../../base/bytes.ts";
import { lvCat } from "./cpace.ts";

/** How the two sides share their secret: typed words, or the 128 random bits of an invitation. */
export type PairingMethod = "code" | "token";

/**
 * What both sides know before the run. The bytes are private, so that neither `JSON.stringify`,
 * `console.log` nor a template string can put them into a log.
 */
export class PairingSecret {
  readonly #bytes: Bytes;

  constructor(readonly method: PairingMethod, bytes: Uint8Array) {
    this.#bytes = new Uint8Array(bytes);
  }

  /** CPace's password-related string; the method is part of it, so no words can equal a token. */
  password(): Bytes {
    return lvCat(utf8(this.method), this.#bytes);
  }

  toString(): string {
    return `(${this.method}, hidden)`;
  }

  toJSON(): string {
    return this.toString();
  }
}

/** Gives that many fresh random bytes; tests pass a seeded one. */
export type RandomBytes = (length: number) => Bytes;

/** The random numbers of the operating system. */
export const cryptoRandomBytes: RandomBytes = (length) =>
  crypto.getRandomValues(new Uint8Array(length));
