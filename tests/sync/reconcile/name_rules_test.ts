import assert from "node:assert/strict";
import { nameKey, windowsNameFault } from "../../../src/sync/reconcile/name_rules.ts";

for (
  const name of [
    "CON",
    "con",
    "aux.txt",
    "COM1",
    "lpt9.log",
    "nul",
    "a.",
    "a ",
    "a:b",
    "a\\b",
    'a"b',
    "what?",
    "a*",
    "a|b",
    "<a",
    "PROGRA~1",
    "a~1.txt",
    "COM¹",
    "con .x",
    "CONIN$",
  ]
) {
  Deno.test(`windowsNameFault() refuses ${JSON.stringify(name)}`, () => {
    assert.notEqual(windowsNameFault(name), undefined);
  });
}
for (
  const name of [
    "console",
    "com",
    "com10",
    "a.b",
    ".a",
    " a",
    "a~b",
    "long-name~1x",
    "été",
    "nulls",
  ]
) {
  Deno.test(`windowsNameFault() lets ${JSON.stringify(name)} pass`, () => {
    assert.equal(windowsNameFault(name), undefined);
  });
}

Deno.test("windowsNameFault() names the character and its position", () => {
  assert.match(windowsNameFault("ab:c")!, /: at position 3/);
});

Deno.test("nameKey() folds what the side folds and nothing else", () => {
  assert.equal(nameKey("É", {}), "É");
  assert.equal(nameKey("É", { foldsCase: true }), nameKey("é", { foldsCase: true }));
  assert.notEqual(nameKey("e\u0301", { foldsCase: true }), nameKey("é", { foldsCase: true }));
  assert.equal(nameKey("e\u0301", { foldsUnicode: true }), nameKey("é", { foldsUnicode: true }));
  assert.notEqual(nameKey("E", { foldsUnicode: true }), nameKey("e", { foldsUnicode: true }));
});
