import type { Digest } from "../base/digest.ts";
import { DIGEST_BYTES } from "../base/digest.ts";
import type { DeviceId } from "../base/ids.ts";
import type { Database } from "./database.ts";
import type { RootRow } from "./root_table.ts";

/** The other end of a pair: a folder on a peer, in one epoch of the peer's memory of it. */
export interface PeerFolder {
  readonly peer: DeviceId;
  /** What the peer calls the share. */
  readonly share: string;
  /** The id in the marker of the peer's folder. */
  readonly folderId: string;
  /** The epoch that the peer's index has for it. */
  readonly epoch: string;
}

/** The state a pair of folders last had in common. */
export interface Ancestor {
  /** Digest of the root's page; the pages are in the index. */
  readonly shape: Digest;
  /** When it was recorded, in milliseconds since the Unix epoch. */
  readonly atMs: number;
  /** True if files of it may not have reached the disk; not to be trusted after an unclean stop. */
  readonly unsafe: boolean;
}

/** An ancestor with whom it is shared. */
export interface AncestorInfo extends Ancestor {
  readonly peer: DeviceId;
  readonly share: string;
  /** The epoch that the peer's index has for its folder. */
  readonly epoch: string;
}

/**
 * The ancestors of one root. An ancestor counts only between exactly the two folders, devices and epochs
 * it was recorded for: a wrong one would make files that were never there seem deleted.
 */
export class AncestorTable {
  readonly #database: Database;
  readonly #root: RootRow;
  readonly #device: DeviceId;

  constructor(database: Database, root: RootRow, device: DeviceId) {
    this.#database = database;
    this.#root = root;
    this.#device = device;
  }

  /** The ancestor shared with exactly that folder, or `undefined`. */
  get({ peer, share, folderId, epoch }: PeerFolder): Ancestor | undefined {
    const row = this.#database.get<[Digest, number, number]>(
      `SELECT shape, at_ms, unsafe FROM ancestors
        WHERE root = ? AND peer = ? AND share = ? AND device = ? AND epoch = ?
          AND peer_folder = ? AND peer_epoch = ?`,
      this.#root.id,
      peer,
      share,
      this.#device,
      this.#root.epoch,
      folderId,
      epoch,
    );
    // A digest of another length names no page; without pages there is no ancestor.
    if (row === undefined || row[0].length !== DIGEST_BYTES) return undefined;
    return { shape: row[0], atMs: row[1], unsafe: row[2] !== 0 };
  }

  /** Records the ancestor in the open transaction, in place of any other for that peer and share. */
  set({ peer, share, folderId, epoch }: PeerFolder, ancestor: Ancestor): void {
    this.#database.run(
      `INSERT INTO ancestors
        (root, peer, share, device, epoch, peer_folder, peer_epoch, shape, at_ms, unsafe)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (root, peer, share) DO UPDATE SET
          previous = CASE WHEN shape = excluded.shape THEN previous ELSE shape END,
          device = excluded.device, epoch = excluded.epoch, peer_folder = excluded.peer_folder,
          peer_epoch = excluded.peer_epoch, shape = excluded.shape, at_ms = excluded.at_ms,
          unsafe = excluded.unsafe`,
      this.#root.id,
      peer,
      share,
      this.#device,
      this.#root.epoch,
      folderId,
      epoch,
      ancestor.shape,
      ancestor.atMs,
      ancestor.unsafe ? 1 : 0,
    );
    countAncestorWrite(this.#database);
  }

  /**
   * The shapes last agreed on with a peer, for each of its folders the one before too: a session that broke
   * off at its very end leaves the peer with that one.
   */
  agreedWith(peer: DeviceId): Digest[] {
    return this.#database.all<[Digest, Digest | null]>(
      `SELECT shape, previous FROM ancestors
        WHERE root = ? AND peer = ? AND device = ? AND epoch = ? ORDER BY at_ms DESC`,
      this.#root.id,
      peer,
      this.#device,
      this.#root.epoch,
    ).flatMap(([shape, previous]) => previous === null ? [shape] : [shape, previous]);
  }

  /** Forgets the ancestor with a peer's share, or all with the peer. @returns How many. */
  remove(peer: DeviceId, share?: string): number {
    return this.#database.run(
      "DELETE FROM ancestors WHERE root = ?1 AND peer = ?2 AND (?3 IS NULL OR share = ?3)",
      this.#root.id,
      peer,
      share ?? null,
    );
  }

  /** All that are recorded, also those that no longer count. */
  list(): AncestorInfo[] {
    return this.#database.all<[DeviceId, string, string, Digest, number, number]>(
      `SELECT peer, share, peer_epoch, shape, at_ms, unsafe FROM ancestors WHERE root = ?
        ORDER BY peer, share`,
      this.#root.id,
    ).map(([peer, share, epoch, shape, atMs, unsafe]) => ({
      peer,
      share,
      epoch,
      shape,
      atMs,
      unsafe: unsafe !== 0,
    }));
  }
}

/** The root pages of all ancestors in the file: what a collection of garbage starts from. */
export function ancestorShapes(database: Database): Digest[] {
  return database.all<[Digest]>("SELECT shape FROM ancestors").map(([shape]) => shape);
}

/** A number that grows with every ancestor recorded by any process. */
export function ancestorWrites(database: Database): number {
  return database.get<[number]>("SELECT value FROM meta WHERE key = 'ancestor_writes'")?.[0] ?? 0;
}

function countAncestorWrite(database: Database): void {
  database.run(
    `INSERT INTO meta (key, value) VALUES ('ancestor_writes', 1)
      ON CONFLICT (key) DO UPDATE SET value = value + 1`,
  );
}
