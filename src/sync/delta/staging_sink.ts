import type { Bytes } from "../../base/bytes.ts";
import {
  isZeros,
  reasonOf,
  type Recipe,
  RecipeBuilder,
  recipeOf,
  type StagedFile,
} from "../../store/mod.ts";
import type { Failure, FileSink } from "../transfer/remote_share.ts";
import { errorOfStatus } from "./content_error.ts";

/** What a {@linkcode StagingSink} asks and tells, by the position of a file in the request. */
export interface StagingEvents {
  /** An empty file for the bytes. The sink owns it until it hands it over or drops it. */
  open(index: number): StagedFile;
  /** Bytes came. May throw, to end the request. */
  onBytes(index: number, bytes: number): void;
  /** A file is complete; it is no longer the sink's. */
  onStaged(index: number, staged: StagedFile, recipe: Recipe): Promise<void> | void;
  /** A file did not come, or can't be written; the staged file is closed. */
  onFailed(index: number, error: unknown): void;
}

/** Stages whole files as their bytes arrive, hashing them on the way. Zeros become holes. */
export class StagingSink implements FileSink, Disposable {
  readonly #sizes: readonly number[];
  readonly #events: StagingEvents;
  #staged: StagedFile | undefined;
  #recipe: Recipe | undefined;
  #builder: RecipeBuilder | undefined;
  #offset = 0;
  #failure: { error: unknown } | undefined;

  /** @param sizes Bytes in each file of the request. */
  constructor(sizes: readonly number[], events: StagingEvents) {
    this.#sizes = sizes;
    this.#events = events;
  }

  begin(index: number): void {
    this.#offset = 0;
    this.#failure = undefined;
    this.#recipe = undefined;
    this.#builder = undefined;
    this.#attempt(() => this.#staged = this.#events.open(index));
  }

  bytes(index: number, piece: Uint8Array): void {
    this.#events.onBytes(index, piece.length);
    if (this.#failure !== undefined) return;
    this.#attempt(() => {
      // Most small files come in one piece.
      if (piece.length === this.#sizes[index]) this.#recipe = recipeOf(piece);
      else this.#builderOf(index).update(piece);
      if (!isZeros(piece, 0, piece.length)) this.#staged!.writeAt(piece as Bytes, this.#offset);
      this.#offset += piece.length;
    });
  }

  end(index: number): Promise<void> | void {
    let recipe: Recipe | undefined;
    this.#attempt(() => {
      if (this.#failure !== undefined) return;
      recipe = this.#recipe ?? this.#builderOf(index).finish();
      if (this.#staged!.size < this.#offset) this.#staged!.truncate(this.#offset);
    });
    if (this.#failure !== undefined) {
      this.#drop();
      return this.#events.onFailed(index, this.#failure.error);
    }
    const staged = this.#staged!;
    this.#staged = undefined;
    return this.#events.onStaged(index, staged, recipe!);
  }

  fail(index: number, status: Failure): void {
    this.#drop();
    this.#events.onFailed(index, errorOfStatus(status));
  }

  [Symbol.dispose](): void {
    this.#drop();
  }

  #builderOf(index: number): RecipeBuilder {
    return this.#builder ??= new RecipeBuilder(this.#sizes[index]!);
  }

  /** What fails on this side ends one file; its bytes still come, and go nowhere. */
  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (reasonOf(error) === undefined) throw error;
      this.#failure ??= { error };
    }
  }

  #drop(): void {
    this.#staged?.[Symbol.dispose]();
    this.#staged = undefined;
  }
}
