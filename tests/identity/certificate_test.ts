import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { type Bytes, concat, fromHex } from "../../src/base/bytes.ts";
import { CERTIFICATE_BYTES_MAX, parseCertificate } from "../../src/identity/certificate.ts";
import {
  CERTIFICATE_LIFETIME_MS,
  issueCertificate,
} from "../../src/identity/certificate_issuer.ts";
import { IdentityError, type IdentityReason } from "../../src/identity/identity_error.ts";
import {
  buildCertificate,
  CN_LANDROPIC,
  der,
  derText,
  extension,
  extensions,
  name,
  testKey,
} from "./certificate_fixture.ts";

const KEY = testKey();
const NOW_MS = Date.UTC(2026, 10, 22, 20, 0, 0);

function assertRefused(certificate: Bytes, reason: IdentityReason, message?: string): void {
  assert.throws(() => parseCertificate(certificate), (error) => {
    assert.ok(error instanceof IdentityError, String(error));
    assert.equal(error.reason, reason, message);
    assert.equal(error.code, "peer_untrusted");
    return true;
  }, message);
}

function issueFor(key: typeof KEY, nowMs: number): Promise<Bytes> {
  const pkcs8 = new Uint8Array(key.privateKey.export({ format: "der", type: "pkcs8" }));
  return issueCertificate({ pkcs8, spki: key.spki }, nowMs);
}

Deno.test("parseCertificate() reads what issueCertificate() made", async () => {
  const certificate = parseCertificate(await issueFor(KEY, NOW_MS));
  assert.deepEqual(certificate.spki, KEY.spki);
  assert.deepEqual(certificate.publicKey, KEY.spki.subarray(12));
  assert.equal(certificate.notBeforeMs, NOW_MS);
  assert.equal(certificate.notAfterMs, NOW_MS + CERTIFICATE_LIFETIME_MS);
  assert.deepEqual(certificate.issuer, certificate.subject);
  assert.ok(certificate.signature.length === 64);
});

Deno.test("parseCertificate() agrees with the X.509 library on every field, before and after 2050", async () => {
  await import("reflect-metadata");
  const { X509Certificate } = await import("@peculiar/x509");
  for (const year of [1950, 1970, 2026, 2039, 2041, 2050, 2400, 9995]) {
    const der = await issueFor(KEY, Date.UTC(year, 1, 28, 23, 59, 59));
    const theirs = new X509Certificate(der);
    const ours = parseCertificate(der);
    assert.equal(ours.notBeforeMs, theirs.notBefore.getTime());
    assert.equal(ours.notAfterMs, theirs.notAfter.getTime());
    assert.deepEqual(ours.spki, new Uint8Array(theirs.publicKey.rawData));
    assert.deepEqual(ours.signature, new Uint8Array(theirs.signature));
    assert.equal(theirs.subject, "CN=landropic");
    assert.equal(theirs.issuer, "CN=landropic");
    assert.equal(await theirs.verify({ signatureOnly: true }), true);
  }
});

Deno.test("issueCertificate() takes a new serial each time and puts no device name inside", async () => {
  const first = await issueFor(KEY, NOW_MS);
  const second = await issueFor(KEY, NOW_MS);
  assert.notDeepEqual(first, second);
  // Behind two sequence headers and the version come tag 02, length 16, the serial.
  assert.notDeepEqual(first.subarray(10, 28), second.subarray(10, 28));
  assert.ok(!new TextDecoder("latin1").decode(first).includes(Deno.hostname()));
});

Deno.test("parseCertificate() reads a plain certificate without extensions", () => {
  const certificate = parseCertificate(buildCertificate(KEY));
  assert.equal(certificate.notBeforeMs, Date.UTC(2026, 0, 1));
  assert.equal(certificate.notAfterMs, Date.UTC(2035, 11, 31, 23, 59, 59));
});

Deno.test("parseCertificate() passes unknown extensions that are not critical, and no critical one", () => {
  const unknown = "2a0304";
  parseCertificate(buildCertificate(KEY, { afterSpki: extensions(extension(unknown, {})) }));
  assertRefused(
    buildCertificate(KEY, { afterSpki: extensions(extension(unknown, { critical: true })) }),
    "unknown_critical_extension",
  );
});

Deno.test("parseCertificate() refuses every version but 3", () => {
  for (const version of ["", "a003020100", "a003020101", "a003020103", "a00402020002"]) {
    assertRefused(buildCertificate(KEY, { version: fromHex(version) }), "certificate_version");
  }
});

