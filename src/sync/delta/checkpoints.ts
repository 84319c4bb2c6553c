import type { Clock } from "../../base/clock.ts";
import type { Digest } from "../../base/digest.ts";
import { type PartialFile, reasonOf } from "../../store/mod.ts";

/** Bytes that arrive between two entries of a partial file's journal, at least... */
export const CHECKPOINT_BYTES = 64 * 1024 * 1024;
/** ...unless so much time has gone by. */
export const CHECKPOINT_INTERVAL_MS = 1000;

/** What {@linkcode Checkpoints} works with. */
export interface CheckpointOptions {
  readonly clock: Clock;
  /** What the bytes are checked against, if anything. */
  readonly digest?: Digest;
  /** Asked right before a checkpoint: false if nothing may be vouched for now. */
  readonly isSound?: () => boolean;
}

/**
 * Writes a partial file's journal as it grows, beside whatever else goes on: one flush at a time, and
 * nobody waits for it.
 */
export class Checkpoints {
  readonly #partial: PartialFile;
  readonly #options: CheckpointOptions;
  #running: Promise<void> | undefined;
  #failure: { error: unknown } | undefined;
  #bytes: number;
  #atMs: number;

  constructor(partial: PartialFile, options: CheckpointOptions) {
    this.#partial = partial;
    this.#options = options;
    this.#bytes = partial.bytesFlushed;
    this.#atMs = options.clock.nowMs();
  }

  /**
   * Says how far the file is complete.
   *
   * @throws What an earlier checkpoint failed with: the file is of unknown content then.
   */
  note(prefixBytes: number): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#running !== undefined || prefixBytes <= this.#bytes) return;
    const nowMs = this.#options.clock.nowMs();
    const isDue = prefixBytes - this.#bytes >= CHECKPOINT_BYTES ||
      nowMs - this.#atMs >= CHECKPOINT_INTERVAL_MS;
    if (!isDue || this.#options.isSound?.() === false) return;
    this.#bytes = prefixBytes;
    this.#atMs = nowMs;
    this.#running = this.#partial.checkpoint(prefixBytes, this.#options.digest)
      .catch((error) => {
        this.#failure = { error };
      })
      .finally(() => this.#running = undefined);
  }

  /** Waits for the one under way; the file may be closed afterwards. */
  async settle(): Promise<void> {
    await this.#running;
  }

  /**
   * As {@linkcode settle}, for a file that has to stop: makes an entry of what there is, so that the next
   * run finds it, even if it then wants another version.
   */
  async stop(prefixBytes: number): Promise<void> {
    await this.#running;
    const { digest, isSound } = this.#options;
    if (this.#failure !== undefined || isSound?.() === false) return;
    try {
      await this.#partial.checkpoint(prefixBytes, digest);
    } catch (error) {
      // What stopped the file may well stop this too. Without an entry nothing is vouched for.
      if (reasonOf(error) === undefined) throw error;
    }
  }

  /** A flush has failed: whatever was written may be gone. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }
}
