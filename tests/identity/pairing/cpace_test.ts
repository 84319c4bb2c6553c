/**
 * Vectors of draft-irtf-cfrg-cpace-21 (23 April 2026), "Test vector for CPace using group
 * ristretto255 and hash SHA-512" and "Definition and test vectors for string utility functions".
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { fromHex, toHex, utf8 } from "../../../src/base/bytes.ts";
import {
  calculateGenerator,
  confirmationTag,
  type CpaceInputs,
  CpaceRun,
  CpaceShareError,
  generatorString,
  lvCat,
  sampleScalar,
  scalarMultiplyVerified,
  transcript,
} from "../../../src/identity/pairing/cpace.ts";

const INPUTS: CpaceInputs = {
  password: utf8("Password"),
  channel: fromHex("0b415f696e69746961746f720b425f726573706f6e646572"),
  sessionId: fromHex("7e4b4791d6a8ef019b936c79fb7f2c57"),
};
const YA_SCALAR = fromHex("da3d23700a9e5699258aef94dc060dfda5ebb61f02a5ea77fad53f4ff0976d08");
const YB_SCALAR = fromHex("d2316b454718c35362d83d69df6320f38578ed5984651435e2949762d900b80d");
const YA = "d6bac480f2c386c394efc7c47adb9925dcd2630b64f240c50f8d0eec482b9157";
const YB = "3ea7e0b19560d7c0b0f5734f63b955286dfa8232b5ebe63324e2d9e7433f7258";
const K = "80b69a8a76457ab6a4d7f887a4bf6b55a2f80ac19c333f917a05fc9887c8b40f";
const ISK = "b69effbf61b51d56401c0f65601abe428de8206feaaf0e32198896dcae7b35cd" +
  "2b38950a39dfd5d4a79164614c2984f7daa460b588c1e80c3fa2068af7900447";
const MESSAGES = {
  initiator: { share: fromHex(YA), associatedData: utf8("ADa") },
  responder: { share: fromHex(YB), associatedData: utf8("ADb") },
};
const VALID_SCALAR = fromHex("7cd0e075fa7955ba52c02759a6c90dbbfc10e6d40aea8d283e407d88cf538a05");
const INVALID_SHARES = {
  "Y_i1, no element": "2b3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c",
  "Y_i2, the neutral element": "00".repeat(32),
};

Deno.test("lvCat() puts LEB128 lengths before the parts, as the draft's vectors", () => {
  assert.equal(toHex(lvCat(utf8(""))), "00");
  assert.equal(toHex(lvCat(utf8("1234"))), "0431323334");
  const counted = Uint8Array.from({ length: 128 }, (_, i) => i);
  assert.equal(toHex(lvCat(counted.subarray(0, 127)).subarray(0, 3)), "7f0001");
  assert.equal(toHex(lvCat(counted).subarray(0, 4)), "80010001");
  assert.equal(lvCat(counted).length, 130);
  assert.equal(
    toHex(lvCat(utf8("1234"), utf8("5"), utf8(""), utf8("678"))),
    "043132333401350003363738",
  );
});

Deno.test("transcript() of the draft's two small cases", () => {
  const of = (share: string, data: string) => ({ share: utf8(share), associatedData: utf8(data) });
  assert.equal(
    toHex(transcript(of("123", "PartyA"), of("234", "PartyB"))),
    "03313233065061727479410332333406506172747942",
  );
  assert.equal(
    toHex(transcript(of("3456", "PartyA"), of("2345", "PartyB"))),
    "043334353606506172747941043233343506506172747942",
  );
});

Deno.test("calculateGenerator() gives the draft's generator from the draft's generator string", () => {
  assert.equal(
    toHex(generatorString(INPUTS)),
    "11435061636552697374726574746f3235350850617373776f726464" + "00".repeat(100) +
      "180b415f696e69746961746f720b425f726573706f6e646572107e4b4791d6a8ef019b936c79fb7f2c57",
  );
  assert.equal(
    calculateGenerator(INPUTS).toHex(),
    "222b6b195fe84b1652badb6f6a3ae3d24341e7306967f0b8115b40d5698c7e56",
  );
});

Deno.test("CpaceRun sends Ya and Yb of the draft, and both sides reach its K and ISK", () => {
  const initiator = new CpaceRun(INPUTS, YA_SCALAR);
  const responder = new CpaceRun(INPUTS, YB_SCALAR);
  assert.equal(toHex(initiator.share), YA);
  assert.equal(toHex(responder.share), YB);
  assert.equal(toHex(scalarMultiplyVerified(sampleScalar(YA_SCALAR), fromHex(YB))!), K);
  assert.equal(toHex(scalarMultiplyVerified(sampleScalar(YB_SCALAR), fromHex(YA))!), K);
  const a = initiator.finish("responder", MESSAGES);
  const b = responder.finish("initiator", MESSAGES);
  assert.equal(toHex(a.intermediateSessionKey), ISK);
  assert.equal(toHex(b.intermediateSessionKey), ISK);
  assert.deepEqual(a.confirmationKey, b.confirmationKey);
});

Deno.test("scalarMultiplyVerified() gives the draft's product for a valid point", () => {
  assert.equal(
    toHex(
      scalarMultiplyVerified(
        sampleScalar(VALID_SCALAR),
        fromHex("2c3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c"),
      )!,
    ),
    "7c13645fe790a468f62c39beb7388e541d8405d1ade69d1778c5fe3e7f6b600e",
  );
});

Deno.test("CpaceRun aborts on every invalid share of the draft, whichever side sent it", () => {
  for (const [name, share] of Object.entries(INVALID_SHARES)) {
    const bad = { share: fromHex(share), associatedData: utf8("") };
    assert.equal(scalarMultiplyVerified(sampleScalar(VALID_SCALAR), bad.share), undefined, name);
    assert.throws(
      () =>
        new CpaceRun(INPUTS, VALID_SCALAR).finish("responder", {
          initiator: MESSAGES.initiator,
          responder: bad,
        }),
      CpaceShareError,
      name,
    );
    assert.throws(
      () =>
        new CpaceRun(INPUTS, VALID_SCALAR).finish("initiator", {
          initiator: bad,
          responder: MESSAGES.responder,
        }),
      CpaceShareError,
      name,
    );
  }
});

Deno.test("scalarMultiplyVerified() refuses shares of another length and non-canonical ones", () => {
  const scalar = sampleScalar(VALID_SCALAR);
  for (const length of [0, 31, 33]) {
    assert.equal(scalarMultiplyVerified(scalar, new Uint8Array(length)), undefined);
  }
  // The field prime 2^255 - 19 is a second spelling of zero (RFC 9496 section 4.3.1).
  const prime = "ed" + "ff".repeat(30) + "7f";
  assert.equal(scalarMultiplyVerified(scalar, fromHex(prime)), undefined);
});

Deno.test("CpaceRun keys agree exactly where inputs and messages agree", () => {
  const seed = fc.uint8Array({ minLength: 32, maxLength: 32 })
    .map((bytes) => bytes.with(0, bytes[0]! | 1));
  const text = fc.uint8Array({ maxLength: 40 });
  fc.assert(
    fc.property(
      seed,
      seed,
      text,
      text,
      text,
      text,
      fc.constantFrom("nothing", "password", "channel", "sessionId", "initiator", "responder"),
      (seedA, seedB, password, channel, sessionId, data, differs) => {
        const inputs: CpaceInputs = { password, channel, sessionId };
        const flip = (bytes: Uint8Array) => lvCat(bytes, utf8("other"));
        const inputsB = differs in inputs
          ? { ...inputs, [differs]: flip(inputs[differs as keyof CpaceInputs]) }
          : inputs;
        const a = new CpaceRun(inputs, seedA);
        const b = new CpaceRun(inputsB, seedB);
        const messages = {
          initiator: { share: a.share, associatedData: data },
          responder: { share: b.share, associatedData: data },
        };
        const messagesB = { ...messages };
        if (differs === "initiator" || differs === "responder") {
          messagesB[differs] = { ...messages[differs], associatedData: flip(data) };
        }
        const keysA = a.finish("responder", messages);
        const keysB = b.finish("initiator", messagesB);
        const same = toHex(keysA.confirmationKey) === toHex(keysB.confirmationKey);
        assert.equal(same, differs === "nothing");
        const tagA = confirmationTag(keysA.confirmationKey, messages.initiator);
        const tagB = confirmationTag(keysB.confirmationKey, messages.initiator);
        assert.equal(toHex(tagA) === toHex(tagB), differs === "nothing");
      },
    ),
    { numRuns: 25 },
  );
});

Deno.test("sampleScalar() refuses the zero scalar and seeds of another length", () => {
  assert.throws(() => sampleScalar(new Uint8Array(32)), RangeError);
  assert.throws(() => sampleScalar(new Uint8Array(31)), RangeError);
  assert.equal(sampleScalar(new Uint8Array(32).fill(0xff)), 2n ** 252n - 1n);
});
