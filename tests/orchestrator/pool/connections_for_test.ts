import assert from "node:assert/strict";
import { connectionsFor } from "../../../src/orchestrator/pool/connections_for.ts";

const GIB = 2 ** 30;
const MIB = 2 ** 20;

for (
  const [what, choice, expected] of [
    ["what the user asks for", { bytes: 4 * MIB, asked: 3, cores: 1, rttMs: 80 }, 3],
    [
      "one for a few bytes, whatever is asked",
      { bytes: 4 * MIB - 1, asked: 4, cores: 8, rttMs: 0 },
      1,
    ],
    [
      "a second one for many bytes close by",
      { bytes: GIB, asked: undefined, cores: 4, rttMs: 2 },
      2,
    ],
    ["one for fewer", { bytes: GIB - 1, asked: undefined, cores: 4, rttMs: 0 }, 1],
    ["one where there are two cores", { bytes: 9 * GIB, asked: undefined, cores: 3, rttMs: 0 }, 1],
    ["one over a long way", { bytes: 9 * GIB, asked: undefined, cores: 8, rttMs: 3 }, 1],
    ["one where one is asked for", { bytes: 9 * GIB, asked: 1, cores: 8, rttMs: 0 }, 1],
  ] as const
) {
  Deno.test(`connectionsFor() chooses ${what}`, () => {
    assert.equal(connectionsFor(choice), expected);
  });
}
