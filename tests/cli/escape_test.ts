import assert from "node:assert/strict";
import fc from "fast-check";
import {
  escapeLines,
  escapePath,
  escapeText,
  hasUnsafeCharacter,
  safeJson,
} from "../../src/cli/escape.ts";

// Any code point, lone surrogates too, with those that do harm drawn often.
const codePoint = fc.oneof(
  fc.integer({ min: 0, max: 0x10ffff }),
  fc.constantFrom(0x00, 0x07, 0x0a, 0x0d, 0x1b, 0x5c, 0x7f, 0x80, 0x85, 0x9b, 0xad, 0x200b),
  fc.constantFrom(0x200e, 0x2028, 0x202e, 0x2066, 0x2069, 0xd800, 0xdfff, 0xfeff, 0xe0041),
);
const hostileText = fc.array(codePoint, { maxLength: 20 })
  .map((codePoints) => codePoints.map((point) => String.fromCodePoint(point)).join(""));
const hostileBytes = fc.oneof(
  fc.uint8Array({ maxLength: 16 }),
  fc.array(
    fc.oneof(
      hostileText.map((text) => new TextEncoder().encode(text)),
      fc.uint8Array({ maxLength: 3 }),
    ),
    { maxLength: 4 },
  ).map((parts) => Uint8Array.from(parts.flatMap((part) => [...part]))),
);

// What must never reach a terminal, said independently of the code under test.
// deno-lint-ignore no-control-regex
const HARMFUL = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

Deno.test("escapeText() lets nothing through that controls a terminal or turns text around", () => {
  fc.assert(fc.property(hostileText, (text) => {
    const escaped = escapeText(text);
    assert.doesNotMatch(escaped, HARMFUL);
    assert.ok(escaped.isWellFormed());
    assert.equal(escapeText(escaped), escaped);
    assert.equal(hasUnsafeCharacter(text), escaped !== text);
  }));
});

Deno.test("escapePath() prints different paths differently and reads back to the same bytes", () => {
  fc.assert(fc.property(hostileBytes, (path) => {
    const escaped = escapePath(path);
    assert.doesNotMatch(escaped, HARMFUL);
    assert.deepEqual(unescape(escaped), [...path]);
  }));
});

Deno.test("escapePath() prints text and its UTF-8 alike", () => {
  fc.assert(fc.property(hostileText.filter((text) => text.isWellFormed()), (text) => {
    assert.equal(escapePath(text), escapePath(new TextEncoder().encode(text)));
  }));
});

Deno.test("escapePath() leaves ordinary names alone", () => {
  const names = ["a/b c.txt", "-rf", "Ünïcödé", "写真/🏔️.jpg", "👩‍💻", "e\u0301", "100%", '"quoted"'];
  for (const name of names) assert.equal(escapePath(name), name);
});

Deno.test("escapePath() writes each kind of harm in its own form", () => {
  const cases: [string | number[], string][] = [
    ["a\nb\tc\r", "a\\nb\\tc\\r"],
    ["\x1b[31m\x07\0", "\\x1b[31m\\x07\\x00"],
    ["back\\slash\\n", "back\\\\slash\\\\n"],
    ["\u202egnp.exe", "\\u{202e}gnp.exe"],
    ["\u009b31m", "\\u{9b}31m"],
    ["\ud800", "\\u{d800}"],
    ["\u{e0041}", "\\u{e0041}"],
    [[0x61, 0xff, 0x62], "a\\xffb"],
    [[0xc3], "\\xc3"],
    [[0xc0, 0xaf], "\\xc0\\xaf"],
    [[0xed, 0xa0, 0x80], "\\xed\\xa0\\x80"],
    [[0xf4, 0x90, 0x80, 0x80], "\\xf4\\x90\\x80\\x80"],
    [[0xe2, 0x82, 0xac], "€"],
    [[0xef, 0xbb, 0xbf, 0x61], "\\u{feff}a"],
  ];
  for (const [path, expected] of cases) {
    assert.equal(escapePath(typeof path === "string" ? path : Uint8Array.from(path)), expected);
  }
});

Deno.test("safeJson() is harmless on a terminal and parses back to the same value", () => {
  fc.assert(fc.property(hostileText, (text) => {
    const line = safeJson({ [text]: text });
    assert.doesNotMatch(line, HARMFUL);
    assert.deepEqual(JSON.parse(line), JSON.parse(JSON.stringify({ [text]: text })));
  }));
});

Deno.test("escapeLines() keeps line breaks and escapes the rest", () => {
  assert.equal(escapeLines("a\x1b\n  b"), "a\\x1b\n  b\n");
});

/** The inverse of escapePath(), written from its documentation. */
function unescape(escaped: string): number[] {
  const bytes: number[] = [];
  const encoder = new TextEncoder();
  const token = /\\(?:\\|n|r|t|x([0-9a-f]{2})|u\{([0-9a-f]+)\})|[^\\]/gu;
  for (const [match, byte, point] of escaped.matchAll(token)) {
    if (byte !== undefined) bytes.push(parseInt(byte, 16));
    else if (point !== undefined) {
      bytes.push(...encoder.encode(String.fromCodePoint(parseInt(point, 16))));
    } else bytes.push(...encoder.encode(SHORT[match] ?? match));
  }
  return bytes;
}

const SHORT: Record<string, string> = { "\\\\": "\\", "\\n": "\n", "\\r": "\r", "\\t": "\t" };
