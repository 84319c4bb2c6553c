import { equalBytes } from "../../base/bytes.ts";
import {
  type AssemblyStep,
  encodeRecipe,
  type GroupList,
  type PartialFile,
  type PartialTarget,
  planAssembly,
  type ReadFile,
  reasonOf,
  type Recipe,
  RecipeCollector,
  type StagedFile,
  totalsOf,
} from "../../store/mod.ts";
import { Assembler, type InPlace } from "./assembler.ts";
import { Basis, openDigest } from "./basis.ts";
import { Checkpoints } from "./checkpoints.ts";
import { ChunkProgress } from "./chunk_progress.ts";
import { ContentError } from "./content_error.ts";
import type { DeltaContext } from "./delta_context.ts";
import { hashPrefix } from "./hash_prefix.ts";
import { getGroupList, getMissingGroups } from "./remote_recipe.ts";
import { Seed } from "./seed.ts";
import { settleAll } from "./settle.ts";
import { LayeredChunks, tryDecode } from "./share_chunks.ts";
import { SourceSet } from "./source_set.ts";
import type { GotContent, Traffic, WantedContent } from "./wanted.ts";

/**
 * Files over this size keep what has arrived when they are interrupted. Of smaller ones, 256 at most
 * wait for the disk together.
 */
export const PARTIAL_BYTES_MIN = 64 * 1024;
/**
 * Bytes to fetch from which on notes of a file are kept beside it: losing them would cost more. Only
 * with them is what is left of one version of use for another.
 */
export const NOTES_BYTES_MIN = 8 * 1024 * 1024;
/** An old version, or what is left of one, below this has no whole chunk to offer. */
export const OLD_BYTES_MIN = 32 * 1024;

/** What is learned before anything can be planned. */
interface Findings {
  readonly list: GroupList;
  readonly basis: Basis;
  /** Bytes at the front of the staged file that are those of the old version. */
  readonly seedBytes: number;
  /** Chunks at the front of the staged file, from an earlier run. */
  readonly prefixChunks: Uint8Array | undefined;
}

/** One file on its way from what is at hand and what the peer has, to a staged file. */
export class DeltaFile {
  readonly #context: DeltaContext;
  readonly #wanted: WantedContent;
  readonly #traffic: Traffic;
  readonly #target: PartialTarget;
  #partial: PartialFile | undefined;
  #staged: StagedFile | undefined;
  #checkpoints: Checkpoints | undefined;
  /** The staged file has bytes that would have to travel again. */
  #isWorthKeeping = false;

  constructor(context: DeltaContext, wanted: WantedContent, traffic: Traffic) {
    this.#context = context;
    this.#wanted = wanted;
    this.#traffic = traffic;
    this.#target = targetOf(wanted);
  }

  /**
   * Gets the contents.
   *
   * @param shortcut Asked once the digest is known, if the plan did not have it: contents to use instead.
   * @throws {ContentError} if the peer no longer has the version.
   * @throws {ProtocolError} if what it says can't be.
   * @throws {StoreError} if the staged file can't be written. What has arrived is kept.
   */
  async get(shortcut: (list: GroupList) => Promise<GotContent | undefined>): Promise<GotContent> {
    try {
      const findings = await this.#find();
      const { list } = findings;
      const known = this.#isInPlace(findings) ? undefined : await shortcut(list);
      if (known !== undefined) {
        this.#isWorthKeeping = false;
        this.#drop();
        return known;
      }
      const recipe = await this.#complete(findings);
      return this.#hand(recipe);
    } catch (error) {
      if (isOver(error) && this.#checkpoints === undefined) this.#isWorthKeeping = false;
      this.#drop();
      throw error;
    }
  }

  /** Asks the peer, and looks around meanwhile. */
  async #find(): Promise<Findings> {
    const { signal, remote } = this.#context;
    const wanted = this.#wanted;
    const staged = this.#open();
    const isResumed = this.#isWorthKeeping = staged.size > 0;
    const isChecked = this.#partial?.digestFlushed !== undefined;
    const basis = new Basis(this.#context);
    using old = this.#openOld();
    const seed = old && !isResumed ? Seed.start(staged, old, wanted.size) : undefined;
    try {
      const [list, prefixChunks] = await settleAll([
        getGroupList(remote, wanted),
        isResumed && !isChecked ? hashPrefix(staged, wanted.size, signal) : undefined,
        this.#addTo(basis, old),
      ]);
      return { list, basis, prefixChunks, seedBytes: await seed?.stop() ?? 0 };
    } finally {
      await seed?.stop();
    }
  }

  async #addTo(basis: Basis, old: ReadFile | undefined): Promise<void> {
    if (old !== undefined) await basis.addOld(this.#wanted, old.openedStat);
    for (const record of this.#context.partialsOf(this.#wanted)) {
      await basis.addPartial(record, this.#wanted);
    }
  }

  /** The staged file is made of the very contents already, as far as it goes. */
  #isInPlace({ list, basis, seedBytes }: Findings): boolean {
    return seedBytes > 0 && basis.old !== undefined && equalBytes(basis.old.digest, list.digest);
  }

  async #complete({ list, basis, seedBytes, prefixChunks }: Findings): Promise<Recipe> {
    const { remote, signal, onBytes } = this.#context;
    const staged = this.#staged!;
    const recipe = await this.#recipe(list, basis, prefixChunks);
    const progress = new ChunkProgress(recipe);
    if (prefixChunks !== undefined) progress.mark(0, recipe.commonChunks(prefixChunks));
    const isResumed = this.#isWorthKeeping;
    if (isResumed) await this.#markFlushed(recipe, progress);
    const { steps, open } = await this.#plan(recipe, basis);
    using sources = new SourceSet(open);
    this.#beginNotes(recipe, steps, sources);
    const inPlace: InPlace = {
      bytes: staged.size,
      isResumed,
      ...(seedBytes > 0 && basis.old !== undefined &&
        { seed: { source: basis.old.source, bytes: seedBytes } }),
    };
    const fetchedBefore = this.#traffic.bytesFetched;
    try {
      await new Assembler({
        wanted: this.#wanted,
        recipe,
        staged,
        inPlace,
        progress,
        sources,
        remote,
        lanes: this.#context.lanes,
        traffic: this.#traffic,
        checkpoints: this.#checkpoints,
        onBytes,
        signal,
      }).run(steps);
      await this.#checkpoints?.settle();
    } catch (error) {
      if (this.#traffic.bytesFetched > fetchedBefore) this.#isWorthKeeping = true;
      await this.#checkpoints?.stop(progress.prefixBytes);
      throw error;
    }
    return recipe;
  }

  async #recipe(
    list: GroupList,
    basis: Basis,
    prefixChunks: Uint8Array | undefined,
  ): Promise<Recipe> {
    const collector = new RecipeCollector(list);
    if (prefixChunks !== undefined) collector.addPrefix(prefixChunks);
    if (this.#isWorthKeeping) this.#addSaved(collector);
    await basis.fill(collector);
    await getMissingGroups(this.#context.remote, this.#wanted, collector);
    return collector.finish();
  }

  /** Adds what an earlier run was told of the file, or of a version of it. */
  #addSaved(collector: RecipeCollector): void {
    const saved = this.#partial?.readRecipe();
    const recipe = saved && tryDecode(saved);
    if (recipe !== undefined) collector.addRecipe(recipe);
  }

  /** What was flushed was checked before it was written; only the rest needs a look. */
  async #markFlushed(recipe: Recipe, progress: ChunkProgress): Promise<void> {
    const { bytesFlushed, digestFlushed } = this.#partial!;
    if (digestFlushed === undefined) return;
    if (equalBytes(digestFlushed, recipe.digest)) return progress.markPrefix(bytesFlushed);
    // The entry must not outlive the bytes it vouches for, which are about to be written over.
    await this.#partial!.checkpoint(0);
  }

