import { type Bytes, fromHex } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { digestKey, sha256 } from "../../base/digest.ts";
import { LandropicError } from "../../base/errors.ts";
import { utf8 } from "../../base/bytes.ts";
import type { DeviceId } from "../../base/ids.ts";
import type { DirPath } from "../../base/paths.ts";
import { basename, dirname, join } from "../../base/system_path.ts";
import { nextTurn } from "../../base/turn.ts";
import { type VectorMember, vectorMember } from "../../base/version_vector.ts";
import { type Index, IndexError, type RootIndex, UNMARKED } from "../../index/mod.ts";
import {
  ensureFolderId,
  expireTrash,
  type FolderLock,
  type FolderMark,
  lockFolder,
  lockRoot,
  openRoot,
  PartialStore,
  readFolderId,
  reasonOf,
  type Root,
  sweepTemporary,
} from "../../store/mod.ts";
import { ShareContent } from "../content/share_content.ts";
import { FilterStack } from "../filter/mod.ts";
import { untilSent } from "../link/sent.ts";
import type { ScanOptions } from "../scan/scan_options.ts";
import { scan } from "../scan/scanner.ts";
import type { Snapshot } from "../scan/snapshot.ts";

/** What a session does with a folder: only reads it, changes it, or lets changes and deletions flow out too. */
export type ShareRole = "source" | "target" | "both";

/** How to open a folder for one session. */
export interface OpenShareOptions {
  readonly path: string;
  readonly role: ShareRole;
  /**
   * Leave the folder as it is, without a mark: for dry runs and read-only shares. A target is always
   * marked. What is remembered of a folder without a mark counts only as long as it has none.
   */
  readonly untouched?: boolean;
  /** Create the folder if there is none. */
  readonly create?: boolean;
  readonly index: Index;
  readonly deviceId: DeviceId;
  /** Private folder for lock files. */
  readonly lockFolder: string;
  /** Where this device keeps its key, its peers and its index: never part of a share. */
  readonly privateFolders?: readonly string[];
  /** What the lock's next taker is told: `sync with "nas"`. */
  readonly activity: string;
  readonly lockWaitMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** How to read a folder. */
export interface ShareScanOptions extends Pick<ScanOptions, "checksum" | "onList" | "since"> {
  /** Ignore rules of the command line. */
  readonly filters: readonly string[];
}

/** A millisecond's work: whoever waits for something else of this device hardly notices. */
const FOLDS_AT_ONCE = 8;

const SEPARATOR = Deno.build.os === "windows" ? "\\" : "/";

/** A folder opened for one session: locked, with what is remembered of it. */
export class OpenShare implements Disposable {
  /** Names this very folder and this device's memory of it: 32 bytes. */
  readonly rootId: Bytes;
  /** Stands for this device in version vectors. */
  readonly member: VectorMember;
  readonly content: ShareContent;
  readonly #closed = new AbortController();
  readonly #signal: AbortSignal;

  /**
   * @throws {StoreError} `locked`, or why the folder can't be used.
   * @throws {LandropicError} `safety_limit` if the folder has lost its mark: its disk may be unmounted.
   */
  static async open(options: OpenShareOptions): Promise<OpenShare> {
    if (options.create) refuseMissing(options);
    const root = openRoot(options.path, { create: options.create ?? false });
    const locks: FolderLock[] = [];
    try {
      const privateDirs = privateDirsIn(root, options.privateFolders ?? []);
      // Before anything of ours is created in it, the lock included.
      refuseLostMark(root, options);
      const mode = options.role === "source" ? "shared" : "exclusive";
      const { activity, lockWaitMs: waitMs, signal } = options;
      const folder = root.path;
      Deno.mkdirSync(options.lockFolder, { recursive: true, mode: 0o700 });
      const lockFile = `${options.lockFolder}/${digestKey(sha256(utf8(root.path))).slice(0, 32)}`;
      locks.push(await lockFolder(lockFile, { mode, activity, folder, waitMs, signal }));
      // For those with another state folder. A mere source may be read-only and is left untouched.
      if (options.role !== "source") {
        locks.push(await lockRoot(root, { mode, activity, folder, waitMs, signal }));
      }
      const { folderId, isNew } = await identify(root, options);
      const index = options.index.openRoot({
        path: root.path,
        folderId,
        isNewlyMarked: isNew,
        isStillAt: (path) => isMarkAt(path, folderId),
        ...markerOf(root, options),
      });
      return new OpenShare(root, index, locks, privateDirs, options);
    } catch (error) {
      for (const lock of locks) lock[Symbol.dispose]();
      root[Symbol.dispose]();
      throw error;
    }
  }

