import assert from "node:assert/strict";
import fc from "fast-check";
import { Budget } from "../../../src/sync/delta/budget.ts";

Deno.test("Budget lets in what fits, the oversized alone, and everybody in order", async () => {
  await fc.assert(fc.asyncProperty(
    fc.array(fc.integer({ min: 1, max: 15 }), { maxLength: 20 }),
    async (amounts) => {
      const budget = new Budget(10);
      const order: number[] = [];
      let taken = 0;
      await Promise.all(amounts.map(async (amount, i) => {
        const share = await budget.take(amount);
        order.push(i);
        taken += amount;
        assert.ok(taken <= 10 || taken === amount, `${taken} at once`);
        for (let turn = 0; turn < amount % 4; turn++) await Promise.resolve();
        taken -= amount;
        share[Symbol.dispose]();
        share[Symbol.dispose]();
      }));
      assert.deepEqual(order, amounts.map((_, i) => i));
    },
  ));
});
