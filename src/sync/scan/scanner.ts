import { concat, equalBytes, utf8 } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import type { Digest } from "../../base/digest.ts";
import { messageOf } from "../../base/errors.ts";
import {
  compareNames,
  type DirPath,
  isWithin,
  joinPath,
  linkFault,
  nameFault,
  OWN_FOLDER,
  type RelPath,
} from "../../base/paths.ts";
import { Packer, PLAIN_BYTES_MAX } from "../../base/packed_bytes.ts";
import {
  DIR_ENTRIES_MAX,
  type DirEntry,
  encodePage,
  type FileEntry,
  shapeOf,
} from "../../base/tree.ts";
import { TimeSlices } from "../../base/turn.ts";
import { ByteWriter } from "../../base/varint.ts";
import type { VectorMember } from "../../base/version_vector.ts";
import {
  type DirPatch,
  type DirView,
  type EntryRecord,
  type Tombstone,
  vectorOf,
} from "../../index/mod.ts";
import {
  type DirListing,
  type FileStat,
  type ListedEntry,
  reasonOf,
  type Root,
} from "../../store/mod.ts";
import { type FilterStack, IGNORE_FILE, IGNORE_FILE_BYTES_MAX } from "../filter/mod.ts";
import { DirWalk, type FormerDir, isSameShape } from "./dir_walk.ts";
import { isNew, type Rescan } from "./rescan.ts";
import type { Snapshot, SnapshotDir } from "./snapshot.ts";
import { SnapshotBuilder } from "./snapshot_builder.ts";

/** What a file takes of a page, about. */
const ENTRY_BYTES = 40;

/** What was remembered of a share, and what will be. */
export interface ScanMemory {
  foldDir(path: DirPath): DirView | undefined;
  viewDir(path: DirPath): DirView | undefined;
  /** Every directory by its inode number. */
  dirsByInode(): ReadonlyMap<number, RelPath>;
  reviseDir(path: DirPath, patch: DirPatch): void;
  /** Grows with each edit seen, so that what was forgotten and comes back counts as new. */
  nextEditCounter(): number;
  /** Remembers a version of a file that was replaced on this device. */
  noteEarlier(
    path: RelPath,
    version: { readonly size: number; readonly mtimeMs: number; readonly digest: Digest },
  ): void;
  /** Forgets a directory that is gone, and all beneath it, but for the deletions. */
  buryDir(path: DirPath, bury: (entry: EntryRecord) => Tombstone): void;
}

/** Options of {@linkcode scan}. */
export interface ScanOptions {
  readonly root: Root;
  readonly memory: ScanMemory;
  /** Stands for this device in version vectors. */
  readonly member: VectorMember;
  readonly filter: (ignoreFileText: string | undefined) => FilterStack;
  /** Directories that hold this device's own state, and are nobody else's business. */
  readonly privateDirs?: ReadonlySet<DirPath>;
  /** Put every file's digest into the pages, so that contents are compared and not times. */
  readonly checksum: boolean;
  /** Reads a file for its digest; `undefined` if it changed meanwhile. */
  readonly digestOf: (path: RelPath) => Promise<Digest | undefined>;
  /** Hears of each directory before it is read: whoever watches it from then on misses nothing. */
  readonly onList?: (dir: DirPath) => void;
  /** What still holds of an earlier scan by the same rules; without it everything is read. */
  readonly since?: Rescan | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Reads a share as it is now, into canonical pages, and brings what is remembered of it up to date.
 *
 * Files are not opened: size, times and inode tell whether what is remembered of the contents still
 * holds. Only where these can't be trusted is a file read: its time lies within two seconds of the last
 * scan, or its inode changed while size and time did not. If the contents turn out different, the page
 * carries the digest, and the old record stays until a sync has taken the change up.
 *
 * With an earlier snapshot only directories in which something happened are read, and pages above them
 * made anew.
 *
 * Cost: 4 µs a file that is as it was, half of it the system's, and 10 µs for any other entry.
 */
export async function scan(options: ScanOptions): Promise<Snapshot> {
  return await new Scanner(options).run();
}

/** What a directory came to. */
interface Walked {
  readonly shape: Digest;
}

/** A directory that others are gone from, and what is to be remembered of it. */
interface Farewell {
  readonly dir: DirWalk;
  readonly patch: DirPatch;
}

/** Gives the rules in force in a directory, by the text of its ignore file. */
type Enter = (ignoreFileText: string | undefined) => FilterStack;

/** A directory in the listing of another. */
interface FoundDir {
  readonly above: DirWalk;
  readonly stat: ListedEntry;
}

/** A directory could not be read; the cause says why. */
class ListFailure extends Error {
  constructor(cause: unknown) {
    super("a directory could not be read", { cause });
  }
}

class Scanner {
  readonly #options: ScanOptions;
  readonly #found: SnapshotBuilder;
  readonly #writer = new ByteWriter(64 * 1024);
  readonly #packer: Packer;
  /** Directories from which others are gone, to be remembered when everything has been looked at. */
  readonly #farewells = new Map<DirPath, Farewell>();
  /** Made when the first directory is met that is new. */
  #dirsByInode: ReadonlyMap<number, RelPath> | undefined;
  readonly #slices: TimeSlices;

