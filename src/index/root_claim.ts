import type { Database } from "./database.ts";
import { IndexError } from "./index_error.ts";
import type { RootRow } from "./root_table.ts";

/**
 * This process's hold on a root's row, which other processes may write to as well, or throw away with all
 * that is remembered. Who keeps anything at hand learns here that it may be old.
 */
export class RootClaim {
  readonly row: RootRow;
  readonly #database: Database;
  /** How often anybody has written to this root, as of our last look. */
  #writesSeen: number;

  constructor(database: Database, row: RootRow) {
    this.row = row;
    this.#database = database;
    this.#writesSeen = this.#count() ?? 0;
  }

  /** How often anybody has written, as of the last own write or look. */
  get writes(): number {
    return this.#writesSeen;
  }

  /**
   * Counts a write, inside its transaction.
   *
   * @returns True if others have written since the last look.
   * @throws {IndexError} `root_void`
   */
  touch(): boolean {
    const row = this.#database.get<[number]>(
      `UPDATE roots SET dir_writes = dir_writes + 1
        WHERE id = ? AND epoch = ? RETURNING dir_writes`,
      this.row.id,
      this.row.epoch,
    );
    if (row === undefined) throw this.#void();
    const isNews = row[0] !== this.#writesSeen + 1;
    this.#writesSeen = row[0];
    return isNews;
  }

  /** @returns True if others have written since the last time. @throws {IndexError} `root_void` */
  look(): boolean {
    const writes = this.#count();
    if (writes === undefined) throw this.#void();
    const isNews = writes !== this.#writesSeen;
    this.#writesSeen = writes;
    return isNews;
  }

  /**
   * Reserves edit counters, inside a transaction.
   *
   * @param after The last one in use, as far as is known here.
   * @returns The last one of those reserved.
   * @throws {IndexError} `root_void`
   */
  reserveEdits(after: number, count: number): number {
    const row = this.#database.get<[number]>(
      `UPDATE roots SET edit_counter = max(edit_counter, ?) + ?
        WHERE id = ? AND epoch = ? RETURNING edit_counter`,
      after,
      count,
      this.row.id,
      this.row.epoch,
    );
    if (row === undefined) throw this.#void();
    return row[0];
  }

  #count(): number | undefined {
    const sql = "SELECT dir_writes FROM roots WHERE id = ?";
    return this.#database.get<[number]>(sql, this.row.id)?.[0];
  }

  #void(): IndexError {
    return new IndexError(
      "root_void",
      `Cannot use what is remembered of ${this.row.path}: another process has thrown it away`,
    );
  }
}
