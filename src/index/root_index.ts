import type { Clock } from "../base/clock.ts";
import type { Bytes } from "../base/bytes.ts";
import { type Digest, type DigestKey, digestKey } from "../base/digest.ts";
import type { DeviceId } from "../base/ids.ts";
import { type DirPath, joinPath, type RelPath } from "../base/paths.ts";
import {
  type Ancestor,
  type AncestorInfo,
  AncestorTable,
  type PeerFolder,
} from "./ancestor_table.ts";
import type { Database } from "./database.ts";
import type { DigestLocation } from "./digest_locator.ts";
import type { DirLookup } from "./dir_lookup.ts";
import {
  buried,
  type DirPatch,
  type DirRecord,
  type EntryRecord,
  type Tombstone,
} from "./dir_record.ts";
import type { DirView } from "./dir_view.ts";
import { EarlierTable, type EarlierVersion } from "./earlier_table.ts";
import { EditCounter } from "./edit_counter.ts";
import { type NamedPage, PageTable } from "./page_table.ts";
import { RecipeTable, type StoredRecipe } from "./recipe_table.ts";
import { RootClaim } from "./root_claim.ts";
import { RootDirs } from "./root_dirs.ts";
import type { RootRow, VoidReason } from "./root_table.ts";

/** Bytes of collected writes above which they are committed without being asked to. */
export const PENDING_BYTES_MAX = 8 * 1024 * 1024;

/** Bytes of records that {@linkcode RootIndex.preload} reads ahead at most. */
export const PRELOAD_BYTES_MAX = 16 * 1024 * 1024;

/** What the index holds for one root. Made by `Index.openRoot`; synchronous, and not for two threads. */
export class RootIndex {
  readonly #database: Database;
  readonly #claim: RootClaim;
  readonly #clock: Clock;
  readonly #dirs: RootDirs;
  readonly #pages: PageTable;
  readonly #ancestors: AncestorTable;
  readonly #recipes: RecipeTable;
  readonly #earlier: EarlierTable;
  readonly #edits = new EditCounter((after, count) => this.#reserveEdits(after, count));
  #inTransaction = false;

  /** Why nothing was remembered when the root was opened; `undefined` if something was. */
  readonly voided: VoidReason | undefined;

  constructor(
    database: Database,
    row: RootRow & { readonly voided: VoidReason | undefined },
    options: { readonly deviceId: DeviceId; readonly clock: Clock },
  ) {
    this.#database = database;
    this.#claim = new RootClaim(database, row);
    this.#clock = options.clock;
    this.voided = row.voided;
    this.#dirs = new RootDirs(database, this.#claim, options.clock);
    this.#pages = new PageTable(database);
    this.#ancestors = new AncestorTable(database, row, options.deviceId);
    this.#recipes = new RecipeTable(database, row.id);
    this.#earlier = new EarlierTable(database, row.id);
  }

  /** Absolute path of the root. */
  get path(): string {
    return this.#claim.row.path;
  }

  /** The id in the folder's marker. */
  get folderId(): string {
    return this.#claim.row.folderId;
  }

  /**
   * Names this memory of the folder: 32 hex digits. Tell it to peers, which hold their ancestors against
   * it, and make version vector members of it.
   */
  get epoch(): string {
    return this.#claim.row.epoch;
  }

  /** How often anybody has written to what is remembered of this root, as of the last own write. */
  get writes(): number {
    return this.#claim.writes;
  }

  /** Grows with every write to a directory, so that whoever keeps a view can tell that it is old. */
  get dirChanges(): number {
    return this.#dirs.changes;
  }

  /** Bytes of writes that are collected and not yet committed. */
  get pendingBytes(): number {
    return this.#dirs.pendingBytes + this.#recipes.pendingBytes + this.#earlier.pendingBytes;
  }

  /**
   * What is remembered of a directory. 10 µs and half a microsecond an entry.
   *
   * @throws {IndexError} `corrupt`
   */
  getDir(path: DirPath): DirRecord | undefined {
    return this.#dirs.get(path);
  }

