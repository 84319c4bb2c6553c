import assert from "node:assert/strict";
import * as fs from "node:fs";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/log.ts";
import type { Index } from "../../../src/index/mod.ts";
import type { Operation } from "../../../src/sync/apply/operation.ts";
import type { ChangedPaths, FolderListener } from "../../../src/sync/watch/folder_watches.ts";
import { ShareWatch } from "../../../src/sync/watch/share_watch.ts";
import { openIndexOf, openShareOf, testDevice } from "../../support/test_device.ts";
import { temporaryFolder, type TreeSpec, writeTree } from "../../support/tree.ts";

/** A watched folder whose events come from the test, so that none is missed and none comes late. */
class Scene implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly folder = this.#stack.use(temporaryFolder());
  readonly path = `${fs.realpathSync(this.folder.path)}/share`;
  readonly device = testDevice(`${this.folder.path}/home`, "A");
  told = 0;
  watch!: ShareWatch;
  #emit!: (changed: ChangedPaths) => void;
  #index!: Index;

  static async make(spec: TreeSpec, filters: string[] = []): Promise<Scene> {
    const scene = new Scene();
    writeTree(scene.path, spec);
    const { device } = scene;
    scene.#index = scene.#stack.use(await openIndexOf(device));
    const watches = {
      watch: (_path: string, { tell }: FolderListener) => {
        scene.#emit = tell;
        return { hasEvents: true, isExact: true, add() {}, [Symbol.dispose]() {} };
      },
    };
    scene.watch = new ShareWatch({
      watches,
      path: scene.path,
      filters,
      clock: systemClock,
      logger: silentLogger,
      onChange: () => scene.told++,
    });
    return scene;
  }

  /** A session that does this to the folder; it ends with a scan, as the next one would begin. */
  async session(operations: Partial<Operation>[], act: () => void): Promise<void> {
    this.watch.sessionStart();
    for (const operation of operations) this.watch.handleOperation(operation as Operation);
    act();
    using share = await openShareOf(this.device, {
      path: this.path,
      role: "target",
      index: this.#index,
    });
    await share.scan({ checksum: false, filters: [] });
    this.watch.sessionEnd(share.index);
  }

  /** Says that something happened to these. @returns How often the watch told of it. */
  happened(...paths: string[]): number {
    const before = this.told;
    this.#emit(new Set(paths));
    return this.told - before;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.watch[Symbol.dispose]();
    await this.#stack.disposeAsync();
  }
}

const write = (path: string): Partial<Operation> => ({ op: "write-file", path } as Operation);

Deno.test("ShareWatch tells nothing of what the session wrote, and does of a change on top of it", async () => {
  await using scene = await Scene.make({});
  const file = `${scene.path}/d/f`;
  await scene.session([{ op: "make-dir", path: "d" } as Operation, write("d/f")], () => {
    fs.mkdirSync(`${scene.path}/d`);
    fs.writeFileSync(file, "from the peer");
  });
  assert.equal(scene.happened("d", "d/f"), 0);
  fs.writeFileSync(file, "edited here !");
  assert.equal(scene.happened("d/f"), 1);
  // Nobody needs to be told twice before the next session.
  assert.equal(scene.happened("d/f"), 0);
});

Deno.test("ShareWatch tells of what others wrote though the index knows it, and of removals", async () => {
  await using scene = await Scene.make({ a: "1", b: "2" });
  await scene.session([{ op: "remove", path: "a" } as Operation], () => {
    fs.rmSync(`${scene.path}/a`);
    fs.writeFileSync(`${scene.path}/other`, "by another process, and scanned");
  });
  assert.equal(scene.happened("a"), 0);
  assert.equal(scene.happened("other"), 1);
  await scene.session([], () => {});
  fs.rmSync(`${scene.path}/b`);
  assert.equal(scene.happened("b"), 1);
});

Deno.test("ShareWatch keeps what happens during a session for its end", async () => {
  await using scene = await Scene.make({ a: "1" });
  scene.watch.sessionStart();
  scene.watch.handleOperation(write("a") as Operation);
  fs.writeFileSync(`${scene.path}/mine`, "x");
  assert.equal(scene.happened("a", "mine"), 0);
  scene.watch.sessionEnd(undefined);
  assert.equal(scene.told, 1);
});

Deno.test("ShareWatch tells nothing of ignored files, of either kind of rule", async () => {
  const tree = { ".landropicignore": "build/\n", build: { out: "1" }, src: { a: "1" } };
  await using scene = await Scene.make(tree, ["*.tmp"]);
  await scene.session([], () => {});
  assert.equal(scene.happened("build", "build/out", "src/x.tmp", "gone.tmp"), 0);
  assert.equal(scene.happened("src/x.tmp", "src/a"), 1);
});

Deno.test("ShareWatch tells of everything once its folder is gone", async () => {
  await using scene = await Scene.make({ a: "1" });
  await scene.session([write("a")], () => {});
  fs.rmSync(scene.path, { recursive: true });
  assert.equal(scene.happened("a"), 1);
});
