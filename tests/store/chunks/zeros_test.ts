import assert from "node:assert/strict";
import fc from "fast-check";
import { sha256 } from "../../../src/base/digest.ts";
import { hashOfZeros, isZeros } from "../../../src/store/chunks/zeros.ts";

Deno.test("isZeros() finds a single set byte wherever it is, and only inside the range", () => {
  const length = 300_000;
  const bytes = new Uint8Array(length);
  const place = fc.nat(length - 1);
  fc.assert(fc.property(place, place, place, (set, a, b) => {
    const [from, to] = [Math.min(a, b), Math.max(a, b)];
    bytes[set] = 1;
    assert.equal(isZeros(bytes, from, to), set < from || set >= to);
    bytes[set] = 0;
    assert.equal(isZeros(bytes, from, to), true);
  }));
});

Deno.test("isZeros() holds for lengths around the native limit and the comparison piece", () => {
  for (const length of [0, 1, 63, 64, 65, 131_071, 131_072, 131_073]) {
    const bytes = new Uint8Array(length + 1);
    bytes[length] = 9;
    assert.equal(isZeros(bytes, 0, length), true);
    assert.equal(isZeros(bytes, 0, length + 1), false);
  }
});

Deno.test("hashOfZeros() is SHA-256 of that many zeros", () => {
  for (const length of [0, 1, 131_072, 131_072]) {
    assert.deepStrictEqual(hashOfZeros(length), sha256(new Uint8Array(length)));
  }
});
