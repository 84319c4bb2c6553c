import { type Digest, digestKey } from "../../base/digest.ts";
import { nameOf, parentOf } from "../../base/paths.ts";
import type { RootIndex } from "../../index/mod.ts";
import {
  chunkerFor,
  ChunkIndex,
  type FileStat,
  hashFile,
  type PartialRecord,
  type PartialStore,
  reasonOf,
  type Recipe,
  type RecipeCollector,
  type Root,
} from "../../store/mod.ts";
import type { ShareContent } from "../content/share_content.ts";
import { tryDecode } from "./share_chunks.ts";
import { isRecordOf, isSameState, openLocation, SourceFile } from "./source_file.ts";
import { Turns } from "./turns.ts";
import type { WantedContent } from "./wanted.ts";

/** Files that are looked into because they share groups of chunks with the wanted one. */
const RELATED_MAX = 64;
/** Chunks of all files that one file is compared with: 36 GiB, 22 MB. */
const BASIS_CHUNKS_MAX = 2 ** 20;
/** A look-up of a group takes 5 µs; this is what it counts as in bytes, to share the thread. */
const LOOKUP_COST_BYTES = 8 * 1024;

/** What {@linkcode Basis} looks into. */
export interface BasisOptions {
  readonly root: Root;
  readonly index: RootIndex;
  readonly content: ShareContent;
  readonly partials: PartialStore;
  readonly signal: AbortSignal;
}

/** Opens a source, or the reason why there is none. */
type Opener = () => SourceFile | undefined;

/** What the share holds that one wanted file may be made of, found by where it lies and what it is like. */
export class Basis {
  readonly chunks = new ChunkIndex({ chunksMax: BASIS_CHUNKS_MAX });
  /** The old version: its number among the sources, and its digest. */
  old: { readonly source: number; readonly digest: Digest } | undefined;
  readonly #options: BasisOptions;
  readonly #openers: Opener[] = [];
  readonly #recipes: Recipe[] = [];

  constructor(options: BasisOptions) {
    this.#options = options;
  }

  /** Opens a source by its number in {@linkcode chunks}; `undefined` if it is no longer what it was. */
  open(source: number): SourceFile | undefined {
    try {
      return this.#openers[source]?.();
    } catch (error) {
      if (reasonOf(error) === undefined) throw error;
      return undefined;
    }
  }

  /**
   * Adds the version that will be replaced, hashing it if need be.
   *
   * @param state Of the file that is meant.
   */
  async addOld(wanted: WantedContent, state: FileStat): Promise<void> {
    const { content, index, root, signal } = this.#options;
    const recipe = await content.recipe(wanted.path, wanted.old!, signal);
    if (typeof recipe === "number") return;
    const record = index.lookInto(parentOf(wanted.path))?.find(nameOf(wanted.path));
    const isTrusted = isRecordOf(record, state, recipe.digest);
    const source = this.#add(recipe, () => {
      const file = root.openFile(wanted.path);
      if (isSameState(state, file.openedStat)) return new SourceFile(file, isTrusted);
      file[Symbol.dispose]();
    });
    if (source !== undefined) this.old = { source, digest: recipe.digest };
  }

  /** Adds what is left of an interrupted run for another version of the path, hashing it. */
  async addPartial(record: PartialRecord, wanted: WantedContent): Promise<void> {
    const { partials, signal } = this.#options;
    try {
      using file = partials.read(record);
      // Cut another way its chunks would never be found.
      if (chunkerFor(file.size).id !== chunkerFor(wanted.size).id) return;
      const recipe = await hashFile((into, at) => file.readAt(into, at), file.size, { signal });
      // Nobody but us writes there.
      this.#add(recipe, () => new SourceFile(partials.read(record), true));
    } catch (error) {
      if (reasonOf(error) === undefined) throw error;
    }
  }

  /** Fills in groups of the wanted file that are known here, and adds the files that have them. */
  async fill(collector: RecipeCollector): Promise<void> {
    for (const recipe of this.#recipes) collector.addRecipe(recipe);
    await this.#addRelated(collector);
    this.#recipes.length = 0;
  }

  async #addRelated(collector: RecipeCollector): Promise<void> {
    const { index, signal } = this.#options;
    const turns = new Turns(signal);
    const seen = new Set<string>(this.#recipes.map(({ digest }) => digestKey(digest)));
    let missing = new Set(collector.missingGroups());
    let related = 0;
    for (const group of [...missing]) {
      if (turns.spend(LOOKUP_COST_BYTES)) await turns.pass();
      if (!missing.has(group)) continue;
      for (const digest of index.filesWithGroup(collector.groups.groupHash(group).slice())) {
        if (seen.has(digestKey(digest))) continue;
        seen.add(digestKey(digest));
        const recipe = this.#recipeOf(digest);
        if (recipe === undefined) continue;
        if (collector.addRecipe(recipe) > 0) missing = new Set(collector.missingGroups());
        this.#add(recipe, () => this.#openDigest(digest));
        if (++related === RELATED_MAX) return;
      }
    }
  }

  #recipeOf(digest: Digest): Recipe | undefined {
    const { index } = this.#options;
    const stored = index.getRecipe(digest);
    // A recipe outlives its file by a day.
    if (stored === undefined || index.pathsOfDigest(digest).length === 0) return undefined;
    return tryDecode(stored, digest);
  }

  #openDigest(digest: Digest): SourceFile | undefined {
    return openDigest(this.#options.root, this.#options.index, digest);
  }

  #add(recipe: Recipe, open: Opener): number | undefined {
    const source = this.chunks.addSource(recipe);
    if (source === undefined) return undefined;
    this.#openers.push(open);
    this.#recipes.push(recipe);
    return source;
  }
}

/** Opens some file of the share that has the contents with a digest, a trusted one if there is any. */
export function openDigest(root: Root, index: RootIndex, digest: Digest): SourceFile | undefined {
  let untrusted: SourceFile | undefined;
  for (const location of index.pathsOfDigest(digest)) {
    const source = openLocation(root, location);
    if (source === undefined) continue;
    if (source.isTrusted) {
      untrusted?.[Symbol.dispose]();
      return source;
    }
    if (untrusted === undefined) untrusted = source;
    else source[Symbol.dispose]();
  }
  return untrusted;
}
