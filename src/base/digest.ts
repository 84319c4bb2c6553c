import { createHash, hash } from "node:crypto";
import { type Bytes, toHex } from "./bytes.ts";

/** A SHA-256 digest: exactly 32 bytes. */
export type Digest = Bytes & { readonly __brand?: "Digest" };

/** A digest as lower-case hex, for use as a map key and in output. */
export type DigestKey = string & { readonly __brand: "DigestKey" };

/** Bytes in a {@linkcode Digest}. */
export const DIGEST_BYTES = 32;

/** SHA-256 of one piece, in one native call: 2 µs plus 0.7 ms a MiB. */
export function sha256(bytes: Uint8Array): Digest {
  return new Uint8Array(hash("sha256", bytes, "buffer"));
}

/** SHA-256 over several pieces, as if they were joined. */
export function sha256Of(parts: Iterable<Uint8Array>): Digest {
  const state = createHash("sha256");
  for (const part of parts) state.update(part);
  return new Uint8Array(state.digest());
}

/** The digest as a map key. */
export function digestKey(digest: Digest): DigestKey {
  return toHex(digest) as DigestKey;
}
