import { encodeDir } from "./dir_codec.ts";
import { type DirPatch, joinPatches, nameCount } from "./dir_record.ts";
import type { DirView } from "./dir_view.ts";

/** Names that a patch may have to be kept as it came. */
const LOOSE_NAMES_MAX = 64;
/** What a name in one takes, about. */
const LOOSE_NAME_BYTES = 512;
/** What anything collected takes besides its bytes. */
const OBJECT_BYTES = 512;

/**
 * Writes to one directory that are not in the database yet. Most are of one or two names, and more about the
 * same names follows: those stay objects, of which one patch is made at last, or none if they are worked
 * into the record before.
 */
export class PendingDir {
  readonly #patches: Uint8Array[] = [];
  #loose: DirPatch | undefined;
  #base: DirView | undefined;
  #looseBytes: Uint8Array | undefined;

  /** @param record Takes the place of what the database has. */
  constructor(readonly record?: Uint8Array) {}

  /** True for a patch that {@linkcode add} keeps as it is, which makes looking up names cheap. */
  static keepsLoose(patch: DirPatch): boolean {
    return nameCount(patch) <= LOOSE_NAMES_MAX;
  }

  /** Patches to apply in order, to {@linkcode PendingDir.record} or to what the database has. */
  get patches(): readonly Uint8Array[] {
    if (this.#loose === undefined) return this.#patches;
    return [...this.#patches, this.#looseBytes ??= encodeDir(this.#loose)];
  }

  /** The last of the patches, and what comes before it, if both are at hand. */
  get loose(): { readonly base: DirView; readonly patch: DirPatch } | undefined {
    const base = this.#base;
    return base && this.#loose && { base, patch: this.#loose };
  }

  /** Bytes of memory, about. */
  get weight(): number {
    let bytes = this.record === undefined ? 0 : this.record.length + OBJECT_BYTES;
    for (const patch of this.#patches) bytes += patch.length + OBJECT_BYTES;
    if (this.#loose !== undefined) {
      const base = this.#base?.encoded.bytes.length ?? 0;
      bytes += base + nameCount(this.#loose) * LOOSE_NAME_BYTES + OBJECT_BYTES;
    }
    return bytes;
  }

  /** @param base What is remembered without it, if that is at hand. */
  add(patch: DirPatch, base: DirView | undefined): void {
    if (this.#loose === undefined) this.#base = base;
    else patch = joinPatches([this.#loose, patch]);
    this.#looseBytes = undefined;
    this.#loose = patch;
    if (PendingDir.keepsLoose(patch)) return;
    this.#patches.push(encodeDir(patch));
    this.#loose = this.#base = undefined;
  }

  /** What came before may no longer be as it was. */
  forgetBase(): void {
    this.#base = undefined;
  }
}
