import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { type Bytes, equalBytes, fromHex } from "../../src/base/bytes.ts";
import { issueCertificate } from "../../src/identity/certificate_issuer.ts";
import {
  CLOCK_SLACK_MS,
  type HandshakePeer,
  type PeerPolicy,
  verifyPeer,
} from "../../src/identity/certificate_verifier.ts";
import { deviceIdFromFingerprint, fingerprintOfSpki } from "../../src/identity/device_id.ts";
import { spkiOfPublicKey } from "../../src/identity/ed25519.ts";
import { IdentityError, type IdentityReason } from "../../src/identity/identity_error.ts";
import {
  buildCertificate,
  extension,
  extensions,
  name,
  type TestKey,
  testKey,
} from "./certificate_fixture.ts";

const ALPN = "landropic/1";
const PEER = testKey();
const OWN = testKey();
const OTHER = testKey();
const NOW_MS = Date.UTC(2026, 10, 22);
const NOT_BEFORE_MS = Date.UTC(2026, 0, 1);
const NOT_AFTER_MS = Date.UTC(2035, 11, 31, 23, 59, 59);
const CERTIFICATE = buildCertificate(PEER);

function fingerprintOfKey(key: TestKey): Bytes {
  return fingerprintOfSpki(key.spki);
}

function handshake(changes: Partial<HandshakePeer> = {}): HandshakePeer {
  return {
    certificates: [CERTIFICATE],
    alpn: ALPN,
    resumed: false,
    earlyData: false,
    remote: { host: "fe80::1", port: 9876 },
    role: "server",
    ...changes,
  };
}

function policy(changes: Partial<PeerPolicy> = {}): PeerPolicy {
  return {
    ownFingerprint: fingerprintOfKey(OWN),
    expectedAlpns: [ALPN],
    trust: (fingerprint) => equalBytes(fingerprint, fingerprintOfKey(PEER)) ? "trusted" : undefined,
    nowMs: NOW_MS,
    ...changes,
  };
}

function assertRefused(peer: HandshakePeer, demanded: PeerPolicy, reason: IdentityReason): void {
  assert.throws(() => verifyPeer(peer, demanded), (error) => {
    assert.ok(error instanceof IdentityError, String(error));
    assert.equal(error.reason, reason, error.message);
    assert.equal(error.code, "peer_untrusted");
    assert.match(error.message, /^Refused \[fe80::1\]:9876: /);
    return true;
  });
}

Deno.test("verifyPeer() passes a trusted device and returns copies of its key", () => {
  const buffer = CERTIFICATE.slice();
  const peer = verifyPeer(handshake({ certificates: [buffer], role: "client" }), policy());
  buffer.fill(0);
  assert.deepEqual(peer, {
    id: deviceIdFromFingerprint(fingerprintOfKey(PEER)),
    fingerprint: fingerprintOfKey(PEER),
    spki: PEER.spki,
    alpn: ALPN,
    remote: { host: "fe80::1", port: 9876 },
    role: "client",
    isOutsideValidity: false,
  });
});

Deno.test("verifyPeer() passes a re-issued certificate of the same key", async () => {
  const pkcs8 = new Uint8Array(PEER.privateKey.export({ format: "der", type: "pkcs8" }));
  const first = await issueCertificate({ pkcs8, spki: PEER.spki }, NOT_BEFORE_MS);
  const second = await issueCertificate({ pkcs8, spki: PEER.spki }, NOW_MS);
  assert.notDeepEqual(first, second);
  assert.deepEqual(
    verifyPeer(handshake({ certificates: [first] }), policy()),
    verifyPeer(handshake({ certificates: [second] }), policy()),
  );
});

Deno.test("verifyPeer() refuses a resumed session and early data before anything else", () => {
  assertRefused(handshake({ resumed: true, certificates: [] }), policy(), "resumed");
  assertRefused(handshake({ resumed: true }), policy({ trust: "pairing" }), "resumed");
  assertRefused(handshake({ earlyData: true }), policy(), "early_data");
});

