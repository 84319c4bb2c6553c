import { DIGEST_BYTES } from "../base/digest.ts";
import type { DirPath } from "../base/paths.ts";

/** Directories that are remembered for one digest: the empty file may lie in every one of a million. */
const DIRS_OF_DIGEST_MAX = 16;

const SLOTS_MIN = 1024;
/** Slots are doubled when this share of them is taken. */
const LOAD_MAX = 0.6;

/**
 * Tells in which directories a file with a given digest may lie. It keeps 32 bits of each digest and a
 * number for the directory, 13 to 27 bytes an entry, and so may name a directory that holds no such
 * file: the caller looks there.
 */
export class DigestMap {
  #slots = SLOTS_MIN;
  #taken = 0;
  /** The first 32 bits of the digest in each slot; digests are evenly spread, so these are the hash. */
  #prints = new Uint32Array(SLOTS_MIN);
  /** The directory in each slot, counted from 1; 0 in a free slot. */
  #places = new Uint32Array(SLOTS_MIN);
  readonly #dirs: DirPath[] = [];

  /** Notes that files with these digests (32 bytes each, joined) lie in a directory. 50 ns a digest. */
  add(digests: Uint8Array, dir: DirPath): void {
    if (digests.length === 0) return;
    const place = this.#dirs.push(dir);
    for (let at = 0; at < digests.length; at += DIGEST_BYTES) {
      this.#insert(printOf(digests, at), place);
    }
  }

  /** Directories where the digest may lie, each once. */
  dirsOf(digest: Uint8Array): DirPath[] {
    const print = printOf(digest, 0);
    const found = new Set<DirPath>();
    for (let slot = print & (this.#slots - 1);; slot = (slot + 1) & (this.#slots - 1)) {
      const place = this.#places[slot]!;
      if (place === 0) return [...found];
      if (this.#prints[slot] === print) found.add(this.#dirs[place - 1]!);
    }
  }

  #insert(print: number, place: number): void {
    if (this.#taken >= this.#slots * LOAD_MAX) this.#grow();
    const mask = this.#slots - 1;
    let same = 0;
    let slot = print & mask;
    // Bounded by the limit on equal prints, whatever the digests; others are spread evenly.
    for (; this.#places[slot] !== 0; slot = (slot + 1) & mask) {
      if (this.#prints[slot] !== print) continue;
      if (this.#places[slot] === place || ++same === DIRS_OF_DIGEST_MAX) return;
    }
    this.#prints[slot] = print;
    this.#places[slot] = place;
    this.#taken++;
  }

  #grow(): void {
    const prints = this.#prints;
    const places = this.#places;
    this.#slots *= 2;
    this.#prints = new Uint32Array(this.#slots);
    this.#places = new Uint32Array(this.#slots);
    const mask = this.#slots - 1;
    for (let old = 0; old < places.length; old++) {
      if (places[old] === 0) continue;
      let slot = prints[old]! & mask;
      while (this.#places[slot] !== 0) slot = (slot + 1) & mask;
      this.#prints[slot] = prints[old]!;
      this.#places[slot] = places[old]!;
    }
  }
}

/** The first 32 bits of the digest at an offset. */
export function printOf(digests: Uint8Array, at: number): number {
  return (digests[at]! << 24 | digests[at + 1]! << 16 | digests[at + 2]! << 8 |
    digests[at + 3]!) >>>
    0;
}
