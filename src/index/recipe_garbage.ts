import { delay } from "../base/clock.ts";
import type { Database } from "./database.ts";
import { DigestLocator } from "./digest_locator.ts";
import { DirTable } from "./dir_table.ts";
import { RecipeTable } from "./recipe_table.ts";
import { listRootRows } from "./root_table.ts";

/** How old the recipe of a file held nowhere must be to be forgotten: it may still be on its way. */
export const RECIPE_GRACE_MS = 24 * 3600 * 1000;
/** How often it is worth reading all records to find them. */
const INTERVAL_MS = 24 * 3600 * 1000;
const DELETE_BATCH = 500;
const SWEPT_AT = "recipes_swept_ms";

/**
 * Forgets recipes of files that no root holds any more. By itself once a day, since it reads all records
 * (0.1 µs an entry) to see what is held.
 *
 * A recipe that is missed later costs reading its file again.
 *
 * @param options.nowMs Wall clock.
 * @returns How many were forgotten.
 */
export async function collectRecipes(
  database: Database,
  options: { readonly nowMs: number; readonly force?: boolean; readonly signal?: AbortSignal },
): Promise<number> {
  const { nowMs, force = false, signal } = options;
  const [sweptMs] = database.get<[number]>("SELECT value FROM meta WHERE key = ?", SWEPT_AT) ?? [];
  // A new index has nothing that is old enough, and a clock may have been set back.
  const isDue = sweptMs !== undefined && Math.abs(nowMs - sweptMs) >= INTERVAL_MS;
  let swept = 0;
  if (isDue || force) {
    for (const { id } of listRootRows(database)) {
      swept += await sweepRoot(database, id, { beforeMs: nowMs - RECIPE_GRACE_MS, signal });
    }
  }
  if (isDue || force || sweptMs === undefined) noteSweep(database, nowMs);
  return swept;
}

async function sweepRoot(
  database: Database,
  root: number,
  { beforeMs, signal }: { beforeMs: number; signal: AbortSignal | undefined },
): Promise<number> {
  const recipes = new RecipeTable(database, root);
  const locator = new DigestLocator(new DirTable(database, root));
  let seenWrites: number | undefined;
  for (let total = 0;;) {
    const swept = database.transaction(false, () => {
      const writes = writesOf(database, root);
      // What was held when the map was built may not be all that is held now.
      if (writes !== seenWrites) locator.reset();
      seenWrites = writes;
      return recipes.sweep((digest) => locator.mayHold(digest), beforeMs, DELETE_BATCH);
    });
    total += swept;
    if (swept < DELETE_BATCH) return total;
    signal?.throwIfAborted();
    await delay(0);
  }
}

function writesOf(database: Database, root: number): number {
  return database.get<[number]>("SELECT dir_writes FROM roots WHERE id = ?", root)?.[0] ?? -1;
}

function noteSweep(database: Database, nowMs: number): void {
  database.transaction(false, () => {
    database.run(
      "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
      SWEPT_AT,
      Math.floor(nowMs),
    );
  });
}
