import { type Clock, systemClock } from "../base/clock.ts";
import type { DeviceId } from "../base/ids.ts";
import type { Logger } from "../base/log.ts";
import { type AncestorInfo, AncestorTable } from "./ancestor_table.ts";
import type { Database } from "./database.ts";
import { DirTable } from "./dir_table.ts";
import { openDatabase } from "./open_database.ts";
import { collectPages, type GarbageOptions, type GarbageReport } from "./page_garbage.ts";
import { PageTable } from "./page_table.ts";
import { collectRecipes } from "./recipe_garbage.ts";
import { RootIndex } from "./root_index.ts";
import {
  forgetAllRoots,
  forgetRootRow,
  listRootRows,
  openRootRow,
  type RootIdentity,
  type RootRow,
  sweepForgotten,
} from "./root_table.ts";

/** How to open an {@linkcode Index}. */
export interface IndexOptions {
  /** The database file; its folder must be there. Other files beside it begin with the same name. */
  readonly path: string;
  /** This device. What was remembered as another one is void. */
  readonly deviceId: DeviceId;
  /** What it will be, while it moves to another key. */
  readonly nextDeviceId?: DeviceId | undefined;
  readonly logger?: Logger;
  readonly clock?: Clock;
  /** How long to wait for other processes, in milliseconds; the thread is blocked meanwhile. */
  readonly busyTimeoutMs?: number;
}

/** A root with what is remembered of it. */
export interface RootInfo extends RootRow {
  readonly dirs: number;
  /** Files, directories and links. */
  readonly entries: number;
  readonly tombstones: number;
  readonly recipes: number;
  readonly ancestors: readonly AncestorInfo[];
}

/** What the index holds, for `status`. */
export interface IndexStats {
  readonly path: string;
  /** On the disk, with the write-ahead log. */
  readonly bytes: number;
  /** Directory pages that ancestors are made of, garbage included. */
  readonly pages: number;
  readonly roots: readonly RootInfo[];
}

/**
 * Opens the index, in 1 to 2 ms with the database module loaded; see `openDatabase` for what happens to
 * a damaged file.
 *
 * @throws {IndexError} `newer`, `busy`, `full` or `unusable`.
 */
export async function openIndex(options: IndexOptions): Promise<Index> {
  const database = await openDatabase(options.path, options);
  try {
    return new Index(database, options);
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * What this device remembers of its synced folders. Several processes may have it open at once; at most
 * one at a time should work on the same root.
 *
 * Disposing it closes the file and drops writes that were collected but not committed.
 */
export class Index implements AsyncDisposable {
  readonly #database: Database;
  readonly #device: DeviceId;
  readonly #clock: Clock;
  readonly #pages: PageTable;

  /** Use {@linkcode openIndex}. */
  constructor(database: Database, options: IndexOptions) {
    this.#database = database;
    this.#device = options.deviceId;
    this.#clock = options.clock ?? systemClock;
    this.#pages = new PageTable(database);
    this.#claim(options.nextDeviceId);
  }

  /** The database file. */
  get path(): string {
    return this.#database.path;
  }

  /**
   * Opens what is remembered of a root. If the folder is not the one that was seen at that path, nothing
   * is: it gets a new epoch, and `voided` tells why.
   */
  openRoot(identity: RootIdentity): RootIndex {
    const row = openRootRow(this.#database, identity, this.#clock.wallMs());
    return new RootIndex(this.#database, row, { deviceId: this.#device, clock: this.#clock });
  }

  /**
   * A peer goes by another id: what was last in common with its folders stays so. Costs a look-up where
   * nothing is known under the old one.
   */
  inheritPeer(from: DeviceId, to: DeviceId): void {
    const known = "SELECT 1 FROM ancestors WHERE peer = ? LIMIT 1";
    if (this.#database.get(known, from) === undefined) return;
    this.#database.transaction(true, () => {
      // What was agreed on under the new id is the newer.
      this.#database.run("UPDATE OR IGNORE ancestors SET peer = ? WHERE peer = ?", to, from);
      this.#database.run("DELETE FROM ancestors WHERE peer = ?", from);
    });
  }

  /** Forgets all that is remembered of a root. @returns False if it was not known. */
  forgetRoot(path: string): boolean {
    return forgetRootRow(this.#database, path);
  }

  /** The roots that are remembered, by path. */
  roots(): RootRow[] {
    return listRootRows(this.#database);
  }

  /** Counts what is there. Reads all records: 0.1 s for a million entries. */
  stats(): IndexStats {
    return {
      path: this.path,
      bytes: ["", "-wal"].reduce((sum, suffix) => sum + bytesOf(this.path + suffix), 0),
      pages: this.#count("SELECT count(*) FROM pages"),
      roots: listRootRows(this.#database).map((row) => this.#describe(row)),
    };
  }

  /**
   * Deletes pages that belong to no ancestor any more, and recipes of files that are held nowhere, where
   * that is worth it by now. Gives way to other work in between; a few milliseconds at a time.
   */
  async collectGarbage(options: GarbageOptions = {}): Promise<GarbageReport> {
    sweepForgotten(this.#database);
    await collectRecipes(this.#database, { ...options, nowMs: this.#clock.wallMs() });
    return await collectPages(this.#database, this.#pages, options);
  }

  /** Closes the file; safe to call again. */
  close(): void {
    this.#database.close();
  }

  // deno-lint-ignore require-await
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /**
   * Makes the file this device's own: what another one remembers says nothing about this one's disk. A
   * device that has moved to the key it announced is still the same.
   */
  #claim(next: DeviceId | undefined): void {
    const owner = this.#meta("device");
    const announced = this.#meta("next_device");
    if (owner === this.#device && (announced ?? undefined) === next) return;
    const isMoved = announced === this.#device;
    if (owner !== undefined && owner !== this.#device && !isMoved) forgetAllRoots(this.#database);
    this.#database.transaction(true, () => {
      if (isMoved) {
        const move = "UPDATE ancestors SET device = ? WHERE device = ?";
        this.#database.run(move, this.#device, owner!);
      }
      this.#setMeta("device", this.#device);
      this.#setMeta("next_device", next);
    });
  }

  #meta(key: string): string | undefined {
    return this.#database.get<[string]>("SELECT value FROM meta WHERE key = ?", key)?.[0];
  }

  #setMeta(key: string, value: string | undefined): void {
    if (value === undefined) return void this.#database.run("DELETE FROM meta WHERE key = ?", key);
    this.#database.run(
      "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
      key,
      value,
    );
  }

  #describe(row: RootRow): RootInfo {
    const table = new DirTable(this.#database, row.id);
    let dirs = 0;
    let entries = 0;
    let tombstones = 0;
    for (const stored of table.list("")) {
      const counts = table.count(stored);
      // One with deletions alone is mostly gone itself.
      if (counts.entries > 0 || counts.tombstones === 0) dirs++;
      entries += counts.entries;
      tombstones += counts.tombstones;
    }
    return {
      ...row,
      dirs,
      entries,
      tombstones,
      recipes: this.#count("SELECT count(*) FROM recipes WHERE root = ?", row.id),
      ancestors: new AncestorTable(this.#database, row, this.#device).list(),
    };
  }

  #count(sql: string, ...values: number[]): number {
    return this.#database.get<[number]>(sql, ...values)![0];
  }
}

function bytesOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}
