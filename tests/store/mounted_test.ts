import assert from "node:assert/strict";
import {
  type Change,
  CommitBatch,
  openRoot,
  PartialStore,
  type RootImplementation,
} from "../../src/store/mod.ts";
import { canMount, SmallDisk } from "../support/small_disk.ts";
import { temporaryFolder } from "../support/tree.ts";
import { at, IMPLEMENTATIONS, refuses, staged, tree } from "./support.ts";

if (!canMount) console.warn("skipped: tests that mount a file system need root on Linux");

/** Runs with a small tmpfs mounted at `below` of a new folder. */
function testMounted(
  name: string,
  body: (
    path: string,
    implementation: RootImplementation,
    disk: SmallDisk,
  ) => Promise<void> | void,
  options: { below?: string; size: string; flags?: string },
): void {
  for (const implementation of IMPLEMENTATIONS) {
    Deno.test({
      name: `${name} [${implementation}]`,
      ignore: !canMount,
      fn: async () => {
        using temporary = temporaryFolder();
        const { path } = temporary;
        const mount = `${path}/${options.below ?? ""}`;
        Deno.mkdirSync(mount, { recursive: true });
        await using disk = await SmallDisk.mount(
          mount,
          `size=${options.size}${options.flags ?? ""}`,
        );
        await body(path, implementation, disk);
      },
    });
  }
}

const KIB = new Uint8Array(1024).fill(7);

testMounted(
  "a full disk is told from other failures, and what was there stays",
  async (path, implementation) => {
    using root = openRoot(path, { implementation });
    Deno.writeTextFileSync(`${path}/old`, "old");
    const expected = root.lstat(at("old"))!;
    root.features();
    {
      using file = root.stage();
      refuses(["no_space"], () => {
        for (let i = 0; i < 4096; i++) file.writeAt(KIB, i * KIB.length);
      });
      assert.equal(root.space().freeBytes, 0);
      using batch = new CommitBatch(root);
      file.truncate(root.space().totalBytes - 64 * 1024);
      const removal: Change = { kind: "remove", path: at("old"), expected, keep: "none" };
      batch.add(removal);
      assert.deepEqual((await batch.commit()).map(({ outcome }) => outcome), ["done"]);
    }
    assert.ok(root.space().freeBytes > 0, "a staged file that is disposed gives its space back");
    assert.deepEqual(tree(path), []);
  },
  { size: "512k" },
);

testMounted("a disk without room for names stops the batch", async (path, implementation) => {
  using root = openRoot(path, { implementation });
  root.features();
  using batch = new CommitBatch(root);
  for (const name of ["a", "b", "c"]) {
    batch.add({ kind: "dir", path: at(name), mode: 0o755, expected: "absent" });
  }
  for (let i = 0; root.lstat(at(".landropic")) !== undefined; i++) {
    try {
      Deno.writeTextFileSync(`${path}/filler${i}`, "");
    } catch {
      break;
    }
  }
  const results = await batch.commit();
  for (const result of results) {
    assert.ok(result.outcome === "failed");
    assert.equal(result.error.reason, "no_space");
  }
}, { size: "512k", flags: ",nr_inodes=40" });

testMounted("a partial file survives a full disk", async (path, implementation) => {
  using root = openRoot(path, { implementation });
  const target = { path: at("big"), size: 10_000_000, mtimeMs: 0 };
  const store = new PartialStore(root);
  {
    using partial = store.open(target);
    partial.staged.writeAt(KIB, 0);
    await partial.checkpoint(1024);
    refuses(["no_space"], () => {
      for (let i = 1; i < 4096; i++) partial.staged.writeAt(KIB, i * KIB.length);
    });
  }
  using partial = store.open(target);
  assert.equal(partial.bytesFlushed, 1024);
}, { size: "512k" });

testMounted(
  "list() marks the root of another file system, and nothing is moved into it",
  async (path, implementation) => {
    using root = openRoot(path, { implementation });
    const { stat, entries } = root.list("");
    const inner = entries.find(({ name }) => name === "inner")!;
    assert.equal(inner.mountPoint, true);
    assert.notEqual(inner.dev, stat.dev);
    assert.equal(root.stat.dev, stat.dev);
    using batch = new CommitBatch(root);
    batch.add({
      kind: "file",
      path: at("inner/f"),
      staged: staged(root, "x"),
      expected: "absent",
    });
    const [result] = await batch.commit();
    assert.ok(result?.outcome === "failed");
    assert.equal(result.error.reason, "other_filesystem");
    assert.deepEqual([...Deno.readDirSync(`${path}/inner`)], []);
  },
  { size: "64k", below: "inner" },
);

testMounted(
  "a read-only file system can be listed and read",
  async (path, implementation, disk) => {
    Deno.writeTextFileSync(`${path}/f`, "hello");
    await disk.remount("ro");
    using root = openRoot(path, { implementation });
    assert.equal(root.readSmall(at("f"), new Uint8Array(9)).length, 5);
    refuses(["read_only"], () => root.stage());
    refuses(["read_only"], () => root.chmod(at("f"), 0o600));
    refuses(["read_only"], () => root.removeFile(at("f")));
  },
  { size: "64k" },
);
