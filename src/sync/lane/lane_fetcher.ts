import {
  cutChunks,
  decodeRecipe,
  type HandedFile,
  type Recipe,
  type Root,
  type StagedFile,
} from "../../store/mod.ts";
import type { Lanes } from "../link/requester.ts";
import type { RangeRequest } from "../delta/range_requests.ts";
import type { Lane } from "./lane.ts";
import {
  type FileReport,
  type FilesJob,
  type LaneFile,
  rootRef,
  type WholeFront,
} from "./lane_messages.ts";

/** Less than this is not worth another request, which drops what is on its way. */
const REST_BYTES_MIN = 16 * 1024 * 1024;

/** What a {@linkcode LaneFetcher} works with. */
export interface LaneFetcherOptions {
  readonly lanes: Lanes;
  readonly session: number;
  readonly root: Root;
  readonly signal: AbortSignal;
}

/**
 * Has lanes fetch what they have time for. Each call may do nothing, or leave off in the middle: what it
 * has not told of is to be fetched by the caller.
 */
export class LaneFetcher {
  readonly #options: LaneFetcherOptions;

  constructor(options: LaneFetcherOptions) {
    this.#options = options;
  }

  /**
   * Stages whole files.
   *
   * @param report Hears of each file that came or never will; by then it owns what was staged.
   */
  async getFiles(
    files: FilesJob["files"],
    report: (report: FileReport) => Promise<void> | void,
  ): Promise<void> {
    const lane = this.#pick();
    if (lane === undefined) return;
    const { root, session, signal } = this.#options;
    const job = { kind: "files", root: rootRef(root), session, files } as const;
    await lane.run(job, { signal, events: { report } });
  }

  /**
   * Writes one file from its front into a staged file.
   *
   * @param written Hears how many bytes are there.
   * @returns How it is made of chunks, or what there is of it; `undefined` where no lane told.
   * @throws as {@linkcode Lane.run}.
   */
  async getWhole(
    file: LaneFile,
    { staged, front }: { readonly staged: StagedFile; readonly front: WholeFront },
    written: (bytes: number) => void,
  ): Promise<Recipe | WholeFront | undefined> {
    return await this.#into(staged, async (lane, target) => {
      const { root, session, signal } = this.#options;
      const job = { kind: "whole", root: rootRef(root), session, file, target, front } as const;
      const end = await lane.run(job, { signal, events: { written } });
      if (end.kind === "whole") return decodeRecipe(end.recipe);
      return end.kind === "cut" ? end.front : undefined;
    });
  }

  /** True if a lane should go on with a file of which so much is missing. */
  wantsRest(bytes: number): boolean {
    return bytes >= REST_BYTES_MIN && this.#options.root.implementation !== "portable" &&
      this.#options.lanes.hasFreeLane;
  }

  /**
   * Writes chunks of a file into a staged file, each checked.
   *
   * @param chunks Hears of chunks that are there, and of bytes that came.
   * @returns How many chunks came wrong; `undefined` where it left off.
   * @throws as {@linkcode Lane.run}.
   */
  async getRanges(
    file: LaneFile,
    { recipe, request, staged }: {
      readonly recipe: Recipe;
      readonly request: RangeRequest;
      readonly staged: StagedFile;
    },
    chunks: (chunks: readonly number[], bytes: number) => void,
  ): Promise<number | undefined> {
    return await this.#into(staged, async (lane, target) => {
      const { root, session, signal } = this.#options;
      const { ranges, runs } = request;
      const end = await lane.run({
        kind: "ranges",
        root: rootRef(root),
        session,
        file,
        target,
        ranges,
        runs,
        chunks: cutChunks(recipe, runs),
        chunkBytesMax: recipe.chunkBytesMax,
      }, { signal, events: { chunks } });
      return end.kind === "ranges" ? end.missing : undefined;
    });
  }

  #pick(): Lane | undefined {
    const { lanes, root } = this.#options;
    return root.implementation === "portable" ? undefined : lanes.pickLane();
  }

  async #into<T>(
    staged: StagedFile,
    work: (lane: Lane, target: HandedFile) => Promise<T>,
  ): Promise<T | undefined> {
    const lane = this.#pick();
    const target = lane && this.#options.root.share(staged);
    return lane && target && await work(lane, target);
  }
}
