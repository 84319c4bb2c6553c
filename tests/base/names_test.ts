import assert from "node:assert/strict";
import fc from "fast-check";
import { NAME_CHARS_MAX, sanitizeName } from "../../src/base/names.ts";

Deno.test("sanitizeName() takes out escapes, bidi overrides and zero-width characters", () => {
  const cases: [string, string][] = [
    ["laptop", "laptop"],
    ["  my   laptop\t", "my laptop"],
    ["\x1b[31mred\x1b[0m", "[31mred[0m"],
    ["evil\u202Egnp.exe\u2066", "evilgnp.exe"],
    ["a\u200Bb\u2060c\uFEFFd\u00ADe", "abcde"],
    ["line\r\nbreak\u2028more", "line break more"],
    ["\ud800half", "half"],
    ["cafe\u0301", "caf\u00e9"],
    ["\u0000\u0007\u009b", ""],
    ["Ælla 電脳 🖥", "Ælla 電脳 🖥"],
  ];
  for (const [name, expected] of cases) assert.equal(sanitizeName(name), expected);
});

Deno.test("sanitizeName() cuts at 64 code points and never through one", () => {
  assert.equal([...sanitizeName("🖥".repeat(65))].length, NAME_CHARS_MAX);
  assert.equal(sanitizeName("a".repeat(1 << 20)).length, NAME_CHARS_MAX);
});

Deno.test("sanitizeName() is idempotent and printable, whatever the name", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), (name) => {
    const clean = sanitizeName(name);
    assert.equal(sanitizeName(clean), clean);
    assert.ok([...clean].length <= NAME_CHARS_MAX);
    assert.doesNotMatch(clean, /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
  }));
});
