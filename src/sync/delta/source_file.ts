import type { Digest } from "../../base/digest.ts";
import { equalBytes } from "../../base/bytes.ts";
import type { DigestLocation, EntryRecord } from "../../index/mod.ts";
import { type FileStat, type ReadFile, reasonOf, type Root } from "../../store/mod.ts";

/** A file at hand, open to copy from. */
export class SourceFile implements Disposable {
  /** First chunk and count, in the wanted file, of what was copied from here without a look. */
  readonly #copied: number[] = [];

  /**
   * @param file Owned from now on.
   * @param isTrusted The file is the very one that its recipe was made from, as far as size, times and
   * inode tell: chunks need no hashing while it stays so.
   */
  constructor(readonly file: ReadFile, readonly isTrusted: boolean) {}

  /** Notes that chunks of the wanted file were copied unseen. */
  noteCopied(firstChunk: number, chunkCount: number): void {
    this.#copied.push(firstChunk, chunkCount);
  }

  /** Chunks that were copied unseen. */
  *copied(): Generator<number> {
    for (let i = 0; i < this.#copied.length; i += 2) {
      const first = this.#copied[i]!;
      for (let chunk = first; chunk < first + this.#copied[i + 1]!; chunk++) yield chunk;
    }
  }

  /** False if the file may have been written to since it was opened. */
  isUnchanged(): boolean {
    return isSameState(this.file.openedStat, this.file.stat());
  }

  [Symbol.dispose](): void {
    this.file[Symbol.dispose]();
  }
}

/**
 * Opens a file where the index saw the digest, if it is still that file.
 *
 * @returns Untrusted where a later write may have gone unnoticed; `undefined` where there is another
 * version, or nothing that can be read.
 */
export function openLocation(root: Root, location: DigestLocation): SourceFile | undefined {
  const file = tryOpen(root, location);
  if (file === undefined) return undefined;
  if (isSameState(location.entry, file.openedStat)) {
    return new SourceFile(file, !location.entry.racy);
  }
  file[Symbol.dispose]();
  return undefined;
}

/** True if the record says, beyond doubt, that the state is that of contents with the digest. */
export function isRecordOf(
  record: EntryRecord | undefined,
  state: FileStat,
  digest: Digest,
): boolean {
  return record?.digest !== undefined && !record.racy && equalBytes(record.digest, digest) &&
    isSameState(record, state);
}

function tryOpen(root: Root, location: DigestLocation): ReadFile | undefined {
  try {
    return root.openFile(location.path);
  } catch (error) {
    if (reasonOf(error) === undefined) throw error;
    return undefined;
  }
}

type State = Pick<
  FileStat,
  "ino" | "size" | "mtimeMs" | "mtimeNs" | "ctimeMs" | "ctimeNs"
>;

/** True if nothing tells that a file was written to between two looks at it. */
export function isSameState(a: State, b: State): boolean {
  return a.ino === b.ino && a.size === b.size && a.mtimeMs === b.mtimeMs &&
    a.mtimeNs === b.mtimeNs && a.ctimeMs === b.ctimeMs && a.ctimeNs === b.ctimeNs;
}
