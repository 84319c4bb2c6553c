import assert from "node:assert/strict";
import fc from "fast-check";
import {
  classifyPath,
  NO_EVIDENCE,
  type PathEvidence,
  PathJudge,
} from "../../src/quic/path_class.ts";

const cases: readonly [name: string, path: PathEvidence, pathClass: string][] = [
  ["nothing was seen", NO_EVIDENCE, "unknown"],
  ["too little was seen", { rttMs: 0, packets: 400, lost: 0 }, "unknown"],
  ["a cable", { rttMs: 0, packets: 500, lost: 0 }, "lan"],
  ["a wireless network", { rttMs: 3, packets: 5000, lost: 4 }, "lan"],
  ["a wireless network with losses", { rttMs: 3, packets: 5000, lost: 10 }, "wan"],
  ["a bad wireless network", { rttMs: 2, packets: 5000, lost: 25 }, "lossy"],
  ["a long path", { rttMs: 50, packets: 5000, lost: 5 }, "wan"],
  ["a long path that loses packets", { rttMs: 50, packets: 5000, lost: 50 }, "lossy"],
  ["three packets lost at once", { rttMs: 50, packets: 100, lost: 3 }, "lossy"],
  ["two packets lost, which may be chance", { rttMs: 50, packets: 100, lost: 2 }, "unknown"],
];
for (const [name, path, pathClass] of cases) {
  Deno.test(`classifyPath() takes ${name} for ${pathClass}`, () => {
    assert.equal(classifyPath(path), pathClass);
  });
}

/** What a path does between two samples. */
interface Step {
  readonly rttMs: number;
  readonly sent: number;
  readonly lost: number;
}

function judge(steps: readonly Step[], known?: PathEvidence): PathJudge {
  const judge = new PathJudge(known);
  let [sentPackets, lostPackets] = [0, 0];
  for (const { rttMs, sent, lost } of steps) {
    judge.handleSample({
      rttMs,
      sentPackets: sentPackets += sent,
      lostPackets: lostPackets += lost,
    });
  }
  return judge;
}

const times = (count: number, step: Step): Step[] => Array(count).fill(step);

Deno.test("PathJudge counts what is lost while there is no queue, and nothing else", () => {
  const full = times(20, { rttMs: 98, sent: 300, lost: 30 });
  const empty = times(20, { rttMs: 52, sent: 300, lost: 0 });
  assert.equal(judge([...empty, ...full]).pathClass, "wan");
  assert.equal(judge([...empty, ...full, ...empty, ...full]).pathClass, "wan");
  const lossy = times(20, { rttMs: 52, sent: 300, lost: 3 });
  assert.equal(judge([...lossy, ...full]).pathClass, "lossy");
});

Deno.test("PathJudge never counts losses of a full queue, whatever comes before and after", () => {
  const step = fc.record({
    isFull: fc.boolean(),
    sent: fc.integer({ min: 0, max: 300 }),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const seen = judge([
      { rttMs: 40, sent: 10, lost: 0 },
      ...steps.map(({ isFull, sent }) => ({
        rttMs: isFull ? 80 : 41,
        sent,
        lost: isFull ? sent : 0,
      })),
    ]);
    assert.equal(seen.evidence.lost, 0);
    assert.ok(seen.evidence.packets <= 10 + steps.reduce((sum, { sent }) => sum + sent, 0));
  }));
});

Deno.test("PathJudge starts from what was known, and adds to it", () => {
  const known = { rttMs: 50, packets: 1000, lost: 1 };
  assert.equal(judge([], known).pathClass, "wan");
  assert.deepEqual(judge(times(2, { rttMs: 51, sent: 50, lost: 0 }), known).evidence, known);
  const { evidence } = judge(times(11, { rttMs: 51, sent: 100, lost: 0 }), known);
  assert.deepEqual(evidence, { rttMs: 51, packets: 2000, lost: 1 });
});

Deno.test("PathJudge forgets what was known where the same address is on another network now", () => {
  const lan = { rttMs: 1, packets: 10_000, lost: 0 };
  const { evidence, pathClass } = judge(times(11, { rttMs: 60, sent: 100, lost: 0 }), lan);
  assert.deepEqual(evidence, { rttMs: 60, packets: 1000, lost: 0 });
  assert.equal(pathClass, "wan");
});

Deno.test("PathJudge lets a path get better, and worse", () => {
  const bad = times(100, { rttMs: 50, sent: 200, lost: 2 });
  const good = times(600, { rttMs: 50, sent: 200, lost: 0 });
  assert.equal(judge(bad).pathClass, "lossy");
  assert.equal(judge([...bad, ...good]).pathClass, "wan");
  assert.equal(judge([...bad, ...good, ...bad, ...bad]).pathClass, "lossy");
});
