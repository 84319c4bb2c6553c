import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { asIndexError, IndexError } from "./index_error.ts";

/** What a column may hold, going in. */
export type SqlValue = null | number | string | Uint8Array;

/** How to open a {@linkcode Database}. */
export interface DatabaseOptions {
  /** How long a statement waits for another process, in milliseconds. The thread is blocked meanwhile. */
  readonly busyTimeoutMs: number;
}

/**
 * One connection to a SQLite file: prepared statements, transactions, and errors that say what to do.
 *
 * The file is in WAL mode, so readers and one writer of other processes go on side by side. A durable
 * transaction is on the disk when it returns; any other is all there or not at all after a power cut,
 * and never there without those before it.
 */
export class Database implements Disposable {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, Statement>();
  readonly #wal: boolean;
  #durable = true;
  #inTransaction = false;
  #closed = false;

  /**
   * @param sqlite The `node:sqlite` module, loaded by the caller when it was needed.
   * @throws {IndexError} `corrupt` if it is no database; `unusable`, `busy` as they mean.
   */
  constructor(
    sqlite: typeof import("node:sqlite"),
    readonly path: string,
    options: DatabaseOptions,
  ) {
    try {
      this.#db = new sqlite.DatabaseSync(path, { timeout: options.busyTimeoutMs });
    } catch (error) {
      throw asIndexError(error, path);
    }
    try {
      // The first statement that looks into the file, and so the one that finds it is no database.
      const [mode] = this.get<[string]>("PRAGMA journal_mode = WAL")!;
      // Some network file systems can't share memory. A rollback journal then does, always flushed.
      this.#wal = mode === "wal";
      for (const pragma of PRAGMAS) this.all(pragma);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** A statement, prepared at its first use and kept. */
  prepare(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      try {
        statement = new Statement(this.#db.prepare(sql), this);
      } catch (error) {
        throw this.failure(error);
      }
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** Runs a statement that returns nothing. @returns The number of rows changed. */
  run(sql: string, ...values: SqlValue[]): number {
    return this.prepare(sql).run(...values);
  }

  /** The first row, as a tuple in the order of the columns. */
  get<Row extends unknown[]>(sql: string, ...values: SqlValue[]): Row | undefined {
    return this.prepare(sql).get<Row>(...values);
  }

  /** All rows; bound the number in the statement. */
  all<Row extends unknown[]>(sql: string, ...values: SqlValue[]): Row[] {
    return this.prepare(sql).all<Row>(...values);
  }

  /** True inside {@linkcode transaction}. */
  get inTransaction(): boolean {
    return this.#inTransaction;
  }

  /**
   * Runs `body` in a write transaction of its own; whatever it throws undoes all of it.
   *
   * @param durable True to have it on the disk on return, which costs a flush (0.2 to 10 ms).
   * @throws {IndexError} `busy` if another process kept writing for longer than the busy timeout.
   */
  transaction<T>(durable: boolean, body: () => T): T {
    if (this.#inTransaction) throw new Error("a transaction is open already");
    this.#setDurable(durable || !this.#wal);
    this.run("BEGIN IMMEDIATE");
    this.#inTransaction = true;
    try {
      const result = body();
      if (result instanceof Promise) throw new TypeError("a transaction can't wait");
      this.run("COMMIT");
      return result;
    } catch (error) {
      this.#rollback();
      throw error;
    } finally {
      this.#inTransaction = false;
    }
  }

  /** The failure as callers should see it; notes on the disk that the file is damaged where it is. */
  failure(error: unknown): unknown {
    const failure = asIndexError(error, this.path);
    if (failure instanceof IndexError && failure.reason === "corrupt") this.#noteDamage();
    return failure;
  }

  /** Reports contents that can't be right though SQLite accepts them. */
  corrupt(what: string, cause?: unknown): IndexError {
    this.#noteDamage();
    return new IndexError("corrupt", `Cannot use index ${this.path}: ${what} is damaged`, cause);
  }

  /** Closes the file; the last connection to it also folds the write-ahead log in. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#statements.clear();
    this.#db.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #setDurable(durable: boolean): void {
    if (this.#durable === durable) return;
    this.all(`PRAGMA synchronous = ${durable ? "FULL" : "NORMAL"}`);
    this.#durable = durable;
  }

  #rollback(): void {
    try {
      this.run("ROLLBACK");
    } catch {
      // After a full disk or an I/O error SQLite has rolled back by itself, and says so by failing here.
    }
  }

  #noteDamage(): void {
    try {
      Deno.writeFileSync(damageMarkerOf(this.path), new Uint8Array(), { mode: 0o600 });
    } catch {
      // The failure that led here is what the caller is told; the file will fail again next time.
    }
  }
}

/** A prepared statement. */
export class Statement {
  readonly #statement: StatementSync;
  readonly #database: Database;

  constructor(statement: StatementSync, database: Database) {
    (statement as StatementSync & ArrayRows).setReturnArrays(true);
    this.#statement = statement;
    this.#database = database;
  }

  /** See {@linkcode Database.run}. */
  run(...values: SqlValue[]): number {
    try {
      return Number(this.#statement.run(...values as SQLInputValue[]).changes);
    } catch (error) {
      throw this.#database.failure(error);
    }
  }

  /** See {@linkcode Database.get}. */
  get<Row extends unknown[]>(...values: SqlValue[]): Row | undefined {
    try {
      return this.#statement.get(...values as SQLInputValue[]) as unknown as Row | undefined;
    } catch (error) {
      throw this.#database.failure(error);
    }
  }

  /**
   * See {@linkcode Database.all}. There is no way to step through rows one by one: `iterate()` of Deno
   * 2.9 ends without an error where the file is damaged, and rows that silently go missing are files
   * that seem deleted.
   */
  all<Row extends unknown[]>(...values: SqlValue[]): Row[] {
    try {
      return this.#statement.all(...values as SQLInputValue[]) as unknown as Row[];
    } catch (error) {
      throw this.#database.failure(error);
    }
  }
}

/** A method of Node's StatementSync that the types of Deno 2.9 leave out. */
interface ArrayRows {
  setReturnArrays(enabled: boolean): void;
}

/** The empty file that says the database beside it is to be set aside when next opened. */
export function damageMarkerOf(path: string): string {
  return `${path}.damaged`;
}

const PRAGMAS = [
  "PRAGMA synchronous = FULL",
  // On macOS a plain fsync leaves the bytes in the drive; elsewhere these two do nothing.
  "PRAGMA fullfsync = ON",
  "PRAGMA checkpoint_fullfsync = ON",
  // Rows of a voided root are deleted by hand, in bounded steps where there are many.
  "PRAGMA foreign_keys = OFF",
  "PRAGMA trusted_schema = OFF",
  "PRAGMA temp_store = MEMORY",
  "PRAGMA cache_size = -8192", // 8 MiB
  "PRAGMA wal_autocheckpoint = 2000", // pages of 4 KiB
  "PRAGMA journal_size_limit = 16777216",
];
