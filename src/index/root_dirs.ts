import { concat } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import type { Digest, DigestKey } from "../base/digest.ts";
import { type DirPath, joinPath, type RelPath } from "../base/paths.ts";
import type { Database } from "./database.ts";
import { type DigestLocation, DigestLocator } from "./digest_locator.ts";
import { digestsOf } from "./dir_codec.ts";
import type { DirLookup } from "./dir_lookup.ts";
import type { DirPatch, DirRecord, EntryRecord } from "./dir_record.ts";
import { DirTable } from "./dir_table.ts";
import type { DirView } from "./dir_view.ts";
import { OpenPatch } from "./open_patch.ts";
import type { RootClaim } from "./root_claim.ts";

/**
 * For so long a look at who has written holds, where all that may be missed is what another process has
 * found out about the same files meanwhile: a look costs as much as reading a directory.
 */
const LOOK_HOLDS_MS = 20;

/**
 * The directories of one root, with all that is kept at hand of them in step: views, entries that will
 * become a patch, and where digests were seen. Writes are collected until they are flushed.
 */
export class RootDirs {
  readonly #claim: RootClaim;
  readonly #clock: Clock;
  readonly #table: DirTable;
  readonly #locator: DigestLocator;
  readonly #open = new OpenPatch();
  #changes = 0;
  #lookedAtMs = -Infinity;

  constructor(database: Database, claim: RootClaim, clock: Clock) {
    this.#claim = claim;
    this.#clock = clock;
    this.#table = new DirTable(database, claim.row.id);
    this.#locator = new DigestLocator(this.#table);
  }

  /** Bytes collected. */
  get pendingBytes(): number {
    return this.#table.pendingBytes;
  }

  /** Grows with every write. */
  get changes(): number {
    return this.#changes;
  }

  /** Bytes of what is kept to find digests. */
  get mapBytes(): number {
    return this.#locator.mapBytes;
  }

  /** As {@linkcode DirTable.get}. */
  get(path: DirPath): DirRecord | undefined {
    this.#closePatch(path);
    return this.#table.get(path);
  }

  /** As {@linkcode DirTable.view}. */
  view(path: DirPath): DirView | undefined {
    this.#closePatch(path);
    this.#glance(path);
    return this.#table.view(path);
  }

  /** As {@linkcode DirTable.lookup}. */
  lookup(path: DirPath): DirLookup | undefined {
    this.#closePatch(path);
    this.#glance(path);
    return this.#table.lookup(path);
  }

  /** As {@linkcode DirTable.fold}. */
  fold(path: DirPath): DirView | undefined {
    this.#closePatch(path);
    return this.#table.fold(path);
  }

  /** Every directory at or beneath a path, as far as it was flushed. */
  *list(under: DirPath): Generator<[DirPath, DirRecord]> {
    for (const stored of this.#table.list(under)) yield [stored.path, this.#table.decode(stored)];
  }

  /** Every directory by its inode number, as far as it was flushed. */
  byInode(): Map<number, RelPath> {
    const found = new Map<number, RelPath>();
    for (const stored of this.#table.list("")) {
      const view = this.#table.viewOf(stored);
      for (const [ino, name] of view.dirInodes()) found.set(ino, joinPath(stored.path, name));
    }
    return found;
  }

  /** As {@linkcode DirTable.preload}. */
  preload(bytesMax: number): void {
    this.closePatch();
    this.#table.preload(bytesMax);
  }

  /** Replaces what is remembered of a directory. */
  put(path: DirPath, record: DirRecord): void {
    this.#changes++;
    this.#closePatch(path);
    this.#locator.forget(path);
    const encoded = this.#table.put(path, record);
    this.#locator.note(path, () => digestsOf(encoded));
  }

  /** Changes a few names of a directory in its record. */
  revise(path: DirPath, patch: DirPatch): void {
    this.#changes++;
    this.#closePatch(path);
    this.#glance(path);
    this.#locator.forget(path, () => namesOf(patch));
    this.#table.revise(path, patch);
    this.#locator.note(path, () => digestsIn(patch));
  }

  /** Changes a few names of a directory by a patch; `fresh` ones had no entry before. */
  patch(path: DirPath, patch: DirPatch, fresh?: ReadonlySet<string>): void {
    this.#changes++;
    this.#closePatch(path);
    this.#patch(path, patch, fresh);
  }

  /** False if {@linkcode closePatch} must come before an entry of that directory is added. */
  takesEntry(path: DirPath): boolean {
    return this.#open.takes(path);
  }

  /** Adds an entry to those of a directory that will become one patch. */
  addEntry(path: DirPath, entry: EntryRecord, of: Pick<DirPatch, "scannedAtMs" | "shape">): void {
    this.#changes++;
    this.#open.add(path, entry, of);
  }

  /** Makes a patch of the entries that were added. */
  closePatch(): void {
    const { path } = this.#open;
    if (path !== undefined) this.#patch(path, this.#open.take());
  }

  /** As {@linkcode DirTable.foldNext}. */
  foldNext(): boolean {
    this.closePatch();
    this.#glanceAtOthers();
    return this.#table.foldNext();
  }

  /** As {@linkcode DirTable.rename}. */
  rename(from: DirPath, to: DirPath): void {
    this.#changes++;
    this.#locator.reset();
    this.#table.rename(from, to);
  }

  /** Where digests were seen, as far as it was flushed. */
  locate(digests: Iterable<Digest>): Map<DigestKey, DigestLocation[]> {
    this.#noticeOthers();
    return this.#locator.locate(digests);
  }

  /** As {@linkcode DigestLocator.prepare}, as far as it was flushed. */
  prepareLocating(): void {
    this.#noticeOthers();
    this.#locator.prepare();
  }

  /** Everything at hand may have been overtaken. */
  forgetAll(): void {
    this.#locator.reset();
    this.#table.forgetViews();
  }

  /** What was written lately was undone. */
  handleUndo(): void {
    this.forgetAll();
    this.#changes++;
  }

  /** Writes what was collected into the open transaction; {@linkcode clear} when that is committed. */
  flush(): void {
    this.closePatch();
    this.#table.flush();
  }

  /** Forgets what was collected, because it is in the database now or must never get there. */
  clear(): void {
    this.#open.clear();
    this.#table.clear();
  }

  #closePatch(path: DirPath): void {
    if (path === this.#open.path) this.closePatch();
  }

  #patch(path: DirPath, patch: DirPatch, fresh?: ReadonlySet<string>): void {
    this.#locator.forget(path, () => namesOf(patch).filter((name) => !fresh?.has(name)));
    this.#table.patch(path, patch);
    this.#locator.note(path, () => digestsIn(patch));
  }

  /** Makes sure that a view at hand is not from long ago. */
  #glance(path: DirPath): void {
    if (this.#table.isAtHand(path)) this.#glanceAtOthers();
  }

  #glanceAtOthers(): void {
    if (this.#clock.nowMs() - this.#lookedAtMs >= LOOK_HOLDS_MS) this.#noticeOthers();
  }

  #noticeOthers(): void {
    this.#lookedAtMs = this.#clock.nowMs();
    if (this.#claim.look()) this.forgetAll();
  }
}

/** Names that a patch gives other entries, or none. */
function namesOf({ entries, tombstones, removed }: DirPatch): string[] {
  return [...entries.map(nameIn), ...tombstones.map(nameIn), ...removed];
}

function nameIn({ name }: { readonly name: string }): string {
  return name;
}

function digestsIn({ entries }: DirPatch): Uint8Array {
  return concat(entries.flatMap(({ digest }) => digest ?? []));
}
