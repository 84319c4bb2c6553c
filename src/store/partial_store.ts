import { type Bytes, decodeUtf8, fromHex, toHex, utf8 } from "../base/bytes.ts";
import { type Digest, digestKey, sha256 } from "../base/digest.ts";
import { parseRelPath, type RelPath } from "../base/paths.ts";
import { ownPath, PARTIAL_FOLDER } from "./own_paths.ts";
import { flushTouched } from "./own_folder.ts";
import type { ReadFile, Root, StagedFile } from "./root.ts";
import { reasonOf, StoreError } from "./store_error.ts";
import { makeOwnDir } from "./temporary_names.ts";

/** Age at which a partial file that nobody went on with is removed. */
export const PARTIAL_AGE_MS = 7 * 86_400_000;
/** A recipe is longer only if somebody else wrote it. */
const RECIPE_BYTES_MAX = 64 * 1024 * 1024;
/** A journal is longer only if somebody else wrote it. */
const JOURNAL_BYTES_MAX = 32 * 1024;

/** What a partial file is to become: the same file, or it is another partial. */
export interface PartialTarget {
  readonly path: RelPath;
  /** Bytes when complete. */
  readonly size: number;
  /** Whole milliseconds since the Unix epoch. */
  readonly mtimeMs: number;
  /** The file digest, where it is known before the bytes are. */
  readonly digest?: Digest;
}

/** A file that is still arriving. */
export interface PartialFile extends Disposable {
  readonly target: PartialTarget;
  /**
   * The bytes so far. Write to it as to any staged file; disposing it keeps them. When complete,
   * `finish` it and hand it to a commit batch.
   */
  readonly staged: StagedFile;
  /**
   * Bytes from the start that were on the disk at the last checkpoint. What lies behind may be
   * anything after a power cut: verify it, or fetch it again.
   */
  readonly bytesFlushed: number;
  /**
   * The file digest whose chunks those bytes were when they were written; `undefined` where nothing was
   * known to check them against.
   */
  readonly digestFlushed: Digest | undefined;
  /**
   * Flushes the file, then notes durably that it is good up to here.
   *
   * @param digest What the bytes were checked against.
   * @throws {StoreError} If the flush failed what the disk holds of the file is unknown: discard it.
   */
  checkpoint(bytes: number, digest?: Digest): Promise<void>;
  /** Keeps how the file is made of chunks, so that the next run need not ask again. */
  saveRecipe(encoded: Uint8Array): void;
  /** What was saved; not flushed then, so it may be anything: check it. */
  readRecipe(): Uint8Array | undefined;
  /** Removes what is known about the file once it is in place. */
  forget(): void;
}

/** What is known about a partial file from its journal. */
export interface PartialRecord {
  /** Identifies it among the others. */
  readonly key: string;
  readonly path: RelPath;
  readonly size: number;
  readonly mtimeMs: number;
  readonly bytesFlushed: number;
  /** Time of the last write, milliseconds since the Unix epoch. */
  readonly changedMs: number;
  /** Bytes it takes on the disk. */
  readonly diskBytes: number;
}

/**
 * Files on their way, kept in `.landropic/partial` from one run to the next: `<key>.part` with the
 * bytes and, of large ones, `<key>.json` with a journal and `<key>.recipe` with the chunks that it is
 * to be made of. Nothing is asked of the sender to go on.
 *
 * Only one process may use it at a time: hold the root's lock.
 */
export class PartialStore {
  readonly #root: Root;
  #hasFolder = false;
  /** Every key that may have a name in the folder. */
  #known: Set<string> | undefined;

  constructor(root: Root) {
    this.#root = root;
  }

