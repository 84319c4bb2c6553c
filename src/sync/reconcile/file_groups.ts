import type { FileEntry } from "../../base/tree.ts";

type Version = Pick<FileEntry, "size" | "mtimeMs">;

/** The sizes and times of very many files, as bits: it may say that it has what it has not. */
export class KeyHashes {
  /** The first ones, until they are {@linkcode FEW}. */
  #first: number[] = [];
  #bits = new Uint32Array(FEW_BITS / 32);
  isEmpty = true;

  add({ size, mtimeMs }: Version): void {
    const hash = hashOf(size, mtimeMs);
    this.isEmpty = false;
    this.#set(hash);
    if (this.#bits.length * 32 === MANY_BITS) return;
    this.#first.push(hash);
    if (this.#first.length < FEW) return;
    this.#bits = new Uint32Array(MANY_BITS / 32);
    for (const hash of this.#first) this.#set(hash);
    this.#first = [];
  }

  mayHave(size: number, mtimeMs: number): boolean {
    const hash = hashOf(size, mtimeMs);
    return (this.#bits[this.#wordOf(hash)]! & 1 << (hash & 31)) !== 0;
  }

  #set(hash: number): void {
    this.#bits[this.#wordOf(hash)]! |= 1 << (hash & 31);
  }

  #wordOf(hash: number): number {
    return (hash >>> 5) & this.#bits.length - 1;
  }
}

/** For few files a map that stays in the cache: the first touch of each page of a large one is dear. */
const FEW = 4096;
const FEW_BITS = 1 << 16;
/** A megabyte; a million files set a tenth of them. */
const MANY_BITS = 1 << 23;

/** Numbers for the sizes and times of files, from 0: 25 to 34 bytes each. */
export class FileGroups {
  #length = 0;
  #sizes = new Float64Array(ROOM_MIN);
  #times = new Float64Array(ROOM_MIN);
  #counts = new Uint8Array(ROOM_MIN);
  /** Numbers, counted from 1, where their hash leads to; twice as many as there is room. */
  #slots = new Uint32Array(2 * ROOM_MIN);

  /** Groups so far. */
  get length(): number {
    return this.#length;
  }

  /** The number of a size and time, if it has one. */
  find(file: Version): number | undefined {
    const slot = this.#slotOf(file);
    const found = slot === undefined ? 0 : this.#slots[slot]!;
    return found === 0 ? undefined : found - 1;
  }

  /** The number of a size and time, which gets one unless that takes too long. */
  add(file: Version): number | undefined {
    const slot = this.#slotOf(file);
    if (slot === undefined) return undefined;
    const found = this.#slots[slot]!;
    if (found !== 0) return found - 1;
    const group = this.#length++;
    this.#sizes[group] = file.size;
    this.#times[group] = file.mtimeMs;
    this.#slots[slot] = this.#length;
    if (this.#length === this.#sizes.length) this.#grow();
    return group;
  }

  sizeOf(group: number): number {
    return this.#sizes[group]!;
  }

  /** Counts something in a group; false if that was so many before. @param max At most 255. */
  countUpTo(group: number, max: number): boolean {
    if (this.#counts[group]! >= max) return false;
    this.#counts[group]!++;
    return true;
  }

  /** Where a size and time is, or can be put. A peer may choose them so that they all lead to one place. */
  #slotOf({ size, mtimeMs }: Version): number | undefined {
    const mask = this.#slots.length - 1;
    const first = hashOf(size, mtimeMs);
    for (let step = 0; step < STEPS_MAX; step++) {
      const slot = (first + step) & mask;
      const found = this.#slots[slot]!;
      if (found === 0) return slot;
      if (this.#sizes[found - 1] === size && this.#times[found - 1] === mtimeMs) return slot;
    }
    return undefined;
  }

  #grow(): void {
    const room = 2 * this.#sizes.length;
    this.#sizes = grown(this.#sizes, new Float64Array(room));
    this.#times = grown(this.#times, new Float64Array(room));
    this.#counts = grown(this.#counts, new Uint8Array(room));
    this.#slots = new Uint32Array(2 * room);
    for (let group = 0; group < this.#length; group++) {
      const slot = this.#slotOf({ size: this.#sizes[group]!, mtimeMs: this.#times[group]! });
      if (slot !== undefined) this.#slots[slot] = group + 1;
    }
  }
}

const ROOM_MIN = 256;
/** Steps to a place. At most half of them are taken, so that by chance it is never as many. */
const STEPS_MAX = 128;

function grown<T extends Float64Array | Uint8Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}

function hashOf(size: number, mtimeMs: number): number {
  const high = Math.imul(Math.floor(mtimeMs / 2 ** 32) ^ Math.floor(size / 2 ** 32), 0x9e3779b1);
  const low = Math.imul(mtimeMs | 0, 0x85ebca6b) ^ Math.imul(size | 0, 0xc2b2ae35);
  const hash = Math.imul(high ^ low ^ low >>> 15, 0x27d4eb2d);
  return (hash ^ hash >>> 13) >>> 0;
}
