import { utf8 } from "../../base/bytes.ts";
import { NAME_BYTES_MAX } from "../../base/paths.ts";

/** Whose version lost, and when that version was written. */
export interface ConflictMark {
  /** Short device id, as {@linkcode SideDevice} has it. */
  readonly device: string;
  /** The losing version's modification time. */
  readonly mtimeMs: number;
  /** Tells versions apart whose names would otherwise be the same; lower-case hex. */
  readonly variant?: string | undefined;
}

const MARKED = /\.conflict-[A-Z2-7]{1,16}-\d{8}-\d{6}(?:-[0-9a-f]{1,64})?(?=\.[^.]*$|$)/;
const EXTENSION_CHARS_MAX = 32;

/**
 * Names a conflict copy: `report.conflict-ABCDEFG-20260131-120000.txt`. The same on every device, since
 * nothing but the losing version goes into it. The copy of a conflict copy gets the new mark in place of
 * its old one, so names never grow; a name that would get too long loses characters of its stem.
 */
export function conflictName(name: string, mark: ConflictMark): string {
  const { stem, extension } = splitName(originalName(name));
  const suffix = `.conflict-${mark.device}-${stamp(mark.mtimeMs)}` +
    (mark.variant === undefined ? "" : `-${mark.variant}`) + extension;
  return fitted(stem, NAME_BYTES_MAX - utf8(suffix).length) + suffix;
}

/** The name that a conflict copy was made for; any other name is its own. */
export function originalName(name: string): string {
  return name.replace(MARKED, "");
}

/** True for names that {@linkcode conflictName} makes. */
export function isConflictName(name: string): boolean {
  return MARKED.test(name);
}

function splitName(name: string): { stem: string; extension: string } {
  const dot = name.lastIndexOf(".");
  if (dot <= 0 || name.length - dot > EXTENSION_CHARS_MAX) return { stem: name, extension: "" };
  return { stem: name.slice(0, dot), extension: name.slice(dot) };
}

/** YYYYMMDD-HHMMSS in UTC. Times that no calendar has are shown as its ends. */
function stamp(mtimeMs: number): string {
  const earliest = Date.UTC(0, 0, 1) - 1900 * 366 * 86_400_000;
  const date = new Date(Math.min(Math.max(mtimeMs, earliest), Date.UTC(9999, 11, 31, 23, 59, 59)));
  const year = Math.max(0, date.getUTCFullYear());
  const digits = (value: number, width = 2) => String(value).padStart(width, "0");
  return digits(year, 4) + digits(date.getUTCMonth() + 1) + digits(date.getUTCDate()) + "-" +
    digits(date.getUTCHours()) + digits(date.getUTCMinutes()) + digits(date.getUTCSeconds());
}

/** Whole characters from the front, as many as fit. */
function fitted(stem: string, bytesMax: number): string {
  let kept = "";
  let bytes = 0;
  for (const character of stem) {
    bytes += utf8(character).length;
    if (bytes > bytesMax) break;
    kept += character;
  }
  return kept;
}
