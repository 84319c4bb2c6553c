import assert from "node:assert/strict";
import {
  BATCH_CHANGES_MAX,
  type ChangeResult,
  CommitPipeline,
  type Root,
} from "../../src/store/mod.ts";
import { at, staged, testEach, tree } from "./support.ts";

function addFile(pipeline: CommitPipeline, root: Root, path: string): void {
  pipeline.add({ kind: "file", path: at(path), staged: staged(root, path), expected: "absent" });
}

testEach(
  "CommitPipeline cuts few files at first, then full batches, and hands results over in order",
  async (root) => {
    const batches: string[][] = [];
    await using pipeline = new CommitPipeline(root, {
      fsync: false,
      onBatch: (results) => void batches.push(results.map(({ change }) => change.path)),
    });
    const names = Array.from({ length: BATCH_CHANGES_MAX * 2 + 1 }, (_, i) => `f${i}`);
    for (const name of names) {
      addFile(pipeline, root, name);
      await pipeline.ready();
    }
    await pipeline.flush();
    const lengths = batches.map((batch) => batch.length);
    assert.deepEqual(lengths, [32, 64, 128, BATCH_CHANGES_MAX, 33]);
    assert.deepEqual(batches.flat(), names);
  },
);

testEach("CommitPipeline makes a directory of one batch before files of the next", async (root) => {
  const results: ChangeResult[] = [];
  await using pipeline = new CommitPipeline(root, {
    onBatch: (batch) => void results.push(...batch),
  });
  pipeline.add({ kind: "dir", path: at("d"), mode: 0o755, expected: "absent" });
  const first = pipeline.flush();
  addFile(pipeline, root, "d/f");
  await Promise.all([first, pipeline.flush()]);
  assert.deepEqual(results.map(({ outcome }) => outcome), ["done", "done"]);
});

testEach("CommitPipeline commits what waits for more after a while", async (root, path) => {
  const { promise, resolve } = Promise.withResolvers<ChangeResult[]>();
  await using pipeline = new CommitPipeline(root, { delayMs: 5, onBatch: resolve });
  addFile(pipeline, root, "f");
  const results = await promise;
  assert.equal(results.length, 1);
  assert.deepEqual(tree(path), ["f"]);
});

testEach("CommitPipeline holds back while batches wait for the index", async (root) => {
  const gate = Promise.withResolvers<void>();
  await using pipeline = new CommitPipeline(root, { fsync: false, onBatch: () => gate.promise });
  for (let i = 0; i < 3; i++) {
    addFile(pipeline, root, `f${i}`);
    // Not waited for: each is a batch of its own.
    pipeline.flush().catch(() => {});
  }
  let ready = false;
  const waiting = pipeline.ready().then(() => ready = true);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(ready, false);
  gate.resolve();
  await waiting;
  assert.equal(ready, true);
});

testEach(
  "CommitPipeline makes nothing more visible once the index has failed",
  async (root, path) => {
    await using pipeline = new CommitPipeline(root, {
      onBatch: () => {
        throw new Error("index is full");
      },
    });
    addFile(pipeline, root, "first");
    await assert.rejects(pipeline.flush(), /index is full/);
    addFile(pipeline, root, "second");
    await assert.rejects(pipeline.flush(), /index is full/);
    await assert.rejects(pipeline.ready(), /index is full/);
    assert.deepEqual(tree(path), ["first"]);
  },
);

testEach("CommitPipeline discards what was not flushed when disposed", async (root, path) => {
  {
    await using pipeline = new CommitPipeline(root, { onBatch: () => {} });
    addFile(pipeline, root, "f");
  }
  assert.deepEqual(tree(path), []);
});
