import type { Bytes } from "../base/bytes.ts";

/** One block of a PEM file (RFC 7468). */
export interface PemBlock {
  /** What stands behind BEGIN, such as `CERTIFICATE`. */
  readonly label: string;
  readonly bytes: Bytes;
}

const BLOCK = /^-----BEGIN ([A-Z0-9 ]{1,64})-----\s+([A-Za-z0-9+/=\s]*)-----END \1-----\s*$/gm;

/**
 * Reads every block of a PEM file, in order; text around the blocks is skipped, as RFC 7468 section 2
 * wants.
 *
 * @returns `undefined` if a block's contents are not strict base64.
 */
export function decodePem(text: string): PemBlock[] | undefined {
  const blocks: PemBlock[] = [];
  for (const [, label = "", body = ""] of text.matchAll(BLOCK)) {
    try {
      const base64 = body.replace(/\s+/g, "");
      blocks.push({ label, bytes: Uint8Array.fromBase64(base64, { lastChunkHandling: "strict" }) });
    } catch {
      return undefined;
    }
  }
  return blocks;
}

/** Writes one block, 64 characters a line, with a line break at the end. */
export function encodePem({ label, bytes }: PemBlock): string {
  const lines = bytes.toBase64().match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}