Deno.test("verifyPeer() demands one of the expected protocols, to the letter", () => {
  for (const alpn of ["", "landropic/10", "landropic/", "LANDROPIC/1", "landropic-pair/1"]) {
    assertRefused(handshake({ alpn }), policy(), "wrong_alpn");
  }
  assertRefused(handshake(), policy({ expectedAlpns: [] }), "wrong_alpn");
  verifyPeer(handshake({ alpn: "b" }), policy({ expectedAlpns: ["a", "b"] }));
});

Deno.test("verifyPeer() demands exactly one certificate", () => {
  assertRefused(handshake({ certificates: [] }), policy(), "no_certificate");
  const chain = [CERTIFICATE, buildCertificate(OTHER)];
  assertRefused(handshake({ certificates: chain }), policy(), "chain_length");
  assertRefused(handshake({ certificates: [CERTIFICATE, CERTIFICATE] }), policy(), "chain_length");
});

Deno.test("verifyPeer() refuses certificates that are not of the one form, with the parser's reason", () => {
  const cases: [IdentityReason, Bytes][] = [
    ["certificate_malformed", CERTIFICATE.subarray(0, 100)],
    ["certificate_malformed", new Uint8Array()],
    ["certificate_too_large", new Uint8Array(2049)],
    ["certificate_version", buildCertificate(PEER, { version: new Uint8Array() })],
    [
      "unknown_critical_extension",
      buildCertificate(PEER, { afterSpki: extensions(extension("2a0304", { critical: true })) }),
    ],
    ["unsupported_signature", buildCertificate(PEER, { algorithm: fromHex("300506032b6571") })],
  ];
  for (const [reason, certificate] of cases) {
    assertRefused(handshake({ certificates: [certificate] }), policy({ trust: "pairing" }), reason);
  }
});

Deno.test("verifyPeer() refuses a P-256 certificate of the X.509 library", async () => {
  await import("reflect-metadata");
  const { X509CertificateGenerator } = await import("@peculiar/x509");
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: "CN=landropic",
    notBefore: new Date(NOT_BEFORE_MS),
    notAfter: new Date(NOT_AFTER_MS),
    signingAlgorithm: algorithm,
    keys,
  });
  const certificates = [new Uint8Array(certificate.rawData)];
  assertRefused(handshake({ certificates }), policy({ trust: "pairing" }), "unsupported_signature");
  // The same key in a certificate that claims Ed25519.
  const spki = new Uint8Array(
    generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({
      format: "der",
      type: "spki",
    }),
  );
  assertRefused(
    handshake({ certificates: [buildCertificate(PEER, { spki })] }),
    policy({ trust: "pairing" }),
    "unsupported_key",
  );
});

Deno.test("verifyPeer() refuses a key under which one signature fits everything", () => {
  const neutral = new Uint8Array(32);
  neutral[0] = 1;
  const signature = new Uint8Array(64);
  signature[0] = 1;
  const certificate = buildCertificate(PEER, { spki: spkiOfPublicKey(neutral), signature });
  assertRefused(
    handshake({ certificates: [certificate] }),
    policy({ trust: "pairing" }),
    "weak_key",
  );
});

Deno.test("verifyPeer() refuses a certificate issued by another, or not signed with its own key", () => {
  const refused = (parts: Parameters<typeof buildCertificate>[1], reason: IdentityReason) =>
    assertRefused(
      handshake({ certificates: [buildCertificate(PEER, parts)] }),
      policy({ trust: "pairing" }),
      reason,
    );
  refused({ issuer: name("someone") }, "issuer_mismatch");
  refused({ issuer: name("someone"), signer: OTHER.privateKey }, "issuer_mismatch");
  refused({ signer: OTHER.privateKey }, "self_signature");
  refused({ signature: new Uint8Array(64) }, "self_signature");
});

Deno.test("verifyPeer() refuses a certificate with any one bit changed", () => {
  for (let at = 0; at < CERTIFICATE.length; at++) {
    const certificate = CERTIFICATE.slice();
    certificate[at]! ^= 1 << (at % 8);
    assert.throws(
      () => verifyPeer(handshake({ certificates: [certificate] }), policy({ trust: "pairing" })),
      (error) => error instanceof IdentityError && error.code === "peer_untrusted",
      `byte ${at}`,
    );
  }
});

