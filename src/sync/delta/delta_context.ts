import type { Clock } from "../../base/clock.ts";
import type { RootIndex } from "../../index/mod.ts";
import { type PartialRecord, PartialStore, type Root } from "../../store/mod.ts";
import type { ShareContent } from "../content/share_content.ts";
import type { LaneFetcher } from "../lane/lane_fetcher.ts";
import { ShareChunks } from "./share_chunks.ts";
import type { ContentSource, WantedContent } from "./wanted.ts";

/**
 * Bytes that would have to be fetched, over all files of a session, before all chunks of the share are
 * searched for them: reading the recipes of 100 GiB takes a second.
 */
export const SHARE_SEARCH_BYTES_MIN = 256 * 1024;

/** What contents are got from and put into. */
export interface DeltaOptions {
  readonly root: Root;
  readonly index: RootIndex;
  readonly content: ShareContent;
  readonly remote: ContentSource;
  /** Threads that fetch beside this one. */
  readonly lanes?: LaneFetcher | undefined;
  readonly clock: Clock;
  /** False for scratch data only: nothing is vouched for across a power cut then. */
  readonly fsync: boolean;
  readonly signal: AbortSignal;
  /** File bytes that just arrived. */
  readonly onBytes: (bytes: number) => void;
}

/** What all files of one session have in common. */
export class DeltaContext implements DeltaOptions {
  readonly root: Root;
  readonly index: RootIndex;
  readonly content: ShareContent;
  readonly remote: ContentSource;
  readonly lanes: LaneFetcher | undefined;
  readonly clock: Clock;
  readonly fsync: boolean;
  readonly signal: AbortSignal;
  readonly onBytes: (bytes: number) => void;
  readonly partials: PartialStore;
  #leftovers: PartialRecord[] | undefined;
  #missedBytes = 0;
  #share: Promise<ShareChunks> | undefined;

  constructor(options: DeltaOptions) {
    this.root = options.root;
    this.index = options.index;
    this.content = options.content;
    this.remote = options.remote;
    this.lanes = options.lanes;
    this.clock = options.clock;
    this.fsync = options.fsync;
    this.signal = options.signal;
    this.onBytes = options.onBytes;
    this.partials = new PartialStore(options.root);
  }

  /**
   * The chunks of the whole share, once so much would be fetched that a search may pay.
   *
   * @param missedBytes What would be fetched for one file without it.
   */
  async searchShare(missedBytes: number): Promise<ShareChunks | undefined> {
    this.#missedBytes += missedBytes;
    if (missedBytes === 0 || this.#missedBytes < SHARE_SEARCH_BYTES_MIN) return undefined;
    this.#share ??= ShareChunks.build(this.index, { signal: this.signal });
    return await this.#share;
  }

  /** What interrupted runs left of other versions of the path. */
  partialsOf({ path, size, mtimeMs }: WantedContent): PartialRecord[] {
    return this.#found().filter((record) =>
      record.path === path && (record.size !== size || record.mtimeMs !== mtimeMs)
    );
  }

  /** Removes what is left of other versions: a newer one is in place. */
  forgetPartials(wanted: WantedContent): void {
    for (const record of this.partialsOf(wanted)) this.partials.discard(record);
    this.#leftovers = this.#found().filter(({ path }) => path !== wanted.path);
  }

  /** As an earlier run left them: looked up once. */
  #found(): PartialRecord[] {
    return this.#leftovers ??= this.partials.list();
  }
}
