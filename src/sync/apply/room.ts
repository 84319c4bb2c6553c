import { StoreError } from "../../store/mod.ts";

/** Of what is free, so much stays so when a file is begun that may not fit: one part in so many. */
const SPARE_PARTS = 16;
/** Bytes of such a file between two looks. */
const LOOK_BYTES = 256 * 1024;

/**
 * The free space of a share's disk, for files that arrive side by side: each takes its room before it
 * begins, so that they don't fill the disk together where one after the other would fit.
 */
export class Room {
  readonly #askFree: () => number;
  #taken = 0;
  #released = Promise.withResolvers<void>();
  /** What has to stay free. */
  #spareBytes: number | undefined;
  #bytesUnseen = 0;

  /** @param askFree Asks the system for the free bytes. */
  constructor(askFree: () => number) {
    this.#askFree = askFree;
  }

  /** Bytes that are free and that nobody has taken. */
  get freeBytes(): number {
    return this.#askFree() - this.#taken;
  }

  /**
   * Takes room; waits for others to be through where there is none beside them.
   *
   * @returns To be disposed when the bytes are written; `undefined` if there is no such room at all.
   */
  async take(bytes: number): Promise<Disposable | undefined> {
    while (bytes > this.freeBytes) {
      if (this.#taken === 0) return undefined;
      await this.#released.promise;
    }
    this.#taken += bytes;
    return {
      [Symbol.dispose]: () => {
        this.#taken -= bytes;
        this.#released.resolve();
        this.#released = Promise.withResolvers();
      },
    };
  }

  /**
   * Lets one file have what there is, though by its size it does not fit: it may have holes, or share
   * bytes with others. A little stays free for smaller ones of the next run.
   */
  takeRest(): Disposable {
    this.#spareBytes = this.#askFree() / SPARE_PARTS;
    return { [Symbol.dispose]: () => void (this.#spareBytes = undefined) };
  }

  /** Bytes came. @throws {StoreError} `no_space` where they used up what there was. */
  handleBytes(bytes: number): void {
    if (this.#spareBytes === undefined) return;
    this.#bytesUnseen += bytes;
    if (this.#bytesUnseen < LOOK_BYTES) return;
    this.#bytesUnseen = 0;
    if (this.#askFree() <= this.#spareBytes) throw new StoreError("no_space", "Cannot go on");
  }
}
