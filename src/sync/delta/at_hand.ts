import { type Bytes, equalBytes } from "../../base/bytes.ts";
import { type Digest, type DigestKey, digestKey } from "../../base/digest.ts";
import type { RelPath } from "../../base/paths.ts";
import type { DigestLocation, RootIndex } from "../../index/mod.ts";
import {
  hashFile,
  isZeros,
  type ReadFile,
  reasonOf,
  type Root,
  type StagedFile,
} from "../../store/mod.ts";
import { copyBytes, copySparse } from "./copy_bytes.ts";
import { openLocation } from "./source_file.ts";

/** Finds whole contents that the share holds already, and copies them inside the file system. */
export class AtHand {
  readonly #root: Root;
  readonly #index: RootIndex;
  readonly #signal: AbortSignal;

  constructor(root: Root, index: RootIndex, signal: AbortSignal) {
    this.#root = root;
    this.#index = index;
    this.#signal = signal;
  }

  /** Where files with those digests were seen. One call for many is much cheaper than many calls. */
  locate(digests: Iterable<Digest>): Map<DigestKey, DigestLocation[]> {
    return this.#index.pathsOfDigests(digests);
  }

  /**
   * A staged copy of the contents with a digest: sharing their blocks where the file system can.
   *
   * @param locations Where to look, if that is known already.
   * @returns `undefined` where nothing is certain to hold them any more.
   * @throws {StoreError} if the copy can't be written.
   */
  async copy(
    digest: Digest,
    size: number,
    locations?: readonly DigestLocation[],
  ): Promise<StagedFile | undefined> {
    for (const location of locations ?? this.locate([digest]).get(digestKey(digest)) ?? []) {
      using source = openLocation(this.#root, location);
      if (!source?.isTrusted || source.file.size !== size) continue;
      const staged = this.#root.stage();
      let isGood = false;
      try {
        await this.#copyWhole(staged, source.file);
        isGood = source.isUnchanged();
        if (isGood) return staged;
      } catch (error) {
        // Another place may be readable; a full disk is full for all of them.
        const reason = reasonOf(error);
        if (reason === undefined || reason === "no_space" || reason === "read_only") throw error;
      } finally {
        if (!isGood) staged[Symbol.dispose]();
      }
    }
    return undefined;
  }

  /**
   * A staged copy of one file, hashed on the way: for contents that no record vouches for.
   *
   * @returns `undefined` if it does not have the digest.
   * @throws {StoreError} if it can't be read, or the copy can't be written.
   */
  async copyChecked(path: RelPath, digest: Digest): Promise<StagedFile | undefined> {
    using file = this.#root.openFile(path);
    const staged = this.#root.stage();
    let isGood = false;
    try {
      const recipe = await hashFile(
        (into, at) => {
          const count = file.readAt(into, at);
          const piece = into.subarray(0, count) as Bytes;
          if (!isZeros(piece, 0, count)) staged.writeAt(piece, at);
          return count;
        },
        file.size,
        { signal: this.#signal },
      );
      if (staged.size < file.size) staged.truncate(file.size);
      isGood = equalBytes(recipe.digest, digest);
      return isGood ? staged : undefined;
    } finally {
      if (!isGood) staged[Symbol.dispose]();
    }
  }

  async #copyWhole(staged: StagedFile, source: ReadFile): Promise<void> {
    if (await staged.cloneFrom(source)) return;
    if (source.openedStat.blocks * 512 < source.size) {
      return await copySparse(staged, source, this.#signal);
    }
    const whole = { sourceOffset: 0, offset: 0, length: source.size };
    await copyBytes(staged, source, whole, this.#signal);
  }
}
