import assert from "node:assert/strict";
import { displayWidth, formatTable } from "../../src/cli/table.ts";

Deno.test("formatTable() aligns columns by what the terminal shows", () => {
  assert.deepEqual(formatTable(["NAME", "X"], [["写真", "1"], ["e\u0301t", "22"], ["", ""]]), [
    "NAME  X",
    "写真  1",
    "e\u0301t    22",
    "",
  ]);
});

Deno.test("displayWidth() counts columns, not code units", () => {
  const cases: [string, number][] = [
    ["", 0],
    ["abc", 3],
    ["é", 1],
    ["e\u0301", 1],
    ["写真", 4],
    ["한글", 4],
    ["👩‍💻", 2],
    ["ｆ", 2],
  ];
  for (const [text, width] of cases) assert.equal(displayWidth(text), width, text);
});
