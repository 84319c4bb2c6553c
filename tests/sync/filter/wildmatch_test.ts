import assert from "node:assert/strict";
import { byteText } from "../../../src/sync/filter/byte_text.ts";
import { wildmatch } from "../../../src/sync/filter/wildmatch.ts";

const TABLE: readonly [glob: string, text: string, isMatch: boolean][] = [
  ["foo", "foo", true],
  ["foo", "foos", false],
  ["", "", true],
  ["???", "foo", true],
  ["??", "foo", false],
  ["*", "foo", true],
  ["*", "a/b", false],
  ["f*", "foo", true],
  ["*ob*a*r*", "foobar", true],
  ["foo\\*", "foo*", true],
  ["foo\\*bar", "foobar", false],
  ["f\\\\oo", "f\\oo", true],
  ["a\\", "a", false],
  ["?", "/", false],
  ["[!a]", "/", false],
  ["foo[/]bar", "foo/bar", false],
  ["**", "a/b/c", true],
  ["**/foo", "foo", true],
  ["**/foo", "a/b/foo", true],
  ["**/foo", "xfoo", false],
  ["foo/**", "foo", false],
  ["foo/**", "foo/a/b", true],
  ["foo/**/bar", "foo/bar", true],
  ["foo/**/bar", "foo/a/b/bar", true],
  ["foo/**bar", "foo/a/bar", false],
  ["foo**bar", "foo/bar", false],
  ["*/foo", "a/b/foo", false],
  ["a/*/c", "a/b/c", true],
  ["[a-c]x", "bx", true],
  ["[^a-c]x", "bx", false],
  ["[c-a]", "c", true],
  ["[c-a]", "b", false],
  ["[]-a]", "^", true],
  ["[!]a-]", "-", false],
  ["[a-]", "-", true],
  ["[\\-_]", "-", true],
  ["[[:digit:][:upper:]]", "7", true],
  ["[[:digit:]]", "a", false],
  ["[[:nonsense:]]", "a", false],
  ["[[:a]b", ":b", true],
  ["[a", "a", false],
  ["[[:space:]]", "\v", false],
  ["?", "é", false],
  ["??", "é", true],
  ["é*", "été", true],
  ["*é", "été", true],
];

for (const [glob, text, isMatch] of TABLE) {
  Deno.test(`wildmatch() ${isMatch ? "matches" : "refuses"} ${text} with ${glob}`, () => {
    assert.equal(wildmatch(byteText(glob), byteText(text), "names"), isMatch);
  });
}

Deno.test("wildmatch() lets stars cross slashes where the text is one name", () => {
  assert.equal(wildmatch("a*b", "a/b", "none"), true);
});

Deno.test("wildmatch() takes pattern times text steps on a hostile pattern, and little stack", () => {
  const stars = "*a".repeat(2000) + "*b";
  assert.equal(wildmatch(stars, "a".repeat(4000), "names"), false);
  assert.equal(wildmatch(stars, "a".repeat(4000) + "b", "names"), true);
});