  /**
   * The same for who needs no object for each entry: 0.1 µs an entry.
   *
   * @throws {IndexError} `corrupt`
   */
  viewDir(path: DirPath): DirView | undefined {
    return this.#dirs.view(path);
  }

  /**
   * The same for who looks up a few names: what was changed lately is not worked in for it.
   *
   * @throws {IndexError} `corrupt`
   */
  lookInto(path: DirPath): DirLookup | undefined {
    return this.#dirs.lookup(path);
  }

  /**
   * As {@linkcode viewDir}, for a scan, which looks at everything: patches are worked into the record for
   * good. In the course of changes that would write a whole directory again for each batch of them.
   *
   * @throws {IndexError} `corrupt`
   */
  foldDir(path: DirPath): DirView | undefined {
    const view = this.#dirs.fold(path);
    this.#boundPending();
    return view;
  }

  /**
   * Every directory by its inode number, as it was when last seen. Reads all records: 0.1 µs an entry.
   *
   * @throws {IndexError} `corrupt`
   */
  dirsByInode(): Map<number, RelPath> {
    return this.#dirs.byInode();
  }

  /**
   * Remembers a directory. Only ever what is true on the disk already, files flushed and renamed: the
   * write is collected and may be committed at any time, and a file that is remembered but not there
   * counts as deleted by the user. Outside a {@linkcode transaction}, call {@linkcode commit} at last.
   *
   * @throws {RangeError} if lists are out of order or numbers out of range.
   */
  putDir(path: DirPath, record: DirRecord): void {
    this.#dirs.put(path, record);
    this.#boundPending();
  }

  /**
   * As {@linkcode putDir} for a few names of a directory, the others being copied, at once or with
   * {@linkcode foldNext}: for a scan, which would work patches in the next time.
   */
  reviseDir(path: DirPath, patch: DirPatch): void {
    this.#dirs.revise(path, patch);
    this.#boundPending();
  }

  /**
   * Works one of the small patches that are collected into its record, 0.1 ms: for idle time, since the
   * next scan would have to.
   *
   * @returns False if there is none left.
   */
  foldNext(): boolean {
    return this.#dirs.foldNext();
  }

  /**
   * As {@linkcode putDir} for a few names of a directory, at the cost of those alone.
   *
   * @param fresh Names in it that had no entry before, so that there is nothing to forget of them.
   */
  patchDir(path: DirPath, patch: DirPatch, fresh?: ReadonlySet<string>): void {
    this.#dirs.patch(path, patch, fresh);
    this.#boundPending();
  }

  /**
   * As {@linkcode patchDir} for one of many entries that are learnt one after the other: those of one
   * directory are written together.
   */
  patchEntry(
    path: DirPath,
    entry: EntryRecord,
    of: Pick<DirPatch, "scannedAtMs" | "shape">,
  ): void {
    if (!this.#dirs.takesEntry(path)) {
      this.#dirs.closePatch();
      this.#boundPending();
    }
    this.#dirs.addEntry(path, entry, of);
  }

  /**
   * Forgets a directory and all beneath it, but for the deletions: an old copy elsewhere must not bring
   * back what was in it.
   *
   * @param bury What to keep of each entry.
   */
  buryDir(path: DirPath, bury: (entry: EntryRecord) => Tombstone): void {
    for (const [dir, record] of this.dirs(path)) {
      if (record.entries.length > 0) this.putDir(dir, buried(record, bury));
    }
  }

  /**
   * Moves what is remembered of a directory and all beneath it; what was remembered at `to` is
   * forgotten. The entries in the two parents are the caller's to move.
   */
  renameDir(from: DirPath, to: DirPath): void {
    if (from === "" || to === from || to.startsWith(`${from}/`)) {
      throw new RangeError(`cannot move directory ${JSON.stringify(from)} into itself`);
    }
    this.#write(false, () => this.#dirs.rename(from, to));
  }

  /**
   * Every directory remembered at or beneath a path, in byte order of paths, in bounded memory. Commits
   * what was collected; writes during the iteration are harmless.
   */
  *dirs(under: DirPath = ""): Generator<[DirPath, DirRecord]> {
    this.commit();
    yield* this.#dirs.list(under);
  }

