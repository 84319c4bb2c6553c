import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeUtf8, utf8 } from "../../src/base/bytes.ts";

Deno.test("decodeUtf8() agrees with a strict TextDecoder, whatever the length", () => {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const text = fc.string({ unit: "binary", maxLength: 300 }).map(utf8);
  const ascii = fc.string({ maxLength: 300 }).map(utf8);
  const bytes = fc.uint8Array({ maxLength: 300 });
  fc.assert(fc.property(fc.oneof(text, ascii, bytes), fc.nat(8), (bytes, offset) => {
    // A view into something longer, as names in a page are.
    const whole = new Uint8Array(offset + bytes.length + 3).fill(0x41);
    whole.set(bytes, offset);
    let expected: string | undefined;
    try {
      expected = strict.decode(bytes);
    } catch {
      expected = undefined;
    }
    assert.equal(decodeUtf8(whole.subarray(offset, offset + bytes.length)), expected);
  }));
});
