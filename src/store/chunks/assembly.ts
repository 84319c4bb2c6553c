import { equalBytes } from "../../base/bytes.ts";
import type { ChunkIndex } from "./chunk_index.ts";
import { DigestTable } from "./digest_table.ts";
import { CHUNK_ENTRY_BYTES } from "./layout.ts";
import type { Recipe } from "./recipe.ts";

/** A run of chunks of the wanted file. */
interface Stretch {
  /** Bytes into the wanted file. */
  readonly offset: number;
  /** Bytes; the sum of its chunks. */
  readonly length: number;
  /** Number of its first chunk in the wanted recipe. */
  readonly firstChunk: number;
  readonly chunkCount: number;
}

/** Bytes that a source is said to hold; each chunk is to be verified when it has been read. */
export interface CopyStep extends Stretch {
  readonly kind: "copy";
  /** The source's number in the index. */
  readonly source: number;
  /** Bytes into the source. */
  readonly sourceOffset: number;
}

/** Zeros, to be left as a hole where the file system has holes. */
export interface ZerosStep extends Stretch {
  readonly kind: "zeros";
}

/** Bytes to ask the peer for. */
export interface FetchStep extends Stretch {
  readonly kind: "fetch";
}

/** Bytes that a fetch step brings elsewhere in the wanted file; certain, since the hashes are equal. */
export interface RepeatStep extends Stretch {
  readonly kind: "repeat";
  /** Bytes into the wanted file, inside one fetch step. */
  readonly sourceOffset: number;
}

/** Finds chunks: a {@linkcode ChunkIndex}, or several as one. */
export type ChunkLookup = Pick<ChunkIndex, "findAfter" | "locate">;

/** One step of putting a file together. */
export type AssemblyStep = CopyStep | ZerosStep | FetchStep | RepeatStep;

/** How many bytes of a file come about which way. */
export interface AssemblyTotals {
  readonly copy: number;
  readonly zeros: number;
  readonly fetch: number;
  readonly repeat: number;
}

/**
 * Plans how to put a file together from what a share holds already. 0.1 µs a chunk.
 *
 * Steps can be carried out in any order, but a repeat step only behind the fetch step it reads from.
 *
 * @param wanted The file.
 * @param index What is there. Read only.
 * @returns Steps in the order of the file, which they tile exactly, joined where they meet.
 */
export function planAssembly(wanted: Recipe, index: ChunkLookup): AssemblyStep[] {
  const steps: AssemblyStep[] = [];
  const fetched = new FetchedChunks(wanted);
  let run: Run | undefined;
  let offset = 0;
  let copied = -1;
  for (let i = 0; i < wanted.chunkCount; i++) {
    const length = wanted.chunkBytes(i);
    const isZeros = wanted.isZeros(i);
    copied = isZeros ? -1 : index.findAfter(copied, wanted, i);
    let kind: AssemblyStep["kind"];
    let source = -1;
    let sourceOffset = -1;
    if (isZeros) kind = "zeros";
    else if (copied >= 0) {
      kind = "copy";
      ({ source, offset: sourceOffset } = index.locate(copied));
    } else {
      sourceOffset = fetched.findOrAdd(i, offset);
      kind = sourceOffset < 0 ? "fetch" : "repeat";
    }
    if (run !== undefined && continues(run, kind, source, sourceOffset)) {
      run.length += length;
      run.chunkCount++;
    } else {
      if (run !== undefined) steps.push(stepOf(run));
      run = { kind, source, sourceOffset, offset, length, firstChunk: i, chunkCount: 1 };
    }
    offset += length;
  }
  if (run !== undefined) steps.push(stepOf(run));
  return steps;
}

/** Adds up a plan, for progress and the decision whether it is worth its while. */
export function totalsOf(steps: readonly AssemblyStep[]): AssemblyTotals {
  const totals = { copy: 0, zeros: 0, fetch: 0, repeat: 0 };
  for (const step of steps) totals[step.kind] += step.length;
  return totals;
}

/** A step that may still get longer. */
interface Run {
  readonly kind: AssemblyStep["kind"];
  readonly source: number;
  readonly sourceOffset: number;
  readonly offset: number;
  length: number;
  readonly firstChunk: number;
  chunkCount: number;
}

function continues(
  run: Run,
  kind: AssemblyStep["kind"],
  source: number,
  sourceOffset: number,
): boolean {
  if (run.kind !== kind) return false;
  if (kind === "zeros" || kind === "fetch") return true;
  return run.source === source && run.sourceOffset + run.length === sourceOffset;
}

function stepOf(run: Run): AssemblyStep {
  const { kind, source, sourceOffset, offset, length, firstChunk, chunkCount } = run;
  const stretch = { offset, length, firstChunk, chunkCount };
  switch (kind) {
    case "copy":
      return { kind, ...stretch, source, sourceOffset };
    case "repeat":
      return { kind, ...stretch, sourceOffset };
    default:
      return { kind, ...stretch };
  }
}

/** The chunks planned to be fetched so far, so that none is fetched twice. */
class FetchedChunks {
  readonly #table = new DigestTable();
  /** Chunk number and offset, by number in the table. */
  readonly #chunks: number[] = [];
  readonly #offsets: number[] = [];

  constructor(readonly wanted: Recipe) {}

  /** The offset of an earlier chunk equal to `chunk`; or -1, and `chunk` is that to later ones. */
  findOrAdd(chunk: number, offset: number): number {
    const { chunks } = this.wanted;
    const at = chunk * CHUNK_ENTRY_BYTES;
    const number = this.#table.find(chunks, at);
    if (number < 0) {
      this.#table.add(chunks, at);
      this.#chunks.push(chunk);
      this.#offsets.push(offset);
      return -1;
    }
    const entry = chunks.subarray(at, at + CHUNK_ENTRY_BYTES);
    const earlierAt = this.#chunks[number]! * CHUNK_ENTRY_BYTES;
    const earlier = chunks.subarray(earlierAt, earlierAt + CHUNK_ENTRY_BYTES);
    return equalBytes(entry, earlier) ? this.#offsets[number]! : -1;
  }
}