  constructor(options: ScanOptions) {
    this.#options = options;
    this.#found = new SnapshotBuilder(options.since?.base);
    const filesBefore = options.since?.base.files ?? 0;
    this.#packer = new Packer(PLAIN_BYTES_MAX - filesBefore * ENTRY_BYTES);
    this.#slices = new TimeSlices(options);
  }

  async run(): Promise<Snapshot> {
    try {
      await this.#enter("", this.#options.filter);
    } catch (error) {
      throw error instanceof ListFailure ? error.cause : error;
    }
    for (const farewell of this.#farewells.values()) this.#bury(farewell);
    return this.#found.finish();
  }

  /**
   * Reads a directory, or takes it from the earlier snapshot as far as nothing has happened in it.
   *
   * @param enter Gives the rules in it.
   * @param found Where it was found, and as what, if that was just now.
   */
  async #enter(path: DirPath, enter: Enter, found?: FoundDir): Promise<Walked> {
    const { since } = this.#options;
    if (since !== undefined && !isNew(since, path) && !since.list.has(path)) {
      const before = since.base.dirs.get(path)!;
      const names = since.beneath.get(path);
      return names === undefined ? before : await this.#patch(before, names, enter);
    }
    const dir = this.#begin(path, found);
    const listing = this.#list(dir);
    return await this.#walk(dir, listing, enter(this.#ignoreFile(path, listing)));
  }

