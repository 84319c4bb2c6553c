import assert from "node:assert/strict";
import fc from "fast-check";
import { BASE32_ALPHABET } from "../../src/base/base32.ts";
import { fromHex } from "../../src/base/bytes.ts";
import {
  DeviceIdError,
  deviceIdFromFingerprint,
  fingerprintOf,
  fingerprintOfSpki,
  isIdOf,
  normalizeIdText,
  parseDeviceId,
  shortId,
} from "../../src/identity/device_id.ts";
import { anyText } from "./arbitraries.ts";

const fingerprints = fc.uint8Array({ minLength: 32, maxLength: 32 });

Deno.test("deviceIdFromFingerprint() matches ids worked out by hand", () => {
  // All zero bits: every data digit is A = 0, every Luhn sum is 0.
  assert.equal(
    deviceIdFromFingerprint(new Uint8Array(32)),
    Array.from({ length: 8 }, () => "AAAAAAA").join("-"),
  );
  // All ones: 51 times "7" = 31 and a last "Q" = 16 (one data bit, four zero bits). Doubling 31 gives
  // 62 = 1*32 + 30, digits 1 + 30 = 31, so 13 sevens sum to 403 = 19 mod 32 and need 13 = "N"; with the
  // Q, doubled to 32 = 1*32 + 0, digit sum 1: 12 * 31 + 1 = 373 = 21 mod 32 and need 11 = "L".
  assert.equal(
    deviceIdFromFingerprint(new Uint8Array(32).fill(255)),
    "7777777-777777N-7777777-777777N-7777777-777777N-7777777-77777QL",
  );
});

Deno.test("deviceIdFromFingerprint() refuses anything but 32 bytes", () => {
  assert.throws(() => deviceIdFromFingerprint(new Uint8Array(31)), RangeError);
  assert.throws(() => deviceIdFromFingerprint(new Uint8Array(33)), RangeError);
});

Deno.test("fingerprintOfSpki() is what openssl pkey -pubin -outform der | sha256sum prints", () => {
  // RFC 8032 section 7.1, test 1's public key behind the fixed SPKI prefix of RFC 8410 section 4.
  const spki = fromHex(
    "302a300506032b6570032100" +
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
  );
  assert.deepEqual(
    fingerprintOfSpki(spki),
    fromHex("06e3fd8fda29bb60ab59557de61edb0aecdb231134be30e75b455f8e1b792fa9"),
  );
});

Deno.test("parseDeviceId() reads back every id, and fingerprintOf() its fingerprint", () => {
  fc.assert(fc.property(fingerprints, (fingerprint) => {
    const id = deviceIdFromFingerprint(fingerprint);
    assert.match(id, /^([A-Z2-7]{7}-){7}[A-Z2-7]{7}$/);
    assert.equal(parseDeviceId(id), id);
    assert.deepEqual(fingerprintOf(id), fingerprint);
    assert.ok(isIdOf(id, fingerprint));
    assert.equal(shortId(id), id.slice(0, 7));
  }));
});

Deno.test("parseDeviceId() ignores case, dashes and spaces and reads 0, 1 and 8 as letters", () => {
  fc.assert(
    fc.property(fingerprints, fc.array(fc.nat(3), { maxLength: 20 }), (fingerprint, noise) => {
      const id = deviceIdFromFingerprint(fingerprint);
      let typed = id.replaceAll("-", "").replaceAll("O", "0").replaceAll("I", "1").replaceAll(
        "B",
        "8",
      );
      for (const [i, kind] of noise.entries()) {
        const at = (i * 7 + kind * 5) % (typed.length + 1);
        typed = typed.slice(0, at) + [" ", "-", "\n", "–"][kind]! + typed.slice(at);
      }
      assert.equal(parseDeviceId(typed.toLowerCase()), id);
    }),
  );
});

Deno.test("parseDeviceId() finds every single wrong character and names its groups", () => {
  fc.assert(
    fc.property(fingerprints, (fingerprint) => {
      const plain = deviceIdFromFingerprint(fingerprint).replaceAll("-", "");
      for (let at = 0; at < plain.length; at++) {
        for (const other of BASE32_ALPHABET) {
          if (other === plain[at]) continue;
          const typo = plain.slice(0, at) + other + plain.slice(at + 1);
          assert.throws(() => parseDeviceId(typo), (error) => {
            assert.ok(error instanceof DeviceIdError);
            assert.equal(error.code, "usage");
            return error.groups.includes(Math.floor(at / 7) + 1);
          });
        }
      }
    }),
    { numRuns: 10 },
  );
});

Deno.test("parseDeviceId() finds nearly every swap of two neighbours", () => {
  // Luhn misses a swap only where both neighbours are 0 and 31: at most 2 pairs in 1024.
  let swaps = 0;
  let missed = 0;
  fc.assert(fc.property(fingerprints, (fingerprint) => {
    const plain = deviceIdFromFingerprint(fingerprint).replaceAll("-", "");
    for (let at = 0; at < plain.length - 1; at++) {
      if (plain[at] === plain[at + 1] || at % 14 === 13) continue;
      swaps++;
      const swapped = plain.slice(0, at) + plain[at + 1] + plain[at] + plain.slice(at + 2);
      try {
        parseDeviceId(swapped);
        missed++;
        assert.deepEqual(new Set([plain[at], plain[at + 1]]), new Set(["A", "7"]));
      } catch (error) {
        if (!(error instanceof DeviceIdError)) throw error;
      }
    }
  }));
  assert.ok(swaps > 1000 && missed < swaps / 50);
});

Deno.test("parseDeviceId() accepts only the one spelling whose unused bits are zero", () => {
  // B = 1 in the last data place sets an unused bit. Its Luhn sum is right: doubled it is 2, so the
  // check digit is 30 = "6".
  const text = "AAAAAAA-AAAAAAA-AAAAAAA-AAAAAAA-AAAAAAA-AAAAAAA-AAAAAAA-AAAAAB6";
  assert.throws(
    () => parseDeviceId(text),
    (error) => error instanceof DeviceIdError && error.groups.join() === "8",
  );
});

Deno.test("parseDeviceId() says which group is too short, and refuses strange input", () => {
  const id = deviceIdFromFingerprint(new Uint8Array(32).fill(7));
  const groups = id.split("-");
  groups[4] = groups[4]!.slice(1);
  assert.throws(
    () => parseDeviceId(groups.join("-")),
    (error) =>
      error instanceof DeviceIdError && error.groups.join() === "5" &&
      /55 of 56/.test(error.message),
  );
  for (const bad of ["", "-", "A", id + "A", id.slice(0, -1), id + id, "x".repeat(1_000_000)]) {
    assert.throws(() => parseDeviceId(bad), DeviceIdError);
  }
  // Letters that upper-case into the alphabet are not base32; neither is 9.
  for (const stranger of ["ı", "ſ", "9", "ß", "İ", "\u202e", "𝐀"]) {
    const text = id.slice(0, 9) + stranger + id.slice(10);
    assert.throws(
      () => parseDeviceId(text),
      (error) => error instanceof DeviceIdError && error.groups.join() === "2",
    );
  }
});

Deno.test("parseDeviceId() throws nothing but DeviceIdError, whatever the text", () => {
  fc.assert(fc.property(anyText(80), (text) => {
    assert.throws(() => parseDeviceId(text), DeviceIdError);
  }));
});

Deno.test("normalizeIdText() brings a typed prefix into the compared form", () => {
  assert.equal(normalizeIdText("ab-c0 18"), "ABCOIB");
});
