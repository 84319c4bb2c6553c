import { DIGEST_BYTES } from "../base/digest.ts";
import type { DirPath } from "../base/paths.ts";

/** Directories that are remembered for one digest: the empty file may lie in every one of a million. */
const DIRS_OF_DIGEST_MAX = 16;

/** By the digest's first bits: each part grows for itself, so that never much lies there twice. */
const PART_BITS = 6;
const REST_BITS = 32 - PART_BITS;

const SLOTS_MIN = 16;
/** A part grows when this share of its slots is taken, */
const LOAD_MAX = 0.8;
/** to so many times as many. */
const GROWTH = 1.4;

/**
 * Tells in which directories a file with a given digest may lie. It keeps 32 bits of each digest and a
 * number for the directory, 10 to 14 bytes an entry, and so may name a directory that holds no such file:
 * the caller looks there.
 */
export class DigestMap {
  readonly #parts: (Part | undefined)[] = new Array(1 << PART_BITS).fill(undefined);
  readonly #dirs: DirPath[] = [];

  /** Bytes that it takes, but for the paths. */
  get bytes(): number {
    return this.#parts.reduce((sum, part) => sum + (part?.bytes ?? 0), 0);
  }

  /** Notes that files with these digests (32 bytes each, joined) lie in a directory. 50 ns a digest. */
  add(digests: Uint8Array, dir: DirPath): void {
    if (digests.length === 0) return;
    const place = this.#dirs.at(-1) === dir ? this.#dirs.length : this.#dirs.push(dir);
    for (let at = 0; at < digests.length; at += DIGEST_BYTES) {
      const print = printOf(digests, at);
      (this.#parts[print >>> REST_BITS] ??= new Part()).add(print, place);
    }
  }

  /** Takes back that a directory holds files whose digests have these first 32 bits. */
  remove(prints: Iterable<number>, dir: DirPath): void {
    for (const print of prints) {
      this.#parts[print >>> REST_BITS]?.remove(print, (place) => this.#dirs[place - 1] === dir);
    }
  }

  /** Directories where the digest may lie, each once. */
  dirsOf(digest: Uint8Array): DirPath[] {
    const print = printOf(digest, 0);
    const places = this.#parts[print >>> REST_BITS]?.placesOf(print) ?? [];
    return [...new Set(places.map((place) => this.#dirs[place - 1]!))];
  }
}

/** Some of the digests: an open hash table in which each entry lies in the first free slot from its own on. */
class Part {
  /** Two numbers for each slot: 32 bits of the digest, and the directory's, from 1; 0 in a free slot. */
  #slots = new Uint32Array(2 * SLOTS_MIN);
  #count = SLOTS_MIN;
  #taken = 0;

  get bytes(): number {
    return this.#slots.byteLength;
  }

  add(print: number, place: number): void {
    if (this.#taken >= this.#count * LOAD_MAX) this.#grow();
    let same = 0;
    let slot = this.#home(print);
    // Bounded by the limit on equal prints, whatever the digests; others are spread evenly.
    for (; this.#slots[2 * slot + 1] !== 0; slot = this.#next(slot)) {
      if (this.#slots[2 * slot] !== print) continue;
      if (this.#slots[2 * slot + 1] === place || ++same === DIRS_OF_DIGEST_MAX) return;
    }
    this.#set(slot, print, place);
    this.#taken++;
  }

  placesOf(print: number): number[] {
    const places: number[] = [];
    for (let slot = this.#home(print);; slot = this.#next(slot)) {
      const place = this.#slots[2 * slot + 1]!;
      if (place === 0) return places;
      if (this.#slots[2 * slot] === print) places.push(place);
    }
  }

  remove(print: number, isMeant: (place: number) => boolean): void {
    let slot = this.#home(print);
    for (let place; (place = this.#slots[2 * slot + 1]!) !== 0;) {
      // Another one may come into the slot.
      if (this.#slots[2 * slot] === print && isMeant(place)) this.#free(slot);
      else slot = this.#next(slot);
    }
  }

  /** Frees a slot; what lies behind moves up where it would no longer be found (Knuth 6.4, algorithm R). */
  #free(slot: number): void {
    const slots = this.#slots;
    let free = slot;
    for (let at = this.#next(slot); slots[2 * at + 1] !== 0; at = this.#next(at)) {
      const home = this.#home(slots[2 * at]!);
      const isBetween = free < at ? home > free && home <= at : home > free || home <= at;
      if (isBetween) continue;
      this.#set(free, slots[2 * at]!, slots[2 * at + 1]!);
      free = at;
    }
    this.#set(free, 0, 0);
    this.#taken--;
  }

  #grow(): void {
    const old = this.#slots;
    this.#count = Math.ceil(this.#count * GROWTH);
    this.#slots = new Uint32Array(2 * this.#count);
    for (let at = 0; at < old.length; at += 2) {
      if (old[at + 1] === 0) continue;
      let slot = this.#home(old[at]!);
      while (this.#slots[2 * slot + 1] !== 0) slot = this.#next(slot);
      this.#set(slot, old[at]!, old[at + 1]!);
    }
  }

  /** Digests are evenly spread, so their bits are the hash. */
  #home(print: number): number {
    const rest = (print << PART_BITS) >>> PART_BITS;
    return Math.floor(rest / (1 << REST_BITS) * this.#count);
  }

  #next(slot: number): number {
    return slot + 1 === this.#count ? 0 : slot + 1;
  }

  #set(slot: number, print: number, place: number): void {
    this.#slots[2 * slot] = print;
    this.#slots[2 * slot + 1] = place;
  }
}

/** The first 32 bits of the digest at an offset. */
export function printOf(digests: Uint8Array, at: number): number {
  return (digests[at]! << 24 | digests[at + 1]! << 16 | digests[at + 2]! << 8 |
    digests[at + 3]!) >>>
    0;
}