  /** Brings the shapes of directories in a page up to date; nothing has happened in the directory itself. */
  async #patch(before: SnapshotDir, names: ReadonlySet<string>, enter: Enter): Promise<Walked> {
    const { path } = before;
    const { base } = this.#options.since!;
    const filter = enter(this.#knownIgnoreFile(before));
    const shapes = new Map<string, Digest>();
    for (const name of names) {
      const dir = joinPath(path, name);
      try {
        shapes.set(name, (await this.#enter(dir, (text) => filter.enter(dir, text))).shape);
      } catch (error) {
        if (!(error instanceof ListFailure)) throw error;
        // It has just gone, or changed: what happened to it is still to be told.
        this.#forget(path);
        const dir = this.#begin(path);
        return await this.#walk(dir, this.#list(dir), filter);
      }
    }
    const entries = base.list(path).map((entry) => {
      const shape = entry.kind === "dir" ? shapes.get(entry.name) : undefined;
      return shape === undefined ? entry : { ...entry as DirEntry, shape };
    });
    const page = encodePage(entries, this.#writer);
    const dir = { ...before, page: this.#packer.keep(page), shape: shapeOf(page) };
    this.#found.addDir(dir);
    this.#reshape(dir);
    return dir;
  }

  /** Remembers the shape of a directory in which nothing else has changed. */
  #reshape({ path, shape }: SnapshotDir): void {
    const { memory, checksum } = this.#options;
    const known = memory.viewDir(path);
    if (checksum || known === undefined || isSameShape(known.shape, shape)) return;
    const { scannedAtMs } = known;
    memory.reviseDir(path, { scannedAtMs, shape, entries: [], tombstones: [], removed: [] });
  }

  #begin(path: DirPath, found?: FoundDir): DirWalk {
    const known = this.#options.memory.foldDir(path);
    // Of one that was here before and went, deletions are known.
    const isNew = known === undefined || known.length === 0;
    const former = isNew && found ? this.#formerDir(found) : undefined;
    return new DirWalk(path, known, this.#options, former);
  }

  /** Where a directory that is new here was before, if it has been moved. */
  #formerDir({ above, stat }: FoundDir): FormerDir | undefined {
    if (stat.ino === 0) return undefined;
    const { memory } = this.#options;
    let path: DirPath | undefined;
    if (above.former !== undefined) {
      const { view, path: dir } = above.former;
      if (view.find(stat.name!)?.ino === stat.ino) path = joinPath(dir, stat.name!);
    }
    path ??= (this.#dirsByInode ??= memory.dirsByInode()).get(stat.ino);
    const view = path === undefined ? undefined : memory.viewDir(path);
    return view && { path: path!, view };
  }

  #list(dir: DirWalk): DirListing {
    const { root, checksum, onList } = this.#options;
    onList?.(dir.path);
    try {
      return checksum ? root.list(dir.path) : root.list(dir.path, dir);
    } catch (error) {
      throw new ListFailure(error);
    }
  }

  /** Drops what was found beneath a directory. */
  #forget(path: DirPath): void {
    this.#found.forget(path);
    for (const dir of this.#farewells.keys()) {
      if (isWithin(dir, path)) this.#farewells.delete(dir);
    }
  }

  async #walk(dir: DirWalk, listing: DirListing, filter: FilterStack): Promise<Walked> {
    if (this.#slices.isOver) await this.#slices.pass();
    this.#found.beginDir(dir.path);
    if (dir.sameFiles + listing.entries.length > DIR_ENTRIES_MAX) {
      // Which of them are too many is for their order to say, so all are looked at.
      return await this.#walkListed(
        new DirWalk(dir.path, this.#options.memory.foldDir(dir.path), this.#options, dir.former),
        this.#options.root.list(dir.path),
        filter,
      );
    }
    if (!filter.isEmpty) dir.hide((name) => filter.isIgnored(joinPath(dir.path, name), false));
    return await this.#walkListed(dir, listing, filter);
  }

  async #walkListed(dir: DirWalk, listing: DirListing, filter: FilterStack): Promise<Walked> {
    for (const fault of listing.faults) {
      this.#leaveOut(dir, fault.name, fault.systemCode, "It can't be examined");
    }
    const listed = byName(listing.entries.filter((entry) => this.#isNamed(dir, entry)));
    if (listed.length > DIR_ENTRIES_MAX) {
      this.#problem(dir, dir.path, "too_many_entries", `It holds over ${DIR_ENTRIES_MAX} entries`);
      dir.isIncomplete = true;
      listed.length = DIR_ENTRIES_MAX;
    }
    for (const stat of listed) {
      const pending = this.#take(dir, stat, filter);
      if (pending !== undefined) await pending;
    }
    return this.#close(dir, listing.stat);
  }

  /** Something to wait for only in directories, and where a file has to be read. */
  #take(dir: DirWalk, stat: ListedEntry, filter: FilterStack): Promise<void> | undefined {
    const name = stat.name!;
    const path = joinPath(dir.path, name);
    if (filter.isIgnored(path, stat.kind === "dir")) return dir.opaque.push(name), undefined;
    switch (stat.kind) {
      case "file":
        return this.#takeFile(dir, path, stat);
      case "dir":
        return this.#takeDir(dir, path, stat, filter);
      case "link":
        this.#takeLink(dir, path, stat);
        return undefined;
      case "other":
        this.#leaveOut(dir, name, "special_file", "It is a device, fifo or socket", true);
        return undefined;
    }
  }

  #takeFile(dir: DirWalk, path: RelPath, stat: ListedEntry): Promise<void> | undefined {
    if (!this.#options.checksum && dir.keepIfUnchanged(stat)) return undefined;
    dir.files++;
    dir.bytes += stat.size;
    return this.#lookAtFile(dir, path, stat);
  }

  async #lookAtFile(dir: DirWalk, path: RelPath, stat: ListedEntry): Promise<void> {
    const name = stat.name!;
    const known = dir.recordOf(name);
    const entry = fileEntryOf(stat);
    // Without a digest there is nothing to compare a second reading with.
    if (isUnchanged(known, stat) && (!known.racy || known.digest === undefined)) {
      const digest = this.#options.checksum
        ? known.digest ?? await this.#digest(dir, path, stat)
        : undefined;
      if (digest === null) return dir.keep(known);
      if (known.digest === undefined && digest !== undefined) dir.change({ ...known, digest });
      else dir.keep(known);
      dir.entries.push(digest ? { ...entry, digest } : entry);
      return;
    }
    const isSuspect = known?.kind === "file" && known.digest !== undefined &&
      known.size === stat.size && known.mtimeMs === stat.mtimeMs;
    const digest = isSuspect || this.#options.checksum
      ? await this.#digest(dir, path, stat)
      : undefined;
    // It exists and is out of sight. What was known of it may hold or not: the next scan looks again.
    if (digest === null) return known && dir.keep(known);
    if (isSuspect && digest !== undefined && equalBytes(digest, known.digest!)) {
      dir.note(stat, {
        digest,
        vector: known.mode === stat.mode ? vectorOf(known) : dir.bumped(name),
      });
      dir.entries.push(this.#options.checksum ? { ...entry, digest } : entry);
    } else if (isSuspect && digest !== undefined) {
      // Contents differ under the same size and time. The old record stays, so that the next scan says so
      // again until a sync has taken it up.
      dir.change({ ...known, racy: true, vector: dir.bumped(name) });
      dir.isUnsettled = true;
      dir.entries.push({ ...entry, digest });
    } else {
      this.#noteEarlier(path, known);
      if (digest === undefined && mayBeTouched(known, stat)) this.#found.noteSameSize(path);
      dir.note(stat, {
        digest: digest ?? dir.formerDigest(stat),
        vector: dir.bumped(name),
      });
      dir.entries.push(digest ? { ...entry, digest } : entry);
    }
  }

  /** What the file was before; while it was racy its digest may be that of yet another version. */
  #noteEarlier(path: RelPath, known: EntryRecord | undefined): void {
    if (known?.kind !== "file" || known.digest === undefined || known.racy) return;
    const { size, mtimeMs, digest } = known;
    this.#options.memory.noteEarlier(path, { size, mtimeMs, digest });
  }

