import assert from "node:assert/strict";
import type { Digest } from "../../../src/base/digest.ts";
import type { RelPath } from "../../../src/base/paths.ts";
import { EMPTY_VECTOR } from "../../../src/base/version_vector.ts";
import {
  OperationList,
  OperationLog,
  type OperationPart,
  packToCompare,
} from "../../../src/sync/apply/operation_list.ts";
import type { Operation, WriteFile } from "../../../src/sync/apply/operation.ts";
import { LateComparison } from "../../../src/sync/plan/late_comparison.ts";
import type { DigestQuestion } from "../../../src/sync/reconcile/mod.ts";

const NEW_MS = 2_000;
const OLD_MS = 1_000;

function write(path: string): WriteFile {
  return {
    op: "write-file",
    path: path as RelPath,
    source: `from/${path}` as RelPath,
    mode: 0o640,
    size: 7,
    mtimeMs: NEW_MS,
    digest: undefined,
    before: { kind: "file", size: 7, mtimeMs: OLD_MS },
    vector: EMPTY_VECTOR,
  };
}

function removal(path: string): Operation {
  return {
    op: "remove",
    path: path as RelPath,
    before: { kind: "dir" },
    vector: EMPTY_VECTOR,
  };
}

/** @param toCompare Positions, and whether the mode becomes another one. */
function listOf(operations: readonly Operation[], toCompare: [number, boolean][]): OperationList {
  const log = new OperationLog();
  const order = Uint32Array.from(operations, (operation) => log.add(operation));
  const packed = toCompare.map(([index, changesMode]) => packToCompare({ index, changesMode }));
  return new OperationList(log, order, Uint32Array.from(packed));
}

function digest(byte: number): Digest {
  return new Uint8Array(32).fill(byte);
}

/** Answers by path; keeps what it was asked. */
function comparing(answer: (question: DigestQuestion) => Digest | undefined) {
  const asked: DigestQuestion[][] = [];
  const same: string[] = [];
  const comparison = new LateComparison({
    answers: {
      answer(questions) {
        asked.push([...questions]);
        return Promise.resolve(questions.map(answer));
      },
    },
    onSame: (side, index) => same.push(`${side} ${index}`),
  });
  return { comparison, asked, same };
}

async function all(parts: AsyncIterable<OperationPart>): Promise<Operation[]> {
  const operations: Operation[] = [];
  for await (const part of parts) operations.push(...part);
  return operations;
}

Deno.test("LateComparison sets only attributes of files that both sides have, and writes the others", async () => {
  const operations = [
    write("same"),
    write("same-mode"),
    write("other"),
    write("lost"),
    removal("d"),
  ];
  const list = listOf(operations, [[0, false], [1, true], [2, false], [3, false]]);
  const { comparison, asked, same } = comparing(({ path, side }) => {
    if (path.endsWith("lost")) return side === "local" ? digest(1) : undefined;
    return path === "other" ? digest(2) : digest(1);
  });
  const [first, second, third, fourth, last] = await all(comparison.parts(list, "remote"));
  const common = { before: write("").before, vector: EMPTY_VECTOR };
  const touched = { op: "set-attributes", mtimeMs: NEW_MS, ...common };
  assert.deepEqual(first, { ...touched, path: "same", mode: undefined });
  assert.deepEqual(second, { ...touched, path: "same-mode", mode: 0o640 });
  // What it is to be is known now, so that it is found where it lies already.
  assert.deepEqual(third, { ...write("other"), digest: digest(1) });
  assert.deepEqual(fourth, { ...write("lost"), digest: digest(1) });
  assert.deepEqual(last, removal("d"));
  assert.deepEqual(same, ["remote 0", "remote 1"]);
  const [wanted, old] = asked.flat();
  assert.equal(wanted!.side, "local");
  assert.equal(wanted!.path, "from/same");
  assert.partialDeepStrictEqual(wanted!.entry, { kind: "file", size: 7, mtimeMs: NEW_MS });
  assert.equal(old!.side, "remote");
  assert.equal(old!.path, "same");
  assert.partialDeepStrictEqual(old!.entry, { kind: "file", size: 7, mtimeMs: OLD_MS });
});

Deno.test("LateComparison hands out a plan without such files at once, and in one part", async () => {
  const operations = Array.from({ length: 3000 }, (_, i) => removal(`d${i}`));
  const { comparison, asked } = comparing(() => undefined);
  const parts = await Array.fromAsync(comparison.parts(listOf(operations, []), "remote"));
  assert.equal(parts.length, 1);
  assert.ok(parts[0]!.isLast);
  assert.deepEqual([...parts[0]!], operations);
  assert.deepEqual(asked, []);
  assert.deepEqual(await all(comparison.parts(listOf([], []), "remote")), []);
});

Deno.test("LateComparison begins with few files, and looks at the next ones while these are at work", async () => {
  const operations: Operation[] = [];
  const toCompare: [number, boolean][] = [];
  for (let i = 0; i < 1000; i++) {
    if (i % 3 === 0) operations.push(removal(`d${i}`));
    else toCompare.push([operations.push(write(`f${i}`)) - 1, false]);
  }
  const { comparison, asked } = comparing(({ side }) => digest(side === "local" ? 1 : 2));
  const list = listOf(operations, toCompare);
  const lengths: number[] = [];
  const got: Operation[] = [];
  for await (const part of comparison.parts(list, "remote")) {
    lengths.push([...part].filter(({ op }) => op === "write-file").length);
    got.push(...part);
    assert.equal(part.isLast, got.length === operations.length);
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(asked.length, Math.min(lengths.length + 1, 5), "one part ahead, and no more");
  }
  assert.deepEqual(lengths, [32, 64, 128, 256, toCompare.length - 480]);
  assert.deepEqual(
    got,
    operations.map((each) => each.op === "write-file" ? { ...each, digest: digest(1) } : each),
  );
  for await (const part of comparison.parts(list, "local", 100)) {
    assert.ok(part.to - part.from <= 100, "no more than are wanted");
  }
});

Deno.test("LateComparison hands on why asking failed, after what is known", async () => {
  const operations = Array.from({ length: 100 }, (_, i) => write(`f${i}`));
  const list = listOf(operations, operations.map((_, i) => [i, false]));
  let calls = 0;
  const comparison = new LateComparison({
    answers: {
      answer: (questions) =>
        ++calls > 1
          ? Promise.reject(new Error("connection lost"))
          : Promise.resolve(questions.map(() => digest(1))),
    },
    onSame: () => {},
  });
  let parts = 0;
  await assert.rejects(async () => {
    for await (const _ of comparison.parts(list, "remote")) {
      parts++;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }, /connection lost/);
  assert.equal(parts, 1);
});
