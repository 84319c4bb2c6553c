import assert from "node:assert/strict";
import fc from "fast-check";
import type { RelPath } from "../../../src/base/paths.ts";
import { ByteReader } from "../../../src/base/varint.ts";
import { parseVectorMember, type VersionVector } from "../../../src/base/version_vector.ts";
import type { Before, Operation } from "../../../src/sync/apply/operation.ts";
import { decodeOperation, OPERATION_BYTES_MAX } from "../../../src/sync/apply/operation_codec.ts";
import { OperationList, OperationPart } from "../../../src/sync/apply/operation_list.ts";

const name = fc.stringMatching(/^[a-zäß✓]{1,12}$/);
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) =>
  names.join("/") as RelPath
);
const size = fc.maxSafeNat();
const mtimeMs = fc.integer({ min: -1e14, max: 1e14 });
const mode = fc.integer({ min: 0, max: 0o777 });
const digest = fc.uint8Array({ minLength: 32, maxLength: 32 });
const vector: fc.Arbitrary<VersionVector> = fc.uniqueArray(
  fc.stringMatching(/^[0-9a-f]{16}$/),
  { maxLength: 3 },
).chain((members) =>
  fc.array(fc.integer({ min: 1, max: 2 ** 40 }), {
    minLength: members.length,
    maxLength: members.length,
  }).map((counters) =>
    members.sort().map((member, i) => ({
      member: parseVectorMember(member)!,
      counter: counters[i]!,
    }))
  )
);
const before: fc.Arbitrary<Before> = fc.oneof(
  fc.constantFrom<Before>({ kind: "absent" }, { kind: "dir" }),
  fc.record({ kind: fc.constant("file" as const), size, mtimeMs }),
  fc.record({ kind: fc.constant("link" as const), target: name }),
);
const common = { path, before, vector };
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({
    op: fc.constant("make-dir" as const),
    ...common,
    mode,
    mtimeMs: fc.option(mtimeMs, { nil: undefined }),
  }),
  fc.record({
    op: fc.constant("write-file" as const),
    ...common,
    source: path,
    mode,
    size,
    mtimeMs,
    digest: fc.option(digest, { nil: undefined }),
  }),
  fc.record({ op: fc.constant("make-link" as const), ...common, target: name, mtimeMs }),
  fc.record({ op: fc.constant("move" as const), ...common, from: path }),
  fc.record({
    op: fc.constant("copy-file" as const),
    ...common,
    from: path,
    mode,
    size,
    mtimeMs,
    digest,
  }),
  fc.record({
    op: fc.constant("set-attributes" as const),
    ...common,
    mode: fc.option(mode, { nil: undefined }),
    mtimeMs: fc.option(mtimeMs, { nil: undefined }),
  }),
  fc.record({ op: fc.constant("remove" as const), ...common }),
);

/** Objects as the codec makes them; fast-check's have no prototype. */
const operations = (maxLength: number) =>
  fc.array(operation, { maxLength }).map((made) => structuredClone(made));

Deno.test("OperationList gives back the operations it was made of, in any order of looks", () => {
  fc.assert(fc.property(
    operations(30),
    fc.array(fc.nat({ max: 29 })),
    (operations, looks) => {
      const list = OperationList.of(operations);
      assert.equal(list.length, operations.length);
      assert.deepEqual([...list], operations);
      for (const index of looks) {
        if (index < operations.length) assert.deepEqual(list.at(index), operations[index]);
        else assert.throws(() => list.at(index), RangeError);
      }
      const [from, to] = [operations.length >> 2, operations.length >> 1];
      assert.deepEqual([...new OperationPart(list, from, to)], operations.slice(from, to));
    },
  ));
});

Deno.test("OperationList holds what a peer reads", () => {
  fc.assert(fc.property(operations(10), (operations) => {
    assert.deepEqual(read(new OperationPart(OperationList.of(operations))), operations);
  }));
});

Deno.test("OperationPart travels with other operations in place of some", () => {
  fc.assert(fc.property(operations(10), operation, fc.nat({ max: 9 }), (operations, other, at) => {
    const part = new OperationPart(OperationList.of(operations));
    part.replace(at, structuredClone(other));
    const expected = operations.map((each, i) => i === at ? structuredClone(other) : each);
    assert.deepEqual([...part], expected);
    assert.deepEqual(read(part), expected);
  }));
});

function read(part: OperationPart): Operation[] {
  return Array.from(
    part.framed(),
    (framed) => decodeOperation(new ByteReader(framed).lv(OPERATION_BYTES_MAX)),
  );
}
