import assert from "node:assert/strict";
import { WeightedCache } from "../../src/base/weighted_cache.ts";

Deno.test("WeightedCache lets what was asked for longest go first, also after the same was asked for twice", () => {
  const cache = new WeightedCache<string, number>({ weightMax: 2 });
  cache.put("a", 1, 1);
  cache.put("b", 2, 1);
  assert.deepEqual([cache.get("a"), cache.get("a")], [1, 1]);
  cache.put("c", 3, 1);
  assert.deepEqual([cache.get("b"), cache.get("a"), cache.get("c")], [undefined, 1, 3]);
  cache.put("d", 4, 1);
  assert.deepEqual([cache.get("a"), cache.get("c"), cache.get("d")], [undefined, 3, 4]);
});

Deno.test("WeightedCache forgets what was asked for last like anything else", () => {
  const cache = new WeightedCache<string, number | undefined>({ weightMax: 9 });
  cache.put("a", 1, 1);
  assert.equal(cache.get("a"), 1);
  cache.put("a", 2, 1);
  assert.equal(cache.get("a"), 2);
  cache.delete("a");
  assert.equal(cache.get("a"), undefined);
  cache.put("b", 3, 1);
  assert.equal(cache.get("b"), 3);
  cache.clear();
  assert.equal(cache.get("b"), undefined);
  cache.put("heavy", 4, 10);
  assert.equal(cache.get("heavy"), undefined, "too heavy to be kept at all");
});

Deno.test("WeightedCache lets go at once of what a lower limit has no room for", () => {
  const cache = new WeightedCache<string, number>({ weightMax: 9 });
  for (const [value, key] of ["a", "b", "c", "d"].entries()) cache.put(key, value, 1);
  cache.limit({ weightMax: 0, countMin: 2 });
  assert.deepEqual(["a", "b", "c", "d"].map((key) => cache.has(key)), [false, false, true, true]);
  cache.put("e", 4, 1);
  assert.deepEqual(["c", "d", "e"].map((key) => cache.has(key)), [false, true, true]);
});
