import { HASH_BUFFER_BYTES, RecipeBuilder, type StagedFile } from "../../store/mod.ts";
import { Turns } from "./turns.ts";

/**
 * Cuts and hashes what there is of a file that is not complete, from its front: 1.1 s a GiB, meant to
 * run while the peer hashes the whole file.
 *
 * @param size Bytes that the whole file has: decides how it is cut.
 * @returns The chunk list of the chunks that are complete.
 */
export async function hashPrefix(
  staged: StagedFile,
  size: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const builder = new RecipeBuilder(size);
  const buffer = new Uint8Array(HASH_BUFFER_BYTES / 2);
  const turns = new Turns(signal);
  const end = Math.min(staged.size, size);
  for (let at = 0; at < end;) {
    const piece = buffer.subarray(0, Math.min(buffer.length, end - at));
    const count = staged.readAt(piece, at);
    if (count === 0) break;
    builder.update(piece.subarray(0, count));
    at += count;
    if (turns.spend(count)) await turns.pass();
  }
  return builder.chunksSoFar();
}
