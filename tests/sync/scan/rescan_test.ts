import assert from "node:assert/strict";
import fc from "fast-check";
import { equalBytes, toHex } from "../../../src/base/bytes.ts";
import { openIndex } from "../../../src/index/mod.ts";
import { OpenShare } from "../../../src/sync/mod.ts";
import { placeChanges } from "../../../src/sync/scan/rescan.ts";
import type { Snapshot } from "../../../src/sync/scan/snapshot.ts";
import {
  type Change,
  change,
  ChangingFolder,
  describeSnapshot,
  scanAnew,
} from "../../support/random_changes.ts";
import { openShareOf, testDevice } from "../../support/test_device.ts";
import { temporaryFolder } from "../../support/tree.ts";

/** What happens between two scans, and during the second. */
interface Round {
  readonly before: readonly Change[];
  /** How much of what is to be told has been told when the scan begins, in percent. */
  readonly toldPercent: number;
  /** Done in the middle of the scan. */
  readonly during: readonly Change[];
  /** How many directories have been read by then. */
  readonly afterDirs: number;
}

const round: fc.Arbitrary<Round> = fc.record({
  before: fc.array(change, { maxLength: 12 }),
  toldPercent: fc.constantFrom(0, 50, 100, 100),
  during: fc.array(change, { maxLength: 3 }),
  afterDirs: fc.nat(4),
});

function does(kind: Change["kind"], path: string, to = ""): Change {
  return { kind, path: path.split("/"), to: to.split("/"), seed: 7 };
}

function rounds(...befores: Change[][]): Round[] {
  return befores.map((before) => ({ before, toldPercent: 100, during: [], afterDirs: 0 }));
}

/** Too rare to be met by chance. */
const EXAMPLES: [Round[]][] = [
  // A directory takes the place of another, with a subdirectory of the same name.
  [rounds(
    [],
    [does("mkdir", "b/a/a"), does("write", "b/a/a/x")],
    [does("move", "a/b", "c"), does("move", "b/a", "a/b")],
  )],
  // Directories go while others beside them have just been read, new ones among them.
  [[
    ...rounds([]),
    {
      before: [does("mkdir", "a/a/b"), does("write", "a/b/x")],
      toldPercent: 100,
      during: [does("remove", "a")],
      afterDirs: 2,
    },
  ]],
];

/** What directories were that two snapshots have in common and that are not the same in both. */
function changed(before: Snapshot | undefined, now: Snapshot): Map<string, Uint8Array> {
  const shapes = new Map<string, Uint8Array>();
  for (const [path, { shape }] of before?.dirs ?? []) {
    const is = now.dirs.get(path)?.shape;
    if (is !== undefined && !equalBytes(is, shape)) shapes.set(path, shape);
  }
  return shapes;
}

function shownShapes(shapes: Iterable<[string, Uint8Array]>): string[] {
  return [...shapes].map(([path, shape]) => `${path} ${toHex(shape)}`).sort();
}

