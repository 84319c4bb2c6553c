import { equalBytes } from "../../base/bytes.ts";
import { type Digest, DIGEST_BYTES } from "../../base/digest.ts";
import { joinPath, type RelPath } from "../../base/paths.ts";
import type { DirEntry, Entry, FileEntry } from "../../base/tree.ts";
import { type DirNode, type Place, spelledOn } from "./node.ts";
import { across, type Side } from "./side.ts";

/** Questions handed out at once. */
export const QUESTIONS_AT_ONCE = 4096;

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

/** The replies for one directory, by what was asked. */
export type DirReplies = { [about in About]?: Replies };

/** Whose digests are asked for: those of what a side has, or had. */
type About = Side | `${Side} earlier`;

/**
 * Digests that decisions wait for. Each is asked for once, and takes 34 bytes while it is needed, or 2 where
 * nothing is of interest but whether both sides have the same: all the files of a tree may have new times.
 */
export class Questions {
  /** About what is in no directory that was looked into. */
  readonly #elsewhere = new Map<string, DigestReply | "open">();
  /** Who waits for each question that was handed out. */
  readonly #asked = new Map<string, (digest: Digest | undefined) => void>();
  readonly #unsent: (Replies | DigestQuestion)[] = [];
  readonly #room = new DigestRoom();
  #open = 0;

  /** The reply, if it is there; otherwise sees to it that the question goes out. */
  ask(side: Side, place: Place, entry: FileEntry | DirEntry): DigestReply | undefined {
    if (entry.kind === "file" && entry.digest !== undefined) return { digest: entry.digest };
    return this.#ask(side, place);
  }

  /**
   * As {@linkcode Questions.ask} for a file of which is only wanted whether it is the same as the other
   * side's of that name. To be called when the other side was asked for that.
   */
  compare(side: Side, place: Place): void {
    this.#ask(side, place, true);
  }

  /**
   * As {@linkcode Questions.ask}, for who does not have the entry at hand, and has passed it to
   * {@linkcode Questions.note} before.
   */
  askNoted(side: Side, place: Place): DigestReply | undefined {
    return this.#ask(side, place);
  }

  /** Takes in the digest that an entry carries, so that it is known without the entry. */
  note(side: Side, place: Place, entry: FileEntry): void {
    if (entry.digest === undefined) return;
    const replies = this.#repliesOf(side, place);
    if (replies.at(place.index) === undefined) replies.set(place.index, entry.digest);
  }

  /** Asks for the digest that the side knows of what was in common. */
  askEarlier(side: Side, place: Place): void {
    this.#ask(`${side} earlier`, place);
  }

  /** As {@linkcode Questions.ask}, for what is in no directory that was looked into. */
  askAt(side: Side, path: RelPath, entry: FileEntry): DigestReply | undefined {
    if (entry.digest !== undefined) return { digest: entry.digest };
    const key = keyOf({ side, path });
    const known = this.#elsewhere.get(key);
    if (known === "open") return undefined;
    if (known !== undefined) return known;
    this.#elsewhere.set(key, "open");
    this.#unsent.push({ side, path, entry });
    this.#open++;
    return undefined;
  }

  /** True for what turned out to be the same on both sides, whose digests are then no longer known. */
  areSame({ parent, index }: Place): boolean {
    return parent.replies?.local?.isSame(index) ?? false;
  }

  /**
   * The digest of what a side has, where it was asked for and is known, or the entry carries it. Not of what
   * was only to be compared.
   */
  known(side: Side, { parent, index }: Place, entry: Entry | undefined): Digest | undefined {
    if (entry?.kind === "file" && entry.digest !== undefined) return entry.digest;
    return parent.replies?.[side]?.digest(index);
  }

  /** The digest of a version that the side had once, as {@linkcode Questions.known}. */
  knownEarlier(side: Side, { parent, index }: Place): Digest | undefined {
    return parent.replies?.[`${side} earlier`]?.digest(index);
  }

