import assert from "node:assert/strict";
import { equalBytes } from "../../src/base/bytes.ts";
import { spkiOfPublicKey } from "../../src/identity/ed25519.ts";
import { issueIdentity } from "../../src/identity/identity_file.ts";
import { createRotation, type KeyRotation, verifyRotation } from "../../src/identity/rotation.ts";
import { NOW_MS, refused } from "./trust_fixture.ts";

const OLD = await issueIdentity(NOW_MS);
const NEXT = await issueIdentity(NOW_MS);
const OTHER = await issueIdentity(NOW_MS);

Deno.test("verifyRotation() passes what createRotation() made, the same each time", () => {
  const rotation = createRotation(OLD, NEXT);
  assert.deepEqual(createRotation(OLD, NEXT), rotation);
  assert.deepEqual(verifyRotation(rotation, OLD.spki), {
    oldFingerprint: OLD.fingerprint,
    newFingerprint: NEXT.fingerprint,
    newSpki: NEXT.spki,
  });
});

Deno.test("createRotation() signs the label and both fingerprints, in that order", () => {
  const { signatureByOld, signatureByNew } = createRotation(OLD, NEXT);
  const message = new Uint8Array([
    ...new TextEncoder().encode("landropic-rotate/1"),
    ...OLD.fingerprint,
    ...NEXT.fingerprint,
  ]);
  assert.ok(equalBytes(OLD.sign(message), signatureByOld));
  assert.ok(equalBytes(NEXT.sign(message), signatureByNew));
});

Deno.test("verifyRotation() refuses a statement for another session, order, key or signature", () => {
  const good = createRotation(OLD, NEXT);
  const cases: [what: string, rotation: KeyRotation, oldSpki: Uint8Array][] = [
    ["another peer's session", good, OTHER.spki],
    ["the other direction", createRotation(NEXT, OLD), OLD.spki],
    ["another new key", { ...good, newSpki: OTHER.spki }, OLD.spki],
    ["no signature by the old key", { ...good, signatureByOld: good.signatureByNew }, OLD.spki],
    ["no signature by the new key", { ...good, signatureByNew: good.signatureByOld }, OLD.spki],
    ["an empty signature", { ...good, signatureByNew: new Uint8Array() }, OLD.spki],
    ["to itself", createRotation(OLD, OLD), OLD.spki],
    ["a key that is none", { ...good, newSpki: NEXT.spki.subarray(1) }, OLD.spki],
  ];
  for (const [what, rotation, oldSpki] of cases) {
    assert.throws(() => verifyRotation(rotation, oldSpki), refused("rotation_invalid"), what);
  }
});

Deno.test("verifyRotation() refuses a new key under which one signature fits everything", () => {
  const neutral = new Uint8Array(32);
  neutral[0] = 1;
  const newSpki = spkiOfPublicKey(neutral);
  const signatureByNew = new Uint8Array(64);
  signatureByNew[0] = 1;
  const rotation = { ...createRotation(OLD, NEXT), newSpki, signatureByNew };
  assert.throws(
    () => verifyRotation(rotation, OLD.spki),
    (error: Error) => /anyone/.test(error.message),
  );
});
