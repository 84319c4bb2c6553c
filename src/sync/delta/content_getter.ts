import { type Digest, type DigestKey, digestKey } from "../../base/digest.ts";
import {
  chunkerFor,
  FILE_BYTES_MAX,
  type PartialTarget,
  type StagedFile,
} from "../../store/mod.ts";
import { AtHand } from "./at_hand.ts";
import { Budget } from "./budget.ts";
import { ContentError } from "./content_error.ts";
import { DeltaContext, type DeltaOptions } from "./delta_context.ts";
import { DeltaFile, OLD_BYTES_MIN, PARTIAL_BYTES_MIN, targetOf } from "./delta_file.ts";
import type { GotContent, Traffic, WantedContent } from "./wanted.ts";
import { WholeFile } from "./whole_file.ts";

/**
 * Files up to this size travel whole, many in one request. A recipe takes two to three round trips, of
 * which 8 files share the waiting, and an edit costs a chunk of 36 KiB anyway: at 1 Gbit/s and 0.5 ms
 * that breaks even at 100 KiB, at 100 Mbit/s and 50 ms at 280 KiB.
 */
export const DELTA_BYTES_MIN = 256 * 1024;
/** Files over this size get a request of their own, whatever is at hand. */
export const ALONE_BYTES_MIN = 1024 * 1024;
/**
 * Chunks of all files being put together at once, as far as there are several: a chunk takes about 100
 * bytes in recipes, indexes and plans.
 */
const CHUNKS_AT_ONCE_MAX = 2 ** 19;

/**
 * Gets the contents of files into staged files, with as few bytes from the peer as it can: none if the
 * share holds them, the missing chunks where it holds something like them, else all.
 *
 * New files of a share that knows no contents yet go the direct way, without a recipe: the peer then
 * need not hash a file before its first byte moves.
 */
export class ContentGetter implements Disposable {
  readonly atHand: AtHand;
  readonly #context: DeltaContext;
  readonly #budget = new Budget(CHUNKS_AT_ONCE_MAX);
  /** At the beginning: what comes in the course of a first sync is no reason to change the way. */
  readonly #knowsContents: boolean;
  /** Files of this run that earlier ones have left something of. */
  readonly #resumed: PartialTarget[] = [];
  /** Contents on their way, by digest; each ends when it is in place or has failed. */
  readonly #underWay = new Map<DigestKey, PromiseWithResolvers<void>>();

  constructor(options: DeltaOptions) {
    this.#context = new DeltaContext(options);
    this.atHand = new AtHand(options.root, options.index, options.signal);
    this.#knowsContents = !options.index.recipes().next().done;
  }