  /** Takes in a reply; only the first one counts. */
  handleReply(question: Omit<DigestQuestion, "entry">, digest: Digest | undefined): void {
    const key = keyOf(question);
    const take = this.#asked.get(key);
    if (take === undefined) return;
    this.#asked.delete(key);
    this.#open--;
    take(digest);
  }

  /** Some of the questions that have not been handed out. */
  pollUnsent(): DigestQuestion[] {
    const questions: DigestQuestion[] = [];
    while (this.#unsent.length > 0 && questions.length < QUESTIONS_AT_ONCE) {
      const next = this.#unsent[0]!;
      if (next instanceof Replies) {
        const indexes = next.takeUnsent(QUESTIONS_AT_ONCE - questions.length);
        for (const index of indexes) questions.push(this.#question(next, index));
        if (next.hasUnsent) break;
      } else {
        const key = keyOf(next);
        this.#asked.set(key, (digest) => this.#elsewhere.set(key, { digest }));
        questions.push(next);
      }
      this.#unsent.shift();
    }
    return questions;
  }

  /** True while a reply is missing. */
  get areOpen(): boolean {
    return this.#open > 0;
  }

  #repliesOf(about: About, { parent }: Place): Replies {
    parent.replies ??= {};
    return parent.replies[about] ??= new Replies(parent, about, this.#room);
  }

  /** @param toCompare It will not be looked at again. */
  #ask(about: About, place: Place, toCompare = false): DigestReply | undefined {
    const { index } = place;
    const replies = this.#repliesOf(about, place);
    const known = replies.at(index);
    if (known === "open") {
      if (!toCompare) replies.keep(index);
      return undefined;
    }
    if (known !== undefined) return known;
    const other = replies.isSame(index) ? replies.other : undefined;
    this.#send(replies, index, toCompare);
    // That they are the same would no longer be known by the digest of one.
    if (other !== undefined) this.#send(other, index, false);
    return undefined;
  }

  #send(replies: Replies, index: number, toCompare: boolean): void {
    if (!replies.hasUnsent) this.#unsent.push(replies);
    replies.ask(index, toCompare);
    this.#open++;
  }

  #question(replies: Replies, index: number): DigestQuestion {
    const { node, about } = replies;
    const side = about.startsWith("local") ? "local" : "remote";
    const pair = node.names().pairs.at(index)!;
    const path = joinPath(node.scannedPath[side], pair[side]?.name ?? spelledOn(side, pair));
    const isEarlier = about !== side;
    const entry = (isEarlier ? pair.ancestor : pair[side]) as FileEntry | DirEntry;
    const question = { side, path, entry, ...(isEarlier && { isEarlier }) } as const;
    this.#asked.set(keyOf(question), (digest) => replies.set(index, digest));
    return question;
  }
}

const NOT_ASKED = 0;
const UNSENT = 1;
const OPEN = 2;
/** As the two before, of a digest that need not be kept. */
const UNSENT_TO_COMPARE = 3;
const OPEN_TO_COMPARE = 4;
const UNKNOWN = 5;
/** Another one than the other side's, and not kept. */
const DIFFERENT = 6;
/** That of the other side, and kept by neither. */
const SAME = 7;
const FIRST_DIGEST = 8;

/** Replies for the names of one directory. */
class Replies {
  readonly node: DirNode;
  readonly about: About;
  readonly #room: DigestRoom;
  /** For each name a state, or the place of its digest. */
  readonly #states: Uint16Array | Uint32Array;
  #digests = new Uint8Array(0);
  #count = 0;
  /** Of these: places of digests that are not looked at any more. All are given up together. */
  #forgotten = 0;
  /** Questions so far, and those of them that have not been handed out: none before `#nextUnsent`. */
  #asked = 0;
  #unsent = 0;
  #nextUnsent = 0;

  constructor(node: DirNode, about: About, room: DigestRoom) {
    this.node = node;
    this.about = about;
    this.#room = room;
    const { names } = node.facts!;
    this.#states = names + FIRST_DIGEST > 0xffff ? new Uint32Array(names) : new Uint16Array(names);
  }

  get hasUnsent(): boolean {
    return this.#unsent > 0;
  }

