import type { ContentGetter, WantedContent } from "../delta/mod.ts";
import type { Room } from "./room.ts";

/** So many files wait at most; a full disk is no reason to remember a whole tree. */
const FILES_MAX = 4096;

/** A file whose turn it is. */
export interface FileInTurn<T> {
  readonly item: T;
  readonly wanted: WantedContent;
  /** What it needs on the disk. */
  readonly bytes: number;
  readonly hasRoom: boolean;
}

/**
 * Files that there was no room for on the disk, until all others are through. Then as many come as there is
 * room for by that time, one after the other and the smallest first. What earlier runs have left makes
 * room: first that of files which nobody wants any more, then that of the largest, which have no room in
 * any case.
 */
export class WaitingFiles<T> {
  readonly #room: Room;
  readonly #getter: Pick<ContentGetter, "diskBytesFor" | "dropUnwanted" | "dropPartial">;
  #files: { readonly item: T; readonly wanted: WantedContent }[] = [];

  constructor(
    room: Room,
    getter: Pick<ContentGetter, "diskBytesFor" | "dropUnwanted" | "dropPartial">,
  ) {
    this.#room = room;
    this.#getter = getter;
  }

  /** True if none waits. */
  get isEmpty(): boolean {
    return this.#files.length === 0;
  }

  /** @returns False where too many wait already. */
  add(item: T, wanted: WantedContent): boolean {
    if (this.#files.length === FILES_MAX) return false;
    this.#files.push({ item, wanted });
    return true;
  }

  /** Each file in its turn, with room taken for it until the next one is asked for. */
  async *inTurn(): AsyncGenerator<FileInTurn<T>> {
    if (this.#files.length === 0) return;
    this.#getter.dropUnwanted();
    const queue = this.#files.map(({ item, wanted }) => {
      return { item, wanted, bytes: this.#getter.diskBytesFor(wanted), mayTry: true };
    }).sort((a, b) => a.bytes - b.bytes);
    this.#files = [];
    for (const [at, { item, wanted, bytes, mayTry }] of queue.entries()) {
      for (let last = queue.length; --last > at && bytes > this.#room.freeBytes;) {
        const other = queue[last]!;
        if (!this.#getter.dropPartial(other.wanted)) continue;
        other.bytes = other.wanted.size;
        other.mayTry = false;
      }
      // By its size it does not fit; what was dropped of it would only be dropped again.
      using room = await this.#room.take(bytes) ?? (mayTry ? this.#room.takeRest() : undefined);
      yield { item, wanted, bytes, hasRoom: room !== undefined };
    }
  }
}
