import type { Bytes } from "../../base/bytes.ts";
import { ProtocolError } from "../../protocol/mod.ts";
import {
  type AssemblyStep,
  type CopyStep,
  isZeros,
  reasonOf,
  type Recipe,
  type RepeatStep,
  type StagedFile,
  type ZerosStep,
} from "../../store/mod.ts";
import type { LaneFetcher } from "../lane/lane_fetcher.ts";
import type { LaneFile } from "../lane/lane_messages.ts";
import type { Checkpoints } from "./checkpoints.ts";
import type { ChunkProgress, ChunkRun } from "./chunk_progress.ts";
import { ChunkSink } from "./chunk_sink.ts";
import { errorOfStatus } from "./content_error.ts";
import { copyBytes, scratch } from "./copy_bytes.ts";
import { cutRequests, type RangeRequest } from "./range_requests.ts";
import { settleAll } from "./settle.ts";
import type { SourceFile } from "./source_file.ts";
import type { SourceSet } from "./source_set.ts";
import { Turns } from "./turns.ts";
import type { ContentSource, Traffic, WantedContent } from "./wanted.ts";

/** Requests for parts of one file at once: one arrives, the others are on their way. */
const REQUESTS_MAX = 3;
/** Chunks of one file that may be wrong in answers that claim to be right, before it is no accident. */
export const BAD_CHUNKS_MAX = 3;

/** What is in the staged file when an assembly begins. */
export interface InPlace {
  /** Bytes from the front that may hold something; holes behind. */
  readonly bytes: number;
  /** Bytes from the front that equal those of a source, by its number. */
  readonly seed?: { readonly source: number; readonly bytes: number };
  /** They are from an earlier run: chunks that would have to be fetched may be there already. */
  readonly isResumed: boolean;
}

/** What an {@linkcode Assembler} works with. */
export interface AssemblerOptions {
  readonly wanted: WantedContent;
  readonly recipe: Recipe;
  readonly staged: StagedFile;
  readonly inPlace: InPlace;
  /** Chunks known to be right in the staged file; brought up to date. */
  readonly progress: ChunkProgress;
  readonly sources: SourceSet;
  readonly remote: ContentSource;
  readonly lanes: LaneFetcher | undefined;
  readonly traffic: Traffic;
  readonly checkpoints: Checkpoints | undefined;
  readonly onBytes: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Puts a file together by a plan: copies what is at hand while what is not is on its way. Every chunk
 * that comes from elsewhere than a trusted source is hashed before it counts; what turns out wrong or
 * gone is fetched.
 */
export class Assembler {
  readonly #options: AssemblerOptions;
  readonly #turns: Turns;
  /** Ends the copies when the requests fail, and the other way round. */
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #check: Bytes | undefined;
  #bad = 0;
  #lanes: LaneFetcher | undefined;
  #fetchedBytes = 0;

