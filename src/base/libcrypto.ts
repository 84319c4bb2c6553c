/** Hashing and signatures by the system's OpenSSL, where there is one. */
import type { Bytes } from "./bytes.ts";
import { openSystemLibrary } from "./system_library.ts";

/** OpenSSL 3, or 1.1.1: what is called here has been the same in both. */
const NAMES = ["libcrypto.so.3", "libcrypto.so.1.1"];
const SHA256_BYTES = 32;
const ED25519_KEY_BYTES = 32;
/** `NID_ED25519`. */
const ED25519 = 1087;
/** `OPENSSL_INIT_NO_LOAD_CONFIG`: what some file says shall not change what is computed here. */
const NO_CONFIG = 0x80n;

const SYMBOLS = {
  SHA256_Init: { parameters: ["buffer"], result: "i32" },
  SHA256_Update: { parameters: ["buffer", "buffer", "u32"], result: "i32" },
  SHA256_Final: { parameters: ["buffer", "buffer"], result: "i32" },
  OPENSSL_init_crypto: { parameters: ["u64", "pointer"], result: "i32" },
  EVP_PKEY_new_raw_private_key: {
    parameters: ["i32", "pointer", "buffer", "u32"],
    result: "pointer",
  },
  EVP_PKEY_new_raw_public_key: {
    parameters: ["i32", "pointer", "buffer", "u32"],
    result: "pointer",
  },
  EVP_PKEY_get_raw_public_key: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
  EVP_PKEY_free: { parameters: ["pointer"], result: "void" },
  EVP_MD_CTX_new: { parameters: [], result: "pointer" },
  EVP_MD_CTX_free: { parameters: ["pointer"], result: "void" },
  EVP_DigestVerifyInit: {
    parameters: ["pointer", "pointer", "pointer", "pointer", "pointer"],
    result: "i32",
  },
  EVP_DigestVerify: {
    parameters: ["pointer", "buffer", "u32", "buffer", "u32"],
    result: "i32",
  },
} as const;

/**
 * The system's libcrypto. `node:crypto` computes the same, but to load it and what it needs takes every
 * start 40 to 60 ms, where this takes 5 to 10.
 */
export class Libcrypto {
  readonly #call: ReturnType<typeof openSystemLibrary<typeof SYMBOLS>>;
  /** `SHA256_CTX` has 112 bytes. Large enough to lie outside the heap of JavaScript, as the digest does. */
  readonly #state = new Uint8Array(256);
  readonly #digest = new Uint8Array(128).subarray(0, SHA256_BYTES);

  private constructor(call: ReturnType<typeof openSystemLibrary<typeof SYMBOLS>>) {
    this.#call = call;
  }

  /**
   * Opens the first library that is there and computes what it should.
   *
   * @param names For tests.
   * @returns `undefined` where there is none, and on other systems than Linux: macOS ends programs that
   * open its own.
   */
  static open(names: readonly string[] = NAMES): Libcrypto | undefined {
    if (Deno.build.os !== "linux") return undefined;
    for (const name of names) {
      try {
        const first = ["SHA256_Init", "SHA256_Update", "SHA256_Final"] as const;
        const library = new Libcrypto(openSystemLibrary(name, SYMBOLS, first));
        if (library.#isSound()) return library;
      } catch {
        // Not there, or too old.
      }
    }
    return undefined;
  }

  /**
   * SHA-256 (FIPS 180-4) over the parts, as if they were joined.
   *
   * @returns A view of what the next call overwrites.
   */
  sha256(parts: readonly Uint8Array[]): Bytes {
    this.#call.SHA256_Init(this.#state);
    for (const part of parts) this.#update(part);
    return this.#finish();
  }

  /** As {@linkcode sha256} of one part. */
  sha256One(bytes: Uint8Array): Bytes {
    this.#call.SHA256_Init(this.#state);
    this.#update(bytes);
    return this.#finish();
  }

  /**
   * The public key of an Ed25519 private key (RFC 8032 section 5.1.5).
   *
   * @param seed 32 secret bytes.
   * @returns `undefined` where this library may not, as in some modes of operation.
   */
  ed25519PublicKey(seed: Uint8Array): Bytes | undefined {
    this.#call.OPENSSL_init_crypto(NO_CONFIG, null);
    const key = this.#call.EVP_PKEY_new_raw_private_key(ED25519, null, own(seed), seed.length);
    if (key === null) return undefined;
    const publicKey = new Uint8Array(ED25519_KEY_BYTES);
    const length = new BigUint64Array([BigInt(publicKey.length)]);
    const isDone = this.#call.EVP_PKEY_get_raw_public_key(key, publicKey, length) === 1;
    this.#call.EVP_PKEY_free(key);
    return isDone && length[0] === BigInt(publicKey.length) ? publicKey : undefined;
  }

  /**
   * Verifies an Ed25519 signature (RFC 8032 section 5.1.7).
   *
   * @returns `undefined` where this library may not, or the key is none.
   */
  verifyEd25519(
    { publicKey, message, signature }: {
      readonly publicKey: Uint8Array;
      readonly message: Uint8Array;
      readonly signature: Uint8Array;
    },
  ): boolean | undefined {
    const call = this.#call;
    call.OPENSSL_init_crypto(NO_CONFIG, null);
    const key = call.EVP_PKEY_new_raw_public_key(ED25519, null, own(publicKey), publicKey.length);
    if (key === null) return undefined;
    const context = call.EVP_MD_CTX_new();
    try {
      if (context === null) return undefined;
      if (call.EVP_DigestVerifyInit(context, null, null, null, key) !== 1) return undefined;
      const [mark, text] = [own(signature), own(message)];
      return call.EVP_DigestVerify(context, mark, mark.length, text, text.length) === 1;
    } finally {
      call.EVP_MD_CTX_free(context);
      call.EVP_PKEY_free(key);
    }
  }

  #update(bytes: Uint8Array): void {
    this.#call.SHA256_Update(this.#state, own(bytes), bytes.length);
  }

  #finish(): Bytes {
    if (this.#call.SHA256_Final(this.#digest, this.#state) !== 1) {
      throw new Error("libcrypto cannot compute SHA-256");
    }
    return this.#digest;
  }

  /** The first test vector of FIPS 180-4. */
  #isSound(): boolean {
    return this.sha256One(new TextEncoder().encode("abc")).toHex() ===
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  }
}

let opened: Libcrypto | null | undefined;

/** The one of this thread, opened at the first call. */
export function libcrypto(): Libcrypto | undefined {
  if (opened === undefined) opened = Libcrypto.open() ?? null;
  return opened ?? undefined;
}

/** What goes to a library is no view of memory that several threads share. */
function own(bytes: Uint8Array): Bytes {
  return bytes as Bytes;
}
