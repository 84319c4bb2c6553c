import type { Digest } from "../../base/digest.ts";
import type { RelPath } from "../../base/paths.ts";
import type { VersionVector } from "../../base/version_vector.ts";

/** What the planner saw at a path; where something else is now, the operation is not carried out. */
export type Before =
  | { readonly kind: "absent" }
  | { readonly kind: "file"; readonly size: number; readonly mtimeMs: number }
  | { readonly kind: "dir" }
  | { readonly kind: "link"; readonly target: string };

/** Creates a directory. */
export interface MakeDir {
  readonly op: "make-dir";
  readonly path: RelPath;
  readonly mode: number;
  /** Set once everything inside is in place; `undefined` leaves it to the file system. */
  readonly mtimeMs: number | undefined;
  readonly before: Before;
  readonly vector: VersionVector;
}

/** Creates a file or replaces its contents, with bytes that the other side has at the same path. */
export interface WriteFile {
  readonly op: "write-file";
  readonly path: RelPath;
  /** Where the other side has it; differs from `path` for a conflict copy. */
  readonly source: RelPath;
  readonly mode: number;
  readonly size: number;
  readonly mtimeMs: number;
  /** The file digest, where the planner knows it: then contents at hand need not travel. */
  readonly digest: Digest | undefined;
  readonly before: Before;
  readonly vector: VersionVector;
}

/** Creates or replaces a symbolic link. */
export interface MakeLink {
  readonly op: "make-link";
  readonly path: RelPath;
  readonly target: string;
  readonly mtimeMs: number;
  readonly before: Before;
  readonly vector: VersionVector;
}

/** Moves a file, link or whole directory within the share. */
export interface Move {
  readonly op: "move";
  readonly from: RelPath;
  readonly path: RelPath;
  readonly before: Before;
  readonly vector: VersionVector;
}

/** Makes a file out of another one of the share with the same contents. */
export interface CopyFile {
  readonly op: "copy-file";
  readonly from: RelPath;
  readonly path: RelPath;
  readonly mode: number;
  readonly size: number;
  readonly mtimeMs: number;
  readonly digest: Digest;
  readonly before: Before;
  readonly vector: VersionVector;
}

/** Changes mode or time and nothing else. */
export interface SetAttributes {
  readonly op: "set-attributes";
  readonly path: RelPath;
  readonly mode: number | undefined;
  readonly mtimeMs: number | undefined;
  readonly before: Before;
  readonly vector: VersionVector;
}

/** Deletes a file or link, or a directory that is empty by then. */
export interface Remove {
  readonly op: "remove";
  readonly path: RelPath;
  readonly before: Before;
  readonly vector: VersionVector;
}

/**
 * One change to one side of a session. They come in this order: directories, moves, copies, contents and
 * links, attributes, deletions children first, attributes of directories.
 */
export type Operation =
  | MakeDir
  | WriteFile
  | MakeLink
  | Move
  | CopyFile
  | SetAttributes
  | Remove;

/** What became of one operation. */
export interface Outcome {
  /** The operation's position in the plan. */
  readonly index: number;
  /** `changed`: the path was not as the planner saw it, or the source is no longer; plan it anew. */
  readonly result: "done" | "changed" | "failed";
  /** A stable word and a line for people, where it was not done. */
  readonly code: string;
  readonly message: string;
  /** File bytes that travelled, and that were at hand. */
  readonly bytesFetched: number;
  readonly bytesReused: number;
}