Deno.test("parseCertificate() refuses other keys and other signatures", () => {
  const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
  const spki = new Uint8Array(p256.export({ format: "der", type: "spki" }));
  assertRefused(buildCertificate(KEY, { spki }), "unsupported_key");
  // Ed25519 with NULL parameters, Ed448, and a key one byte short or long.
  const raw = KEY.spki.subarray(12);
  const spkiOf = (algorithm: string, key: Uint8Array) =>
    der(0x30, fromHex(algorithm), der(0x03, new Uint8Array([0]), key));
  for (
    const spki of [
      spkiOf("300706032b65700500", raw),
      spkiOf("300506032b6571", raw),
      spkiOf("300506032b6570", raw.subarray(1)),
      spkiOf("300506032b6570", concat([raw, raw.subarray(0, 1)])),
      der(0x30, fromHex("300506032b6570"), der(0x03, new Uint8Array([1]), raw)),
    ]
  ) assertRefused(buildCertificate(KEY, { spki }), "unsupported_key");
  const ecdsaWithSha256 = fromHex("300a06082a8648ce3d040302");
  assertRefused(buildCertificate(KEY, { algorithm: ecdsaWithSha256 }), "unsupported_signature");
  assertRefused(
    buildCertificate(KEY, { outerAlgorithm: ecdsaWithSha256 }),
    "unsupported_signature",
  );
});

Deno.test("parseCertificate() refuses a key that may not sign", () => {
  const usage = (value: string) =>
    buildCertificate(KEY, {
      afterSpki: extensions(extension("551d0f", { critical: true, value: fromHex(value) })),
    });
  parseCertificate(usage("03020780")); // digitalSignature
  parseCertificate(usage("0303078080")); // and decipherOnly
  assertRefused(usage("03020204"), "unsupported_key"); // keyCertSign only
  for (
    const bad of ["0300", "030100", "03020080", "03020880", "030206c1", "0302078000", "0303070080"]
  ) {
    assert.throws(() => parseCertificate(usage(bad)), IdentityError, bad);
  }
});

Deno.test("parseCertificate() refuses each field that is not strict DER", () => {
  const malformed: Record<string, Bytes> = {
    "empty input": new Uint8Array(),
    "not a sequence": fromHex("0500"),
    "bytes behind the certificate": concat([buildCertificate(KEY), new Uint8Array(1)]),
    "bytes behind the signature": buildCertificate(KEY, { afterSignature: fromHex("0500") }),
    "serial zero": buildCertificate(KEY, { serial: fromHex("020100") }),
    "serial negative": buildCertificate(KEY, { serial: fromHex("020180") }),
    "serial padded": buildCertificate(KEY, { serial: fromHex("02020001") }),
    "serial empty": buildCertificate(KEY, { serial: fromHex("0200") }),
    "serial of 21 bytes": buildCertificate(KEY, { serial: der(2, new Uint8Array(21).fill(1)) }),
    "empty name": buildCertificate(KEY, { issuer: fromHex("3000"), subject: fromHex("3000") }),
    "empty part of a name": buildCertificate(KEY, { issuer: fromHex("30023100") }),
    "name that is no text": buildCertificate(KEY, {
      subject: fromHex("300f310d300b06035504030404deadbeef"),
    }),
    "name not UTF-8": buildCertificate(KEY, { subject: fromHex("300d310b300906035504030c02c328") }),
    "serial with a long length": buildCertificate(KEY, { serial: fromHex("02810101") }),
    "serial with a longer length": buildCertificate(KEY, { serial: fromHex("0282000101") }),
    "two versions": buildCertificate(KEY, { version: fromHex("a006020102020102") }),
    "three times": buildCertificate(KEY, {
      notAfter: concat([derText(0x17, "351231235959Z"), derText(0x17, "361231235959Z")]),
    }),
    "two values of a name": buildCertificate(KEY, {
      subject: fromHex("300f310d300b06035504030c01610c0162"),
    }),
    "field behind the extensions": buildCertificate(KEY, {
      afterSpki: concat([extensions(extension("2a0304", {})), fromHex("0500")]),
    }),
    "two values of an extension": buildCertificate(KEY, {
      afterSpki: extensions(fromHex("300d06032a0304040205000402" + "0500")),
    }),
    "two lists of extensions": buildCertificate(KEY, {
      afterSpki: der(0xa3, der(0x30, extension("2a0304", {})), der(0x30, extension("2a0305", {}))),
    }),
    "unique identifier": buildCertificate(KEY, { afterSpki: fromHex("81020041") }),
    "empty extensions": buildCertificate(KEY, { afterSpki: extensions() }),
    "extension twice": buildCertificate(KEY, {
      afterSpki: extensions(extension("2a0304", {}), extension("2a0304", {})),
    }),
    "17 extensions": buildCertificate(KEY, {
      afterSpki: extensions(
        ...Array.from(
          { length: 17 },
          (_, i) => extension(`2a03${(i + 1).toString(16).padStart(2, "0")}`, {}),
        ),
      ),
    }),
    "critical FALSE written out": buildCertificate(KEY, {
      afterSpki: extensions(fromHex("300c06032a03040101000402" + "0500")),
    }),
    "critical 0x01": buildCertificate(KEY, {
      afterSpki: extensions(fromHex("300c06032a03040101010402" + "0500")),
    }),
    "padded OID": buildCertificate(KEY, { afterSpki: extensions(extension("2a800304", {})) }),
    "unfinished OID": buildCertificate(KEY, { afterSpki: extensions(extension("2a0384", {})) }),
    "signature of 63 bytes": buildCertificate(KEY, { signature: new Uint8Array(63) }),
    "signature of 65 bytes": buildCertificate(KEY, { signature: new Uint8Array(65) }),
    "validity backwards": buildCertificate(KEY, {
      notBefore: derText(0x17, "351231235959Z"),
      notAfter: derText(0x17, "260101000000Z"),
    }),
  };
  for (const [what, certificate] of Object.entries(malformed)) {
    assertRefused(certificate, "certificate_malformed", what);
  }
});

