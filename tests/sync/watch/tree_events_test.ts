import assert from "node:assert/strict";
import * as fs from "node:fs";
import { type FolderEvents, watchTree } from "../../../src/sync/watch/tree_events.ts";
import { temporaryFolder, writeTree } from "../../support/tree.ts";

/** Collects events, and waits for a path to be among them. */
class Collector implements Disposable {
  readonly seen: string[] = [];
  #wake = Promise.withResolvers<void>();

  constructor(readonly events: FolderEvents, readonly root: string) {
    void this.#read();
  }

  async find(what: string): Promise<void> {
    while (!this.seen.includes(what)) await this.#wake.promise;
  }

  [Symbol.dispose](): void {
    this.events.close();
  }

  async #read(): Promise<void> {
    for await (const { kind, paths, flag } of this.events) {
      for (const path of paths) this.seen.push(`${kind} ${path.slice(this.root.length + 1)}`);
      if (flag === "rescan") this.seen.push("rescan");
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    }
  }
}

function setUp() {
  const folder = temporaryFolder();
  return { folder, root: fs.realpathSync(folder.path) };
}

const ignore = Deno.build.os !== "linux";

Deno.test({
  name: "watchTree() tells what happens in directories that were added, and of which kind it is",
  ignore,
  fn: async () => {
    const { folder, root } = setUp();
    using _ = folder;
    writeTree(root, { d: { e: { f: "1" } }, x: { y: "2" } });
    using events = new Collector(watchTree(root), root);
    for (const dir of ["d", "d/e"]) events.events.add!(dir);
    fs.writeFileSync(`${root}/d/e/f`, "changed");
    await events.find("modify d/e/f");
    fs.chmodSync(`${root}/d/e`, 0o700);
    await events.find("modify d/e");
    fs.writeFileSync(`${root}/x/y`, "nobody has read it");
    fs.mkdirSync(`${root}/d/new`);
    await events.find("create d/new");
    fs.rmSync(`${root}/d/e/f`);
    await events.find("remove d/e/f");
    assert.ok(!events.seen.some((what) => what.includes("x/y")));
  },
});

Deno.test({
  name:
    "watchTree() loses nothing that happens in a directory once it was added, moved or made anew",
  ignore,
  fn: async () => {
    const { folder, root } = setUp();
    using _ = folder;
    writeTree(root, { a: { in: { f: "1" } }, b: {} });
    using events = new Collector(watchTree(root), root);
    const add = (...dirs: string[]) => dirs.forEach((dir) => events.events.add!(dir));
    add("a", "a/in", "b");
    fs.renameSync(`${root}/a`, `${root}/b/c`);
    // As a scan would that comes before the events are read.
    add("b/c", "b/c/in");
    fs.writeFileSync(`${root}/b/c/in/f`, "2");
    await events.find("modify b/c/in/f");
    fs.renameSync(`${root}/b/c`, `${root}/d`);
    await events.find("rename d");
    // And as one that comes after them.
    add("d", "d/in");
    fs.writeFileSync(`${root}/d/in/f`, "3");
    await events.find("modify d/in/f");
    fs.rmSync(`${root}/d/in`, { recursive: true });
    fs.mkdirSync(`${root}/d/in`);
    add("d/in");
    fs.writeFileSync(`${root}/d/in/g`, "4");
    await events.find("create d/in/g");
  },
});

Deno.test({
  name: "watchTree() tells what is in a new directory, and what happens in it later",
  ignore,
  fn: async () => {
    const { folder, root } = setUp();
    using _ = folder;
    using elsewhere = temporaryFolder();
    writeTree(elsewhere.path, { tree: { in: { f: "1" } } });
    using events = new Collector(watchTree(root), root);
    fs.renameSync(`${elsewhere.path}/tree`, `${root}/tree`);
    await events.find("create tree/in/f");
    fs.writeFileSync(`${root}/tree/in/f`, "2");
    await events.find("modify tree/in/f");
    writeTree(root, { made: { here: { g: "3" } } });
    await events.find("create made/here/g");
    fs.rmSync(`${root}/made/here/g`);
    await events.find("remove made/here/g");
  },
});

Deno.test({
  name: "watchTree() follows no link, and is there for thousands of changes at once",
  ignore,
  fn: async () => {
    const { folder, root } = setUp();
    using _ = folder;
    using outside = temporaryFolder();
    const dirs = Array.from({ length: 1_000 }, (_, i) => `d${i}`);
    for (const dir of dirs) fs.mkdirSync(`${root}/${dir}`);
    fs.symlinkSync(outside.path, `${root}/out`);
    using events = new Collector(watchTree(root), root);
    for (const dir of [...dirs, "out"]) events.events.add!(dir);
    fs.writeFileSync(`${outside.path}/file`, "nobody's business");
    for (const dir of dirs) fs.mkdirSync(`${root}/${dir}/new`);
    await events.find("create d999/new");
    assert.equal(events.seen.filter((what) => what.startsWith("create d")).length, 1_000);
    assert.ok(!events.seen.some((what) => what.includes("out/")));
  },
});

Deno.test({
  name:
    "watchTree() says so when its folder is moved away, and when more happens than the system keeps",
  ignore,
  fn: async () => {
    const { folder, root } = setUp();
    using _ = folder;
    writeTree(root, { share: {} });
    using events = new Collector(watchTree(`${root}/share`), `${root}/share`);
    fs.renameSync(`${root}/share`, `${root}/other`);
    await events.find("rescan");
    writeTree(root, { x: "1", y: "2" });
    using flooded = new Collector(watchTree(root), root);
    const queued = Number(fs.readFileSync("/proc/sys/fs/inotify/max_queued_events", "utf8"));
    for (let i = 0; i <= queued; i++) fs.chmodSync(`${root}/${i % 2 ? "x" : "y"}`, 0o600);
    await flooded.find("rescan");
  },
});
