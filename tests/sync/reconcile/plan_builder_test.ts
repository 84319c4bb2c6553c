import assert from "node:assert/strict";
import fc from "fast-check";
import type { RelPath } from "../../../src/base/paths.ts";
import { EMPTY_VECTOR } from "../../../src/base/version_vector.ts";
import type { Operation } from "../../../src/sync/apply/operation.ts";
import { type Phase, PHASES, PlanBuilder } from "../../../src/sync/reconcile/plan_builder.ts";
import type { Side } from "../../../src/sync/reconcile/side.ts";

interface Added {
  readonly side: Side;
  readonly phase: Phase;
  readonly operation: Operation;
}

const path = fc.array(fc.constantFrom("a", "b", "cc"), { minLength: 1, maxLength: 6 })
  .map((names) => names.join("/") as RelPath);
const operation = fc.oneof(
  path.map((path): Operation => ({
    op: "remove",
    path,
    before: { kind: "dir" },
    vector: EMPTY_VECTOR,
  })),
  path.map((path): Operation => ({
    op: "remove",
    path,
    before: { kind: "file", size: 7, mtimeMs: 1 },
    vector: EMPTY_VECTOR,
  })),
  fc.tuple(path, path).map(([from, path]): Operation => ({
    op: "move",
    from,
    path,
    before: { kind: "file", size: 8, mtimeMs: 1 },
    vector: EMPTY_VECTOR,
  })),
);
const added: fc.Arbitrary<Added[]> = fc.array(
  fc.record({
    side: fc.constantFrom<Side>("local", "remote"),
    phase: fc.constantFrom(...PHASES),
    operation,
  }),
  { maxLength: 40 },
);

/** Sorts as the comments on phases say, one operation at a time. */
function ordered(all: readonly Added[], side: Side): Added[] {
  const depth = ({ operation }: Added) => operation.path.split("/").length;
  const rank = (one: Added): number => {
    const { operation, phase } = one;
    if (phase === "dirs") return depth(one);
    if (phase === "dir-attributes") return -depth(one);
    const isLast = operation.op === "remove" && operation.before.kind === "dir";
    return (phase === "clear" || phase === "deletes") && isLast ? 1000 - depth(one) : 0;
  };
  return all.filter((one) => one.side === side).sort((a, b) =>
    PHASES.indexOf(a.phase) - PHASES.indexOf(b.phase) || rank(a) - rank(b)
  );
}

Deno.test("PlanBuilder puts operations into the order of their phases, and keeps theirs otherwise", () => {
  fc.assert(fc.property(added, (all) => {
    const builder = new PlanBuilder();
    const ids = all.map(({ side, phase, operation }) => builder.add(side, phase, operation).id);
    const { lists, positionOf, phaseOf } = builder.ordered();
    for (const side of ["local", "remote"] as const) {
      const expected = ordered(all, side);
      assert.deepEqual([...lists[side]], expected.map(({ operation }) => operation));
      assert.deepEqual(
        expected.map((_, index) => phaseOf({ side, index })),
        expected.map(({ phase }) => phase),
      );
    }
    for (const [i, id] of ids.entries()) {
      const position = positionOf(id);
      assert.equal(position.side, all[i]!.side);
      assert.deepEqual(lists[position.side].at(position.index), all[i]!.operation);
    }
  }));
});

Deno.test("PlanBuilder makes lines of operations as they were shown, also where they moved up", () => {
  const builder = new PlanBuilder();
  const vector = EMPTY_VECTOR;
  const at = (path: string) => path as RelPath;
  const before = { kind: "file", size: 5, mtimeMs: 1 } as const;
  const move = { op: "move", from: at("d/old"), path: at("d/new"), before, vector } as const;
  const moved = builder.add("remote", "moves", move, { action: "R", type: "f", isSized: true });
  builder.show(moved, { action: "C", type: "f", isSized: true, isOldPath: true });
  const remove = { op: "remove", path: at("d/x"), before, vector } as const;
  builder.add("local", "deletes", remove, { action: "-", type: "f" });
  const make = {
    op: "make-dir",
    path: at("d"),
    mode: 0o755,
    mtimeMs: undefined,
    before: { kind: "absent" },
    vector,
  } as const;
  builder.add("remote", "dirs", make, { action: "+", type: "d", isSized: true });
  builder.lines.raiseLast(0);
  const { positionOf } = builder.ordered();
  const lines = Array.from({ length: 4 }, (_, i) => builder.lines.at(i, positionOf));
  const operation = { side: "remote", index: 1 } as const;
  assert.deepEqual(lines, [
    {
      action: "+",
      path: "d",
      bytes: 0,
      direction: ">",
      type: "d",
      operation: { side: "remote", index: 0 },
    },
    { action: "R", path: "d/new", bytes: 5, direction: ">", type: "f", operation, from: "d/old" },
    { action: "C", path: "d/old", bytes: 5, direction: ">", type: "f", operation },
    {
      action: "-",
      path: "d/x",
      bytes: 0,
      direction: "<",
      type: "f",
      operation: { side: "local", index: 0 },
    },
  ]);
  const { send, renames, adjustments } = builder.sums;
  assert.deepEqual([send, renames, adjustments], [0, 1, 1]);
});