Deno.test("parseCertificate() refuses times that are not DER's one spelling or no date", () => {
  const times: [tag: number, text: string][] = [
    [0x17, "2601010000Z"],
    [0x17, "260101000000"],
    [0x17, "260101000000+0000"],
    [0x17, "261301000000Z"],
    [0x17, "260230000000Z"],
    [0x17, "260101240000Z"],
    [0x17, "260101000060Z"],
    [0x17, "26010100000٠Z"],
    [0x18, "20260101000000Z"], // before 2050: must be UTCTime
    [0x18, "20500101000000.5Z"],
    [0x18, "205001010000Z"],
    [0x18, "99991331000000Z"],
    [0x0c, "260101000000Z"],
  ];
  for (const [tag, text] of times) {
    const notBefore = derText(tag, text);
    assertRefused(
      buildCertificate(KEY, { notBefore, notAfter: derText(0x18, "99991231235959Z") }),
      "certificate_malformed",
      text,
    );
  }
  const old = parseCertificate(
    buildCertificate(KEY, { notBefore: derText(0x17, "500101000000Z") }),
  );
  assert.equal(old.notBeforeMs, Date.UTC(1950, 0, 1));
  const far = parseCertificate(
    buildCertificate(KEY, { notAfter: derText(0x18, "20500101000000Z") }),
  );
  assert.equal(far.notAfterMs, Date.UTC(2050, 0, 1));
});

Deno.test("parseCertificate() refuses lengths that BER would take", () => {
  const good = buildCertificate(KEY);
  assert.equal(good[0], 0x30);
  // The outer length is two or three bytes; written one byte longer than needed it means the same.
  const header = good[1] === 0x81 ? 3 : good[1] === 0x82 ? 4 : 2;
  const body = good.subarray(header);
  const longer = new Uint8Array([0x30, 0x83, 0, body.length >> 8, body.length & 0xff]);
  assertRefused(concat([longer, body]), "certificate_malformed");
  assertRefused(concat([fromHex("3080"), body, fromHex("0000")]), "certificate_malformed");
  assertRefused(concat([fromHex("3084ffffffff"), body]), "certificate_malformed");
  assertRefused(concat([fromHex("3f30"), body]), "certificate_malformed");
});

Deno.test("parseCertificate() looks at no more than CERTIFICATE_BYTES_MAX bytes", () => {
  const padded = (length: number) =>
    buildCertificate(KEY, {
      afterSpki: extensions(extension("2a0304", { value: derText(0x0c, "x".repeat(length)) })),
    });
  const atLimit = CERTIFICATE_BYTES_MAX - padded(1024).length + 1024;
  assert.equal(padded(atLimit).length, CERTIFICATE_BYTES_MAX);
  parseCertificate(padded(atLimit));
  assertRefused(padded(atLimit + 1), "certificate_too_large");
});

Deno.test("parseCertificate() throws only IdentityError, whatever the bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
    assert.throws(() => parseCertificate(bytes), IdentityError);
  }));
  const good = buildCertificate(KEY, {
    issuer: name("landropic"),
    afterSpki: extensions(extension("551d13", { critical: true, value: fromHex("3000") })),
  });
  assert.deepEqual(parseCertificate(good).issuer, CN_LANDROPIC);
  fc.assert(fc.property(
    fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }),
    fc.nat(good.length),
    (changes, cut) => {
      const bytes = good.slice(0, cut === 0 ? good.length : cut);
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      try {
        parseCertificate(bytes);
      } catch (error) {
        assert.ok(error instanceof IdentityError, String(error));
      }
    },
  ));
});
