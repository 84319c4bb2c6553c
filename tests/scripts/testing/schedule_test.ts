import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import {
  ALONE,
  OWN_PROCESS,
  planTests,
  SECONDS,
  WAITING,
} from "../../../scripts/testing/schedule.ts";

const SHORT = Array.from({ length: 20 }, (_, i) => `tests/short_${String(i).padStart(2, "0")}.ts`);

Deno.test("planTests() gives long files a process each, the longest first, and the short ones come last", () => {
  const seconds = { "tests/long.ts": 10, "tests/longest.ts": 90, "tests/not asked for.ts": 50 };
  const files = ["tests/long.ts", ...SHORT, "tests/longest.ts"];
  const { together, alone } = planTests(files, { seconds, waiting: [], alone: [] });
  assert.deepEqual(together.slice(0, 2), [["tests/longest.ts"], ["tests/long.ts"]]);
  assert.deepEqual(together.slice(2).flat(), SHORT);
  assert.ok(together.length > 3 && together.length < SHORT.length);
  assert.deepEqual(alone, []);
});

Deno.test("planTests() leaves no file out and has none run twice", () => {
  const files = [...new Set([...Object.keys(SECONDS), ...WAITING, ...ALONE, ...SHORT])];
  const { together, waiting, alone } = planTests(files);
  assert.deepEqual([...together, ...waiting, ...alone].flat().sort(), files.sort());
  assert.deepEqual(waiting.flat().sort(), [...WAITING].sort());
  assert.deepEqual(alone, ALONE.map((file) => [file]));
  assert.deepEqual(planTests([]), { together: [], waiting: [], alone: [] });
});

Deno.test("planTests() has those that wait apart, the longest first, and only those that are asked for", () => {
  const seconds = { "tests/link.ts": 5, "tests/timer.ts": 50, "tests/disk.ts": 7 };
  const waiting = ["tests/link.ts", "tests/timer.ts", "tests/not asked for.ts"];
  const plan = planTests(["tests/link.ts", "tests/disk.ts", "tests/timer.ts"], {
    ...{ seconds, waiting, alone: [] },
  });
  assert.deepEqual(plan, {
    together: [["tests/disk.ts"]],
    waiting: [["tests/timer.ts"], ["tests/link.ts"]],
    alone: [],
  });
});

Deno.test("every file that is known to take long, to wait, or to run alone is there", () => {
  for (const file of [...Object.keys(SECONDS), ...WAITING, ...OWN_PROCESS, ...ALONE]) {
    assert.ok(existsSync(new URL(`../../../${file}`, import.meta.url)), file);
  }
});
