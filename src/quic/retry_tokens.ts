import { builtin } from "../base/builtin.ts";
import { utf8 } from "../base/bytes.ts";
import type { HostPort } from "./address.ts";
import { CONNECTION_ID_BYTES, CONNECTION_ID_BYTES_MAX } from "./packet.ts";

const nodeCrypto = builtin("node:crypto");

/** What a token is about. */
export interface RetryClaim {
  /** Who may use it: this address and port alone. */
  readonly client: HostPort;
  /** The id that the server picked in its Retry; the client's next Initial is addressed to it. */
  readonly retrySourceId: Uint8Array;
}

/** How long a client has to come back. */
export const RETRY_TOKEN_LIFETIME_MS = 10_000;

/** `expiry (6 bytes, ms) ‖ original destination id ‖ code`. */
const EXPIRY_BYTES = 6;
/** Half of HMAC-SHA-256: still beyond guessing. */
const CODE_BYTES = 16;

/**
 * Address tokens of Retry packets (RFC 9000 section 8.1.2). They prove that a client receives what is sent
 * to its address, and the server keeps nothing until then: all it must remember is inside, under a key
 * that no other process has.
 */
export class RetryTokens {
  readonly #key: Uint8Array;

  /** @param key At least 32 random bytes; tokens die with it. */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /**
   * Makes a token for a client whose first Initial was addressed to `originalId`.
   *
   * @param nowMs On the clock that `open()` is asked with.
   */
  issue(originalId: Uint8Array, claim: RetryClaim, nowMs: number): Uint8Array {
    const token = new Uint8Array(EXPIRY_BYTES + originalId.length + CODE_BYTES);
    const expiryMs = Math.ceil(nowMs) + RETRY_TOKEN_LIFETIME_MS;
    new DataView(token.buffer).setUint16(0, Math.floor(expiryMs / 2 ** 32));
    new DataView(token.buffer).setUint32(2, expiryMs % 2 ** 32);
    token.set(originalId, EXPIRY_BYTES);
    const body = token.subarray(0, token.length - CODE_BYTES);
    token.set(this.#codeOf(body, claim), body.length);
    return token;
  }

  /** The original destination id; undefined for a token that is expired, altered, or someone else's. */
  open(token: Uint8Array, claim: RetryClaim, nowMs: number): Uint8Array | undefined {
    const idBytes = token.length - EXPIRY_BYTES - CODE_BYTES;
    if (idBytes < 0 || idBytes > CONNECTION_ID_BYTES_MAX) return undefined;
    // Ours are of one length; another would also make the code's input ambiguous.
    if (claim.retrySourceId.length !== CONNECTION_ID_BYTES) return undefined;
    const body = token.subarray(0, EXPIRY_BYTES + idBytes);
    const code = this.#codeOf(body, claim);
    if (!nodeCrypto.timingSafeEqual(code, token.subarray(body.length))) return undefined;
    const view = new DataView(token.buffer, token.byteOffset);
    const expiryMs = view.getUint16(0) * 2 ** 32 + view.getUint32(2);
    return nowMs < expiryMs ? body.slice(EXPIRY_BYTES) : undefined;
  }

  #codeOf(body: Uint8Array, { client, retrySourceId }: RetryClaim): Uint8Array {
    const code = nodeCrypto.createHmac("sha256", this.#key)
      .update(retrySourceId)
      .update(new Uint8Array([body.length]))
      .update(body)
      .update(utf8(`${client.host} ${client.port}`))
      .digest();
    return code.subarray(0, CODE_BYTES);
  }
}
