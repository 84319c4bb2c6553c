import assert from "node:assert/strict";
import * as fs from "node:fs";
import { findDirs, type FolderEvents, watchTree } from "../../../src/sync/watch/tree_events.ts";
import { Link, temporaryFolder, writeTree } from "../../support/tree.ts";

/** Collects events, and waits for a path to be among them. */
class Collector implements Disposable {
  readonly seen = new Set<string>();
  #wake = Promise.withResolvers<void>();

  constructor(readonly events: FolderEvents, readonly root: string) {
    void this.#read();
  }

  async find(path: string): Promise<void> {
    while (!this.seen.has(path)) await this.#wake.promise;
  }

  [Symbol.dispose](): void {
    this.events.close();
  }

  async #read(): Promise<void> {
    for await (const { paths, flag } of this.events) {
      for (const path of paths) this.seen.add(path.slice(this.root.length + 1));
      if (flag === "rescan") this.seen.add("rescan");
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    }
  }
}

function setUp() {
  const outside = temporaryFolder();
  const folder = temporaryFolder();
  writeTree(outside.path, { a: { b: { c: {} } } });
  return { outside, folder, root: fs.realpathSync(folder.path) };
}

Deno.test("findDirs() follows no link, and notices those that lead to directories", () => {
  const { outside, folder, root } = setUp();
  using _outside = outside;
  using _folder = folder;
  writeTree(root, {
    ".landropic": { tmp: {} },
    d: { e: {}, f: "1" },
    toFile: new Link("d/f"),
    nowhere: new Link("x"),
  });
  const plain = findDirs(root);
  assert.deepEqual(plain.dirs.sort(), [root, `${root}/d`, `${root}/d/e`]);
  assert.equal(plain.isTangled, false);
  fs.symlinkSync(outside.path, `${root}/d/out`);
  const tangled = findDirs(root);
  assert.deepEqual([tangled.dirs.sort(), tangled.isTangled], [plain.dirs, true]);
});

for (const what of ["without links", "with a link to a folder outside"]) {
  Deno.test(`watchTree() tells of changes ${what}, in folders old and new`, async () => {
    const { outside, folder, root } = setUp();
    using _outside = outside;
    using _folder = folder;
    writeTree(root, { d: { e: { f: "1" } }, x: { y: "2" } });
    if (what !== "without links") fs.symlinkSync(outside.path, `${root}/d/out`);
    using events = new Collector(watchTree(root), root);
    fs.writeFileSync(`${root}/d/e/f`, "changed");
    await events.find("d/e/f");
    fs.writeFileSync(`${root}/top`, "new");
    await events.find("top");
    fs.mkdirSync(`${root}/new/inner`, { recursive: true });
    await events.find("new");
    // Once it is watched, which takes a moment.
    for (let i = 0; !events.seen.has(`new/inner/f${i - 1}`) && !events.seen.has("rescan"); i++) {
      fs.writeFileSync(`${root}/new/inner/f${i}`, "x");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    fs.writeFileSync(`${root}/new/inner/g`, "x");
    await events.find("new/inner/g");
    // Removed and made again, as a change of branches does.
    fs.rmSync(`${root}/d/e`, { recursive: true });
    await events.find("d/e");
    fs.mkdirSync(`${root}/d/e`);
    for (let i = 0; !events.seen.has(`d/e/again${i - 1}`); i++) {
      fs.writeFileSync(`${root}/d/e/again${i}`, "x");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    fs.writeFileSync(`${outside.path}/a/b/file`, "nobody's business");
    fs.writeFileSync(`${root}/x/y`, "last");
    await events.find("x/y");
    assert.ok(![...events.seen].some((path) => path.includes("out/")));
  });
}
