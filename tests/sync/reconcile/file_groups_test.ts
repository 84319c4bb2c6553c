import assert from "node:assert/strict";
import fc from "fast-check";
import { FileGroups, KeyHashes } from "../../../src/sync/reconcile/file_groups.ts";

const versions = fc.array(fc.record({
  size: fc.oneof(fc.nat(3), fc.maxSafeNat()),
  mtimeMs: fc.oneof(fc.integer({ min: -2, max: 2 }), fc.maxSafeInteger()),
}));

Deno.test("FileGroups gives each size and time one number, also while it grows", () => {
  fc.assert(
    fc.property(versions, (some) => {
      const groups = new FileGroups();
      const many = Array.from({ length: 2000 }, (_, i) => ({ size: i % 7, mtimeMs: i }));
      const known = new Map<string, number>();
      for (const file of [...some, ...many, ...some]) {
        const key = `${file.size} ${file.mtimeMs}`;
        assert.equal(groups.find(file), known.get(key));
        const group = groups.add(file)!;
        assert.equal(group, known.get(key) ?? known.size);
        assert.equal(groups.sizeOf(group), file.size);
        known.set(key, group);
      }
      assert.equal(groups.length, known.size);
    }),
    { numRuns: 20 },
  );
});

Deno.test("FileGroups counts up to a limit in each group", () => {
  const groups = new FileGroups();
  const first = groups.add({ size: 1, mtimeMs: 1 })!;
  for (let i = 2; i < 1000; i++) groups.add({ size: i, mtimeMs: i });
  const counted = Array.from({ length: 5 }, () => groups.countUpTo(first, 3));
  assert.deepEqual(counted, [true, true, true, false, false]);
});

Deno.test("KeyHashes has what was added, few or many, and hardly anything else", () => {
  for (const count of [1, 300, 4095, 4096, 4097, 20_000]) {
    const hashes = new KeyHashes();
    assert.ok(hashes.isEmpty);
    const mtimeOf = (i: number) => 1_700_000_000_000 + 7919 * i;
    for (let i = 0; i < count; i++) hashes.add({ size: i % 100, mtimeMs: mtimeOf(i) });
    assert.ok(!hashes.isEmpty);
    let wrong = 0;
    for (let i = 0; i < count; i++) {
      assert.ok(hashes.mayHave(i % 100, mtimeOf(i)));
      if (hashes.mayHave(i % 100, -mtimeOf(i))) wrong++;
    }
    assert.ok(wrong <= count / 8, `${wrong} of ${count}`);
  }
});

Deno.test("FileGroups gives up sizes and times that were chosen to lead to one place", () => {
  const groups = new FileGroups();
  const hashes = new KeyHashes();
  // Where the high half of the size undoes what the high half of the time does.
  const chosen = Array.from(
    { length: 3000 },
    (_, i) => ({ size: i * 2 ** 32, mtimeMs: i * 2 ** 32 }),
  );
  let refused = 0;
  for (const file of chosen) {
    hashes.add(file);
    if (groups.add(file) === undefined) refused++;
  }
  assert.ok(refused > 2000, `${refused} refused`);
  assert.ok(chosen.every((file) => hashes.mayHave(file.size, file.mtimeMs)));
  assert.equal(groups.find({ size: 5, mtimeMs: 5 }), undefined);
  assert.equal(groups.add({ size: 5, mtimeMs: 5 }), groups.length - 1);
});
