import assert from "node:assert/strict";
import { BadValue } from "../../src/cli/values/bad_value.ts";
import { parseGlob, parseIncludeGlob, toIgnoreLines } from "../../src/cli/filter_rules.ts";

Deno.test("toIgnoreLines() writes gitignore lines in order", async () => {
  const files: Record<string, string> = { "/rules": "# note\r\n*.o\n!keep.o\n" };
  const lines = await toIgnoreLines([
    { kind: "exclude", glob: "*.tmp" },
    { kind: "include", glob: "keep.tmp" },
    { kind: "exclude-from", file: "/rules" },
    { kind: "exclude", glob: "#notes" },
    { kind: "include", glob: "#kept" },
    { kind: "exclude", glob: "ends in blanks  " },
    { kind: "exclude", glob: "escaped\\ " },
  ], (file) => Promise.resolve(files[file]!));
  assert.deepEqual(lines, [
    "*.tmp",
    "!keep.tmp",
    "# note",
    "*.o",
    "!keep.o",
    "",
    "\\#notes",
    "!#kept",
    "ends in blanks\\ \\ ",
    "escaped\\ ",
  ]);
});

Deno.test("toIgnoreLines() names the file it cannot read", async () => {
  const failing = () => Promise.reject(new Error("gone"));
  await assert.rejects(toIgnoreLines([{ kind: "exclude-from", file: "/rules" }], failing), {
    code: "storage",
    message: "Cannot read the rules of --exclude-from /rules: gone",
  });
});

Deno.test("parseGlob() refuses what no rule can hold", () => {
  assert.equal(parseGlob("!x"), "!x");
  for (const text of ["", "a\nb", "a\0"]) assert.throws(() => parseGlob(text), BadValue);
  assert.throws(() => parseIncludeGlob("!x"), BadValue);
});
