import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { ALONE, planTests, SECONDS } from "../../../scripts/testing/schedule.ts";

const SHORT = Array.from({ length: 20 }, (_, i) => `tests/short_${String(i).padStart(2, "0")}.ts`);

Deno.test("planTests() gives long files a process each, the longest first, and the short ones come last", () => {
  const seconds = { "tests/long.ts": 10, "tests/longest.ts": 90, "tests/not asked for.ts": 50 };
  const files = ["tests/long.ts", ...SHORT, "tests/longest.ts"];
  const { together, alone } = planTests(files, { seconds, alone: [] });
  assert.deepEqual(together.slice(0, 2), [["tests/longest.ts"], ["tests/long.ts"]]);
  assert.deepEqual(together.slice(2).flat(), SHORT);
  assert.ok(together.length > 3 && together.length < SHORT.length);
  assert.deepEqual(alone, []);
});

Deno.test("planTests() leaves no file out and has none run twice", () => {
  const files = [...new Set([...Object.keys(SECONDS), ...ALONE, ...SHORT])];
  const { together, alone } = planTests(files);
  assert.deepEqual([...together, ...alone].flat().sort(), files.sort());
  assert.deepEqual(alone, ALONE.map((file) => [file]));
  assert.deepEqual(planTests([]), { together: [], alone: [] });
});

Deno.test("every file that is known to take long, or that runs alone, is there", () => {
  for (const file of [...Object.keys(SECONDS), ...ALONE]) {
    assert.ok(existsSync(new URL(`../../../${file}`, import.meta.url)), file);
  }
});
