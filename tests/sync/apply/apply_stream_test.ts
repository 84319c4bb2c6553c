import assert from "node:assert/strict";
import type { RelPath } from "../../../src/base/paths.ts";
import { EMPTY_VECTOR } from "../../../src/base/version_vector.ts";
import { readOperations, sendOperations } from "../../../src/sync/apply/apply_stream.ts";
import { OperationList, OperationPart } from "../../../src/sync/apply/operation_list.ts";
import type { Operation } from "../../../src/sync/apply/operation.ts";
import type { DuplexStream } from "../../../src/sync/link/transport.ts";

const COUNT = 12_000;

function removal(i: number): Operation {
  // Of uneven lengths, so that records lie across the ends of blocks.
  const path = `${"x".repeat(i % 97)}${i}` as RelPath;
  const before = { kind: "file", size: i, mtimeMs: i } as const;
  return { op: "remove", path, before, vector: EMPTY_VECTOR };
}

/** What `sendOperations` writes, block by block. */
async function written(operations: readonly Operation[]): Promise<Uint8Array[]> {
  const blocks: Uint8Array[] = [];
  const finished = Promise.withResolvers<void>();
  const stream = {
    send: {
      write: (bytes: Uint8Array) => Promise.resolve(void blocks.push(bytes.slice())),
      finish: () => Promise.resolve(finished.resolve()),
    },
    recv: { read: () => finished.promise.then(() => Promise.reject(new Error("none come"))) },
  } as unknown as DuplexStream;
  const parts = [new OperationPart(OperationList.of(operations))];
  const sending = sendOperations(stream, parts, { compress: false, onOutcome: () => {} });
  await assert.rejects(sending, /none come/);
  return blocks;
}

Deno.test("readOperations() hands on what is at hand before it waits for the next block", async () => {
  const operations = Array.from({ length: COUNT }, (_, i) => removal(i));
  const blocks = await written(operations);
  assert.ok(blocks.length >= 3, `${blocks.length} blocks`);
  let next = 0;
  const stream = {
    recv: {
      read(into: Uint8Array) {
        const block = blocks[next];
        if (block === undefined) return Promise.resolve(null);
        const part = block.subarray(0, into.length);
        into.set(part);
        if (part.length < block.length) blocks[next] = block.subarray(part.length);
        else next++;
        return Promise.resolve(part.length);
      },
    },
  } as unknown as DuplexStream;
  const got: Operation[] = [];
  let portions = 0;
  for await (const portion of readOperations(stream)) {
    if (portions === 0) assert.ok(next <= 2, `read ${next} blocks before the first operation`);
    assert.ok(portion.length > 0 && portion.length <= 256, "work on the first can begin");
    portions++;
    got.push(...portion);
  }
  assert.deepEqual(got, operations);
  assert.ok(portions >= blocks.length - 1);
});