  private constructor(
    readonly root: Root,
    readonly index: RootIndex,
    readonly locks: readonly FolderLock[],
    readonly privateDirs: ReadonlySet<DirPath>,
    readonly options: OpenShareOptions,
  ) {
    this.rootId = fromHex(index.folderId + index.epoch);
    this.member = vectorMember(options.deviceId, index.epoch);
    this.#signal = AbortSignal.any([options.signal, this.#closed.signal]);
    this.content = new ShareContent(root, index, this.#signal);
    if (options.role !== "source") {
      sweepTemporary(root, options.clock.wallMs());
      new PartialStore(root).sweep(options.clock.wallMs());
      expireTrash(root, options.clock.wallMs());
    }
  }

  /** Bytes that files may take: what is free on the disk, and what earlier runs have left half done. */
  get freeBytes(): number {
    return this.root.space().freeBytes + new PartialStore(this.root).totalDiskBytes;
  }

  /** Reads the folder as it is now. */
  async scan({ checksum, filters, since, onList }: ShareScanOptions): Promise<Snapshot> {
    const { clock } = this.options;
    if (since === undefined) this.index.preload();
    return await scan({
      root: this.root,
      memory: this.index,
      member: this.member,
      filter: (text) => FilterStack.root(filters, text),
      privateDirs: this.privateDirs,
      checksum,
      digestOf: (path) => this.content.freshDigest(path),
      clock,
      signal: this.#signal,
      since,
      ...(onList && { onList }),
    });
  }

  /**
   * Does, while the peer is at work, what would otherwise have to be done when somebody waits: writes what
   * the scan has found, each directory as a whole.
   *
   * @param signal Ends it early.
   * @param options.locating Makes ready, too, what it takes to find files by their digests.
   */
  async tidy(signal: AbortSignal, { locating = false } = {}): Promise<void> {
    const isOver = () => signal.aborted || this.#signal.aborted;
    try {
      await untilSent();
      for (let folds = 1; !isOver() && this.index.foldNext(); folds++) {
        if (folds % FOLDS_AT_ONCE === 0) await nextTurn();
      }
      if (isOver()) return;
      this.index.commit();
      await nextTurn();
      if (locating && !isOver()) this.index.prepareLocating();
    } catch (error) {
      // Whoever needs the index next meets it again.
      if (!(error instanceof IndexError)) throw error;
    }
  }

  /** Closes the folder; what is still being read for its digest stops, and what was learnt is kept. */
  [Symbol.dispose](): void {
    this.#closed.abort(new LandropicError("interrupted", "The folder was closed"));
    this.#keepLearnt();
    for (const lock of this.locks) lock[Symbol.dispose]();
    this.root[Symbol.dispose]();
  }

  /** What was seen and read for a plan: after a push, or one that failed, nobody else would keep it. */
  #keepLearnt(): void {
    try {
      this.index.commit();
    } catch (error) {
      // Those files are read again the next time.
      if (!(error instanceof IndexError)) throw error;
    }
  }
}

/**
 * Finds this device's own state in a folder, as in a home folder that is synced as a whole: a peer that got
 * the key would be this device, and one that wrote there could have itself trusted.
 *
 * @throws {LandropicError} `safety_limit` if the folder is, or lies in, such a place.
 */
function privateDirsIn(root: Root, folders: readonly string[]): Set<DirPath> {
  const found = new Set<DirPath>();
  for (const folder of folders) {
    const path = realPathOf(folder);
    if (path === undefined) continue;
    if (path.startsWith(`${root.path}${SEPARATOR}`) || root.path === SEPARATOR) {
      const below = path.slice(root.path === SEPARATOR ? 1 : root.path.length + 1);
      found.add(below.replaceAll(SEPARATOR, "/") as DirPath);
    } else if (`${root.path}${SEPARATOR}`.startsWith(`${path}${SEPARATOR}`)) {
      throw new LandropicError(
        "safety_limit",
        `Folder ${JSON.stringify(root.path)} holds the keys of this device, and can't be synced`,
        "sync another folder",
      );
    }
  }
  return found;
}

function realPathOf(path: string): string | undefined {
  try {
    return Deno.realPathSync(path);
  } catch {
    // Not made yet.
    return undefined;
  }
}

/**
 * Says that a folder which was synced before is not itself any more. A mere target, too: what lies where a
 * disk should be mounted is on another disk, and would fill it.
 */
function refuseLostMark(root: Root, options: OpenShareOptions): void {
  if (root.lstat(OWN) !== undefined || !wasMarked(root.path, options)) return;
  throw new LandropicError(
    "safety_limit",
    `Folder ${JSON.stringify(root.path)} is not the one synced before: its ".landropic" is gone`,
    NEW_FOLDER_HINT,
  );
}

/** As {@linkcode refuseLostMark}, of a folder that would be made. */
function refuseMissing(options: OpenShareOptions): void {
  if (realPathOf(options.path) !== undefined) return;
  const above = realPathOf(dirname(options.path));
  if (above === undefined || !wasMarked(join(above, basename(options.path)), options)) return;
  throw new LandropicError(
    "safety_limit",
    `Folder ${JSON.stringify(options.path)} was synced before and is missing`,
    NEW_FOLDER_HINT,
  );
}

function wasMarked(path: string, { index }: OpenShareOptions): boolean {
  const known = index.roots().find((row) => row.path === path);
  return known !== undefined && known.folderId !== UNMARKED;
}

const NEW_FOLDER_HINT =
  'mount the disk it lies on; if it is a new folder, create an empty ".landropic" in it first';

/** Finds the folder's mark, or makes one. A mere source that can't be written to does without. */
async function identify(root: Root, options: OpenShareOptions): Promise<FolderMark> {
  if (options.role !== "source") return await ensureFolderId(root);
  if (!options.untouched) {
    try {
      return await ensureFolderId(root);
    } catch (error) {
      const reason = reasonOf(error);
      if (reason !== "denied" && reason !== "read_only") throw error;
    }
  }
  return { folderId: readFolderId(root) ?? UNMARKED, isNew: false };
}

/** Where that can't be told, it is taken to be there. */
function isMarkAt(path: string, folderId: string): boolean {
  try {
    return Deno.readTextFileSync(join(path, MARK)).startsWith(folderId);
  } catch (error) {
    return !(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory);
  }
}

/**
 * The inode of the mark and its time of birth tell a restored backup or a copy from the folder itself. The
 * inode alone would not: ext4 gives the first one that is free, and restored files get those of the deleted
 * ones. File systems without modes (FAT) make inode numbers up anew at each mount.
 */
function markerOf(root: Root, options: OpenShareOptions): { marker?: string } {
  if (options.role === "source" || !root.features().modes) return {};
  const mark = root.lstat(MARK);
  if (mark === undefined) return {};
  const birth = birthOf(join(root.path, MARK));
  return { marker: birth ? `${mark.ino} ${birth}` : String(mark.ino) };
}

/** In milliseconds; `undefined` where the system does not tell. */
function birthOf(path: string): number | undefined {
  try {
    return Deno.lstatSync(path).birthtime?.getTime();
  } catch {
    // Moved in this very moment.
    return undefined;
  }
}

const MARK = ".landropic/folder-id" as Parameters<Root["lstat"]>[0];
const OWN = ".landropic" as Parameters<Root["lstat"]>[0];