  constructor(options: AssemblerOptions) {
    this.#options = options;
    this.#lanes = options.lanes;
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal]);
    this.#turns = new Turns(this.#signal);
  }

  /**
   * Completes the staged file. Nothing works on it any more when this ends, one way or another.
   *
   * @throws {ContentError} if the peer no longer has that version.
   * @throws {ProtocolError} if the peer sends wrong chunks and calls them right.
   * @throws {StoreError} if the staged file can't be written.
   */
  async run(steps: readonly AssemblyStep[]): Promise<void> {
    const { recipe, staged, progress, traffic } = this.#options;
    await this.#settleInPlace(steps);
    await this.#both(this.#copyAll(steps), this.#fetch(this.#toFetch(steps)));
    for (const step of steps) if (step.kind === "repeat") await this.#repeat(step);
    do {
      while (!progress.isComplete) await this.#fetch(progress.missing());
      await this.#checkSources();
    } while (!progress.isComplete);
    if (staged.size !== recipe.size) staged.truncate(recipe.size);
    traffic.bytesReused = recipe.size - this.#fetchedBytes;
  }

  /** Finds out what needs nothing done to it. */
  async #settleInPlace(steps: readonly AssemblyStep[]): Promise<void> {
    const { inPlace, progress } = this.#options;
    for (const step of steps) {
      if (step.kind === "zeros") await this.#zero(step);
      else if (step.kind === "copy" && this.#isSeeded(step)) await this.#takeSeeded(step);
      else if (inPlace.isResumed && !this.#isTrustedCopy(step)) {
        for (const run of progress.missing(step)) await this.#verify(run);
      }
    }
    this.#note();
  }

  #isSeeded(step: CopyStep): boolean {
    const { seed } = this.#options.inPlace;
    return seed !== undefined && step.source === seed.source &&
      step.sourceOffset === step.offset && step.offset < seed.bytes;
  }

  async #takeSeeded(step: CopyStep): Promise<void> {
    const { inPlace, progress, recipe, sources } = this.#options;
    const source = sources.get(step.source);
    if (source === undefined) return;
    const { bytes } = inPlace.seed!;
    for (const run of progress.missing(step)) {
      const part = run.offset + run.length <= bytes ? run : within(recipe, run, bytes);
      if (!source.isTrusted) await this.#verify(part);
      else if (part.chunkCount > 0) {
        source.noteCopied(part.firstChunk, part.chunkCount);
        progress.mark(part.firstChunk, part.chunkCount);
      }
    }
  }

  /** Copying it again costs less than a look at whether it is there. */
  #isTrustedCopy(step: AssemblyStep): boolean {
    return step.kind === "copy" && this.#options.sources.get(step.source)?.isTrusted === true;
  }

  /** Marks the chunks of a run that the staged file has already. */
  async #verify(run: ChunkRun): Promise<void> {
    const { recipe, staged, inPlace, progress } = this.#options;
    let { offset } = run;
    for (let chunk = run.firstChunk; chunk < run.firstChunk + run.chunkCount; chunk++) {
      const length = recipe.chunkBytes(chunk);
      if (offset + length > inPlace.bytes) return;
      const bytes = this.#room(length);
      const count = staged.readAt(bytes, offset);
      // Holes are many, and quickly told from anything else.
      if (count === length && !isZeros(bytes, 0, length) && recipe.isChunk(chunk, bytes)) {
        progress.mark(chunk);
      }
      offset += length;
      if (this.#turns.spend(length)) await this.#turns.pass();
    }
  }

  /** Makes a run of zeros, which is a hole unless something is in the way. */
  async #zero(step: ZerosStep): Promise<void> {
    const { staged, inPlace, progress } = this.#options;
    const end = Math.min(step.offset + step.length, inPlace.bytes);
    for (let at = step.offset; at < end;) {
      const room = scratch();
      const piece = room.subarray(0, Math.min(room.length, end - at)) as Bytes;
      const count = staged.readAt(piece, at);
      if (!isZeros(piece, 0, count)) staged.writeAt(piece.fill(0, 0, count), at);
      at += piece.length;
      if (this.#turns.spend(piece.length)) await this.#turns.pass();
    }
    progress.mark(step.firstChunk, step.chunkCount);
  }

  async #copyAll(steps: readonly AssemblyStep[]): Promise<void> {
    const { progress } = this.#options;
    for (const step of steps) {
      if (step.kind !== "copy") continue;
      for (const run of progress.missing(step)) {
        this.#signal.throwIfAborted();
        await this.#copy(run, step);
      }
    }
  }

  async #copy(run: ChunkRun, step: CopyStep): Promise<void> {
    const { sources, staged } = this.#options;
    const source = sources.get(step.source);
    if (source === undefined) return;
    const sourceOffset = step.sourceOffset + run.offset - step.offset;
    try {
      if (!source.isTrusted) return await this.#copyChecked(run, source, sourceOffset);
      const { offset, length } = run;
      await copyBytes(staged, source.file, { sourceOffset, offset, length }, this.#signal);
      source.noteCopied(run.firstChunk, run.chunkCount);
      this.#options.progress.mark(run.firstChunk, run.chunkCount);
      this.#note();
      if (this.#turns.spend(length)) await this.#turns.pass();
    } catch (error) {
      // A source that can't be read is one thing less at hand; its chunks are fetched.
      if (isOfTarget(error)) throw error;
    }
  }

  async #copyChecked(run: ChunkRun, source: SourceFile, sourceOffset: number): Promise<void> {
    const { recipe, staged, progress } = this.#options;
    let { offset } = run;
    const shift = sourceOffset - run.offset;
    for (let chunk = run.firstChunk; chunk < run.firstChunk + run.chunkCount; chunk++) {
      const bytes = this.#room(recipe.chunkBytes(chunk));
      const count = source.file.readAt(bytes, offset + shift);
      if (count === bytes.length && recipe.isChunk(chunk, bytes)) {
        staged.writeAt(bytes, offset);
        progress.mark(chunk);
      }
      offset += bytes.length;
      if (this.#turns.spend(bytes.length)) await this.#turns.pass();
    }
    this.#note();
  }

  *#toFetch(steps: readonly AssemblyStep[]): Generator<ChunkRun> {
    for (const step of steps) {
      if (step.kind === "fetch") yield* this.#options.progress.missing(step);
    }
  }

  /** Fetches runs, a few requests at a time. Chunks that come wrong stay missing. */
  async #fetch(missing: Iterable<ChunkRun>): Promise<void> {
    const requests = cutRequests(this.#options.recipe, missing);
    const ask = async () => {
      for (let next; !(next = requests.next()).done;) await this.#request(next.value);
    };
    await this.#both(...Array.from({ length: REQUESTS_MAX }, ask));
  }

  async #request(request: RangeRequest): Promise<void> {
    const { wanted: { source: path, size, mtimeMs } } = this.#options;
    this.#signal.throwIfAborted();
    const file = { path, size, mtimeMs };
    const missing = this.#lanes ? await this.#requestByLane(file, request, this.#lanes) : undefined;
    this.#bad += missing ?? await this.#requestHere(file, request);
    if (this.#bad >= BAD_CHUNKS_MAX) {
      throw new ProtocolError(
        `Peer sent ${this.#bad} wrong chunks of ${JSON.stringify(path)}`,
      );
    }
  }

  /** Gives back how many chunks came wrong; `undefined` if no lane has begun with it. */
  async #requestByLane(
    file: LaneFile,
    request: RangeRequest,
    lanes: LaneFetcher,
  ): Promise<number | undefined> {
    const { recipe, staged, progress } = this.#options;
    let hasBegun = false;
    const missing = await lanes.getRanges(file, { recipe, request, staged }, (chunks, bytes) => {
      hasBegun = true;
      this.#take(bytes);
      for (const chunk of chunks) {
        progress.mark(chunk);
        this.#fetchedBytes += recipe.chunkBytes(chunk);
      }
      this.#note();
    });
    // The lane has ended, or can't: its rest is asked for with whatever else is missing.
    if (missing === undefined && hasBegun) this.#lanes = undefined;
    return missing ?? (hasBegun ? 0 : undefined);
  }

  async #requestHere(file: LaneFile, request: RangeRequest): Promise<number> {
    const { recipe, staged, progress, remote } = this.#options;
    const sink = new ChunkSink(recipe, request.runs, {
      onBytes: (bytes) => this.#take(bytes),
      onChunk: (chunk, offset, bytes) => {
        staged.writeAt(bytes, offset);
        progress.mark(chunk);
        this.#fetchedBytes += bytes.length;
        this.#note();
      },
    });
    await remote.getRanges({ ...file, offset: 0 }, request.ranges, sink);
    // A file that changes while it is read has wrong chunks, and the peer says so.
    if (sink.failure !== undefined) throw errorOfStatus(sink.failure);
    return sink.missing;
  }

  #take(bytes: number): void {
    this.#signal.throwIfAborted();
    this.#options.traffic.bytesFetched += bytes;
    this.#options.onBytes(bytes);
  }

  /** Copies what has arrived elsewhere in the file. */
  async #repeat(step: RepeatStep): Promise<void> {
    const { recipe, staged, progress } = this.#options;
    for (const run of progress.missing(step)) {
      let { offset } = run;
      const shift = step.sourceOffset - step.offset;
      for (let chunk = run.firstChunk; chunk < run.firstChunk + run.chunkCount; chunk++) {
        const bytes = this.#room(recipe.chunkBytes(chunk));
        const count = staged.readAt(bytes, offset + shift);
        // Hashed, since the chunk it repeats may have come wrong.
        if (count === bytes.length && recipe.isChunk(chunk, bytes)) {
          staged.writeAt(bytes, offset);
          progress.mark(chunk);
        }
        offset += bytes.length;
        if (this.#turns.spend(bytes.length)) await this.#turns.pass();
      }
    }
  }

  /** Hashes what was copied unseen from files that have changed since. */
  async #checkSources(): Promise<void> {
    const { recipe, staged, progress, sources } = this.#options;
    const doubtful = sources.takeDoubtful();
    if (doubtful.length === 0) return;
    const offsets = offsetsOf(recipe);
    for (const chunk of doubtful) {
      const bytes = this.#room(recipe.chunkBytes(chunk));
      const count = staged.readAt(bytes, offsets[chunk]!);
      if (count < bytes.length || !recipe.isChunk(chunk, bytes)) progress.unmark(chunk);
      if (this.#turns.spend(bytes.length)) await this.#turns.pass();
    }
  }

  /** Runs work side by side; a failure stops the rest, and is thrown when all have ended. */
  async #both(...work: Promise<void>[]): Promise<void> {
    let failure: { error: unknown } | undefined;
    const guarded = work.map((each) =>
      each.catch((error) => {
        failure ??= { error };
        this.#stop.abort(error);
      })
    );
    await settleAll(guarded);
    if (failure !== undefined) throw failure.error;
  }

  #note(): void {
    this.#options.checkpoints?.note(this.#options.progress.prefixBytes);
  }

  /** A buffer for one chunk, good until the next call of anything asynchronous. */
  #room(length: number): Bytes {
    this.#check ??= new Uint8Array(this.#options.recipe.chunker.maxBytes);
    return this.#check.subarray(0, length) as Bytes;
  }
}

/** The chunks of a run that end within the first `bytes` of the file. */
function within(recipe: Recipe, run: ChunkRun, bytes: number): ChunkRun {
  let length = 0;
  let chunkCount = 0;
  while (chunkCount < run.chunkCount) {
    const next = recipe.chunkBytes(run.firstChunk + chunkCount);
    if (run.offset + length + next > bytes) break;
    length += next;
    chunkCount++;
  }
  return { ...run, length, chunkCount };
}

function offsetsOf(recipe: Recipe): Float64Array {
  const offsets = new Float64Array(recipe.chunkCount);
  let offset = 0;
  for (let chunk = 0; chunk < offsets.length; chunk++) {
    offsets[chunk] = offset;
    offset += recipe.chunkBytes(chunk);
  }
  return offsets;
}

/** True for what a source can't be blamed for. */
function isOfTarget(error: unknown): boolean {
  const reason = reasonOf(error);
  return reason === undefined || reason === "no_space" || reason === "read_only" ||
    reason === "file_too_large";
}