  async #takeDir(
    dir: DirWalk,
    path: RelPath,
    stat: ListedEntry,
    filter: FilterStack,
  ): Promise<void> {
    const name = stat.name!;
    if (stat.mountPoint) {
      return this.#leaveOut(dir, name, "mount_point", "Another file system is mounted there", true);
    }
    if (this.#options.privateDirs?.has(path)) {
      return this.#leaveOut(
        dir,
        name,
        "own_state",
        "It holds this device's own keys and state",
        true,
      );
    }
    let walked: Walked;
    try {
      const enter = (text: string | undefined) => filter.enter(path, text);
      walked = await this.#enter(path, enter, { above: dir, stat });
    } catch (error) {
      if (!(error instanceof ListFailure)) throw error;
      return this.#leaveOut(dir, name, reasonOf(error.cause) ?? "io", messageOf(error.cause));
    }
    const known = dir.recordOf(name);
    if (known?.kind === "dir" && known.mode === stat.mode) dir.keep(known);
    else dir.note({ ...stat, size: 0 }, { vector: dir.bumped(name) });
    dir.entries.push({ kind: "dir", name, mode: stat.mode & 0o777, shape: walked.shape });
  }

  #takeLink(dir: DirWalk, path: RelPath, stat: ListedEntry): void {
    const name = stat.name!;
    const known = dir.recordOf(name);
    let target = isUnchanged(known, stat) ? known.target : undefined;
    try {
      target ??= this.#options.root.readLink(path);
    } catch (error) {
      return this.#leaveOut(dir, name, reasonOf(error) ?? "io", messageOf(error));
    }
    const fault = target === undefined ? "target is not valid UTF-8" : linkFault(path, target);
    if (target === undefined || fault !== undefined) {
      return this.#leaveOut(
        dir,
        name,
        "link_not_portable",
        `Symbolic link is not synced: ${fault}`,
      );
    }
    if (isUnchanged(known, stat) && known.target === target) dir.keep(known);
    else {
      const isSame = known?.kind === "link" && known.target === target &&
        known.mtimeMs === stat.mtimeMs;
      dir.note(stat, { target, vector: isSame ? vectorOf(known) : dir.bumped(name) });
    }
    dir.entries.push({ kind: "link", name, target, mtimeMs: stat.mtimeMs });
  }

  /** Reads a file; `null` where that can't be done, and the file must not be in the page. */
  async #digest(dir: DirWalk, path: RelPath, stat: ListedEntry): Promise<Digest | null> {
    try {
      const digest = await this.#options.digestOf(path);
      if (this.#slices.isOver) await this.#slices.pass();
      if (digest !== undefined) return digest;
      this.#problem(dir, path, "changed", "It could not be read, or changed meanwhile");
    } catch (error) {
      this.#problem(dir, path, reasonOf(error) ?? "io", messageOf(error));
    }
    dir.opaque.push(stat.name!);
    return null;
  }

  #close(dir: DirWalk, stat: FileStat): Walked {
    dir.writePage(this.#writer);
    const page = this.#writer.finish();
    const shape = shapeOf(page);
    this.#found.addDir({
      path: dir.path,
      page: this.#packer.keep(page),
      shape,
      mtimeMs: stat.mtimeMs,
      isIncomplete: dir.isIncomplete,
      opaque: dir.opaque,
      files: dir.files + dir.sameFiles,
      bytes: dir.bytes + dir.sameBytes,
    }, dir.knownShape);
    this.#found.settle(dir.path, !dir.isUnsettled && !dir.isIncomplete);
    this.#found.dropOthers(dir.path, new Set(dir.dirNames()));
    // Pages with digests are others than will be compared the next time.
    const patch = dir.finish(this.#options.checksum ? dir.knownShape : shape);
    if (patch === undefined) return { shape };
    // What goes may be met again under another path, and what was known of it is of use there.
    if (dir.goneDirs.length > 0) this.#farewells.set(dir.path, { dir, patch });
    else this.#options.memory.reviseDir(dir.path, patch);
    return { shape };
  }

  #bury({ dir, patch }: Farewell): void {
    const { memory } = this.#options;
    for (const gone of dir.goneDirs) {
      memory.buryDir(joinPath(dir.path, gone), (entry) => dir.bury(entry));
    }
    memory.reviseDir(dir.path, patch);
  }

  /** Sets aside names that no peer could be told. */
  #isNamed(dir: DirWalk, entry: ListedEntry): boolean {
    if (entry.name === OWN_FOLDER && dir.path === "") return false;
    if (entry.name === undefined) {
      const shown = new TextDecoder().decode(entry.rawName);
      this.#leaveOut(
        dir,
        shown,
        "name_not_utf8",
        "Its name is not valid UTF-8",
        false,
        entry.rawName,
      );
      return false;
    }
    const fault = nameFault(entry.name);
    if (fault === undefined) return true;
    this.#leaveOut(dir, entry.name, `name_${fault}`, `Its name can't be synced (${fault})`);
    return false;
  }

  #leaveOut(
    dir: DirWalk,
    name: string,
    code: string,
    message: string,
    isHarmless = false,
    rawName?: Uint8Array,
  ): void {
    dir.opaque.push(name);
    const above = dir.path === "" ? "" : `${dir.path}/`;
    const pathBytes = rawName && concat([utf8(above), rawName]);
    this.#problem(dir, above + name, code, message, isHarmless, pathBytes);
  }

  #problem(
    dir: DirWalk,
    path: string,
    code: string,
    message: string,
    isHarmless = false,
    pathBytes?: Uint8Array,
  ): void {
    this.#found.addProblem({
      path,
      dir: dir.path,
      code,
      message,
      isHarmless,
      ...(pathBytes && { pathBytes }),
    });
    // A disk that failed may work again, and says nothing of it.
    if (!isHarmless) dir.isUnsettled = true;
  }

  #ignoreFile(dir: DirPath, listing: DirListing): string | undefined {
    if (!listing.entries.some((entry) => entry.name === IGNORE_FILE && entry.kind === "file")) {
      return undefined;
    }
    return this.#readIgnoreFile(joinPath(dir, IGNORE_FILE));
  }

  #readIgnoreFile(path: RelPath): string {
    const buffer = new Uint8Array(IGNORE_FILE_BYTES_MAX);
    const { length } = this.#options.root.readSmall(path, buffer);
    return new TextDecoder().decode(buffer.subarray(0, length));
  }

  /** The ignore file of a directory that is not read again: a change of it would have had everything read. */
  #knownIgnoreFile({ path, opaque }: SnapshotDir): string | undefined {
    const { base } = this.#options.since!;
    const file = joinPath(path, IGNORE_FILE);
    if (base.entry(file)?.kind !== "file" && !opaque.includes(IGNORE_FILE)) return undefined;
    if (this.#options.root.lstat(file)?.kind !== "file") return undefined;
    return this.#readIgnoreFile(file);
  }
}