  /** Every file remembered, to check it against the disk. In bounded memory, as {@linkcode dirs}. */
  *files(under: DirPath = ""): Generator<{ readonly path: RelPath; readonly entry: EntryRecord }> {
    for (const [dir, record] of this.dirs(under)) {
      for (const entry of record.entries) {
        if (entry.kind === "file") yield { path: joinPath(dir, entry.name), entry };
      }
    }
  }

  /**
   * Reads records ahead for a walk over the tree, in 3 µs a directory instead of 10. Each is used for
   * one {@linkcode getDir}, {@linkcode viewDir} or {@linkcode foldDir}. Only while no other process writes to this root.
   */
  preload(bytesMax = PRELOAD_BYTES_MAX): void {
    this.#dirs.preload(bytesMax);
  }

  /**
   * The number for the next edit of a version vector (`editedVector`): larger than all before it in this
   * epoch, whatever was forgotten since. An entry that is made anew is so never taken for an old version
   * of itself, nor two edits for one.
   *
   * Numbers are reserved in blocks, each with a durable write, so that none comes twice after a crash.
   */
  nextEditCounter(): number {
    return this.#edits.next();
  }

  /**
   * Runs `body`, and writes all it put, removed and set in one transaction that is on the disk on
   * return; whatever it throws undoes all of it. Writes collected before are committed first.
   *
   * @throws {IndexError} `root_void` if another process threw this root's memory away.
   */
  transaction<T>(body: () => T): T {
    this.commit();
    try {
      return this.#database.transaction(true, () => {
        this.#inTransaction = true;
        this.#touch();
        const result = body();
        this.#flush();
        return result;
      });
    } catch (error) {
      this.#dirs.handleUndo();
      // A block that was reserved in it is not.
      this.#edits.forgetReserved();
      throw error;
    } finally {
      this.#inTransaction = false;
      this.#clear();
    }
  }

  /**
   * Commits what was collected.
   *
   * @param options.durable True to have it on the disk on return. Otherwise a power cut may take the last
   * commits back, though never one without those after it.
   * @throws {IndexError} `full` or `busy`, and nothing is lost: call it again. `root_void`.
   */
  commit(options: { readonly durable?: boolean } = {}): void {
    const durable = options.durable ?? false;
    this.#dirs.closePatch();
    if (!durable && this.pendingBytes === 0) return;
    this.#write(durable, () => {});
  }

  /** Adds pages for an ancestor, inside the {@linkcode transaction} that records it. 6 µs a page. */
  putPages(pages: Iterable<NamedPage>): void {
    this.#needTransaction();
    this.#pages.put(pages);
  }

  /**
   * A directory page by its digest, of any root. Where a page of an ancestor is missing there is no
   * ancestor for that directory.
   *
   * @throws {IndexError} `corrupt`
   */
  getPage(shape: Digest): Bytes | undefined {
    return this.#pages.get(shape);
  }

  /** The state this root and exactly that folder last had in common; `undefined` if none counts. */
  ancestor(peerFolder: PeerFolder): Ancestor | undefined {
    return this.#ancestors.get(peerFolder);
  }

  /**
   * Records what both sides now have in common, in place of the ancestor before. Inside a
   * {@linkcode transaction}, with the directory records that belong to it and every page that was not
   * part of the ancestor before; after all files in it are on the disk (unless `unsafe`).
   */
  setAncestor(
    peerFolder: PeerFolder,
    ancestor: { readonly shape: Digest; readonly unsafe?: boolean },
  ): void {
    this.#needTransaction();
    this.#ancestors.set(peerFolder, {
      shape: ancestor.shape,
      atMs: this.#clock.wallMs(),
      unsafe: ancestor.unsafe ?? false,
    });
  }

  /** Forgets the ancestor with a peer's share, or with all shares of the peer. @returns How many. */
  removeAncestors(peer: DeviceId, share?: string): number {
    return this.#write(true, () => this.#ancestors.remove(peer, share));
  }

  /** The ancestors on record, to show; those that no longer count among them. */
  ancestors(): AncestorInfo[] {
    return this.#ancestors.list();
  }

  /** The shapes last agreed on with a peer; see {@linkcode AncestorTable.agreedWith}. */
  agreedWith(peer: DeviceId): Digest[] {
    return this.#ancestors.agreedWith(peer);
  }

  /**
   * Remembers how a file is put together, for files of two chunks and more.
   *
   * @param groups Digests of the groups of chunks to find it by.
   */
  putRecipe(digest: Digest, recipe: Uint8Array, groups: readonly Digest[] = []): void {
    this.#recipes.put(digest, recipe, groups);
    this.#boundPending();
  }

  /** A file's recipe as it was put, or `undefined`. Checked by nobody: its digest is the file's. */
  getRecipe(digest: Digest): Uint8Array | undefined {
    return this.#recipes.get(digest);
  }

  /** Up to 4 files that may hold the group of chunks; their recipes tell. 5 µs. */
  filesWithGroup(group: Digest): Digest[] {
    return this.#recipes.filesWithGroup(group);
  }

  /** Every recipe, one in memory at a time. Commits what was collected. */
  *recipes(): Generator<StoredRecipe> {
    this.commit();
    yield* this.#recipes.list();
  }

  /** Remembers a version of a file that was replaced on this device. */
  noteEarlier(path: RelPath, version: EarlierVersion): void {
    this.#earlier.note(path, version);
    this.#boundPending();
  }

  /** The digest of the version that a path had with that size and time, if it was noted. */
  earlierDigest(
    path: RelPath,
    { size, mtimeMs }: Pick<EarlierVersion, "size" | "mtimeMs">,
  ): Digest | undefined {
    return this.#earlier.get(path, size, mtimeMs);
  }

  /** Where a file with that digest was seen; see {@linkcode pathsOfDigests}. */
  pathsOfDigest(digest: Digest): DigestLocation[] {
    return this.pathsOfDigests([digest]).get(digestKey(digest)) ?? [];
  }

  /**
   * Where files with those digests were seen, up to 16 places each; unknown ones are left out. The first
   * call reads all records (0.1 µs an entry). Compare with the disk before use.
   */
  pathsOfDigests(digests: Iterable<Digest>): Map<DigestKey, DigestLocation[]> {
    this.commit();
    return this.#dirs.locate(digests);
  }

  /** Reads all records for {@linkcode pathsOfDigests}, in idle time. */
  prepareLocating(): void {
    this.commit();
    this.#dirs.prepareLocating();
  }

  /** What is kept in memory so that {@linkcode pathsOfDigests} need not read all records again. */
  get digestMapBytes(): number {
    return this.#dirs.mapBytes;
  }

  #reserveEdits(after: number, count: number): number {
    const reserve = () => this.#claim.reserveEdits(after, count);
    return this.#inTransaction ? reserve() : this.#database.transaction(true, reserve);
  }

  #boundPending(): void {
    if (this.pendingBytes > PENDING_BYTES_MAX) this.commit();
  }

  /** Runs `body` after all collected writes, in the open transaction or in one of its own. */
  #write<T>(durable: boolean, body: () => T): T {
    if (this.#inTransaction) {
      this.#flush();
      this.#clear();
      return body();
    }
    const result = this.#database.transaction(durable, () => {
      this.#touch();
      this.#flush();
      return body();
    });
    this.#clear();
    return result;
  }

  /** Makes sure, inside the transaction, that the root is still ours; counts the write. */
  #touch(): void {
    if (this.#claim.touch()) this.#dirs.forgetAll();
  }

  #flush(): void {
    this.#dirs.flush();
    this.#recipes.flush(this.#clock.wallMs());
    this.#earlier.flush(this.#clock.wallMs());
  }

  #clear(): void {
    this.#dirs.clear();
    this.#earlier.clear();
    this.#recipes.clear();
  }

  #needTransaction(): void {
    if (!this.#inTransaction) {
      throw new Error("pages and ancestors belong into a transaction");
    }
  }
}
