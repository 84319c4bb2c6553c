import type { Clock } from "../../base/clock.ts";
import type { Digest } from "../../base/digest.ts";
import type { DirPath, RelPath } from "../../base/paths.ts";
import type { VectorMember } from "../../base/version_vector.ts";
import type { DirPatch, DirView, EntryRecord, Tombstone } from "../../index/mod.ts";
import type { Root } from "../../store/mod.ts";
import type { FilterStack } from "../filter/mod.ts";
import type { Rescan } from "./rescan.ts";

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

/** What a scan works with. */
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
