/** What system libraries do where they are, without them: run by without_libraries_test.ts. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";

const { dlopen } = Deno;
let refused = 0;
Deno.dlopen = ((path: string, symbols: Deno.ForeignLibraryInterface) => {
  if (!/lib(crypto|zstd)/.test(path)) return dlopen(path, symbols);
  refused++;
  throw new Error(`no ${path}`);
}) as typeof dlopen;

const { isHashOf, sha256, sha256Into, sha256Of } = await import("../../src/base/digest.ts");
const { zstd } = await import("../../src/base/zstd.ts");
const { signEd25519, spkiOfPkcs8, verifyEd25519 } = await import("../../src/identity/ed25519.ts");

const ABC = new TextEncoder().encode("abc");
const HASH = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
assert.equal(sha256(ABC).toHex(), HASH);
assert.equal(sha256Of([ABC.subarray(0, 1), ABC.subarray(1)]).toHex(), HASH);
const into = new Uint8Array(40);
sha256Into(into, 5, ABC);
assert.equal(into.subarray(5, 37).toHex(), HASH);
assert.ok(isHashOf(sha256(ABC), ABC));

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const pkcs8 = new Uint8Array(privateKey.export({ format: "der", type: "pkcs8" }));
const spki = new Uint8Array(publicKey.export({ format: "der", type: "spki" }));
assert.deepEqual(spkiOfPkcs8(pkcs8), spki);
const signature = signEd25519(pkcs8, ABC);
assert.ok(verifyEd25519({ spki, message: ABC, signature }));
assert.ok(!verifyEd25519({ spki, message: into, signature }));

const frame = new Uint8Array(2000);
const raw = new Uint8Array(1000).fill(7);
const length = zstd.compress(raw, frame)!;
const back = new Uint8Array(1001);
assert.equal(zstd.decompress(frame.subarray(0, length), back), 1000);
assert.deepEqual(back.subarray(0, 1000), raw);

if (Deno.build.os === "linux") assert.ok(refused >= 2, "it did not ask for the libraries");
console.log("done");
