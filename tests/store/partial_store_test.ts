import assert from "node:assert/strict";
import { sha256 } from "../../src/base/digest.ts";
import {
  CommitBatch,
  openRoot,
  PARTIAL_AGE_MS,
  PartialStore,
  type PartialTarget,
} from "../../src/store/mod.ts";
import { at, bytes, testEach, tree } from "./support.ts";

const target: PartialTarget = { path: at("big/file"), size: 10, mtimeMs: 1_700_000_000_123 };

testEach("PartialStore goes on where the last checkpoint was", async (root, path) => {
  {
    using partial = new PartialStore(root).open(target);
    assert.equal(partial.bytesFlushed, 0);
    partial.staged.writeAt(bytes("01234"), 0);
    await partial.checkpoint(5);
    partial.staged.writeAt(bytes("56"), 5);
  }
  using again = openRoot(path, { implementation: root.implementation });
  const store = new PartialStore(again);
  assert.deepEqual(store.list().map(({ key: _, changedMs: __, diskBytes: ___, ...rest }) => rest), [
    { ...target, bytesFlushed: 5 },
  ]);
  using partial = store.open(target);
  assert.equal(partial.bytesFlushed, 5);
  const head = new Uint8Array(5);
  assert.equal(partial.staged.readAt(head, 0), 5);
  assert.deepEqual(head, bytes("01234"));
  partial.staged.writeAt(bytes("56789"), 5);
  partial.staged.finish({ mode: 0o640, mtimeMs: target.mtimeMs });
  using batch = new CommitBatch(again);
  batch.add({ kind: "dir", path: at("big"), mode: 0o755, expected: "absent" });
  batch.add({ kind: "file", path: target.path, staged: partial.staged, expected: "absent" });
  const results = await batch.commit();
  assert.deepEqual(results.map(({ outcome }) => outcome), ["done", "done"]);
  partial.forget();
  assert.equal(Deno.readTextFileSync(`${path}/big/file`), "0123456789");
  assert.equal(again.lstat(target.path)!.mode, 0o640);
  assert.deepEqual(tree(`${path}/.landropic/partial`), []);
});

testEach("PartialStore keeps a partial file whose commit was refused", async (root, path) => {
  const store = new PartialStore(root);
  {
    using partial = store.open(target);
    partial.staged.writeAt(bytes("0123456789"), 0);
    await partial.checkpoint(10);
    partial.staged.finish({ mode: 0o644, mtimeMs: 0 });
    Deno.mkdirSync(`${path}/big`);
    Deno.writeTextFileSync(`${path}/big/file`, "theirs");
    using batch = new CommitBatch(root);
    batch.add({ kind: "file", path: target.path, staged: partial.staged, expected: "absent" });
    assert.deepEqual((await batch.commit()).map(({ outcome }) => outcome), ["changed"]);
  }
  using partial = store.open(target);
  assert.equal(partial.bytesFlushed, 10);
});

testEach("PartialStore begins anew for another version of the file", async (root) => {
  const store = new PartialStore(root);
  const digest = sha256(bytes("x"));
  const others = [
    target,
    { ...target, size: 11 },
    { ...target, mtimeMs: 5 },
    { ...target, path: at("other") },
    { ...target, digest },
  ];
  for (const each of others) {
    using partial = store.open(each);
    assert.equal(partial.bytesFlushed, 0);
    partial.staged.writeAt(bytes("01"), 0);
    await partial.checkpoint(2);
  }
  assert.equal(store.list().length, others.length);
  assert.equal(store.discard(target), true);
  assert.equal(store.discard(target), false);
  assert.equal(store.list().length, others.length - 1);
});

testEach(
  "PartialStore believes no journal that is damaged or claims too much",
  async (root, path) => {
    const store = new PartialStore(root);
    {
      using partial = store.open(target);
      partial.staged.writeAt(bytes("0123"), 0);
      await partial.checkpoint(4);
    }
    const folder = `${path}/.landropic/partial`;
    const journal = [...Deno.readDirSync(folder)].find(({ name }) => name.endsWith(".json"))!.name;
    const text = Deno.readTextFileSync(`${folder}/${journal}`);
    const damaged = [
      text.slice(0, -3),
      "",
      "null",
      text.replace('"bytesFlushed":4', '"bytesFlushed":-4'),
      text.replace('"bytesFlushed":4', '"bytesFlushed":11'),
      text.replace("big/file", "../file"),
      text.replace('"size":10', '"size":1e300'),
      text.replace('"size"', '"digest":"00","size"'),
    ];
    for (const each of damaged) {
      Deno.writeTextFileSync(`${folder}/${journal}`, each);
      assert.equal(store.list().length, 0, each);
      using partial = store.open(target);
      assert.equal(partial.bytesFlushed, 0, each);
    }
    Deno.writeTextFileSync(
      `${folder}/${journal}`,
      text.replace('"bytesFlushed":4', '"bytesFlushed":9'),
    );
    using partial = store.open(target);
    assert.equal(partial.bytesFlushed, 4, "no more than the file holds");
  },
);

testEach("PartialStore remembers what the flushed bytes were checked against", async (root) => {
  const store = new PartialStore(root);
  const digest = sha256(bytes("x"));
  assert.equal(store.has(target), false);
  {
    using partial = store.open(target);
    assert.equal(store.has(target), false, "nothing to go on with yet");
    partial.staged.writeAt(bytes("0123"), 0);
    await partial.checkpoint(4, digest);
    assert.deepEqual(partial.digestFlushed, digest);
  }
  assert.equal(store.has(target), true);
  {
    using partial = store.open(target);
    assert.deepEqual(partial.digestFlushed, digest);
    const [record] = store.list();
    using file = store.read(record!);
    const read = new Uint8Array(8);
    assert.deepEqual(read.subarray(0, file.readAt(read, 0)), bytes("0123"));
    await partial.checkpoint(4);
  }
  using partial = store.open(target);
  assert.equal(partial.digestFlushed, undefined);
  assert.equal(store.discard(store.list()[0]!), true);
  assert.equal(store.has(target), false);
});

testEach("PartialStore forgets a journal whose bytes were removed", async (root, path) => {
  const store = new PartialStore(root);
  {
    using partial = store.open(target);
    partial.staged.writeAt(bytes("0123"), 0);
    await partial.checkpoint(4, sha256(bytes("x")));
  }
  const folder = `${path}/.landropic/partial`;
  const part = [...Deno.readDirSync(folder)].find(({ name }) => name.endsWith(".part"))!.name;
  Deno.removeSync(`${folder}/${part}`);
  {
    using partial = store.open(target);
    assert.equal(partial.digestFlushed, undefined);
    partial.staged.writeAt(bytes("98765432"), 0);
  }
  using partial = store.open(target);
  assert.equal(partial.bytesFlushed, 0);
});

testEach("PartialStore sweeps what nobody went on with", async (root, path) => {
  const store = new PartialStore(root);
  {
    using partial = store.open(target);
    partial.staged.writeAt(bytes("0123"), 0);
    await partial.checkpoint(4);
  }
  Deno.writeTextFileSync(`${path}/.landropic/partial/${"0".repeat(32)}.json`, "{}");
  assert.equal(store.sweep(Date.now()), 0);
  assert.equal(tree(`${path}/.landropic/partial`).length, 2);
  assert.equal(store.sweep(Date.now() + PARTIAL_AGE_MS + 60_000), 1);
  assert.deepEqual(store.list(), []);
  store.sweep(Date.now());
  assert.deepEqual(tree(`${path}/.landropic/partial`), []);
});
