import { decodeUtf8, toHex, utf8 } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { type Digest, DIGEST_BYTES, type DigestKey, digestKey } from "../../base/digest.ts";
import type { DeviceId } from "../../base/ids.ts";
import { PackedBytes, Packer } from "../../base/packed_bytes.ts";
import {
  type DirPath,
  nameOf,
  parentOf,
  parseRelPath,
  PATH_BYTES_MAX,
  type RelPath,
  sortByName,
} from "../../base/paths.ts";
import { RecordLog } from "../../base/record_log.ts";
import { decodePage, EMPTY_PAGE, EMPTY_SHAPE, shapeOf } from "../../base/tree.ts";
import { ByteReader, ByteWriter } from "../../base/varint.ts";
import { hasSeen, readVector, type VersionVector, writeVector } from "../../base/version_vector.ts";
import {
  type EntryRecord,
  findEntry,
  findTombstone,
  type NamedPage,
  type PeerFolder,
  type RootIndex,
  type Tombstone,
} from "../../index/mod.ts";
import {
  type BlockWriter,
  PAGE_BYTES_MAX,
  ProtocolError,
  type RecordReader,
} from "../../protocol/mod.ts";
import type { Snapshot } from "../scan/snapshot.ts";
import type { LongList } from "./sync_plan.ts";

/** Pages, digests or stamps in one agreement. */
const PARTS_MAX = 2_000_000;
/** Bytes of all pages in one agreement: some eight million entries. */
const PAGES_BYTES_MAX = 512 * 1024 * 1024;
const STAMP_BYTES_MAX = 8 * 1024;
const ROOT_ID_BYTES_MAX = 64;

/** A version or deletion that one side notes, though no operation told it. */
export interface VersionStamp {
  readonly path: RelPath;
  readonly vector: VersionVector;
  readonly isDeleted: boolean;
}

/**
 * What two folders are now known to have in common: the tree that the next session takes for the last
 * state both held.
 */
export interface Agreement {
  /** Names the folder of the side that tells it, and that side's memory of it. */
  readonly rootId: Uint8Array;
  /** Shape of its root. */
  readonly root: Digest;
  /** Pages that are new. There may be as many bytes of them as of the whole tree. */
  readonly pages: readonly PackedBytes[];
  /** Shapes whose pages, and all beneath, are those of the snapshot. */
  readonly adopted: readonly Digest[];
  /** For the side that this is told to. */
  readonly stamps: LongList<VersionStamp>;
}

/** Names the peer's folder in the index: by its mark and its memory, whatever the peer calls the share. */
export function peerFolder(peer: DeviceId, rootId: Uint8Array): PeerFolder {
  const hex = toHex(rootId);
  const folderId = hex.slice(0, 32);
  return { peer, share: folderId, folderId, epoch: hex.slice(32) };
}

/**
 * Remembers an agreement, durably, in one transaction with the directory records it belongs to. Only after
 * every file in it is on the disk.
 *
 * @param snapshot Where adopted pages come from.
 * @throws {ProtocolError} if something adopted is not in the snapshot.
 */
export function storeAgreement(
  index: RootIndex,
  folder: PeerFolder,
  agreement: Agreement,
  from: { readonly snapshot: Snapshot; readonly clock: Clock },
): void {
  const pages: KnownPages = new Map();
  for (const page of agreement.pages) {
    const shape = shapeOf(page.unpack());
    pages.set(digestKey(shape), { shape, page });
  }
  adopt(agreement.adopted, from.snapshot, pages);
  if (digestKey(agreement.root) === digestKey(EMPTY_SHAPE)) {
    pages.set(digestKey(EMPTY_SHAPE), {
      shape: EMPTY_SHAPE,
      page: PackedBytes.plain(EMPTY_PAGE),
    });
  }
  index.transaction(() => {
    for (const [dir, stamps] of byDir(agreement.stamps)) {
      noteStamps(index, dir, { stamps, clock: from.clock });
    }
    index.putPages(unpacked(pages));
    index.setAncestor(folder, { shape: agreement.root });
  });
}

/** Sends an agreement: root id, root, then counted pages, adopted shapes and stamps. */
export async function writeAgreement(out: BlockWriter, agreement: Agreement): Promise<void> {
  await out.write(count(agreement.rootId.length));
  await out.write(agreement.rootId);
  await out.write(agreement.root);
  await out.write(count(agreement.pages.length));
  for (const packed of agreement.pages) {
    const page = packed.unpack();
    await out.write(count(page.length));
    await out.write(page);
  }
  await out.write(count(agreement.adopted.length));
  for (const shape of agreement.adopted) await out.write(shape);
  await out.write(count(agreement.stamps.length));
  for (const stamp of agreement.stamps) {
    const body = new ByteWriter(128).lv(utf8(stamp.path)).u8(stamp.isDeleted ? 1 : 0);
    writeVector(body, stamp.vector);
    const bytes = body.finish();
    await out.write(count(bytes.length));
    await out.write(bytes);
  }
}

/**
 * Reads what {@linkcode writeAgreement} wrote, every page and path checked.
 *
 * @param pagesBytesMax For tests.
 * @throws {ProtocolError}
 */
