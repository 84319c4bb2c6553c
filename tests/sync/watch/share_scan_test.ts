/** What a watched share is read for, with the system's own events. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import fc from "fast-check";
import { type Clock, systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { openIndex } from "../../../src/index/mod.ts";
import { OpenShare } from "../../../src/sync/mod.ts";
import { FolderWatches } from "../../../src/sync/watch/folder_watches.ts";
import { ShareWatch, WHOLE_SCAN_MS } from "../../../src/sync/watch/share_watch.ts";
import type { Snapshot } from "../../../src/sync/scan/snapshot.ts";
import {
  change,
  ChangingFolder,
  describeSnapshot,
  scanAnew,
} from "../../support/random_changes.ts";
import { openShareOf, testDevice } from "../../support/test_device.ts";
import { temporaryFolder } from "../../support/tree.ts";

const ignore = Deno.build.os !== "linux";
const SENTINEL = "sentinel";

/** A watched folder, read by one session after another. */
class Scene implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly #home = this.#stack.use(temporaryFolder());
  readonly folder = new ChangingFolder(`${this.#home.path}/share`);
  readonly #device = testDevice(`${this.#home.path}/home`, "A");
  readonly #clock: Clock;
  #index!: Awaited<ReturnType<typeof openIndex>>;
  #watch!: ShareWatch;
  #sentinels = 0;
  #seen = Promise.withResolvers<void>();
  /** Directories that the last session has read. */
  listed: string[] = [];

  static async make(clock: Clock = systemClock): Promise<Scene> {
    const scene = new Scene(clock);
    const { id, home } = scene.#device;
    const index = await openIndex({ path: `${home}/index.db`, deviceId: id });
    scene.#index = scene.#stack.use(index);
    const watches = scene.#stack.use(new FolderWatches({ clock, logger: silentLogger }));
    scene.#stack.use(watches.watch(scene.folder.path, {
      tell() {},
      note: (path) => path === SENTINEL && scene.#seen.resolve(),
    }));
    scene.#watch = scene.#stack.use(
      new ShareWatch({
        watches: {
          watch(path, listener) {
            const interest = watches.watch(path, listener);
            return {
              ...interest,
              isExact: true,
              add(dir) {
                scene.listed.push(dir);
                interest.add(dir);
              },
            };
          },
        },
        path: scene.folder.path,
        filters: [],
        clock,
        logger: silentLogger,
        onChange() {},
      }),
    );
    return scene;
  }

  private constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Waits until all that happened so far was told. */
  async allTold(): Promise<void> {
    this.#seen = Promise.withResolvers();
    fs.writeFileSync(`${this.folder.path}/${SENTINEL}`, `${this.#sentinels++}`);
    await this.#seen.promise;
  }

  async session(
    { isDone = true, checksum = false, isWhole = false } = {},
    during: () => void = () => {},
  ): Promise<Snapshot> {
    this.listed = [];
    this.#watch.sessionStart();
    const share = await this.#open();
    const snapshot = await this.#watch.scan(share, { checksum, isWhole });
    during();
    share[Symbol.dispose]();
    this.#watch.sessionEnd(share.index, isDone);
    return snapshot;
  }

  async #open(): Promise<OpenShare> {
    return await openShareOf(this.#device, {
      path: this.folder.path,
      role: "source",
      untouched: true,
      index: this.#index,
      clock: this.#clock,
    });
  }

  /** Another session of the same share, of which the watch is told nothing. */
  async otherSession(): Promise<void> {
    using share = await this.#open();
    await share.scan({ checksum: false, filters: [] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

Deno.test({
  name: "ShareWatch reads what has changed, by the system's events, and misses nothing of it",
  ignore,
  fn: async () => {
    const round = fc.record({
      before: fc.array(change, { maxLength: 15 }),
      during: fc.array(change, { maxLength: 3 }),
      isDone: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 4 }), async (rounds) => {
        await using scene = await Scene.make();
        for (const { before, during, isDone } of rounds) {
          for (const one of before) scene.folder.do(one);
          // Some of it is told while the session runs, or later.
          await scene.session({ isDone }, () => during.forEach((one) => scene.folder.do(one)));
        }
        await scene.allTold();
        const snapshot = await scene.session();
        assert.deepEqual(
          describeSnapshot(snapshot),
          describeSnapshot(await scanAnew(scene.folder.path)),
        );
      }),
      { numRuns: 40 },
    );
  },
});

Deno.test({
  name: "ShareWatch has one file's directory read, and all of the share where it can't be sure",
  ignore,
  fn: async () => {
    let nowMs = 1_000;
    await using scene = await Scene.make({ nowMs: () => nowMs, wallMs: () => Date.now() });
    const all = ["", "a", "a/a", "a/a/a", "a/b", "a/b/a", "b", "b/a", "b/a/b", "b/b"];
    const path = scene.folder.path;
    const listedBy = async (options: Parameters<Scene["session"]>[0] = {}) => {
      await scene.allTold();
      await scene.session(options);
      // The sentinel lies there.
      return scene.listed.filter((dir) => dir !== "");
    };
    const whole = all.slice(1);
    assert.deepEqual(await listedBy(), whole);
    assert.deepEqual(await listedBy(), []);
    fs.writeFileSync(`${path}/a/b/new`, "1");
    assert.deepEqual(await listedBy({ isDone: false }), ["a/b"]);
    // Nothing came of it, but that it is remembered.
    assert.deepEqual(await listedBy(), whole);
    fs.writeFileSync(`${path}/a/b/new`, "22");
    assert.deepEqual(await listedBy(), ["a/b"]);
    assert.deepEqual(await listedBy(), []);
    assert.deepEqual(await listedBy({ isWhole: true }), whole);
    assert.deepEqual(await listedBy({ checksum: true }), whole);
    assert.deepEqual(await listedBy(), whole);
    fs.writeFileSync(`${path}/a/.landropicignore`, "x\n");
    assert.deepEqual(await listedBy(), whole);
    assert.deepEqual(await listedBy(), []);
    fs.writeFileSync(`${path}/b/other`, "1");
    await scene.otherSession();
    assert.deepEqual(await listedBy(), whole);
    assert.deepEqual(await listedBy(), []);
    nowMs += WHOLE_SCAN_MS;
    assert.deepEqual(await listedBy(), whole);
    // What is not told is not found before that: the file has another name elsewhere.
    fs.linkSync(`${path}/a/b/new`, `${path}/../elsewhere`);
    await listedBy();
    fs.writeFileSync(`${path}/../elsewhere`, "by its other name");
    assert.deepEqual(await listedBy(), []);
    nowMs += WHOLE_SCAN_MS;
    await scene.session();
    const snapshot = await scene.session();
    assert.deepEqual(describeSnapshot(snapshot), describeSnapshot(await scanAnew(path)));
  },
});
