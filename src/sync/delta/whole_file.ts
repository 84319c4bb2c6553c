import { type Bytes, equalBytes } from "../../base/bytes.ts";
import { isZeros, type PartialFile, RecipeBuilder, type StagedFile } from "../../store/mod.ts";
import { URGENCY } from "../link/transport.ts";
import type { Failure, FileSink } from "../transfer/remote_share.ts";
import { Checkpoints } from "./checkpoints.ts";
import { ContentError, errorOfStatus } from "./content_error.ts";
import type { DeltaContext } from "./delta_context.ts";
import { isOver, NOTES_BYTES_MIN, PARTIAL_BYTES_MIN, targetOf } from "./delta_file.ts";
import type { GotContent, Traffic, WantedContent } from "./wanted.ts";

/**
 * One file that travels from its first byte to its last, hashed as it comes. If a large one stops on the
 * way what has come is kept, and the next run compares it with the peer's recipe.
 */
export class WholeFile implements FileSink {
  readonly #context: DeltaContext;
  readonly #wanted: WantedContent;
  readonly #traffic: Traffic;
  readonly #builder: RecipeBuilder;
  #partial: PartialFile | undefined;
  #staged: StagedFile | undefined;
  #checkpoints: Checkpoints | undefined;
  #offset = 0;
  #failure: ContentError | undefined;

  constructor(context: DeltaContext, wanted: WantedContent, traffic: Traffic) {
    this.#context = context;
    this.#wanted = wanted;
    this.#traffic = traffic;
    this.#builder = new RecipeBuilder(wanted.size);
  }

  /** Gets the contents; fails as {@linkcode DeltaFile.get} does. */
  async get(): Promise<GotContent> {
    const { source: path, size, mtimeMs } = this.#wanted;
    try {
      const file = { path, offset: 0, size, mtimeMs };
      await this.#context.remote.getFiles([file], this, URGENCY.largeFiles);
      if (this.#failure !== undefined) throw this.#failure;
      return await this.#hand();
    } catch (error) {
      if (isOver(error) && this.#checkpoints === undefined) this.#offset = 0;
      await this.#drop();
      throw error;
    }
  }

  begin(_index: number): void {
    const { root, partials, clock, fsync } = this.#context;
    if (this.#wanted.size <= PARTIAL_BYTES_MIN) {
      this.#staged = root.stage();
      return;
    }
    const target = targetOf(this.#wanted);
    // What is written relies on holes where nothing has been written.
    if (partials.has(target)) partials.discard(target);
    this.#partial = partials.open(target);
    this.#staged = this.#partial.staged;
    if (fsync && this.#wanted.size > NOTES_BYTES_MIN) {
      this.#checkpoints = new Checkpoints(this.#partial, { clock });
    }
  }

  bytes(_index: number, piece: Uint8Array): void {
    this.#context.signal.throwIfAborted();
    this.#traffic.bytesFetched += piece.length;
    this.#context.onBytes(piece.length);
    this.#builder.update(piece);
    if (!isZeros(piece, 0, piece.length)) this.#staged!.writeAt(piece as Bytes, this.#offset);
    this.#offset += piece.length;
    this.#checkpoints?.note(this.#offset);
  }

  end(_index: number): void {}

  fail(_index: number, status: Failure): void {
    this.#failure = errorOfStatus(status);
  }

  async #hand(): Promise<GotContent> {
    const staged = this.#staged!;
    const partial = this.#partial;
    const { digest } = this.#wanted;
    const recipe = this.#builder.finish();
    if (digest !== undefined && !equalBytes(digest, recipe.digest)) {
      // Nothing of it is of use to anybody.
      this.#offset = 0;
      throw new ContentError("changed", "The contents that came are not those announced");
    }
    if (staged.size < this.#offset) staged.truncate(this.#offset);
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
