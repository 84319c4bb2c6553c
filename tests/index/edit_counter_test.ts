import assert from "node:assert/strict";
import fc from "fast-check";
import { EDIT_STEP } from "../../src/base/version_vector.ts";
import { EditCounter } from "../../src/index/edit_counter.ts";

/** What is on the disk: the last number that somebody has reserved. */
function disk() {
  const reservations: number[] = [];
  let last = 0;
  const reserve = (after: number, count: number) => {
    last = Math.max(last, after) + count;
    reservations.push(last);
    return last;
  };
  return { reserve, reservations };
}

Deno.test("EditCounter gives growing numbers a step apart, and seldom writes", () => {
  const { reserve, reservations } = disk();
  const counter = new EditCounter(reserve);
  const given = Array.from({ length: 600 }, () => counter.next());
  assert.deepEqual(given, given.map((_, i) => (i + 1) * EDIT_STEP));
  assert.equal(reservations.length, 3);
});

Deno.test("EditCounter gives no number twice, whoever else reserves and whatever is undone", () => {
  const uses = fc.array(
    fc.record({
      who: fc.nat({ max: 2 }),
      count: fc.nat({ max: 300 }),
      then: fc.constantFrom("nothing", "undo", "restart"),
    }),
    { maxLength: 20 },
  );
  fc.assert(fc.property(uses, (uses) => {
    const { reserve } = disk();
    const counters = Array.from({ length: 3 }, () => new EditCounter(reserve));
    const given = new Set<number>();
    for (const { who, count, then } of uses) {
      for (let last = 0, i = 0; i < count; i++) {
        const next = counters[who]!.next();
        assert.ok(next > last && !given.has(next), `${next} after ${last}`);
        // Decisions have the numbers behind it for themselves.
        assert.equal(next % EDIT_STEP, 0);
        given.add(last = next);
      }
      if (then === "undo") counters[who]!.forgetReserved();
      else if (then === "restart") counters[who] = new EditCounter(reserve);
    }
  }));
});
