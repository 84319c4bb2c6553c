import type { Bytes } from "../../base/bytes.ts";
import { nextTurn } from "../../base/turn.ts";
import { fileChanged } from "./errors.ts";
import type { Recipe } from "./recipe.ts";
import { RecipeBuilder, recipeOf } from "./recipe_builder.ts";

/** Bytes read at a time; no larger, or they are out of the second-level cache when they are hashed. */
const READ_BYTES = 512 * 1024;
/** Bytes hashed before other work gets a turn: about 4 ms. */
const TURN_BYTES = 8 * READ_BYTES;

/**
 * Reads part of a file: fills `into` from byte `position` on, as far as it gets, and returns the bytes
 * read; 0 at the end of the file. With a promise the next piece is read while this one is hashed.
 */
export type ReadAt = (into: Bytes, position: number) => number | Promise<number>;

/** Options of {@linkcode hashFile}. */
export interface HashFileOptions {
  /** Stops between two reads; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /**
   * Room to read into, for one call at a time; best {@linkcode HASH_BUFFER_BYTES}. A file shorter than
   * half of it is read in one go. Made anew if left out.
   */
  readonly buffer?: Bytes;
}

/** Bytes of a buffer for {@linkcode hashFile}: one half is read into while the other is hashed. */
export const HASH_BUFFER_BYTES = 2 * READ_BYTES;

/**
 * Cuts and hashes a file through a positional reader, in 1 MiB of memory beside the recipe. 1.15 s a
 * GiB from the page cache.
 *
 * @param readAt Owned by the caller, who also closes what is behind it. Never called twice at a time.
 * @param size Bytes in the file, as `stat` has them.
 * @returns The file's recipe, and with it the file digest.
 * @throws {StoreError} `changed` if the file turns out shorter or longer.
 * @throws {StoreError} `file_too_large` over {@linkcode FILE_BYTES_MAX}.
 */
export async function hashFile(
  readAt: ReadAt,
  size: number,
  options: HashFileOptions = {},
): Promise<Recipe> {
  const { signal } = options;
  const buffer = options.buffer ?? new Uint8Array(Math.min(HASH_BUFFER_BYTES, 2 * size + 2));
  const half = Math.floor(buffer.length / 2);
  if (half === 0) throw new RangeError("buffer is too small");
  signal?.throwIfAborted();
  if (size >= half) return await hashInTurns(readAt, size, { buffer, half, signal });
  // Room for a byte more than announced, so that a file that grew is noticed in the same read.
  const count = await readSome(readAt, buffer.subarray(0, size + 1), { position: 0, enough: size });
  if (count !== size) throw fileChanged(size, count);
  return recipeOf(buffer.subarray(0, size));
}

async function hashInTurns(
  readAt: ReadAt,
  size: number,
  o: { buffer: Bytes; half: number; signal: AbortSignal | undefined },
): Promise<Recipe> {
  const builder = new RecipeBuilder(size);
  let current = o.buffer.subarray(0, o.half);
  let next = o.buffer.subarray(o.half, 2 * o.half);
  const read = (into: Bytes, position: number) => {
    const count = readSome(readAt, into, { position, enough: o.half });
    count.catch(() => {}); // thrown where it is awaited, which may be a turn later
    return count;
  };
  let reading = read(current, 0);
  try {
    for (let position = 0, turn = 0;;) {
      const count = await reading;
      o.signal?.throwIfAborted();
      if (count === 0) return builder.finish();
      position += count;
      // Behind the announced end too, where nothing must be found.
      reading = read(next, position);
      builder.update(current.subarray(0, count));
      [current, next] = [next, current];
      if ((turn += count) >= TURN_BYTES) {
        turn = 0;
        await nextTurn();
      }
    }
  } finally {
    // The buffer is the caller's again, so no read may still be filling it.
    await reading.catch(() => {});
  }
}

/** Reads until there is `enough`, `into` is full or the file ends. */
async function readSome(
  readAt: ReadAt,
  into: Bytes,
  o: { position: number; enough: number },
): Promise<number> {
  let have = 0;
  do {
    const result = readAt(have === 0 ? into : into.subarray(have), o.position + have);
    const count = typeof result === "number" ? result : await result;
    if (count === 0) break;
    have += count;
  } while (have < o.enough);
  return have;
}