/** A folder that is scanned again and again, and the events in between: merged, in order, maybe late. */
class Scene implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly #home = this.#stack.use(temporaryFolder());
  readonly folder = new ChangingFolder(`${this.#home.path}/share`);
  readonly #device = testDevice(`${this.#home.path}/home`, "A");
  readonly #watched = new Set<string>();
  #queue: [string, boolean][] = [];
  #told = new Map<string, boolean>();
  share!: OpenShare;
  base: Snapshot | undefined;
  reused = 0;

  static async make(): Promise<Scene> {
    const scene = new Scene();
    const { id, home } = scene.#device;
    const index = scene.#stack.use(await openIndex({ path: `${home}/index.db`, deviceId: id }));
    scene.share = scene.#stack.use(
      await openShareOf(scene.#device, {
        path: scene.folder.path,
        role: "source",
        untouched: true,
        index,
      }),
    );
    scene.folder.onEvent = (path, isDeep) => {
      const parent = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
      if (scene.#watched.has(parent)) scene.#queue.push([path, isDeep]);
    };
    scene.folder.onLeave = (path) => {
      for (const dir of scene.#watched) {
        if (dir === path || dir.startsWith(`${path}/`)) scene.#watched.delete(dir);
      }
    };
    return scene;
  }

  /** Tells so much of what happened, the oldest first. */
  tell(percent: number): void {
    for (const [path, isDeep] of this.#queue.splice(0, this.#queue.length * percent / 100)) {
      this.#told.set(path, isDeep || (this.#told.get(path) ?? false));
    }
  }

  async scan(onList: (dir: string) => void = () => {}): Promise<void> {
    const told = this.#told;
    this.#told = new Map();
    const since = this.base && placeChanges(this.base, told);
    if (since !== undefined) this.reused++;
    const before = this.base;
    this.base = await this.share.scan({
      checksum: false,
      filters: [],
      since,
      onList: (dir) => {
        this.#watched.add(dir);
        onList(dir);
      },
    });
    const { formerShapes, dirs } = this.base;
    const inBoth = [...formerShapes].filter(([path]) => before?.dirs.has(path) && dirs.has(path));
    assert.deepEqual(shownShapes(inBoth), shownShapes(changed(before, this.base)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

Deno.test("a rescan gives what a scan would, whatever happened, and told however late", async () => {
  let reused = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 5 }), async (rounds) => {
      await using scene = await Scene.make();
      for (const { before, toldPercent, during, afterDirs } of rounds) {
        for (const one of before) scene.folder.do(one);
        scene.tell(toldPercent);
        let left = afterDirs;
        await scene.scan(() => {
          if (left-- === 0) { for (const one of during) scene.folder.do(one); }
        });
      }
      scene.tell(100);
      await scene.scan();
      assert.deepEqual(
        describeSnapshot(scene.base!),
        describeSnapshot(await scanAnew(scene.folder.path)),
      );
      // Nothing is left to be remembered either.
      const { dirChanges } = scene.share.index;
      await scene.share.scan({ checksum: false, filters: [] });
      assert.equal(scene.share.index.dirChanges, dirChanges);
      reused += scene.reused;
    }),
    { numRuns: 150, examples: EXAMPLES },
  );
  assert.ok(reused > 200, `only ${reused} scans had something to build on`);
});

Deno.test("placeChanges() gives up where nothing tells how a directory came to be there", async () => {
  using home = temporaryFolder();
  const folder = new ChangingFolder(home.path);
  folder.do(does("rules", "a/b"));
  folder.do(does("mkdir", "a/b/ign"));
  const base = await scanAnew(folder.path);
  const place = (...paths: [string, boolean][]) => placeChanges(base, new Map(paths));
  assert.equal(place(["x/y/z", true]), undefined);
  const created = place(["x", true], ["x/y", true], ["x/y/z", false])!;
  assert.deepEqual([[...created.list], created.deep.size], [[""], 0]);
  // What is ignored is nobody's business.
  assert.equal(place(["a/b/x.tmp/deep/f", true]), undefined);
  folder.do({ ...does("rules", "a/b"), seed: 1 });
  const ignoring = await scanAnew(folder.path);
  const hidden = placeChanges(ignoring, new Map([["a/b/ign/deep/f", true]]))!;
  assert.equal(hidden.list.size, 0);
  assert.equal(place(["a/b/.landropicignore", false]), undefined);
});

Deno.test("placeChanges() reads what may be different, and finds the way to it", async () => {
  using home = temporaryFolder();
  const base = await scanAnew(new ChangingFolder(home.path).path);
  const { list, deep, beneath } = placeChanges(
    base,
    new Map([["a/a/a/c", false], ["a/b", true], ["b/b", false], ["a\n/x", true]]),
  )!;
  assert.deepEqual([...list].sort(), ["", "a", "a/a/a", "b", "b/b"]);
  assert.deepEqual([...deep], ["a/b"]);
  assert.deepEqual([...beneath].map(([dir, names]) => [dir, [...names].sort()]).sort(), [
    ["", ["a", "b"]],
    ["a", ["a", "b"]],
    ["a/a", ["a"]],
    ["b", ["b"]],
  ]);
});
