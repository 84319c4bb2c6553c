import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, fromHex } from "../../src/base/bytes.ts";
import { bumpVector, EMPTY_VECTOR, vectorMember } from "../../src/base/version_vector.ts";
import {
  decodeDirHistory,
  type DirHistory,
  encodeDirHistory,
  ProtocolError,
} from "../../src/protocol/mod.ts";

const MEMBER = vectorMember("device", "epoch");
const vector = (counter: number) => bumpVector(EMPTY_VECTOR, MEMBER, counter);

Deno.test("encodeDirHistory() writes each vector once, and runs of entries that share it", () => {
  const two = vector(2);
  const history: DirHistory = {
    versions: [two, vector(2), two, undefined, vector(5)],
    tombstones: new Map([["b", two]]),
  };
  const member = [...MEMBER.matchAll(/../g)].join(" ");
  const expected = fromHex(`
    02                 # vectors
    01 ${member} 02    # one member, counter 2
    01 ${member} 05
    03 01              # three entries with the first vector
    01 00              # one of which nothing is known
    01 02              # one with the second
    01                 # tombstones
    01 62 01           # "b", with the first
  `.replaceAll(/#.*/g, ""));
  assert.deepEqual(encodeDirHistory(history), expected);
  assert.deepEqual(decodeDirHistory(expected, 5), history);
});

Deno.test("decodeDirHistory() gives back what encodeDirHistory() was given", () => {
  const vectors = fc.option(fc.integer({ min: 1, max: 4 }).map(vector), { nil: undefined });
  const names = fc.stringMatching(/^[a-z]{1,8}$/);
  fc.assert(
    fc.property(
      fc.array(vectors),
      fc.dictionary(names, fc.integer({ min: 1, max: 4 }).map(vector)),
      (versions, deleted) => {
        const history = { versions, tombstones: new Map(Object.entries(deleted)) };
        const bytes = encodeDirHistory(history);
        assert.deepEqual(decodeDirHistory(bytes, versions.length), history);
      },
    ),
  );
});

Deno.test("decodeDirHistory() refuses what is not one, whatever it is", () => {
  const good = encodeDirHistory({ versions: [vector(1), vector(2)], tombstones: new Map() });
  const refused = (bytes: Uint8Array, entries: number) =>
    assert.throws(() => decodeDirHistory(bytes, entries), ProtocolError);
  refused(good, 1); // a run longer than the page
  refused(good, 3); // entries without a run
  refused(concat([good, new Uint8Array(1)]), 2); // bytes behind it
  refused(fromHex("00 00 00 00"), 1); // an empty run
  refused(fromHex("00 01 01 00"), 1); // a vector that is not there
  refused(fromHex("00 01 00 01 02 2e 2e 00"), 1); // ".." as a name
  for (let length = 0; length < good.length; length++) refused(good.subarray(0, length), 2);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(5), (bytes, entries) => {
      try {
        decodeDirHistory(bytes, entries);
      } catch (error) {
        assert.ok(error instanceof ProtocolError);
      }
    }),
  );
});
