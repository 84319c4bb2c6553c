import { type Bytes, decodeUtf8, utf8 } from "./bytes.ts";
import { type Digest, DIGEST_BYTES, sha256Of } from "./digest.ts";
import { LandropicError } from "./errors.ts";
import { compareNames, LINK_TARGET_BYTES_MAX, NAME_BYTES_MAX, nameFault } from "./paths.ts";
import { ByteReader, ByteWriter } from "./varint.ts";

/** A regular file in a directory page. */
export interface FileEntry {
  readonly kind: "file";
  readonly name: string;
  /** Permission bits, 0 to 0o777. */
  readonly mode: number;
  /** Bytes. */
  readonly size: number;
  /** Whole milliseconds since the Unix epoch, rounded down; negative before 1970. */
  readonly mtimeMs: number;
  /**
   * The file digest, only where size and time can't be trusted to tell contents apart: in
   * `--checksum` runs, and where a file changed though its size and time did not.
   */
  readonly digest?: Digest;
}

/** A directory in its parent's page. */
export interface DirEntry {
  readonly kind: "dir";
  readonly name: string;
  /** Permission bits, 0 to 0o777. */
  readonly mode: number;
  /** Digest of the directory's own page ({@linkcode shapeOf}). */
  readonly shape: Digest;
}

/** A symbolic link in a directory page. */
export interface LinkEntry {
  readonly kind: "link";
  readonly name: string;
  /** The link's text, as it is. */
  readonly target: string;
  /** Of the link itself; see {@linkcode FileEntry}. */
  readonly mtimeMs: number;
}

/** One path of a share at one moment. */
export type Entry = FileEntry | DirEntry | LinkEntry;

/** Entries in one directory. */
export const DIR_ENTRIES_MAX = 100_000;

/** The first byte of an entry in a page. */
export const KIND = { file: 1, dir: 2, link: 3, fileWithDigest: 4 } as const;

const SHAPE_DOMAIN = utf8("LDR-shape/1");

/** A directory page that is not in the one canonical form. */
export class PageError extends LandropicError {
  override readonly name = "PageError";
  constructor(message: string, cause?: unknown) {
    super("protocol", `Directory page refused: ${message}`, undefined, cause);
  }
}

/**
 * Encodes a directory as its page: the one byte form that is hashed, sent, and kept as ancestor, so
 * equal directories have equal pages and equal digests.
 *
 * Layout: varint entry count, then for each entry, in byte order of names: kind u8 (1 file, 2
 * directory, 3 link, 4 file with digest) | lv name | file: varint mode, varint size, varint zigzag
 * mtimeMs, and for kind 4 the 32-byte digest | directory: varint mode, 32-byte shape | link: lv
 * target, varint zigzag mtimeMs. Varints are QUIC's, in their shortest form.
 *
 * @param entries Sorted by {@linkcode compareNames}, without duplicates.
 */
export function encodePage(
  entries: readonly Entry[],
  writer = new ByteWriter(64 * entries.length + 8),
): Bytes {
  writer.clear();
  writer.varint(entries.length);
  for (const entry of entries) writeEntry(writer, entry);
  return writer.finish();
}

/** Appends one entry of a page, behind their count and those before it ({@linkcode encodePage}). */
export function writeEntry(writer: ByteWriter, entry: Entry): void {
  switch (entry.kind) {
    case "file":
      writer.u8(entry.digest ? KIND.fileWithDigest : KIND.file).text(entry.name).varint(entry.mode)
        .varint(entry.size).varint(zigzag(entry.mtimeMs));
      if (entry.digest) writer.raw(entry.digest);
      break;
    case "dir":
      writer.u8(KIND.dir).text(entry.name).varint(entry.mode).raw(entry.shape);
      break;
    case "link":
      writer.u8(KIND.link).text(entry.name).text(entry.target).varint(zigzag(entry.mtimeMs));
      break;
  }
}

