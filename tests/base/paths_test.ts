import assert from "node:assert/strict";
import {
  isWithin,
  linkFault,
  nameFault,
  nameOf,
  parentOf,
  parseRelPath,
  PathError,
  type RelPath,
} from "../../src/base/paths.ts";

for (
  const [name, fault] of [
    ["a", undefined],
    ["ü".normalize("NFD"), undefined],
    ["-rf", undefined],
    [" lead and trail ", undefined],
    ["...", undefined],
    [".landropicignore", undefined],
    ["n".repeat(255), undefined],
    ["ü".repeat(127), undefined],
    ["", "empty"],
    [".", "dot"],
    ["..", "dot"],
    ["a/b", "separator"],
    ["a\0", "control_character"],
    ["a\nb", "control_character"],
    ["\x7f", "control_character"],
    ["\ud800", "invalid_unicode"],
    ["n".repeat(256), "too_long"],
    ["ü".repeat(128), "too_long"],
    [".landropic", "reserved"],
    [".LandRopic", "reserved"],
    [".land\u200dropic", "reserved"],
    [".\uff4candropic", "reserved"],
  ] as const
) {
  Deno.test(`nameFault(${JSON.stringify(name.slice(0, 20))}) is ${fault}`, () => {
    assert.equal(nameFault(name), fault);
  });
}

Deno.test("parseRelPath() passes good paths unchanged and throws PathError on others", () => {
  assert.equal(parseRelPath("a/b c/d"), "a/b c/d");
  for (
    const bad of ["", "/", "/a", "a/", "a//b", "../a", "a/..", "C:/../x\0", "a/".repeat(128) + "b"]
  ) {
    assert.throws(() => parseRelPath(bad), PathError, bad);
  }
  assert.throws(() => parseRelPath(Array(20).fill("n".repeat(250)).join("/")), PathError);
});

Deno.test("parentOf(), nameOf() and isWithin() agree on what lies where", () => {
  const path = "a/b/c" as RelPath;
  assert.equal(parentOf(path), "a/b");
  assert.equal(parentOf("a" as RelPath), "");
  assert.equal(nameOf(path), "c");
  assert.ok(isWithin("a/b", "a" as RelPath) && isWithin("a", "a" as RelPath) && isWithin("a", ""));
  assert.ok(!isWithin("ab", "a" as RelPath));
});

for (
  const [path, target, ok] of [
    ["l", "file", true],
    ["d/l", "../file", true],
    ["d/l", "x/../../file", true],
    ["l", "..", false],
    ["d/l", "../../file", false],
    ["d/l", "../x/../../file", false],
    ["l", "/etc/passwd", false],
    ["l", "a\\b", false],
    ["l", "c:x", false],
    ["l", "", false],
    ["l", "x".repeat(248), false],
  ] as const
) {
  Deno.test(`linkFault() ${ok ? "passes" : "refuses"} ${path} -> ${target.slice(0, 20)}`, () => {
    assert.equal(linkFault(path as RelPath, target) === undefined, ok);
  });
}
