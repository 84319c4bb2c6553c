import type { Digest } from "../../base/digest.ts";
import type { RelPath } from "../../base/paths.ts";
import type { DirEntry, FileEntry } from "../../base/tree.ts";
import type { Side } from "./side.ts";

/**
 * Asks for the digest of what a side holds at a path: the file digest, or for a directory what
 * {@linkcode contentDigest} makes of all beneath it.
 */
export interface DigestQuestion {
  readonly side: Side;
  /** As its side knows it: the path in the snapshot. */
  readonly path: RelPath;
  /** The version meant. */
  readonly entry: FileEntry | DirEntry;
  /** A version that the side had once, and may remember. */
  readonly isEarlier?: boolean;
}

/** What came back: `undefined` where a side can't tell, or the version is gone. */
export type DigestReply = { readonly digest: Digest | undefined };

/** Digests that decisions wait for. Each is asked for once. */
export class Questions {
  readonly #replies = new Map<string, DigestReply | "open">();
  #unsent: DigestQuestion[] = [];
  #open = 0;

  /** The reply, if it is there; otherwise sees to it that the question goes out. */
  ask(
    side: Side,
    path: RelPath,
    entry: FileEntry | DirEntry,
    isEarlier = false,
  ): DigestReply | undefined {
    if (entry.kind === "file" && entry.digest !== undefined) return { digest: entry.digest };
    const key = keyOf(side, path, isEarlier);
    const known = this.#replies.get(key);
    if (known === "open") return undefined;
    if (known !== undefined) return known;
    this.#replies.set(key, "open");
    this.#unsent.push({ side, path, entry, ...(isEarlier && { isEarlier }) });
    this.#open++;
    return undefined;
  }

  /**
   * The digest, where it was asked for and is known.
   *
   * @param entry May carry it.
   */
  known(side: Side, path: RelPath, entry?: FileEntry): Digest | undefined {
    if (entry?.digest !== undefined) return entry.digest;
    if (this.#replies.size === 0) return undefined;
    const reply = this.#replies.get(keyOf(side, path));
    return reply === "open" ? undefined : reply?.digest;
  }

  /** The digest of a version that the side had once, as {@linkcode Questions.known}. */
  knownEarlier(side: Side, path: RelPath): Digest | undefined {
    const reply = this.#replies.get(keyOf(side, path, true));
    return reply === "open" ? undefined : reply?.digest;
  }

  /** Takes in a reply; only the first one counts. */
  handleReply(
    { side, path, isEarlier }: Omit<DigestQuestion, "entry">,
    digest: Digest | undefined,
  ): void {
    const key = keyOf(side, path, isEarlier);
    if (this.#replies.get(key) !== "open") return;
    this.#replies.set(key, { digest });
    this.#open--;
  }

  /** Questions that have not been handed out. */
  pollUnsent(): DigestQuestion[] {
    const unsent = this.#unsent;
    this.#unsent = [];
    return unsent;
  }

  /** True while a reply is missing. */
  get areOpen(): boolean {
    return this.#open > 0;
  }
}

function keyOf(side: Side, path: RelPath, isEarlier = false): string {
  return (side === "local" ? "<" : ">") + (isEarlier ? "/" : "") + path;
}
