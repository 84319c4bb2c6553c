import assert from "node:assert/strict";
import fc from "fast-check";
import { deviceIdFromFingerprint } from "../../src/identity/device_id.ts";
import { IdentityError } from "../../src/identity/identity_error.ts";
import { checkPeerName, cleanPeerName, nameKey } from "../../src/identity/peer_name.ts";
import { anyText } from "./arbitraries.ts";

Deno.test("cleanPeerName() disarms hostile names", () => {
  const cases: [string, string][] = [
    ["laptop", "laptop"],
    ["  Mein  Laptop ", "Mein Laptop"],
    ["\x1b[31mred\x1b[0m", "[31mred[0m"],
    ["abc\u202efdp.exe", "abcfdp.exe"],
    ["a\nb\r\tc", "a b c"],
    ["a\u0000b\u200bc\ufeff", "abc"],
    ["peer:share", "peer-share"],
    ["../../etc", "..-..-etc"],
    ["C:\\x", "C--x"],
    ["--yes", "yes"],
    ["-\u202e-yes", "yes"],
    ["e\u0301", "é"],
    ["x".repeat(1_000_000), "x".repeat(64)],
    ["😀".repeat(100), "😀".repeat(64)],
    ["\ud800", ""],
    ["", ""],
    [deviceIdFromFingerprint(new Uint8Array(32)), ""],
    [deviceIdFromFingerprint(new Uint8Array(32)).toLowerCase().replaceAll("-", ""), ""],
  ];
  for (const [announced, name] of cases) assert.equal(cleanPeerName(announced), name);
});

Deno.test("cleanPeerName() gives printable names that stay as they are, whatever comes in", () => {
  fc.assert(fc.property(anyText(200), (announced) => {
    const name = cleanPeerName(announced);
    assert.ok([...name].length <= 64);
    assert.doesNotMatch(name, /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}:/\\]|^-|^\s|\s$/u);
    assert.equal(cleanPeerName(name), name);
    if (name !== "") assert.equal(checkPeerName(name), name);
  }));
});

Deno.test("checkPeerName() takes a name as it is or not at all", () => {
  assert.equal(checkPeerName(" laptop "), "laptop");
  assert.equal(checkPeerName("e\u0301"), "é");
  assert.equal(checkPeerName("x".repeat(64)), "x".repeat(64));
  const id = deviceIdFromFingerprint(new Uint8Array(32).fill(9));
  for (
    const bad of ["", " ", "a:b", "a/b", "-v", "a\u202eb", "a\x1bb", "x".repeat(65), "a  b", id]
  ) {
    assert.throws(() => checkPeerName(bad), (error) => {
      assert.ok(error instanceof IdentityError);
      assert.equal(error.code, "usage");
      // Nothing unprintable comes back out.
      assert.doesNotMatch(error.message, /\p{Cc}|\p{Cf}/u);
      return error.reason === "name_invalid";
    });
  }
});

Deno.test("nameKey() is the same for names that look the same", () => {
  assert.equal(nameKey("Laptop"), nameKey("laptop"));
  assert.equal(nameKey("ﬁle"), nameKey("file"));
  assert.notEqual(nameKey("a"), nameKey("b"));
});