  async #plan(
    recipe: Recipe,
    basis: Basis,
  ): Promise<{ steps: AssemblyStep[]; open: ConstructorParameters<typeof SourceSet>[0] }> {
    const steps = planAssembly(recipe, basis.chunks);
    const share = await this.#context.searchShare(totalsOf(steps).fetch);
    if (share === undefined) return { steps, open: (source) => basis.open(source) };
    const { root, index } = this.#context;
    const { sourceCount } = basis.chunks;
    return {
      steps: planAssembly(recipe, new LayeredChunks(basis.chunks, share.chunks)),
      open: (source) =>
        source < sourceCount
          ? basis.open(source)
          : openDigest(root, index, share.digestOf(source - sourceCount)),
    };
  }

  /** Notes are kept where losing them would cost more than having them. */
  #beginNotes(recipe: Recipe, steps: readonly AssemblyStep[], sources: SourceSet): void {
    const { fsync, clock } = this.#context;
    if (this.#partial === undefined || totalsOf(steps).fetch < NOTES_BYTES_MIN) return;
    this.#partial.saveRecipe(encodeRecipe(recipe));
    if (!fsync) return;
    this.#checkpoints = new Checkpoints(this.#partial, {
      clock,
      digest: recipe.digest,
      isSound: () => sources.isSound,
    });
  }

  #hand(recipe: Recipe): GotContent {
    const staged = this.#staged!;
    const partial = this.#partial;
    return {
      staged,
      recipe,
      digest: recipe.digest,
      close: (isDone) => {
        if (!isDone) return;
        partial?.forget();
        this.#context.forgetPartials(this.#wanted);
      },
    };
  }

  #open(): StagedFile {
    const { root, partials } = this.#context;
    if (this.#wanted.size <= PARTIAL_BYTES_MIN) return this.#staged = root.stage();
    this.#partial = partials.open(this.#target);
    return this.#staged = this.#partial.staged;
  }

  /** Opens the version that will be replaced, if it is there and large enough to be of use. */
  #openOld(): ReadFile | undefined {
    const { path, old } = this.#wanted;
    if (old === undefined || old.size < OLD_BYTES_MIN) return undefined;
    try {
      const file = this.#context.root.openFile(path);
      if (file.size === old.size && file.openedStat.mtimeMs === old.mtimeMs) return file;
      file[Symbol.dispose]();
    } catch (error) {
      if (reasonOf(error) === undefined) throw error;
    }
    return undefined;
  }

  /** Gives up, keeping what has arrived unless nobody knows what it is. */
  #drop(): void {
    this.#staged?.[Symbol.dispose]();
    this.#staged = undefined;
    if (this.#partial === undefined) return;
    const isKept = this.#isWorthKeeping && !(this.#checkpoints?.hasFailed ?? false);
    if (!isKept) this.#context.partials.discard(this.#target);
  }
}

/**
 * True for a failure after which a file without a journal is not kept: of another version it would be of
 * no use, and on a full disk it would be in the way of those that fit.
 */
export function isOver(error: unknown): boolean {
  return error instanceof ContentError || reasonOf(error) === "no_space";
}

/** The name a partial file goes by. Without the digest: what it holds is checked chunk by chunk. */
export function targetOf({ path, size, mtimeMs }: WantedContent): PartialTarget {
  return { path, size, mtimeMs };
}
