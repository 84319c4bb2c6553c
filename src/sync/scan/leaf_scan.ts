import { concat, equalBytes, utf8 } from "../../base/bytes.ts";
import type { Digest } from "../../base/digest.ts";
import { messageOf } from "../../base/errors.ts";
import { linkFault, nameFault, OWN_FOLDER, type RelPath } from "../../base/paths.ts";
import type { FileEntry } from "../../base/tree.ts";
import type { TimeSlices } from "../../base/turn.ts";
import { type EntryRecord, vectorOf } from "../../index/mod.ts";
import { type FileStat, type ListedEntry, reasonOf } from "../../store/mod.ts";
import type { DirWalk } from "./dir_walk.ts";
import type { ScanOptions } from "./scan_options.ts";
import type { SnapshotBuilder } from "./snapshot_builder.ts";

/** What a {@linkcode LeafScan} works with. */
export interface LeafScanOptions
  extends Pick<ScanOptions, "root" | "memory" | "checksum" | "digestOf"> {
  readonly found: SnapshotBuilder;
  readonly slices: TimeSlices;
}

/** Looks at what is in a directory and is none itself, and says what is left out of it and why. */
export class LeafScan {
  readonly #options: LeafScanOptions;

  constructor(options: LeafScanOptions) {
    this.#options = options;
  }

  /** Something to wait for only where the file has to be read. */
  takeFile(dir: DirWalk, path: RelPath, stat: ListedEntry): Promise<void> | undefined {
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
      if (digest === undefined && mayBeTouched(known, stat)) this.#options.found.noteSameSize(path);
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

  takeLink(dir: DirWalk, path: RelPath, stat: ListedEntry): void {
    const name = stat.name!;
    const known = dir.recordOf(name);
    let target = isUnchanged(known, stat) ? known.target : undefined;
    try {
      target ??= this.#options.root.readLink(path);
    } catch (error) {
      return this.leaveOut(dir, name, reasonOf(error) ?? "io", messageOf(error));
    }
    const fault = target === undefined ? "target is not valid UTF-8" : linkFault(path, target);
    if (target === undefined || fault !== undefined) {
      return this.leaveOut(
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
      const { slices } = this.#options;
      if (slices.isOver) await slices.pass();
      if (digest !== undefined) return digest;
      this.problem(dir, path, "changed", "It could not be read, or changed meanwhile");
    } catch (error) {
      this.problem(dir, path, reasonOf(error) ?? "io", messageOf(error));
    }
    dir.opaque.push(stat.name!);
    return null;
  }

  /** Sets aside names that no peer could be told. */
  isNamed(dir: DirWalk, entry: ListedEntry): boolean {
    if (entry.name === OWN_FOLDER && dir.path === "") return false;
    if (entry.name === undefined) {
      const shown = new TextDecoder().decode(entry.rawName);
      this.leaveOut(
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
    this.leaveOut(dir, entry.name, `name_${fault}`, `Its name can't be synced (${fault})`);
    return false;
  }

  /** Sets aside something that exists and is not synced. */
  leaveOut(
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
    this.problem(dir, above + name, code, message, isHarmless, pathBytes);
  }

  /** Notes what can't be read or synced. */
  problem(
    dir: DirWalk,
    path: string,
    code: string,
    message: string,
    isHarmless = false,
    pathBytes?: Uint8Array,
  ): void {
    this.#options.found.addProblem({
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
