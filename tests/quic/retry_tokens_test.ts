import assert from "node:assert/strict";
import fc from "fast-check";
import { fromHex } from "../../src/base/bytes.ts";
import { RETRY_TOKEN_LIFETIME_MS, RetryTokens } from "../../src/quic/retry_tokens.ts";

const KEY = new Uint8Array(32).fill(7);
const ORIGINAL_ID = fromHex("8394c8f03e515708");
const CLAIM = {
  client: { host: "192.0.2.1", port: 50_000 },
  retrySourceId: fromHex("0102030405060708"),
};

Deno.test("open() gives back the original id, until the token expires", () => {
  for (const nowMs of [0, 1000.5, 2 ** 32 - 1, 2 ** 40]) {
    const tokens = new RetryTokens(KEY);
    const token = tokens.issue(ORIGINAL_ID, CLAIM, nowMs);
    assert.deepEqual(tokens.open(token, CLAIM, nowMs), ORIGINAL_ID);
    const endMs = Math.ceil(nowMs) + RETRY_TOKEN_LIFETIME_MS;
    assert.deepEqual(tokens.open(token, CLAIM, endMs - 1), ORIGINAL_ID);
    assert.equal(tokens.open(token, CLAIM, endMs), undefined);
  }
});

Deno.test("open() refuses a token of another address, port, connection or key", () => {
  const tokens = new RetryTokens(KEY);
  const token = tokens.issue(ORIGINAL_ID, CLAIM, 0);
  const others = [
    { ...CLAIM, client: { ...CLAIM.client, host: "192.0.2.2" } },
    { ...CLAIM, client: { ...CLAIM.client, port: 50_001 } },
    { ...CLAIM, client: { host: "192.0.2.15", port: 0 } },
    { ...CLAIM, retrySourceId: fromHex("0102030405060709") },
    { ...CLAIM, retrySourceId: fromHex("01020304050607") },
  ];
  for (const claim of others) assert.equal(tokens.open(token, claim, 0), undefined);
  assert.equal(new RetryTokens(new Uint8Array(32)).open(token, CLAIM, 0), undefined);
});

Deno.test("open() refuses a token with any bit flipped, byte cut off or byte added", () => {
  const tokens = new RetryTokens(KEY);
  const token = tokens.issue(ORIGINAL_ID, CLAIM, 0);
  for (let bit = 0; bit < token.length * 8; bit++) {
    const altered = token.slice();
    altered[bit >> 3]! ^= 1 << (bit & 7);
    assert.equal(tokens.open(altered, CLAIM, 0), undefined, `bit ${bit}`);
  }
  for (let length = 0; length < token.length; length++) {
    assert.equal(tokens.open(token.subarray(0, length), CLAIM, 0), undefined);
  }
  assert.equal(tokens.open(new Uint8Array([...token, 0]), CLAIM, 0), undefined);
});

Deno.test("open() refuses any bytes that were not issued", () => {
  const tokens = new RetryTokens(KEY);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
    assert.equal(tokens.open(bytes, CLAIM, 0), undefined);
  }));
});