/** As {@linkcode writeEntry} for a file without a digest whose name is still bytes among others. */
export function writeFileEntry(
  writer: ByteWriter,
  names: Uint8Array,
  { nameStart, nameEnd, mode, size, mtimeMs }: FileInBytes,
): void {
  writer.u8(KIND.file).lvOf(names, nameStart, nameEnd).varint(mode).varint(size)
    .varint(zigzag(mtimeMs));
}

/** A file as {@linkcode writeFileEntry} takes it. */
export interface FileInBytes extends Pick<FileEntry, "mode" | "size" | "mtimeMs"> {
  /** Where the name starts, in valid UTF-8. */
  readonly nameStart: number;
  readonly nameEnd: number;
}

/**
 * Reads a page back, strictly: only what {@linkcode encodePage} could have written passes. About 1 µs an
 * entry.
 *
 * @throws {PageError} on bad names, wrong order, values out of range, trailing bytes.
 */
export function decodePage(page: Uint8Array): Entry[] {
  try {
    return decodeEntries(new ByteReader(page));
  } catch (error) {
    if (error instanceof RangeError) throw new PageError(error.message, error);
    throw error;
  }
}

/** The digest that names a page: SHA-256("LDR-shape/1" ‖ page). */
export function shapeOf(page: Uint8Array): Digest {
  return sha256Of([SHAPE_DOMAIN, page]);
}

/** The page of a directory without entries. */
export const EMPTY_PAGE: Bytes = new Uint8Array([0]);

/** The shape of a directory without entries. */
export const EMPTY_SHAPE: Digest = shapeOf(EMPTY_PAGE);

/** Maps signed to unsigned so that small magnitudes stay short. */
export function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1;
}

/** Undoes {@linkcode zigzag}. */
export function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

function decodeEntries(reader: ByteReader): Entry[] {
  const count = reader.varint();
  if (count > DIR_ENTRIES_MAX) throw new PageError(`${count} entries, over ${DIR_ENTRIES_MAX}`);
  const entries: Entry[] = [];
  let previous: string | undefined;
  for (let i = 0; i < count; i++) {
    const entry = decodeEntry(reader);
    if (previous !== undefined && compareNames(previous, entry.name) >= 0) {
      throw new PageError(`${JSON.stringify(entry.name)} is out of order`);
    }
    previous = entry.name;
    entries.push(entry);
  }
  if (reader.remaining > 0) throw new PageError("bytes behind the last entry");
  return entries;
}

/** Reads one entry of a page. @throws {PageError | RangeError} */
export function decodeEntry(reader: ByteReader): Entry {
  const kind = reader.u8();
  const name = decodeName(reader.lv(NAME_BYTES_MAX));
  switch (kind) {
    case KIND.file:
      return {
        kind: "file",
        name,
        mode: decodeMode(reader),
        size: reader.varint(),
        mtimeMs: decodeTime(reader),
      };
    case KIND.fileWithDigest: {
      const mode = decodeMode(reader);
      const size = reader.varint();
      const mtimeMs = decodeTime(reader);
      return { kind: "file", name, mode, size, mtimeMs, digest: reader.take(DIGEST_BYTES).slice() };
    }
    case KIND.dir:
      return {
        kind: "dir",
        name,
        mode: decodeMode(reader),
        shape: reader.take(DIGEST_BYTES).slice(),
      };
    case KIND.link: {
      const target = decodeUtf8(reader.lv(LINK_TARGET_BYTES_MAX));
      if (target === undefined || target === "") throw new PageError("bad link target");
      return { kind: "link", name, target, mtimeMs: decodeTime(reader) };
    }
    default:
      throw new PageError(`unknown kind ${kind}`);
  }
}

function decodeName(bytes: Uint8Array): string {
  const name = decodeUtf8(bytes);
  const fault = name === undefined ? "invalid_unicode" : nameFault(name);
  if (fault !== undefined) throw new PageError(`a name is refused: ${fault}`);
  return name!;
}

function decodeMode(reader: ByteReader): number {
  const mode = reader.varint();
  if (mode > 0o777) throw new PageError(`mode ${mode} is over 0o777`);
  return mode;
}

function decodeTime(reader: ByteReader): number {
  return unzigzag(reader.varint());
}
