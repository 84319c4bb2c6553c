import assert from "node:assert/strict";
import { choice } from "../../../src/cli/values/choice.ts";
import { BadValue } from "../../../src/cli/values/bad_value.ts";
import { wholeNumber } from "../../../src/cli/values/whole_number.ts";

Deno.test("wholeNumber() includes both ends and nothing beyond", () => {
  const parse = wholeNumber(1, 4);
  assert.deepEqual(["1", "4", "03"].map(parse), [1, 4, 3]);
  for (const text of ["", "0", "5", "-1", "+1", "1.0", "1e0", " 1", "٣", "9".repeat(16)]) {
    assert.throws(() => parse(text), BadValue, text);
  }
});

Deno.test("choice() accepts its words alone and suggests the nearest", () => {
  const parse = choice(["keep-both", "newer", "local", "remote"]);
  assert.equal(parse("local"), "local");
  assert.throws(() => parse("keepboth"), /did you mean keep-both\?/);
  assert.throws(() => parse("zzz"), {
    message: "expected keep-both, newer, local or remote",
  });
  assert.throws(() => parse("Local"), BadValue);
});