  at(index: number): DigestReply | "open" | undefined {
    const state = this.#states[index]!;
    if (state === NOT_ASKED || state === DIFFERENT || state === SAME) return undefined;
    return state < UNKNOWN ? "open" : { digest: this.digest(index) };
  }

  digest(index: number): Digest | undefined {
    const state = this.#states[index]!;
    if (state < FIRST_DIGEST) return undefined;
    const from = (state - FIRST_DIGEST) * DIGEST_BYTES;
    return this.#digests.slice(from, from + DIGEST_BYTES);
  }

  isSame(index: number): boolean {
    return this.#states[index] === SAME;
  }

  ask(index: number, toCompare: boolean): void {
    this.#states[index] = toCompare ? UNSENT_TO_COMPARE : UNSENT;
    this.#asked++;
    this.#unsent++;
    this.#nextUnsent = Math.min(this.#nextUnsent, index);
  }

  /** Somebody wants what was only to be compared. */
  keep(index: number): void {
    const state = this.#states[index];
    if (state === UNSENT_TO_COMPARE) this.#states[index] = UNSENT;
    else if (state === OPEN_TO_COMPARE) this.#states[index] = OPEN;
  }

  takeUnsent(lengthMax: number): number[] {
    const length = Math.min(lengthMax, this.#unsent);
    const taken: number[] = [];
    for (; taken.length < length; this.#nextUnsent++) {
      const state = this.#states[this.#nextUnsent];
      if (state !== UNSENT && state !== UNSENT_TO_COMPARE) continue;
      this.#states[this.#nextUnsent] = state === UNSENT ? OPEN : OPEN_TO_COMPARE;
      taken.push(this.#nextUnsent);
    }
    this.#unsent -= length;
    return taken;
  }

  set(index: number, digest: Digest | undefined): void {
    if (digest === undefined) {
      this.#states[index] = UNKNOWN;
      return;
    }
    if (this.#states[index] === OPEN_TO_COMPARE) {
      const { other } = this;
      const theirs = other?.digest(index);
      if (theirs !== undefined) {
        const isSame = equalBytes(digest, theirs);
        if (isSame) other!.#forget(index);
        this.#states[index] = isSame ? SAME : DIFFERENT;
        return;
      }
    }
    const at = this.#count++;
    if (at * DIGEST_BYTES === this.#digests.length) this.#grow();
    this.#digests.set(digest, at * DIGEST_BYTES);
    this.#states[index] = FIRST_DIGEST + at;
  }

  /** Those of the other side, where both are about what is there. */
  get other(): Replies | undefined {
    const { about } = this;
    return about === "local" || about === "remote" ? this.node.replies?.[across(about)] : undefined;
  }

  /** The other side has the same. */
  #forget(index: number): void {
    this.#states[index] = SAME;
    if (++this.#forgotten < this.#count) return;
    this.#digests = new Uint8Array(0);
    this.#count = 0;
    this.#forgotten = 0;
  }

  /** Mostly once: what was asked for will be there. */
  #grow(): void {
    const length = this.#count <= this.#asked
      ? this.#asked
      : Math.min(this.#states.length, Math.max(4, this.#count * 2));
    const larger = this.#room.take(length * DIGEST_BYTES);
    larger.set(this.#digests);
    this.#digests = larger;
  }
}

/**
 * Room for the digests of directories that follow one another. They are given up in that order too, and leave
 * holes that are large enough for the operations that come in their place: small ones would stay empty.
 */
class DigestRoom {
  #block = new Uint8Array(0);
  #used = 0;

  /** Zeros; lives as long as somebody has it, or others of its block. */
  take(length: number): Uint8Array<ArrayBuffer> {
    if (this.#used + length > this.#block.length) {
      this.#block = new Uint8Array(Math.max(DIGEST_BLOCK_BYTES, length));
      this.#used = 0;
    }
    return this.#block.subarray(this.#used, this.#used += length);
  }
}

const DIGEST_BLOCK_BYTES = 64 * 1024;

function keyOf({ side, path, isEarlier }: Omit<DigestQuestion, "entry">): string {
  return (side === "local" ? "<" : ">") + (isEarlier ? "/" : "") + path;
}