export async function readAgreement(
  from: RecordReader,
  pagesBytesMax = PAGES_BYTES_MAX,
): Promise<Agreement> {
  const rootId = (await from.lv(ROOT_ID_BYTES_MAX)).slice();
  const root = (await from.take(DIGEST_BYTES)).slice();
  const packer = new Packer();
  let bytes = 0;
  const pages = await many(from, async () => {
    const page = (await from.lv(PAGE_BYTES_MAX)).slice();
    bytes += page.length;
    if (bytes > pagesBytesMax) throw new ProtocolError(`Agreement over ${pagesBytesMax} bytes`);
    decodePage(page);
    return packer.keep(page);
  });
  const adopted = await many(from, async () => (await from.take(DIGEST_BYTES)).slice());
  const stamps = await StampList.read(from);
  return { rootId, root, pages, adopted, stamps };
}

type KnownPages = Map<DigestKey, { readonly shape: Digest; readonly page: PackedBytes }>;

function adopt(
  shapes: readonly Digest[],
  snapshot: Snapshot,
  pages: KnownPages,
): void {
  if (shapes.length === 0) return;
  const byShape = new Map([...snapshot.dirs.values()].map((dir) => [digestKey(dir.shape), dir]));
  const open = [...shapes];
  for (let shape; (shape = open.pop()) !== undefined;) {
    const key = digestKey(shape);
    if (pages.has(key)) continue;
    const dir = byShape.get(key);
    if (dir === undefined) throw new ProtocolError("Agreement names a directory that is not there");
    pages.set(key, { shape, page: dir.page });
    for (const entry of decodePage(dir.page.unpack())) {
      if (entry.kind === "dir") open.push(entry.shape);
    }
  }
}

/** Each as long as it is looked at. */
function* unpacked(pages: KnownPages): Generator<NamedPage> {
  for (const { shape, page } of pages.values()) yield { shape, page: page.unpack() };
}

/** Those that follow one another in a directory, together. */
function* byDir(stamps: Iterable<VersionStamp>): Generator<[DirPath, VersionStamp[]]> {
  let dir: DirPath | undefined;
  let inDir: VersionStamp[] = [];
  for (const stamp of stamps) {
    const parent = parentOf(stamp.path);
    if (dir !== parent) {
      if (dir !== undefined) yield [dir, inDir];
      dir = parent;
      inDir = [];
    }
    inDir.push(stamp);
  }
  if (dir !== undefined) yield [dir, inDir];
}

function noteStamps(
  index: RootIndex,
  dir: DirPath,
  { stamps, clock }: { readonly stamps: readonly VersionStamp[]; readonly clock: Clock },
): void {
  const record = index.getDir(dir);
  const now = Math.floor(clock.wallMs());
  const entries = new Map<string, EntryRecord>();
  const tombstones = new Map<string, Tombstone>();
  for (const { path, vector, isDeleted } of stamps) {
    const name = nameOf(path);
    const entry = record && findEntry(record, name);
    if (isDeleted === (entry !== undefined)) continue;
    const known = entry ?? (record && findTombstone(record, name));
    // Edited since: that has seen more than what was agreed on.
    if (known?.vector !== undefined && !hasSeen(vector, known.vector)) continue;
    if (entry !== undefined) entries.set(name, { ...entry, vector });
    else tombstones.set(name, { name, kind: "file", vector, deletedAtMs: now });
  }
  if (entries.size + tombstones.size === 0) return;
  index.patchDir(dir, {
    scannedAtMs: record?.scannedAtMs ?? now,
    shape: record?.shape,
    entries: sortByName([...entries.values()]),
    tombstones: sortByName([...tombstones.values()]),
    removed: [],
  });
}

/** Stamps as they came, each made when it is looked at: a peer may send millions. */
class StampList implements LongList<VersionStamp> {
  readonly #records = new RecordLog();

  /** Takes in counted stamps, each checked. @throws {ProtocolError} */
  static async read(from: RecordReader): Promise<StampList> {
    const list = new StampList();
    const length = await countOf(from);
    for (let i = 0; i < length; i++) {
      const bytes = await from.lv(STAMP_BYTES_MAX);
      decodeStamp(bytes);
      list.#records.append(bytes);
    }
    return list;
  }

  get length(): number {
    return this.#records.length;
  }

  at(index: number): VersionStamp | undefined {
    return index < this.length ? decodeStamp(this.#records.at(index)) : undefined;
  }

  *[Symbol.iterator](): Generator<VersionStamp> {
    for (let i = 0; i < this.length; i++) yield this.at(i)!;
  }
}

function decodeStamp(bytes: Uint8Array): VersionStamp {
  const from = new ByteReader(bytes);
  try {
    const path = decodeUtf8(from.lv(PATH_BYTES_MAX));
    if (path === undefined) throw new ProtocolError("Path is not valid UTF-8");
    const isDeleted = from.u8() === 1;
    return { path: parseRelPath(path), isDeleted, vector: readVector(from) };
  } catch (error) {
    if (error instanceof RangeError) throw new ProtocolError("Stamp refused", undefined, error);
    throw error;
  }
}

async function many<T>(from: RecordReader, read: () => Promise<T>): Promise<T[]> {
  const length = await countOf(from);
  const parts: T[] = [];
  for (let i = 0; i < length; i++) parts.push(await read());
  return parts;
}

async function countOf(from: RecordReader): Promise<number> {
  const length = await from.varint();
  if (length > PARTS_MAX) throw new ProtocolError(`Agreement of ${length} parts`);
  return length;
}

function count(value: number): Uint8Array {
  return new ByteWriter(8).varint(value).finish();
}
