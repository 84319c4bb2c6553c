import { type Bytes, concat, toHex } from "../base/bytes.ts";
import { type Digest, type DigestKey, digestKey } from "../base/digest.ts";
import type { Database } from "./database.ts";

/** How a file is put together from chunks, as the chunk store encodes it; opaque here. */
export interface StoredRecipe {
  /** The file's digest. */
  readonly digest: Digest;
  readonly recipe: Uint8Array;
}

/** Bytes of a group's digest that are kept; whoever finds a group checks the rest in the recipe. */
const PREFIX_BYTES = 8;

/** Files that one group is reported for. */
const FILES_OF_GROUP_MAX = 4;

const LIST_ROWS = 256;

/**
 * The recipes of one root, found by file or by a group of chunks in them. Files of a single chunk need
 * none: theirs follows from the digest.
 *
 * Writes are collected in memory and go to the database with {@linkcode flush}; reads see them at once.
 */
export class RecipeTable {
  readonly #database: Database;
  readonly #root: number;
  readonly #pending = new Map<DigestKey, StoredRecipe & { readonly prefixes: readonly Bytes[] }>();
  readonly #pendingByPrefix = new Map<string, Digest[]>();
  #pendingBytes = 0;

  constructor(database: Database, root: number) {
    this.#database = database;
    this.#root = root;
  }

  /** Bytes collected and not yet in the database. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /**
   * Remembers a recipe; one that is there already stays.
   *
   * @param groups Digests of the groups of chunks to find the file by.
   */
  put(digest: Digest, recipe: Uint8Array, groups: readonly Digest[]): void {
    const key = digestKey(digest);
    if (this.#pending.has(key)) return;
    const prefixes = groups.map(prefixOf);
    this.#pending.set(key, { digest, recipe, prefixes });
    this.#pendingBytes += recipe.length + prefixes.length * PREFIX_BYTES;
    for (const prefix of prefixes) {
      const text = toHex(prefix);
      const files = this.#pendingByPrefix.get(text);
      if (files === undefined) this.#pendingByPrefix.set(text, [digest]);
      // A file may hold a group several times.
      else if (files.length < FILES_OF_GROUP_MAX && files.at(-1) !== digest) files.push(digest);
    }
  }

  /** The recipe of a file, or `undefined`. */
  get(digest: Digest): Uint8Array | undefined {
    return this.#pending.get(digestKey(digest))?.recipe ??
      this.#database.get<[Uint8Array]>(
        "SELECT recipe FROM recipes WHERE root = ? AND digest = ?",
        this.#root,
        digest,
      )?.[0];
  }

  /**
   * A few files whose recipes hold the group, by the first bytes of its digest: the caller checks. 5 µs.
   */
  filesWithGroup(group: Digest): Digest[] {
    const prefix = prefixOf(group);
    const files = new Map<DigestKey, Digest>();
    const stored = this.#database.all<[Digest]>(
      `SELECT recipes.digest FROM groups JOIN recipes ON recipes.id = groups.recipe
        WHERE groups.root = ? AND groups.prefix = ? LIMIT ?`,
      this.#root,
      prefix,
      FILES_OF_GROUP_MAX,
    );
    for (const [digest] of stored) files.set(digestKey(digest), digest);
    for (const digest of this.#pendingByPrefix.get(toHex(prefix)) ?? []) {
      files.set(digestKey(digest), digest);
    }
    return [...files.values()].slice(0, FILES_OF_GROUP_MAX);
  }

  /** Every recipe in the database, flush first. One in memory at a time. */
  *list(): Generator<StoredRecipe> {
    for (const ids of this.#idPages()) {
      for (const [id] of ids) {
        const row = this.#database.get<[Digest, Uint8Array]>(
          "SELECT digest, recipe FROM recipes WHERE id = ?",
          id,
        );
        // Another process may have swept it in the meantime.
        if (row !== undefined) yield { digest: row[0], recipe: row[1] };
      }
    }
  }

  /**
   * Forgets recipes of files that are held nowhere any more, in the open transaction; flush first.
   *
   * @param isHeld Tells if some file still has that digest.
   * @param addedBeforeMs Younger ones stay: their file may be on its way.
   * @param limit How many at most.
   * @returns How many were forgotten.
   */
  sweep(isHeld: (digest: Digest) => boolean, addedBeforeMs: number, limit: number): number {
    let swept = 0;
    for (const ids of this.#idPages()) {
      for (const [id, digest, addedMs] of ids) {
        if (addedMs >= addedBeforeMs || isHeld(digest)) continue;
        if (swept === limit) return swept;
        this.#remove(id);
        swept++;
      }
    }
    return swept;
  }

  /** Writes what was collected into the open transaction; {@linkcode clear} when that is committed. */
  flush(nowMs: number): void {
    const insertGroup = this.#database.prepare(
      "INSERT INTO groups (root, prefix, recipe) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    );
    for (const { digest, recipe, prefixes } of this.#pending.values()) {
      const inserted = this.#database.get<[number]>(
        `INSERT INTO recipes (root, digest, added_ms, groups, recipe) VALUES (?, ?, ?, ?, ?)
          ON CONFLICT (root, digest) DO NOTHING RETURNING id`,
        this.#root,
        digest,
        nowMs,
        concat(prefixes),
        recipe,
      );
      if (inserted === undefined) continue;
      for (const prefix of prefixes) insertGroup.run(this.#root, prefix, inserted[0]);
    }
  }

  /** Forgets what was collected, because it is in the database now or must never get there. */
  clear(): void {
    this.#pending.clear();
    this.#pendingByPrefix.clear();
    this.#pendingBytes = 0;
  }

  *#idPages(): Generator<[number, Digest, number][]> {
    let after = 0;
    while (true) {
      // The plus keeps SQLite from going by the index on (root, digest), which would sort every time.
      const ids = this.#database.all<[number, Digest, number]>(
        "SELECT id, digest, added_ms FROM recipes WHERE +root = ? AND id > ? ORDER BY id LIMIT ?",
        this.#root,
        after,
        LIST_ROWS,
      );
      yield ids;
      if (ids.length < LIST_ROWS) return;
      after = ids.at(-1)![0];
    }
  }

  #remove(id: number): void {
    // By the recipe's own list of groups: a second index on the table would cost every insert.
    const [groups] = this.#database.get<[Uint8Array]>(
      "DELETE FROM recipes WHERE id = ? RETURNING groups",
      id,
    )!;
    for (let at = 0; at < groups.length; at += PREFIX_BYTES) {
      this.#database.run(
        "DELETE FROM groups WHERE root = ? AND prefix = ? AND recipe = ?",
        this.#root,
        groups.subarray(at, at + PREFIX_BYTES),
        id,
      );
    }
  }
}

function prefixOf(digest: Digest): Bytes {
  return digest.slice(0, PREFIX_BYTES);
}
