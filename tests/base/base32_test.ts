import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeBase32, encodeBase32 } from "../../src/base/base32.ts";
import { utf8 } from "../../src/base/bytes.ts";

Deno.test("encodeBase32() gives the vectors of RFC 4648 section 10, without padding", () => {
  const vectors: [string, string][] = [
    ["", ""],
    ["f", "MY"],
    ["fo", "MZXQ"],
    ["foo", "MZXW6"],
    ["foob", "MZXW6YQ"],
    ["fooba", "MZXW6YTB"],
    ["foobar", "MZXW6YTBOI"],
  ];
  for (const [text, encoded] of vectors) {
    assert.equal(encodeBase32(utf8(text)), encoded);
    assert.deepEqual(decodeBase32(encoded), utf8(text));
  }
});

Deno.test("decodeBase32() reads back what encodeBase32() wrote, in either case", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
    const text = encodeBase32(bytes);
    assert.deepEqual(decodeBase32(text), new Uint8Array(bytes));
    assert.deepEqual(decodeBase32(text.toLowerCase()), new Uint8Array(bytes));
  }));
});

Deno.test("decodeBase32() accepts one spelling of a byte string and no other", () => {
  for (const text of ["MZ", "M", "MZX", "MZXW6Y", "MY==", "M Y", "M1", "M-", "ſy"]) {
    assert.equal(decodeBase32(text), undefined, text);
  }
  fc.assert(fc.property(fc.string({ maxLength: 30 }), (text) => {
    const bytes = decodeBase32(text);
    if (bytes) assert.equal(encodeBase32(bytes), text.toUpperCase());
  }));
});