  /** Goes on with a partial file, or begins one. */
  open(target: PartialTarget): PartialFile {
    const key = keyOf(target);
    this.#makeFolder();
    const fresh = this.#isKnown(key) ? undefined : this.#tryCreate(key);
    this.#known!.add(key);
    if (fresh !== undefined) {
      return new OpenPartial(this.#root, { key, target, staged: fresh, ...NOTHING_KNOWN });
    }
    const staged = this.#openPart(key);
    return new OpenPartial(this.#root, { key, target, staged, ...this.#journalOf(key) });
  }

  /**
   * Begins a file that needs no journal, under the name that {@linkcode PartialStore.open} goes on with
   * in the next run. What was there is lost. Costs a small file little more than one without a name.
   */
  begin(target: PartialTarget): StagedFile {
    const key = keyOf(target);
    this.#makeFolder();
    if (this.#isKnown(key)) this.#remove(key);
    this.#known!.add(key);
    const staged = this.#tryCreate(key);
    if (staged !== undefined) return staged;
    this.#remove(key);
    return this.#root.openOwnFile(partPath(key), { create: true });
  }

  /** True if there are bytes to go on with. Costs nothing where nothing was left of earlier runs. */
  has(target: PartialTarget): boolean {
    this.#known ??= this.#keys();
    if (this.#known.size === 0) return false;
    const key = keyOf(target);
    if (!this.#known.has(key)) return false;
    const stat = this.#root.lstat(partPath(key));
    return stat?.kind === "file" && stat.size > 0;
  }

  /** Bytes that it takes on the disk, if there is one. */
  diskBytes(target: PartialTarget): number {
    if (!this.has(target)) return 0;
    return (this.#root.lstat(partPath(keyOf(target)))?.blocks ?? 0) * 512;
  }

  /** Bytes that all of them take on the disk. */
  get totalDiskBytes(): number {
    let blocks = 0;
    for (const stat of this.#names().values()) blocks += stat.blocks;
    return blocks * 512;
  }

  /** Opens the bytes of a partial file, to copy from them. */
  read(record: PartialRecord): ReadFile {
    return this.#root.openFile(partPath(record.key));
  }

  /** All partial files, damaged ones left out. */
  list(): PartialRecord[] {
    const records: PartialRecord[] = [];
    for (const [name, stat] of this.#names()) {
      if (!name.endsWith(PART)) continue;
      const key = name.slice(0, -PART.length);
      const journal = readJournal(this.#root, key);
      if (journal === undefined) continue;
      const { digest: _, ...rest } = journal;
      records.push({
        key,
        ...rest,
        changedMs: stat.ctimeMs,
        diskBytes: stat.blocks * 512,
      });
    }
    return records;
  }

  /** Removes a partial file; true if there was one. */
  discard(which: PartialTarget | PartialRecord): boolean {
    return this.#remove("key" in which ? which.key : keyOf(which));
  }

  /** Removes partial files that are not among these: of versions that nobody wants any more. */
  discardOthers(wanted: Iterable<PartialTarget>): void {
    const kept = new Set([...wanted].map(keyOf));
    for (const key of this.#keys()) if (!kept.has(key)) this.#remove(key);
  }

  /**
   * Removes partial files that nobody has written to for {@linkcode PARTIAL_AGE_MS}, and journals and
   * recipes whose file is in place or gone.
   *
   * @param nowMs The wall clock.
   * @returns How many partial files were removed.
   */
  sweep(nowMs: number): number {
    let removed = 0;
    const names = this.#names();
    for (const [name, stat] of names) {
      const suffix = [JOURNAL, RECIPE].find((suffix) => name.endsWith(suffix));
      if (suffix !== undefined) {
        const key = name.slice(0, -suffix.length);
        if (!names.has(key + PART)) this.#remove(key);
      } else if (nowMs - stat.ctimeMs > PARTIAL_AGE_MS && name.endsWith(PART)) {
        if (this.#remove(name.slice(0, -PART.length))) removed++;
      }
    }
    return removed;
  }

  #keys(): Set<string> {
    return new Set([...this.#names().keys()].map((name) => name.split(".")[0]!));
  }

  #isKnown(key: string): boolean {
    return (this.#known ??= this.#keys()).has(key);
  }

  #tryCreate(key: string): StagedFile | undefined {
    try {
      return this.#root.openOwnFile(partPath(key), { create: true });
    } catch (error) {
      if (reasonOf(error) !== "exists") throw error;
      return undefined;
    }
  }

  #makeFolder(): void {
    if (this.#hasFolder) return;
    makeOwnDir(this.#root, ownPath());
    makeOwnDir(this.#root, PARTIAL_FOLDER);
    this.#hasFolder = true;
  }

  #names() {
    if (this.#root.lstat(PARTIAL_FOLDER)?.kind !== "dir") return new Map<string, never>();
    const { entries } = this.#root.list(PARTIAL_FOLDER);
    return new Map(entries.map((entry) => [entry.name ?? "", entry]));
  }

  #journalOf(key: string): Known {
    const journal = readJournal(this.#root, key);
    const size = this.#root.lstat(partPath(key))?.size ?? 0;
    return {
      bytesFlushed: Math.min(journal?.bytesFlushed ?? 0, size),
      digestFlushed: journal?.digest,
      hasNotes: true,
    };
  }

  #openPart(key: string): StagedFile {
    try {
      return this.#root.openOwnFile(partPath(key), { create: false });
    } catch (error) {
      if (reasonOf(error) !== "not_found") throw error;
      // Of bytes that somebody removed: it must not vouch for those to come.
      removeNotes(this.#root, key);
      return this.#root.openOwnFile(partPath(key), { create: true });
    }
  }

  #remove(key: string): boolean {
    // The journal first: without it the bytes count for nothing.
    removeNotes(this.#root, key);
    this.#known?.delete(key);
    return removeIfThere(this.#root, partPath(key));
  }
}

/** What stands beside the bytes of a partial file. */
interface Known {
  readonly bytesFlushed: number;
  readonly digestFlushed: Digest | undefined;
  /** There may be a journal, or a recipe. */
  readonly hasNotes: boolean;
}

const NOTHING_KNOWN: Known = { bytesFlushed: 0, digestFlushed: undefined, hasNotes: false };

class OpenPartial implements PartialFile {
  readonly target: PartialTarget;
  readonly staged: StagedFile;
  readonly #root: Root;
  readonly #key: string;
  #bytesFlushed: number;
  #digestFlushed: Digest | undefined;
  #hasNotes: boolean;

  constructor(
    root: Root,
    of: Known & { key: string; target: PartialTarget; staged: StagedFile },
  ) {
    this.#root = root;
    this.#key = of.key;
    this.target = of.target;
    this.staged = of.staged;
    this.#bytesFlushed = of.bytesFlushed;
    this.#digestFlushed = of.digestFlushed;
    this.#hasNotes = of.hasNotes;
  }

  get bytesFlushed(): number {
    return this.#bytesFlushed;
  }

  get digestFlushed(): Digest | undefined {
    return this.#digestFlushed;
  }

  async checkpoint(bytes: number, digest?: Digest): Promise<void> {
    await this.#root.flushFiles([this.staged]);
    this.#hasNotes = true;
    await writeJournal(this.#root, this.#key, {
      path: this.target.path,
      size: this.target.size,
      mtimeMs: this.target.mtimeMs,
      bytesFlushed: bytes,
      digest,
    });
    this.#bytesFlushed = bytes;
    this.#digestFlushed = digest;
  }

  saveRecipe(encoded: Uint8Array): void {
    const path = recipePath(this.#key);
    this.#hasNotes = true;
    removeIfThere(this.#root, path);
    const file = this.#root.openOwnFile(path, { create: true });
    using _ = file;
    file.writeAt(encoded as Bytes, 0);
  }

  readRecipe(): Uint8Array | undefined {
    try {
      using file = this.#root.openFile(recipePath(this.#key));
      if (file.size > RECIPE_BYTES_MAX) return undefined;
      const bytes = new Uint8Array(file.size);
      return file.readAt(bytes, 0) === bytes.length ? bytes : undefined;
    } catch (error) {
      if (reasonOf(error) === undefined) throw error;
      return undefined;
    }
  }

  forget(): void {
    if (this.#hasNotes) removeNotes(this.#root, this.#key);
  }

  [Symbol.dispose](): void {
    this.staged[Symbol.dispose]();
  }
}

interface Journal {
  readonly path: RelPath;
  readonly size: number;
  readonly mtimeMs: number;
  readonly bytesFlushed: number;
  readonly digest: Digest | undefined;
}

async function writeJournal(root: Root, key: string, journal: Journal): Promise<void> {
  using file = root.stage(0o600);
  const digest = journal.digest && toHex(journal.digest);
  file.writeAt(utf8(JSON.stringify({ ...journal, digest })), 0);
  file.finish({ mode: 0o600, mtimeMs: Date.now() });
  await root.flushFiles([file]);
  const fresh = root.temporaryPath();
  root.beginChanges();
  try {
    root.publish(file, fresh);
    root.rename(fresh, journalPath(key), { replace: true });
  } finally {
    await flushTouched(root);
  }
}

/** Reads a journal; a damaged one is as good as none. */
function readJournal(root: Root, key: string): Journal | undefined {
  try {
    const buffer = new Uint8Array(JOURNAL_BYTES_MAX);
    const { length } = root.readSmall(journalPath(key), buffer);
    const text = decodeUtf8(buffer.subarray(0, length));
    return text === undefined ? undefined : parseJournal(JSON.parse(text));
  } catch (error) {
    if (error instanceof StoreError || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function parseJournal(value: unknown): Journal | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { path, size, mtimeMs, bytesFlushed, digest } = value as Record<string, unknown>;
  if (typeof path !== "string" || !isCount(size) || !isCount(bytesFlushed)) return undefined;
  if (!Number.isSafeInteger(mtimeMs) || bytesFlushed > size) return undefined;
  if (digest !== undefined && !isDigestText(digest)) return undefined;
  try {
    return {
      path: parseRelPath(path),
      size,
      mtimeMs: mtimeMs as number,
      bytesFlushed,
      digest: digest === undefined ? undefined : fromHex(digest),
    };
  } catch {
    return undefined;
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isDigestText(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}

const PART = ".part";
const JOURNAL = ".json";
const RECIPE = ".recipe";

/** Named by what it is to become, so that a file changed at the sender is another partial. */
function keyOf(target: PartialTarget): string {
  const parts = [target.path, target.size, target.mtimeMs];
  const digest = target.digest === undefined ? "" : digestKey(target.digest);
  return toHex(sha256(utf8(JSON.stringify([...parts, digest])))).slice(0, 32);
}

function partPath(key: string): RelPath {
  return ownPath("partial", key + PART);
}

function journalPath(key: string): RelPath {
  return ownPath("partial", key + JOURNAL);
}

function recipePath(key: string): RelPath {
  return ownPath("partial", key + RECIPE);
}

/** Removes all that is written down about a partial file. */
function removeNotes(root: Root, key: string): void {
  removeIfThere(root, journalPath(key));
  removeIfThere(root, recipePath(key));
}

function removeIfThere(root: Root, path: RelPath): boolean {
  try {
    root.removeFile(path);
    return true;
  } catch (error) {
    if (reasonOf(error) === "not_found") return false;
    throw error;
  }
}
