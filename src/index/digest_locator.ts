import { type Digest, type DigestKey, digestKey } from "../base/digest.ts";
import { type DirPath, joinPath, type RelPath } from "../base/paths.ts";
import { digestsOf } from "./dir_codec.ts";
import type { EntryRecord } from "./dir_record.ts";
import type { DirTable } from "./dir_table.ts";
import type { DirView } from "./dir_view.ts";
import { DigestMap } from "./digest_map.ts";

/** A file that had a digest when it was last read. */
export interface DigestLocation {
  readonly path: RelPath;
  /** To compare with the disk before the file is used. */
  readonly entry: EntryRecord;
}

/** Files reported for one digest. */
export const LOCATIONS_MAX = 16;

/**
 * Finds files by their digest. Nothing is kept in the database for it: the map is built from the
 * directory records when first asked for (0.1 µs an entry and 20 bytes), so that writing 20 000 new
 * files costs nothing and a run that needs no look-up pays nothing.
 */
export class DigestLocator {
  readonly #dirs: DirTable;
  #map: DigestMap | undefined;
  /** The directory last looked into, since look-ups come in runs. */
  #opened: { readonly dir: DirPath; readonly view: DirView | undefined } | undefined;

  constructor(dirs: DirTable) {
    this.#dirs = dirs;
  }

  /** Bytes that the map takes, if there is one. */
  get mapBytes(): number {
    return this.#map?.bytes ?? 0;
  }

  /**
   * To be called before names of a directory get other entries, or none: what nothing else there has is
   * forgotten. Else the map would grow with each version of a file that it ever saw.
   *
   * @param namesOf Left out for all; called if they are of use.
   */
  forget(dir: DirPath, namesOf?: () => readonly string[]): void {
    if (this.#map === undefined) return;
    const names = namesOf?.();
    if (names?.length === 0) return;
    const old = this.#dirs.view(dir);
    if (old !== undefined) this.#map.remove(old.digestPrintsOf(names), dir);
  }

  /**
   * Takes note of what was just put.
   *
   * @param digests Those in it, 32 bytes each, joined; called if they are of use.
   */
  note(dir: DirPath, digests: () => Uint8Array): void {
    this.#opened = undefined;
    this.#map?.add(digests(), dir);
  }

  /** Reads all records now, so that {@linkcode locate} need not. */
  prepare(): void {
    this.#mapped();
  }

  /** Forgets everything, because somebody else wrote. */
  reset(): void {
    this.#opened = undefined;
    this.#map = undefined;
  }

  /**
   * Up to {@linkcode LOCATIONS_MAX} files for each digest that is known; others are left out. Each
   * directory is decoded once, so one call for many digests is much cheaper than many calls.
   */
  locate(digests: Iterable<Digest>): Map<DigestKey, DigestLocation[]> {
    const wanted = new Map<DirPath, Digest[]>();
    for (const digest of digests) {
      for (const dir of this.#mapped().dirsOf(digest)) {
        const inDir = wanted.get(dir);
        if (inDir === undefined) wanted.set(dir, [digest]);
        else inDir.push(digest);
      }
    }
    const found = new Map<DigestKey, DigestLocation[]>();
    for (const [dir, inDir] of wanted) {
      const view = this.#open(dir);
      for (const digest of inDir) {
        for (const entry of view?.entriesWithDigest(digest, LOCATIONS_MAX) ?? []) {
          const key = digestKey(digest);
          const locations = found.get(key);
          const location = { path: joinPath(dir, entry.name), entry };
          if (locations === undefined) found.set(key, [location]);
          else if (locations.length < LOCATIONS_MAX) locations.push(location);
        }
      }
    }
    return found;
  }

  /** False if no file has that digest; true if one has or, seldom, for no reason. */
  mayHold(digest: Digest): boolean {
    return this.#mapped().dirsOf(digest).length > 0;
  }

  #mapped(): DigestMap {
    if (this.#map !== undefined) return this.#map;
    const map = new DigestMap();
    for (const { path, record, patches } of this.#dirs.list("")) {
      map.add(digestsOf(record), path);
      for (const patch of patches) map.add(digestsOf(patch), path);
    }
    this.#map = map;
    return map;
  }

  #open(dir: DirPath): DirView | undefined {
    if (this.#opened?.dir !== dir) this.#opened = { dir, view: this.#dirs.view(dir) };
    return this.#opened.view;
  }
}