Deno.test("verifyPeer() allows a day of clock skew on both ends, not a millisecond more", () => {
  const at = (nowMs: number) => verifyPeer(handshake(), policy({ nowMs })).isOutsideValidity;
  assert.equal(at(NOT_BEFORE_MS), false);
  assert.equal(at(NOT_AFTER_MS), false);
  assert.equal(at(NOT_BEFORE_MS - 1), true);
  assert.equal(at(NOT_AFTER_MS + 1), true);
  assert.equal(at(NOT_BEFORE_MS - CLOCK_SLACK_MS), true);
  assert.equal(at(NOT_AFTER_MS + CLOCK_SLACK_MS), true);
  const early = policy({ nowMs: NOT_BEFORE_MS - CLOCK_SLACK_MS - 1 });
  const late = policy({ nowMs: NOT_AFTER_MS + CLOCK_SLACK_MS + 1 });
  assertRefused(handshake(), early, "not_yet_valid");
  assertRefused(handshake(), late, "expired");
  assertRefused(handshake(), policy({ nowMs: NaN }), "expired");
});

Deno.test("verifyPeer() refuses this device itself, even if told to trust it", () => {
  const certificates = [buildCertificate(OWN)];
  assertRefused(handshake({ certificates }), policy({ trust: () => "trusted" }), "own_device");
  assertRefused(handshake({ certificates }), policy({ trust: "pairing" }), "own_device");
});

Deno.test("verifyPeer() refuses a trusted device that is not the one dialled", () => {
  const expectedFingerprints = [fingerprintOfKey(OTHER)];
  assertRefused(handshake({ role: "client" }), policy({ expectedFingerprints }), "wrong_device");
  const none = policy({ expectedFingerprints: [] });
  assertRefused(handshake({ role: "client" }), none, "wrong_device");
  // Both keys of a device that is rotating are the one dialled.
  verifyPeer(
    handshake({ role: "client" }),
    policy({ expectedFingerprints: [fingerprintOfKey(OTHER), fingerprintOfKey(PEER)] }),
  );
});

Deno.test("verifyPeer() pins the key of an invitation while pairing", () => {
  const pinned = (key: TestKey) =>
    policy({ trust: "pairing", expectedFingerprints: [fingerprintOfKey(key)] });
  verifyPeer(handshake(), pinned(PEER));
  assertRefused(handshake(), pinned(OTHER), "wrong_device");
});

Deno.test("verifyPeer() refuses unknown and revoked devices, dialled or not", () => {
  assertRefused(handshake(), policy({ trust: () => undefined }), "unknown_device");
  assertRefused(handshake(), policy({ trust: () => "revoked" }), "revoked");
  const expectedFingerprints = [fingerprintOfKey(PEER)];
  assertRefused(
    handshake(),
    policy({ trust: () => "revoked", expectedFingerprints }),
    "revoked",
  );
  assertRefused(
    handshake(),
    policy({ trust: () => undefined, expectedFingerprints }),
    "unknown_device",
  );
});

Deno.test("verifyPeer() skips only the trust step while pairing", () => {
  const stranger = handshake({ certificates: [buildCertificate(OTHER)] });
  assert.deepEqual(verifyPeer(stranger, policy({ trust: "pairing" })).spki, OTHER.spki);
  assertRefused(stranger, policy(), "unknown_device");
});

Deno.test("verifyPeer() names the whole device id and what to do", () => {
  const stranger = handshake({ certificates: [buildCertificate(OTHER)] });
  assert.throws(() => verifyPeer(stranger, policy()), (error) => {
    assert.ok(error instanceof IdentityError);
    assert.ok(error.message.includes(deviceIdFromFingerprint(fingerprintOfKey(OTHER))));
    assert.match(error.hint!, /landropic pair/);
    return true;
  });
});
