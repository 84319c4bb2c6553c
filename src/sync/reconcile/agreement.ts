import { equalBytes } from "../../base/bytes.ts";
import type { Entry, FileEntry, LinkEntry } from "../../base/tree.ts";

/** An entry with contents of its own: anything but a directory. */
export type Leaf = FileEntry | LinkEntry;

/** Whether two leaves hold the same: `unsure` takes a look at digests. */
export type Likeness = "same" | "different" | "unsure";

/** True for files and links. */
export function isLeaf(entry: Entry | undefined): entry is Leaf {
  return entry !== undefined && entry.kind !== "dir";
}

/** Permission bits; links have none. */
export function modeOf(entry: Entry | undefined): number | undefined {
  return entry === undefined || entry.kind === "link" ? undefined : entry.mode;
}

/** Modification times of different disks are compared within a window, 1 for exact equality. */
export function sameTime(a: number, b: number, windowMs: number): boolean {
  return Math.abs(a - b) < windowMs;
}

/**
 * Compares contents of two sides without reading them (docs/protocol.md "Agreement of entries"): size and
 * time, or digests where both have them. A link is its target; its time is only metadata.
 */
export function likeness(a: Leaf, b: Leaf, windowMs: number): Likeness {
  if (a.kind === "link" || b.kind === "link") {
    return a.kind === "link" && b.kind === "link" && a.target === b.target ? "same" : "different";
  }
  if (a.size !== b.size) return "different";
  if (a.digest && b.digest) return equalBytes(a.digest, b.digest) ? "same" : "different";
  if (a.size === 0) return "same";
  if (a.digest || b.digest) return "unsure";
  return sameTime(a.mtimeMs, b.mtimeMs, windowMs) ? "same" : "unsure";
}

/** How a leaf relates to what it was in the ancestor. */
export type Change =
  | "none"
  /** Mode, or a time that is known to mean nothing: of a link, of equal digests. */
  | "metadata"
  | "contents"
  /** Its digest is known, the ancestor's is not, and size and time show nothing. */
  | "unsure";

/** Compares a leaf with its ancestor, on the same device: a new time is taken for new contents. */
export function changeOf(entry: Leaf, ancestor: Entry | undefined, windowMs: number): Change {
  if (ancestor === undefined || entry.kind !== ancestor.kind) return "contents";
  if (entry.kind === "link") {
    const was = ancestor as LinkEntry;
    if (entry.target !== was.target) return "contents";
    return sameTime(entry.mtimeMs, was.mtimeMs, windowMs) ? "none" : "metadata";
  }
  const was = ancestor as FileEntry;
  if (entry.size !== was.size) return "contents";
  if (entry.digest && was.digest) {
    if (!equalBytes(entry.digest, was.digest)) return "contents";
  } else if (!sameTime(entry.mtimeMs, was.mtimeMs, windowMs)) {
    return "contents";
  } else if (entry.digest) {
    return "unsure";
  }
  return entry.mode === was.mode && sameTime(entry.mtimeMs, was.mtimeMs, windowMs)
    ? "none"
    : "metadata";
}

/** True for entries without any difference, so that nothing is to be done or remembered anew. */
export function isIdentical(a: Leaf, b: Leaf): boolean {
  if (a === b) return true;
  if (a.kind === "link") {
    return b.kind === "link" && a.target === b.target && a.mtimeMs === b.mtimeMs;
  }
  return b.kind === "file" && a.size === b.size && a.mtimeMs === b.mtimeMs && a.mode === b.mode &&
    (a.digest === b.digest ||
      (a.digest !== undefined && b.digest !== undefined && equalBytes(a.digest, b.digest)));
}

/**
 * Orders versions of one path the same way on every device: by time, then by size, digest, kind and
 * target. The greater one wins a conflict.
 */
export function compareLeaves(a: Leaf, b: Leaf): number {
  if (a.mtimeMs !== b.mtimeMs) return a.mtimeMs - b.mtimeMs;
  if (a.kind === "file" && b.kind === "file") return a.size - b.size;
  if (a.kind === "link" && b.kind === "link") return a.target < b.target ? -1 : 1;
  return a.kind === "file" ? 1 : -1;
}
