import assert from "node:assert/strict";
import { BadValue } from "../../../src/cli/values/bad_value.ts";
import { parseDeleteLimit } from "../../../src/cli/values/delete_limit.ts";

Deno.test("parseDeleteLimit() tells counts from percentages", () => {
  assert.deepEqual(parseDeleteLimit("0"), { kind: "count", count: 0 });
  assert.deepEqual(parseDeleteLimit("100"), { kind: "count", count: 100 });
  for (const [text, percent] of [["0%", 0], ["25%", 25], ["12.5%", 12.5], ["100%", 100]] as const) {
    assert.deepEqual(parseDeleteLimit(text), { kind: "percent", percent, appliesAboveFiles: 0 });
  }
});

Deno.test("parseDeleteLimit() refuses negative, fractional and impossible limits", () => {
  for (const text of ["", "-1", "1.5", "101%", "100.1%", "%", "5 %", "5%%", "all", "1e3", "∞"]) {
    assert.throws(() => parseDeleteLimit(text), BadValue, text);
  }
});
