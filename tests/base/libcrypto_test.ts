import assert from "node:assert/strict";
import fc from "fast-check";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { Libcrypto, libcrypto } from "../../src/base/libcrypto.ts";

const library = libcrypto();
const whereThereIsOne = { ignore: library === undefined };
const parts = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 });

Deno.test("Libcrypto.open() finds no library where there is none, or another", () => {
  assert.equal(Libcrypto.open(["libnosuch.so.0", "libc.so.6"]), undefined);
});

Deno.test({
  name: "Libcrypto computes SHA-256 as node:crypto does, one after the other",
  ...whereThereIsOne,
  fn() {
    fc.assert(fc.property(parts, fc.uint8Array({ maxLength: 9000 }), (pieces, one) => {
      const state = createHash("sha256");
      for (const piece of pieces) state.update(piece);
      assert.equal(library!.sha256(pieces).toHex(), state.digest("hex"));
      assert.equal(library!.sha256One(one).toHex(), createHash("sha256").update(one).digest("hex"));
    }));
    const large = crypto.getRandomValues(new Uint8Array(60_000));
    const view = large.subarray(1001, 50_002);
    assert.equal(library!.sha256One(view).toHex(), createHash("sha256").update(view).digest("hex"));
  },
});

Deno.test({
  name: "Libcrypto derives and verifies with Ed25519 as node:crypto does",
  ...whereThereIsOne,
  fn() {
    for (const length of [0, 1, 500]) {
      const { privateKey, publicKey } = generateKeyPairSync("ed25519");
      const seed = new Uint8Array(privateKey.export({ format: "der", type: "pkcs8" })).subarray(16);
      const key = new Uint8Array(publicKey.export({ format: "der", type: "spki" })).subarray(12);
      assert.deepEqual(library!.ed25519PublicKey(seed), key);
      const message = crypto.getRandomValues(new Uint8Array(length));
      const signature = new Uint8Array(sign(null, message, privateKey));
      const good = { publicKey: key, message, signature };
      assert.equal(library!.verifyEd25519(good), true);
      for (let bit = 0; bit < 512; bit += 7) {
        const bad = signature.slice();
        bad[bit >> 3]! ^= 1 << (bit & 7);
        assert.equal(library!.verifyEd25519({ ...good, signature: bad }), false);
      }
      const other = Uint8Array.of(...message, 1);
      assert.equal(library!.verifyEd25519({ ...good, message: other }), false);
      assert.equal(library!.verifyEd25519({ ...good, signature: signature.subarray(1) }), false);
    }
  },
});

Deno.test({
  name: "Libcrypto has nothing to say of keys that are none",
  ...whereThereIsOne,
  fn() {
    assert.equal(library!.ed25519PublicKey(new Uint8Array(31)), undefined);
    const short = new Uint8Array(31);
    const [message, signature] = [new Uint8Array(3), new Uint8Array(64)];
    assert.equal(library!.verifyEd25519({ publicKey: short, message, signature }), undefined);
  },
});
