import assert from "node:assert/strict";
import fc from "fast-check";
import { fromHex, toHex } from "../../src/base/bytes.ts";
import {
  bumpVector,
  compareVectors,
  decodeVector,
  editedVector,
  EMPTY_VECTOR,
  encodeVector,
  mergeVectors,
  parseVectorMember,
  VECTOR_MEMBERS_MAX,
  type VectorMember,
  vectorMember,
  type VersionVector,
} from "../../src/base/version_vector.ts";

const member = (n: number) => n.toString(16).padStart(16, "0") as VectorMember;

// Few members and small counters, so that equal and comparable pairs come up often.
const vectors: fc.Arbitrary<VersionVector> = fc
  .uniqueArray(
    fc.record(
      { member: fc.nat(5).map(member), counter: fc.integer({ min: 1, max: 3 }) },
      { noNullPrototype: true },
    ),
    { selector: (item) => item.member, maxLength: 5 },
  )
  .map((items) => items.sort((a, b) => (a.member < b.member ? -1 : 1)));

/** The definition, without cleverness: a sees b if no counter of b is larger. */
function sees(a: VersionVector, b: VersionVector): boolean {
  const counters = new Map(a.map((item) => [item.member, item.counter]));
  return b.every((item) => (counters.get(item.member) ?? 0) >= item.counter);
}

Deno.test("compareVectors() agrees with the definition of seeing", () => {
  fc.assert(fc.property(vectors, vectors, (a, b) => {
    const expected = sees(a, b)
      ? sees(b, a) ? "equal" : "dominates"
      : sees(b, a)
      ? "dominated"
      : "concurrent";
    assert.equal(compareVectors(a, b), expected);
  }));
});

Deno.test("compareVectors() is equal only for the same items", () => {
  fc.assert(fc.property(vectors, vectors, (a, b) => {
    const same = toHex(encodeVector(a)) === toHex(encodeVector(b));
    assert.equal(compareVectors(a, b) === "equal", same);
  }));
});

Deno.test("mergeVectors() is the least vector that has seen both", () => {
  fc.assert(fc.property(vectors, vectors, vectors, (a, b, other) => {
    const merged = mergeVectors(a, b);
    assert.ok(sees(merged, a) && sees(merged, b));
    if (sees(other, a) && sees(other, b)) assert.ok(sees(other, merged));
    assert.deepEqual(mergeVectors(b, a), merged);
    assert.deepEqual(decodeVector(encodeVector(merged)), merged);
  }));
});

Deno.test("bumpVector() dominates the old vector and keeps the order", () => {
  fc.assert(fc.property(vectors, fc.nat(5).map(member), (vector, who) => {
    const bumped = bumpVector(vector, who);
    assert.equal(compareVectors(bumped, vector), "dominates");
    assert.deepEqual(decodeVector(encodeVector(bumped)), bumped);
  }));
});

Deno.test("bumpVector() counts on from its own number or from the least it is given", () => {
  const once = bumpVector(EMPTY_VECTOR, member(1));
  assert.deepEqual(once, [{ member: member(1), counter: 1 }]);
  assert.deepEqual(bumpVector(once, member(1), 9), [{ member: member(1), counter: 9 }]);
  assert.deepEqual(bumpVector(once, member(1), 1), [{ member: member(1), counter: 2 }]);
  // Forgotten and made anew: what was there before must not dominate.
  const anew = bumpVector(EMPTY_VECTOR, member(1), 10);
  assert.equal(compareVectors(anew, bumpVector(once, member(1), 9)), "dominates");
});

Deno.test("bumpVector() by two members makes concurrent versions", () => {
  fc.assert(fc.property(vectors, (vector) => {
    const a = bumpVector(vector, member(100));
    const b = bumpVector(vector, member(200));
    assert.equal(compareVectors(a, b), "concurrent");
  }));
});

Deno.test("encodeVector() has the documented bytes", () => {
  const vector = [
    { member: parseVectorMember("00112233445566ff")!, counter: 1 },
    { member: parseVectorMember("ff00000000000001")!, counter: 0x1234 },
  ];
  const bytes = fromHex(`
    02
    00112233445566ff 01
    ff00000000000001 5234
  `);
  assert.deepEqual(encodeVector(vector), bytes);
  assert.deepEqual(decodeVector(bytes), vector);
  assert.deepEqual(encodeVector(EMPTY_VECTOR), fromHex("00"));
});

Deno.test("decodeVector() takes the limit of members and refuses one more", () => {
  const full = Array.from({ length: VECTOR_MEMBERS_MAX }, (_, i) => ({
    member: member(i),
    counter: Number.MAX_SAFE_INTEGER,
  }));
  assert.deepEqual(decodeVector(encodeVector(full)), full);
  const over = encodeVector([...full, { member: member(999), counter: 1 }]);
  assert.throws(() => decodeVector(over), RangeError);
  assert.throws(() => bumpVector(full, member(999)), RangeError);
  assert.throws(() => mergeVectors(full, [{ member: member(999), counter: 1 }]), RangeError);
  assert.throws(() => bumpVector(full, member(0)), RangeError);
});

Deno.test("editedVector() knows nothing rather than too little where a vector is full", () => {
  const full = Array.from({ length: VECTOR_MEMBERS_MAX }, (_, i) => ({
    member: member(i),
    counter: Number.MAX_SAFE_INTEGER,
  }));
  assert.deepEqual(editedVector(full, member(999), 5), EMPTY_VECTOR);
  assert.deepEqual(editedVector(full, member(0), 5), EMPTY_VECTOR);
  const [first] = full;
  const fits = editedVector([first!], member(999), 5);
  assert.deepEqual(fits, bumpVector([first!], member(999), 5));
});

Deno.test("decodeVector() refuses disorder, doubles, zero counters, early ends and trailing bytes", () => {
  const refused = [
    "02 0000000000000002 01 0000000000000001 01",
    "02 0000000000000001 01 0000000000000001 02",
    "01 0000000000000001 00",
    "01 00000000000000",
    "01 0000000000000001",
    "01 0000000000000001 01 00",
    "",
    "ffffffffffffffff",
  ];
  for (const hex of refused) assert.throws(() => decodeVector(fromHex(hex)), RangeError, hex);
});

Deno.test("decodeVector() of any bytes either refuses or reads a vector in order", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
    let vector: VersionVector;
    try {
      vector = decodeVector(bytes);
    } catch (error) {
      assert.ok(error instanceof RangeError);
      return;
    }
    for (let i = 1; i < vector.length; i++) assert.ok(vector[i - 1]!.member < vector[i]!.member);
    assert.deepEqual(decodeVector(encodeVector(vector)), vector);
  }));
});

Deno.test("vectorMember() differs by device, by epoch, and by where one ends", () => {
  const members = new Set([
    vectorMember("device", "epoch"),
    vectorMember("device", "epoch2"),
    vectorMember("device2", "epoch"),
    vectorMember("deviceepoch", ""),
  ]);
  assert.equal(members.size, 4);
  for (const one of members) assert.equal(parseVectorMember(one), one);
  assert.equal(parseVectorMember("00112233445566FF"), undefined);
  assert.equal(parseVectorMember("0011"), undefined);
});
