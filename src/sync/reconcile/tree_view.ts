import type { Digest } from "../../base/digest.ts";
import type { PageRows } from "../../base/page_rows.ts";
import type { DirPath } from "../../base/paths.ts";
import type { Entry } from "../../base/tree.ts";
import type { VectorMember, VersionVector } from "../../base/version_vector.ts";

/** One directory of one side at the moment of its scan. */
export interface DirView {
  /** The entries of its page, in their order. */
  readonly entries: readonly Entry[];
  /**
   * Names that exist there and can't be judged: unreadable, ignored on that side, a special file, a name
   * that can't be synced. Never touched, on either side, and never read as absent.
   */
  readonly opaque: ReadonlySet<string>;
  /** Some of the directory could not be read: a name that is missing does not count as deleted. */
  readonly isIncomplete: boolean;
  /** Of the directory itself, in whole milliseconds since the Unix epoch. */
  readonly mtimeMs?: number | undefined;
  /** What each entry has seen. A missing or empty vector says that nothing is known. */
  readonly versions?: Pick<ReadonlyMap<string, VersionVector>, "get"> | undefined;
  /** What the deletions of missing names have seen. */
  readonly tombstones?: ReadonlyMap<string, VersionVector> | undefined;
  /** The same entries as they lie in the page, if that is at hand. */
  readonly rows?: ViewRows | undefined;
}

/** The entries of a {@linkcode DirView} without objects. */
export interface ViewRows {
  readonly page: PageRows;
  /** What the entry of a row has seen, as {@linkcode DirView.versions}. */
  readonly versionAt?: ((row: number) => VersionVector | undefined) | undefined;
}

/** Makes the view of a directory, always the same, from something that takes less room. */
export type DirSource = () => DirView;

/** A directory that does not exist, or holds nothing. */
export const EMPTY_VIEW: DirView = { entries: [], opaque: new Set(), isIncomplete: false };

/** What a side's file system can't do, or does differently. Everything defaults to Linux's ways. */
export interface SideTraits {
  /** Names that differ only in case are one name. */
  readonly foldsCase?: boolean | undefined;
  /** Names that differ only in Unicode form (NFC, NFD) are one name. */
  readonly foldsUnicode?: boolean | undefined;
  /** Windows' rules for names hold. */
  readonly windowsNames?: boolean | undefined;
  /** Permission bits come back as something else than was set. */
  readonly losesModes?: boolean | undefined;
  /** There are no symbolic links. */
  readonly losesLinks?: boolean | undefined;
  /** A link's modification time can't be set. */
  readonly losesLinkTimes?: boolean | undefined;
}

/** The device a side lives on. */
export interface SideDevice {
  /** Stands for it in version vectors. */
  readonly member: VectorMember;
  /** The first characters of its id, for the names of conflict copies. */
  readonly shortId: string;
}

/** A side whose directories are handed in when the walk asks for them. */
export interface RemoteTree {
  /** Shape of the root. */
  readonly root: Digest;
  readonly device: SideDevice;
  readonly traits?: SideTraits | undefined;
}

/** A side whose directories are at hand. */
export interface LocalTree extends RemoteTree {
  /** Called a few times for a directory, with always the same answer, and only for ones that the pages name. */
  dir(path: DirPath): DirView;
  /** What is known of the deletions in a directory that is not there any more. */
  goneDir?(path: DirPath): DirView | undefined;
}

/** The last state that both sides are known to have held. */
export interface AncestorTree {
  /** Shape of its root. */
  readonly root: Digest;
  /** The entries of a page, or `undefined` where it is lost: the subtree then has no ancestor. */
  entries(shape: Digest): readonly Entry[] | undefined;
  /** The same as rows, from who has pages at hand. */
  rows?(shape: Digest): PageRows | undefined;
}

/** What wins where both sides changed the same file since their common ancestor. */
export type ConflictPolicy =
  /** The later modification time; the other version stays beside it as a conflict copy. */
  | "keep-both"
  /** The later modification time, and no copy. */
  | "newer"
  /** This device's version, and no copy. */
  | "local"
  /** The peer's version, and no copy. */
  | "remote";

/** Which way changes go. */
export type SyncDirection =
  /** The peer's share becomes like this one; what only the peer has goes only with `deletes`. */
  | { readonly kind: "push"; readonly deletes: boolean }
  /** This share becomes like the peer's; what only this one has goes only with `deletes`. */
  | { readonly kind: "pull"; readonly deletes: boolean }
  | { readonly kind: "two-way"; readonly conflicts: ConflictPolicy };
