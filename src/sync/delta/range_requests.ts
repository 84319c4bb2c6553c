import { type ByteRange, GET_RANGES_MAX } from "../../protocol/mod.ts";
import type { Recipe } from "../../store/mod.ts";
import type { ChunkRun } from "./chunk_progress.ts";

/**
 * Bytes asked for in one request. Large against what a link holds on its way, so that requests cost
 * nothing; small enough that several go on side by side in one file.
 */
export const RANGES_BYTES_AIM = 16 * 1024 * 1024;

/** One request for parts of a file. */
export interface RangeRequest {
  readonly ranges: readonly ByteRange[];
  /** What the ranges hold: a run each. */
  readonly runs: readonly ChunkRun[];
}

/**
 * Cuts what is missing into requests, at chunks, in the order given; runs that meet become one range.
 * A chunk that is longer than `bytesAim` makes a request of its own.
 */
export function* cutRequests(
  recipe: Recipe,
  missing: Iterable<ChunkRun>,
  limits: { readonly rangesMax?: number; readonly bytesAim?: number } = {},
): Generator<RangeRequest> {
  const { rangesMax = GET_RANGES_MAX, bytesAim = RANGES_BYTES_AIM } = limits;
  let runs: Growing<ChunkRun>[] = [];
  let total = 0;
  for (const run of missing) {
    let { offset } = run;
    for (let chunk = run.firstChunk; chunk < run.firstChunk + run.chunkCount; chunk++) {
      const length = recipe.chunkBytes(chunk);
      let last = runs.at(-1);
      const meets = last?.offset !== undefined && last.offset + last.length === offset;
      if (total > 0 && (total + length > bytesAim || (!meets && runs.length >= rangesMax))) {
        yield requestOf(runs);
        runs = [];
        total = 0;
        last = undefined;
      }
      if (last !== undefined && meets) {
        last.length += length;
        last.chunkCount++;
      } else runs.push({ offset, length, firstChunk: chunk, chunkCount: 1 });
      total += length;
      offset += length;
    }
  }
  if (runs.length > 0) yield requestOf(runs);
}

type Growing<T> = { -readonly [K in keyof T]: T[K] };

function requestOf(runs: readonly ChunkRun[]): RangeRequest {
  return { runs, ranges: runs.map(({ offset, length }) => ({ offset, length })) };
}
