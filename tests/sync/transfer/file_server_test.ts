import assert from "node:assert/strict";
import type { RelPath } from "../../../src/base/paths.ts";
import type { BulkRequest } from "../../../src/sync/link/bulk.ts";
import { type SendSide, URGENCY } from "../../../src/sync/link/transport.ts";
import { BlockWriter } from "../../../src/protocol/mod.ts";
import { StoreError } from "../../../src/store/mod.ts";
import { FileServer, setBulkPriority } from "../../../src/sync/transfer/file_server.ts";

const MIB = 1024 * 1024;

/** Urgency and whether it takes turns, for an answer with files of these sizes. */
function priorityOf(request: BulkRequest, sizes: readonly number[]): unknown[] {
  let priority: unknown[] = [];
  const stream: SendSide = {
    write: () => Promise.resolve(),
    finish: () => Promise.resolve(),
    reset: () => {},
    setPriority: (...given) => void (priority = given),
  };
  setBulkPriority(stream, request, (path) => {
    const size = sizes[Number(path)];
    return size === undefined ? undefined : { size, mtimeMs: 0, places: [path] };
  });
  return priority;
}

function filesOf(count: number): BulkRequest {
  const files = Array.from({ length: count }, (_, i) => ({ path: `${i}` as RelPath, offset: 0 }));
  return { kind: "get-files", session: 1, files };
}

function rangesOf(...lengths: number[]): BulkRequest {
  const ranges = lengths.map((length) => ({ offset: 0, length }));
  return { kind: "get-ranges", session: 1, path: "0" as RelPath, size: 1, mtimeMs: 0, ranges };
}

Deno.test("setBulkPriority() puts small files before large ones, and only very long answers take turns", () => {
  const { smallFiles, largeFiles } = URGENCY;
  const small = [MIB, ...Array.from({ length: 99 }, () => MIB)];
  assert.deepEqual(priorityOf(filesOf(100), small), [smallFiles, false]);
  assert.deepEqual(priorityOf(filesOf(1), []), [smallFiles, false]);
  assert.deepEqual(priorityOf(filesOf(2), [10, MIB + 1]), [largeFiles, false]);
  assert.deepEqual(priorityOf(filesOf(1), [64 * MIB - 1]), [largeFiles, false]);
  assert.deepEqual(priorityOf(filesOf(1), [64 * MIB]), [largeFiles, true]);
  assert.deepEqual(priorityOf(rangesOf(16 * MIB, 10), [1024 * MIB]), [largeFiles, false]);
  assert.deepEqual(priorityOf(rangesOf(32 * MIB, 32 * MIB), [1024 * MIB]), [largeFiles, true]);
});

Deno.test("FileServer tells why a file can't be read, and nothing of one that has changed", async () => {
  const told: [string, string][] = [];
  const server = new FileServer({
    root: {
      readSmall: (path: string) => {
        throw new StoreError(path === "gone" ? "not_found" : "denied", `Cannot read "${path}"`);
      },
      openFile: (path: string) => {
        throw new StoreError("denied", `Cannot open "${path}"`);
      },
    } as never,
    find: (path) => ({ size: path === "large" ? MIB : 1, mtimeMs: 0, places: [path] }),
    onBytes: () => assert.fail("nothing can be read"),
    onFile: () => assert.fail("nothing can be sent"),
    onUnreadable: (path, error) => told.push([path, (error as Error).message]),
  });
  const files = ["small", "gone", "large"].map((path) => ({ path: path as RelPath, offset: 0 }));
  const out = new BlockWriter(() => Promise.resolve(), { compress: false });
  await server.sendFiles({ kind: "get-files", session: 1, files }, out);
  assert.deepEqual(told.map(([path]) => path), ["small", "large"]);
  assert.match(told[0]![1], /^Cannot read "small"/);
  assert.match(told[1]![1], /^Cannot open "large"/);
});
