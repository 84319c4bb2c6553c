import { nextTurn } from "../../base/turn.ts";
import { type ReadFile, reasonOf, type StagedFile } from "../../store/mod.ts";

/** Bytes copied between two looks at whether there is still time. */
const STEP_BYTES = 16 * 1024 * 1024;
/** Below this the copy takes no time worth saving. */
const SEED_BYTES_MIN = 1024 * 1024;

/**
 * Fills a staged file with the old version while the peer is still working out what the new one is made
 * of. Most edits leave most chunks where they were: these then need nothing more. Where the file system
 * shares blocks it takes no time and no space; elsewhere it goes as far as it gets.
 */
export class Seed {
  #bytes = 0;
  #isStopped = false;
  #copying: Promise<void> = Promise.resolve();

  /**
   * Begins.
   *
   * @param size Bytes that the new version has: more would be for nothing.
   */
  static start(staged: StagedFile, old: ReadFile, size: number): Seed {
    const seed = new Seed();
    seed.#copying = seed.#copy(staged, old, size);
    // Nothing relies on it: what is wrong with the disk shows again when it is written to.
    seed.#copying.catch(() => {});
    return seed;
  }

  /** Stops after the step under way. The bytes at the front that equal the old version's. */
  async stop(): Promise<number> {
    this.#isStopped = true;
    try {
      await this.#copying;
    } catch (error) {
      if (reasonOf(error) === undefined) throw error;
    }
    return this.#bytes;
  }

  async #copy(staged: StagedFile, old: ReadFile, size: number): Promise<void> {
    if (old.size < SEED_BYTES_MIN) return;
    if (await staged.cloneFrom(old)) {
      this.#bytes = old.size;
      return;
    }
    // Copying would fill its holes.
    if (old.openedStat.blocks * 512 < old.size) return;
    const end = Math.min(old.size, size);
    while (this.#bytes < end && !this.#isStopped) {
      const length = Math.min(STEP_BYTES, end - this.#bytes);
      await staged.copyRangeFrom(old, {
        sourceOffset: this.#bytes,
        offset: this.#bytes,
        length,
      });
      this.#bytes += length;
      // Where the copy is made on this thread, the answer that ends it must get in.
      await nextTurn();
    }
  }
}
