import { wordlist } from "@scure/bip39/wordlists/english.js";
import assert from "node:assert/strict";
import fc from "fast-check";
import { toHex, utf8 } from "../../../src/base/bytes.ts";
import { nearestWords, PairingCode, SLOT_MAX } from "../../../src/identity/pairing/pairing_code.ts";
import { PairingError } from "../../../src/identity/pairing/pairing_error.ts";

const wordArbitrary = fc.constantFrom(...wordlist);
const codeArbitrary = fc.tuple(
  fc.integer({ min: 1, max: SLOT_MAX }),
  wordArbitrary,
  wordArbitrary,
  wordArbitrary,
);

function failure(run: () => unknown): PairingError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof PairingError);
    return error;
  }
  assert.fail("nothing was thrown");
}

Deno.test("PairingCode.parse() reads back what generate() shows", () => {
  for (let i = 0; i < 200; i++) {
    const code = PairingCode.generate();
    assert.match(code.reveal(), /^[1-9]\d{0,2}(-[a-z]{3,8}){3}$/);
    const read = PairingCode.parse(code.reveal());
    assert.equal(read.slot, code.slot);
    assert.deepEqual(read.secret().password(), code.secret().password());
  }
});

Deno.test("PairingCode.generate() draws the slot from other bytes than the words", () => {
  const draw = (slotByte: number, wordByte: number) =>
    PairingCode.generate((length) =>
      new Uint8Array(length).fill(length === 4 ? slotByte : wordByte)
    );
  assert.equal(draw(1, 7).secret().password().join(), draw(2, 7).secret().password().join());
  assert.notEqual(draw(1, 7).slot, draw(2, 7).slot);
  assert.equal(draw(1, 7).slot, draw(1, 8).slot);
  assert.notEqual(draw(1, 7).reveal(), draw(1, 8).reveal());
});

Deno.test("PairingCode.generate() reaches the first and the last word", () => {
  assert.equal(
    PairingCode.generate((length) => new Uint8Array(length)).reveal(),
    "1-abandon-abandon-abandon",
  );
  assert.match(
    PairingCode.generate((length) => new Uint8Array(length).fill(0xff)).reveal(),
    /-zoo-zoo-zoo$/,
  );
});

Deno.test("PairingCode.secret() is the words without the slot", () => {
  const hex = toHex(PairingCode.parse("42-apple-river-stone").secret().password());
  assert.equal(hex, toHex(utf8("\x04code\x11apple-river-stone")));
  assert.equal(hex, toHex(PairingCode.parse("7-apple-river-stone").secret().password()));
});

Deno.test("PairingCode.parse() takes any case, separators and words cut behind the fourth letter", () => {
  fc.assert(fc.property(
    codeArbitrary,
    fc.array(fc.integer({ min: 4, max: 8 }), { minLength: 3, maxLength: 3 }),
    fc.constantFrom("-", " ", "  ", "_", ".", " – ", ", ", "\n"),
    fc.boolean(),
    ([slot, ...words], cuts, separator, upper) => {
      const typed = [slot, ...words.map((word, i) => word.slice(0, cuts[i]))].join(separator);
      const code = PairingCode.parse(upper ? ` ${typed.toUpperCase()} ` : typed);
      assert.equal(code.reveal(), [slot, ...words].join("-"));
    },
  ));
});

Deno.test("PairingCode.parse() prefers a whole word over a longer one that it starts", () => {
  // "act" and "action" are both words; "acti" can only be the longer.
  assert.equal(PairingCode.parse("1-act-action-acti").reveal(), "1-act-action-action");
});

Deno.test("PairingCode.parse() names the wrong word and what it was meant to be", () => {
  const cases: [string, RegExp, string][] = [
    ["42-aple-river-stone", /word 1, "aple"/, "apple"],
    ["42-apple-rivver-stone", /word 2, "rivver"/, "river"],
    ["42-apple-river-stoen", /word 3, "stoen"/, "stone"],
    ["42-apple-river-bananna", /word 3, "bananna"/, "banana"],
  ];
  for (const [text, message, suggestion] of cases) {
    const error = failure(() => PairingCode.parse(text));
    assert.equal(error.failure, "code_malformed");
    assert.equal(error.code, "usage");
    assert.match(error.message, message);
    assert.ok(error.hint?.includes(`"${suggestion}"`), error.hint);
  }
});

Deno.test("PairingCode.parse() refuses every one-letter change that leaves the word list", () => {
  fc.assert(fc.property(
    wordArbitrary,
    fc.nat(7),
    fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz"),
    (word, at, letter) => {
      const typo = word.slice(0, at) + letter + word.slice(at + 1);
      const isPrefixOfOne = typo.length >= 4 && wordlist.some((other) => other.startsWith(typo));
      fc.pre(!wordlist.includes(typo) && !isPrefixOfOne);
      const error = failure(() => PairingCode.parse(`5-${word}-${typo}-${word}`));
      assert.match(error.message, new RegExp(`word 2, "${typo}"`));
    },
  ));
});

Deno.test("PairingCode.parse() refuses a bad slot and a wrong number of words", () => {
  for (
    const text of [
      "",
      "42",
      "apple-river-stone",
      "42-apple-river",
      "42-apple-river-stone-stone",
      "0-apple-river-stone",
      "1000-apple-river-stone",
      "-1-apple-river-stone-x",
      "4e2-apple-river-stone",
      "42-app-river-stone",
      "x".repeat(1 << 20),
      "a-".repeat(1 << 16),
    ]
  ) assert.equal(failure(() => PairingCode.parse(text)).failure, "code_malformed");
});

Deno.test("PairingCode.parse() errors hold no control characters, whatever was typed", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
    try {
      PairingCode.parse(`1-apple-${text}-apple`);
    } catch (error) {
      assert.ok(error instanceof PairingError);
      assert.doesNotMatch(error.message + error.hint, /[\p{Cc}\p{Cf}]/u);
    }
  }));
});

Deno.test("nearestWords() gives all equally near words, and nothing where none is near", () => {
  assert.deepEqual(nearestWords("qqqqqq"), []);
  assert.deepEqual(nearestWords(""), []);
  assert.deepEqual(nearestWords("aple"), ["able", "apple", "maple"]);
});

Deno.test("PairingCode hides its words from strings, JSON and inspection", () => {
  const code = PairingCode.parse("42-apple-river-stone");
  const seen = [
    `${code}`,
    `${code.secret()}`,
    JSON.stringify({ code, secret: code.secret() }),
    Deno.inspect({ code, secret: code.secret() }, { depth: 9, showHidden: true }),
  ].join("\n");
  assert.doesNotMatch(seen, /apple|river|stone/);
  assert.match(seen, /42-\*\*\*-\*\*\*-\*\*\*/);
});