  /** A file will be got in this run: what is left of it from earlier ones is not in the way. */
  noteWanted(wanted: WantedContent): void {
    if (wanted.size <= PARTIAL_BYTES_MIN) return;
    const target = targetOf(wanted);
    if (this.#context.partials.has(target)) this.#resumed.push(target);
  }

  /** Bytes that a file will take on the disk beyond what is there of it. Holes count as if they were none. */
  diskBytesFor(wanted: WantedContent): number {
    if (wanted.size <= PARTIAL_BYTES_MIN) return wanted.size;
    return Math.max(0, wanted.size - this.#context.partials.diskBytes(targetOf(wanted)));
  }

  /** Makes room on the disk: drops what earlier runs have left of files that this one does not want. */
  dropUnwanted(): void {
    this.#context.partials.discardOthers(this.#resumed);
  }

  /** Makes room on the disk by what is left of one file. @returns False if there was nothing. */
  dropPartial(wanted: WantedContent): boolean {
    return wanted.size > PARTIAL_BYTES_MIN && this.#context.partials.discard(targetOf(wanted));
  }

  /** True for a file that is best got with others in one request, false for {@linkcode get}. */
  isForBatch(wanted: WantedContent): boolean {
    if (wanted.size > ALONE_BYTES_MIN || hasUsefulOld(wanted)) return false;
    // What a run that died left of it is looked at first.
    return wanted.size <= PARTIAL_BYTES_MIN || !this.#context.partials.has(targetOf(wanted));
  }

  /** An empty file for one of a batch; a larger one is found again should this process die. */
  stageForBatch(wanted: WantedContent, mode: number): StagedFile {
    const { root, partials } = this.#context;
    if (wanted.size <= PARTIAL_BYTES_MIN) return root.stage(mode);
    return partials.begin(targetOf(wanted));
  }

  /** Ends what {@linkcode stageForBatch} began, where nobody will go on with it. */
  dropFromBatch(wanted: WantedContent): void {
    if (wanted.size > PARTIAL_BYTES_MIN) this.#context.partials.discard(targetOf(wanted));
  }

  /**
   * Gets one file.
   *
   * @param traffic Counted up as bytes arrive, also where it fails.
   * @throws {ContentError} if the peer no longer has the version.
   * @throws {StoreError} if it can't be written here.
   * @throws Anything else is the end of the session. What has arrived of a large file is kept each time.
   */
  async get(wanted: WantedContent, traffic: Traffic): Promise<GotContent> {
    if (wanted.size > FILE_BYTES_MAX) {
      throw new ContentError("file_too_large", `Files over ${FILE_BYTES_MAX} bytes are not synced`);
    }
    const isForDelta = this.#isForDelta(wanted);
    // Before anybody is made to wait for this file, or it would wait for them.
    using _ = isForDelta ? await this.#budget.take(chunksOf(wanted)) : undefined;
    let leave = () => {};
    const shortcut = async (digest: Digest) => {
      const known = await this.#getKnown(digest, wanted, traffic);
      if (typeof known !== "function") return known;
      leave = known;
      return undefined;
    };
    const known = wanted.digest && await shortcut(wanted.digest);
    if (known !== undefined) return known;
    try {
      const got = isForDelta
        ? await new DeltaFile(this.#context, wanted, traffic).get(async ({ digest }) =>
          wanted.digest === undefined ? await shortcut(digest) : undefined
        )
        : await new WholeFile(this.#context, wanted, traffic).get();
      return {
        ...got,
        close: (isDone) => {
          got.close(isDone);
          leave();
        },
      };
    } catch (error) {
      leave();
      throw error;
    }
  }

  /** Ends the waiting for contents that will not come any more; safe to call twice. */
  [Symbol.dispose](): void {
    for (const ended of this.#underWay.values()) ended.resolve();
    this.#underWay.clear();
  }

  #isForDelta(wanted: WantedContent): boolean {
    if (hasUsefulOld(wanted) || this.#knowsContents) return true;
    return wanted.size > PARTIAL_BYTES_MIN &&
      (this.#context.partials.has(targetOf(wanted)) ||
        this.#context.partialsOf(wanted).length > 0);
  }

  /**
   * Contents that the share holds, or is just getting. Where it is not, others with the same contents
   * wait from now on, until the function returned is called.
   */
  async #getKnown(
    digest: Digest,
    wanted: WantedContent,
    traffic: Traffic,
  ): Promise<GotContent | (() => void)> {
    for (;;) {
      const staged = await this.atHand.copy(digest, wanted.size);
      if (staged !== undefined) {
        traffic.bytesReused = wanted.size;
        return { staged, digest, close: () => {} };
      }
      const underWay = this.#underWay.get(digestKey(digest));
      if (underWay === undefined) return this.#enter(digest);
      await underWay.promise;
      this.#context.signal.throwIfAborted();
    }
  }

  #enter(digest: Digest): () => void {
    const key = digestKey(digest);
    const ended = Promise.withResolvers<void>();
    this.#underWay.set(key, ended);
    return () => {
      if (this.#underWay.get(key) === ended) this.#underWay.delete(key);
      ended.resolve();
    };
  }
}

function hasUsefulOld({ size, old }: WantedContent): boolean {
  return size > DELTA_BYTES_MIN && old !== undefined && old.size >= OLD_BYTES_MIN;
}

function chunksOf({ size }: WantedContent): number {
  return Math.ceil(size / chunkerFor(size).normalBytes);
}