/** Sorted, and one of each: while names change the system may give one twice. */
function byName(entries: ListedEntry[]): ListedEntry[] {
  entries.sort((a, b) => compareNames(a.name!, b.name!));
  return entries.filter(({ name }, i) => name !== entries[i + 1]?.name);
}

function fileEntryOf(stat: ListedEntry): FileEntry {
  return {
    kind: "file",
    name: stat.name!,
    mode: stat.mode & 0o777,
    size: stat.size,
    mtimeMs: stat.mtimeMs,
  };
}

/** True if a peer that has the former version may have the very contents, and is to be asked. */
function mayBeTouched(known: EntryRecord | undefined, stat: FileStat): boolean {
  return known?.kind === "file" && known.size === stat.size && known.mtimeMs !== stat.mtimeMs &&
    (known.digest === undefined || known.racy);
}

/** True if what is remembered of the contents still holds, as far as the file system can tell. */
export function isUnchanged(known: EntryRecord | undefined, stat: FileStat): known is EntryRecord {
  return known !== undefined && known.kind === stat.kind && known.size === stat.size &&
    known.mtimeMs === stat.mtimeMs && known.mtimeNs === stat.mtimeNs &&
    known.ctimeMs === stat.ctimeMs && known.ctimeNs === stat.ctimeNs &&
    known.ino === stat.ino && known.mode === stat.mode;
}
