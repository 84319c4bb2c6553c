import assert from "node:assert/strict";
import { sign } from "node:crypto";
import { ed25519 } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import { type Bytes, fromHex } from "../../src/base/bytes.ts";
import {
  isWeakPublicKey,
  publicKeyOfSpki,
  spkiOfPublicKey,
  verifyEd25519,
} from "../../src/identity/ed25519.ts";
import { testKey } from "./certificate_fixture.ts";

const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

function littleEndian(value: bigint): Bytes {
  const bytes = new Uint8Array(32);
  for (let i = 0; i < 32; i++) bytes[i] = Number((value >> BigInt(8 * i)) & 0xffn);
  return bytes;
}

function bigintOf(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => value * 256n + BigInt(byte), 0n);
}

/** All points of order 1, 2, 4 and 8, by multiplying a point of full order by L. */
function smallOrderPoints() {
  const points = new Map<string, InstanceType<typeof ed25519.Point>>();
  for (let y = 2n; points.size < 8; y++) {
    let point;
    try {
      point = ed25519.Point.fromBytes(littleEndian(y));
    } catch {
      continue;
    }
    // L - 1 and once more: the library refuses the scalar L itself.
    const torsion = point.multiplyUnsafe(L - 1n).add(point);
    points.set(torsion.toHex(), torsion);
  }
  return [...points.values()];
}

Deno.test("isWeakPublicKey() knows every point whose order divides 8", () => {
  const points = smallOrderPoints();
  assert.equal(points.length, 8);
  for (const point of points) {
    assert.ok(point.isSmallOrder());
    assert.ok(isWeakPublicKey(point.toBytes()), point.toHex());
  }
});

Deno.test("isWeakPublicKey() agrees with noble's isSmallOrder() around every table entry", () => {
  const around = smallOrderPoints().flatMap((point) => {
    const y = bigintOf(point.toBytes()) & (2n ** 255n - 1n);
    return [y - 2n, y - 1n, y, y + 1n, y + 2n].filter((y) => y >= 0n && y < P);
  });
  let strong = 0;
  for (const y of around) {
    for (const sign of [0n, 1n << 255n]) {
      const bytes = littleEndian(y | sign);
      let isSmall;
      try {
        // zip215 also reads the spelling of x = 0 with its sign bit set.
        isSmall = ed25519.Point.fromBytes(bytes, true).isSmallOrder();
      } catch {
        continue;
      }
      if (!isSmall) strong++;
      assert.equal(isWeakPublicKey(bytes), isSmall, y.toString());
    }
  }
  assert.ok(strong > 0);
});

Deno.test("isWeakPublicKey() refuses every second spelling of a coordinate", () => {
  for (let y = P; y < 2n ** 255n; y++) {
    assert.ok(isWeakPublicKey(littleEndian(y)));
    assert.ok(isWeakPublicKey(littleEndian(y | (1n << 255n))));
  }
  // The last canonical y that is not minus one.
  assert.ok(!isWeakPublicKey(littleEndian(P - 2n)));
});

Deno.test("isWeakPublicKey() passes real keys and leaves its argument alone", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (seed) => {
      const publicKey = ed25519.getPublicKey(seed);
      const before = publicKey.slice();
      assert.ok(!isWeakPublicKey(publicKey));
      assert.deepEqual(publicKey, before);
    }),
    { numRuns: 50 },
  );
});

Deno.test("verifyEd25519() alone would take one signature for every message under a weak key", () => {
  // Why isWeakPublicKey() exists: R = the neutral point, S = 0 fits whatever is "signed".
  const spki = spkiOfPublicKey(littleEndian(1n));
  const signature = new Uint8Array(64);
  signature[0] = 1;
  for (const text of ["one", "two"]) {
    assert.ok(verifyEd25519({ spki, message: new TextEncoder().encode(text), signature }));
  }
  assert.ok(isWeakPublicKey(publicKeyOfSpki(spki)!));
});

Deno.test("verifyEd25519() takes a real signature and none of its neighbours", () => {
  const key = testKey();
  const message = new TextEncoder().encode("message");
  const signature = new Uint8Array(sign(null, message, key.privateKey));
  assert.ok(verifyEd25519({ spki: key.spki, message, signature }));
  assert.ok(!verifyEd25519({ spki: testKey().spki, message, signature }));
  assert.ok(!verifyEd25519({ spki: key.spki, message: message.subarray(1), signature }));
  assert.ok(!verifyEd25519({ spki: key.spki, message, signature: signature.subarray(1) }));
  // S + L fits the equation too; RFC 8032 section 5.1.7 refuses it.
  const twin = signature.slice();
  twin.set(littleEndian(bigintOf(signature.subarray(32)) + L), 32);
  assert.ok(!verifyEd25519({ spki: key.spki, message, signature: twin }));
});

Deno.test("verifyEd25519() returns false for a key that is no point, and for no key at all", () => {
  const message = new Uint8Array(3);
  const signature = new Uint8Array(64);
  const noPoint = spkiOfPublicKey(littleEndian(2n));
  assert.throws(() => ed25519.Point.fromBytes(littleEndian(2n)));
  assert.ok(!verifyEd25519({ spki: noPoint, message, signature }));
  assert.ok(!verifyEd25519({ spki: new Uint8Array(), message, signature }));
});

Deno.test("publicKeyOfSpki() reads Ed25519's one encoding only", () => {
  const { spki } = testKey();
  assert.deepEqual(spkiOfPublicKey(publicKeyOfSpki(spki)!), spki);
  for (let at = 0; at < 12; at++) {
    const changed = spki.slice();
    changed[at]! ^= 1;
    assert.equal(publicKeyOfSpki(changed), undefined);
  }
  assert.equal(publicKeyOfSpki(fromHex("302a")), undefined);
});
