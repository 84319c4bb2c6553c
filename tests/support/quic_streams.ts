import type { RecvStream } from "../../src/quic/mod.ts";

/** Reads a stream to its end. */
export async function readAll(stream: RecvStream, pieceBytes = 65_536): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const piece = new Uint8Array(pieceBytes);
  for (let n; (n = await stream.read(piece)) !== null;) parts.push(piece.slice(0, n));
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

/** Bytes that look random and are the same for the same seed. */
export function patternBytes(byteLength: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(byteLength);
  let state = seed >>> 0 || 1;
  for (let i = 0; i < byteLength; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}
