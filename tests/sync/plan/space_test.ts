import assert from "node:assert/strict";
import type { RelPath } from "../../../src/base/paths.ts";
import { EMPTY_VECTOR } from "../../../src/base/version_vector.ts";
import { OperationList } from "../../../src/sync/apply/operation_list.ts";
import type { WriteFile } from "../../../src/sync/apply/operation.ts";
import { checkSpace, type DiskFacts } from "../../../src/sync/plan/space.ts";

const MB = 1e6;
const GIB = 1024 ** 3;

function write(name: string, size: number, old?: number): WriteFile {
  const path = name as RelPath;
  return {
    op: "write-file",
    path,
    source: path,
    mode: 0o644,
    size,
    mtimeMs: 0,
    digest: undefined,
    before: old === undefined ? { kind: "absent" } : { kind: "file", size: old, mtimeMs: 0 },
    vector: EMPTY_VECTOR,
  };
}

/** Checks a plan that writes to the peer; what the files take there is what they take here. */
async function check(
  operations: readonly WriteFile[],
  disk: Partial<DiskFacts>,
  { deleted = 0, taken = {} as Record<string, number | undefined> } = {},
): Promise<RelPath[]> {
  let growth = 0;
  for (const { size, before } of operations) {
    growth += Math.max(0, size - (before.kind === "file" ? before.size : 0));
  }
  const asked: RelPath[] = [];
  const sizes = new Map(operations.map(({ path, size }) => [path, size]));
  await checkSpace({
    local: OperationList.of([]),
    remote: OperationList.of(operations),
    growth: { local: 0, remote: growth },
    deletedBytes: { local: 0, remote: deleted },
  }, {
    local: {
      name: "this device",
      freeBytes: 0,
      freesDeleted: false,
      diskBytesOf: () => Promise.resolve([]),
    },
    remote: {
      name: '"nas"',
      freeBytes: 100 * MB,
      freesDeleted: false,
      diskBytesOf: (paths) => {
        asked.push(...paths);
        return Promise.resolve(paths.map((path) => path in taken ? taken[path] : sizes.get(path)));
      },
      ...disk,
    },
  });
  return asked;
}

Deno.test("checkSpace() refuses what can't fit, with what is needed, free and kept free", async () => {
  await assert.rejects(check([write("a", 60 * MB), write("b", 36 * MB)], {}), {
    code: "storage",
    message: 'Not enough space on the disk of "nas": 96.0 MB are needed, 100 MB are free, ' +
      "and 5.00 MB of that stay so",
    hint: /nothing was changed; .*--fill-disk/,
  });
});

Deno.test("checkSpace() lets through what fits, and asks nobody about it", async () => {
  assert.deepEqual(await check([write("a", 95 * MB)], {}), []);
  assert.deepEqual(await check([write("a", 5 * MB)], { freeBytes: 5.5 * MB }), []);
  assert.deepEqual(await check([], { freeBytes: 0 }), [], "there is nothing to write");
});

for (
  const [freeBytes, most] of [
    // A small stick, and a disk that is nearly full, are of use to the last twentieth.
    [2 * GIB, Math.floor(1.9 * GIB)],
    [20 * GIB, 19 * GIB],
    [1000 * GIB, 999 * GIB],
  ] as const
) {
  Deno.test(`checkSpace() takes ${(most / GIB).toFixed(1)} of ${freeBytes / GIB} GiB, and not a byte more`, async () => {
    await check([write("a", most)], { freeBytes });
    await assert.rejects(check([write("a", most + 1)], { freeBytes }), { code: "storage" });
  });
}

Deno.test("checkSpace() counts no holes, no byte that is replaced, and nothing that is gone", async () => {
  const sparse = write("sparse", 1000 * MB);
  assert.deepEqual(await check([sparse], {}, { taken: { sparse: 90 * MB } }), ["sparse"]);
  await check([write("old", 190 * MB, 100 * MB)], {});
  await check([write("gone", 200 * MB)], {}, { taken: { gone: undefined } });
  await check([write("a", 120 * MB)], { freesDeleted: true }, { deleted: 30 * MB });
  await assert.rejects(check([write("a", 120 * MB)], {}, { deleted: 30 * MB }), {
    code: "storage",
  });
  // A compressing or preallocating disk says more or less than the size; never more counts.
  const taken = { sparse: 90 * MB, full: 999 * MB };
  await assert.rejects(check([sparse, write("full", 10 * MB)], {}, { taken }), {
    message: /100 MB are needed/,
  });
});

Deno.test("checkSpace() asks about thousands of files in portions, and of none that is small", async () => {
  const files = Array.from({ length: 1100 }, (_, i) => write(`f${i}`, MB));
  const small = Array.from({ length: 10 }, (_, i) => write(`s${i}`, 1000));
  const taken = Object.fromEntries(files.map(({ path }) => [path, 4096]));
  assert.equal((await check([...files, ...small], {}, { taken })).length, 1100);
});

Deno.test("checkSpace() refuses nothing where nobody can tell of holes", async () => {
  await check([write("a", 1000 * MB)], { diskBytesOf: () => Promise.resolve(undefined) });
});
