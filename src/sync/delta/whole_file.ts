import { equalBytes } from "../../base/bytes.ts";
import { type PartialFile, Recipe, type StagedFile } from "../../store/mod.ts";
import type { LaneFile } from "../lane/lane_messages.ts";
import { URGENCY } from "../link/transport.ts";
import { Checkpoints } from "./checkpoints.ts";
import { ContentError, errorOfStatus } from "./content_error.ts";
import type { DeltaContext } from "./delta_context.ts";
import { isOver, NOTES_BYTES_MIN, PARTIAL_BYTES_MIN, targetOf } from "./delta_file.ts";
import type { GotContent, Traffic, WantedContent } from "./wanted.ts";
import { WholeSink } from "./whole_sink.ts";

/**
 * One file that travels from its first byte to its last, hashed as it comes. If a large one stops on the
 * way what has come is kept, and the next run compares it with the peer's recipe.
 */
export class WholeFile {
  readonly #context: DeltaContext;
  readonly #wanted: WantedContent;
  readonly #traffic: Traffic;
  #partial: PartialFile | undefined;
  #staged: StagedFile | undefined;
  #checkpoints: Checkpoints | undefined;
  /** Bytes from the front that have come and are written. */
  #offset = 0;
  /** The chunks that are complete in them, or fewer. */
  #chunks: Uint8Array = new Uint8Array();

  constructor(context: DeltaContext, wanted: WantedContent, traffic: Traffic) {
    this.#context = context;
    this.#wanted = wanted;
    this.#traffic = traffic;
  }

  /** Gets the contents; fails as {@linkcode DeltaFile.get} does. */
  async get(): Promise<GotContent> {
    try {
      const staged = this.#open();
      return await this.#hand(staged, await this.#getAll(staged));
    } catch (error) {
      if (isOver(error) && this.#checkpoints === undefined) this.#offset = 0;
      await this.#drop();
      throw error;
    }
  }

  #open(): StagedFile {
    const { root, partials, clock, fsync } = this.#context;
    if (this.#wanted.size <= PARTIAL_BYTES_MIN) return this.#staged = root.stage();
    const target = targetOf(this.#wanted);
    // What is written relies on holes where nothing has been written.
    if (partials.has(target)) partials.discard(target);
    this.#partial = partials.open(target);
    if (fsync && this.#wanted.size > NOTES_BYTES_MIN) {
      this.#checkpoints = new Checkpoints(this.#partial, { clock });
    }
    return this.#staged = this.#partial.staged;
  }

  /** By a lane as long as one has time for it, by this thread as long as none has. */
  async #getAll(staged: StagedFile): Promise<Recipe> {
    for (;;) {
      const recipe = await this.#getByLane(staged) ?? await this.#getHere(staged);
      if (recipe !== undefined) return recipe;
    }
  }

  async #getByLane(staged: StagedFile): Promise<Recipe | undefined> {
    const front = { bytes: this.#offset, chunks: this.#chunks };
    const got = await this.#context.lanes?.getWhole(this.#version, { staged, front }, (bytes) => {
      this.#take(bytes - this.#offset);
      this.#note(bytes);
    });
    if (got === undefined || got instanceof Recipe) return got;
    this.#chunks = got.chunks;
    return undefined;
  }

  /** Gets what is missing; `undefined` where a lane is to go on. */
  async #getHere(staged: StagedFile): Promise<Recipe | undefined> {
    const { remote, signal, lanes } = this.#context;
    const { size } = this.#wanted;
    const sink = new WholeSink(staged, size, {
      chunks: this.#chunks,
      onBytes: (bytes) => {
        if (lanes?.wantsRest(size - sink.offset)) throw new LeftToLane();
        this.#take(bytes);
        this.#note(sink.offset);
      },
    });
    try {
      await sink.readBack(this.#offset, signal);
      const file = { ...this.#version, offset: this.#offset };
      await remote.getFiles([file], sink, URGENCY.largeFiles);
    } catch (error) {
      if (!(error instanceof LeftToLane)) throw error;
      this.#chunks = sink.chunksSoFar();
      return undefined;
    } finally {
      this.#offset = sink.offset;
    }
    if (sink.failure !== undefined) throw errorOfStatus(sink.failure);
    return sink.finish();
  }

  get #version(): LaneFile {
    const { source: path, size, mtimeMs } = this.#wanted;
    return { path, size, mtimeMs };
  }

  #take(bytes: number): void {
    this.#context.signal.throwIfAborted();
    this.#traffic.bytesFetched += bytes;
    this.#context.onBytes(bytes);
  }

  #note(offset: number): void {
    this.#offset = offset;
    this.#checkpoints?.note(offset);
  }

  async #hand(staged: StagedFile, recipe: Recipe): Promise<GotContent> {
    const partial = this.#partial;
    const { digest, size } = this.#wanted;
    if (digest !== undefined && !equalBytes(digest, recipe.digest)) {
      // Nothing of it is of use to anybody.
      this.#offset = 0;
      throw new ContentError("changed", "The contents that came are not those announced");
    }
    if (staged.size < size) staged.truncate(size);
    await this.#checkpoints?.settle();
    return {
      staged,
      recipe,
      digest: recipe.digest,
      close: (isDone) => {
        if (isDone) partial?.forget();
      },
    };
  }

  async #drop(): Promise<void> {
    if (this.#offset > 0) await this.#checkpoints?.stop(this.#offset);
    else await this.#checkpoints?.settle();
    this.#staged?.[Symbol.dispose]();
    const isKept = this.#offset > 0 && !(this.#checkpoints?.hasFailed ?? false);
    if (this.#partial !== undefined && !isKept) {
      this.#context.partials.discard(targetOf(this.#wanted));
    }
  }
}

/** Ends a request of this thread, in the midst of a file. */
class LeftToLane extends Error {}
