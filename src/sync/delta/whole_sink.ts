import type { Bytes } from "../../base/bytes.ts";
import {
  HASH_BUFFER_BYTES,
  isZeros,
  type Recipe,
  RecipeBuilder,
  type StagedFile,
} from "../../store/mod.ts";
import type { Failure, FileSink } from "../transfer/remote_share.ts";
import { Turns } from "./turns.ts";

/** Puts one file into a staged file from its first byte to its last, hashing it as it comes. */
export class WholeSink implements FileSink {
  readonly #staged: StagedFile;
  readonly #builder: RecipeBuilder;
  readonly #onBytes: (bytes: number) => void;
  /** Bytes from the front that are written. */
  offset = 0;
  /** Why the peer's answer is not that of the version wanted. */
  failure: Failure | undefined;

  /**
   * @param options.chunks What is known of the front of the file, which another sink has written.
   * @param options.onBytes Hears of what came, before it is written. May throw, to end the request.
   */
  constructor(
    staged: StagedFile,
    size: number,
    options: {
      readonly chunks?: Uint8Array | undefined;
      readonly onBytes: (bytes: number) => void;
    },
  ) {
    this.#staged = staged;
    this.#builder = new RecipeBuilder(size, options.chunks);
    this.#onBytes = options.onBytes;
    this.offset = this.#builder.bytesSeen;
  }

  begin(_index: number): void {}

  bytes(_index: number, piece: Uint8Array): void {
    this.#onBytes(piece.length);
    this.#builder.update(piece);
    if (!isZeros(piece, 0, piece.length)) this.#staged.writeAt(piece as Bytes, this.offset);
    this.offset += piece.length;
  }

  end(_index: number): void {}

  fail(_index: number, status: Failure): void {
    this.failure = status;
  }

  /** The chunks so far, for the sink that goes on; a copy. */
  chunksSoFar(): Uint8Array {
    return this.#builder.chunksSoFar();
  }

  /** Takes in what another sink has written behind its last chunk. */
  async readBack(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.offset >= bytes) return;
    const buffer = new Uint8Array(HASH_BUFFER_BYTES / 2);
    const turns = new Turns(signal);
    while (this.offset < bytes) {
      const piece = buffer.subarray(0, Math.min(buffer.length, bytes - this.offset));
      const count = this.#staged.readAt(piece, this.offset);
      // Zeros at the end were not written.
      this.#builder.update(piece.fill(0, count));
      this.offset += piece.length;
      if (turns.spend(piece.length)) await turns.pass();
    }
  }

  /** How the complete file is made of chunks. */
  finish(): Recipe {
    return this.#builder.finish();
  }
}
