import type { Bytes } from "../../base/bytes.ts";
import type { ChunkTable } from "../../store/mod.ts";
import type { Failure, FileSink } from "../transfer/remote_share.ts";
import type { ChunkRun } from "./chunk_progress.ts";

/** What a {@linkcode ChunkSink} tells. */
export interface ChunkSinkEvents {
  /** Bytes came, good or bad. May throw, to end the request. */
  onBytes(bytes: number): void;
  /** A chunk that is what the recipe says; the bytes are good during the call only. */
  onChunk(chunk: number, offset: number, bytes: Bytes): void;
}

/** Takes the answer to one request for ranges apart into chunks, and lets only good ones through. */
export class ChunkSink implements FileSink {
  /** Why the answer is not that of the version wanted, once it has ended so. */
  failure: Failure | undefined;
  /** Chunks that have not come, or not as the recipe says. */
  missing: number;
  readonly #recipe: ChunkTable;
  readonly #events: ChunkSinkEvents;
  readonly #runs: readonly ChunkRun[];
  #run = 0;
  #chunk: number;
  #offset: number;
  /** The front of a chunk that came in pieces. */
  #carry: Bytes | undefined;
  #carried = 0;

  /** @param runs What was asked for, in order; at least one. */
  constructor(recipe: ChunkTable, runs: readonly ChunkRun[], events: ChunkSinkEvents) {
    this.#recipe = recipe;
    this.#events = events;
    this.#runs = runs;
    this.missing = runs.reduce((sum, { chunkCount }) => sum + chunkCount, 0);
    this.#chunk = runs[0]!.firstChunk;
    this.#offset = runs[0]!.offset;
  }

  begin(_index: number): void {}

  bytes(_index: number, piece: Uint8Array): void {
    this.#events.onBytes(piece.length);
    for (let at = 0; at < piece.length;) {
      const length = this.#recipe.chunkBytes(this.#chunk);
      const needed = length - this.#carried;
      const part = piece.subarray(at, at + needed) as Bytes;
      at += part.length;
      if (this.#carried === 0 && part.length === length) this.#take(part);
      else if (this.#keep(part) === length) {
        this.#carried = 0;
        this.#take(this.#carry!.subarray(0, length));
      }
    }
  }

  end(_index: number): void {}

  fail(_index: number, status: Failure): void {
    this.failure = status;
  }

  #keep(part: Bytes): number {
    this.#carry ??= new Uint8Array(this.#recipe.chunkBytesMax);
    this.#carry.set(part, this.#carried);
    return this.#carried += part.length;
  }

  #take(bytes: Bytes): void {
    if (this.#recipe.isChunk(this.#chunk, bytes)) {
      this.#events.onChunk(this.#chunk, this.#offset, bytes);
      this.missing--;
    }
    this.#offset += bytes.length;
    this.#chunk++;
    const run = this.#runs[this.#run]!;
    if (this.#chunk < run.firstChunk + run.chunkCount) return;
    const next = this.#runs[++this.#run];
    if (next === undefined) return;
    this.#chunk = next.firstChunk;
    this.#offset = next.offset;
  }
}
