import assert from "node:assert/strict";
import * as fs from "node:fs";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { CHANGED_PATHS_MAX } from "../../../src/sync/watch/dirty_paths.ts";
import { type ChangedPaths, FolderWatches } from "../../../src/sync/watch/folder_watches.ts";
import type { FolderEvent, FolderEvents } from "../../../src/sync/watch/tree_events.ts";
import { temporaryFolder } from "../../support/tree.ts";

/** Events that a test makes. */
class MadeEvents implements FolderEvents {
  isClosed = false;
  #queue: FolderEvent[] = [];
  #wake = Promise.withResolvers<void>();
  #failure: Error | undefined;

  push(...events: FolderEvent[]): void {
    this.#queue.push(...events);
    this.#wake.resolve();
  }

  fail(error: Error): void {
    this.#failure = error;
    this.#wake.resolve();
  }

  close(): void {
    this.isClosed = true;
    this.#wake.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<FolderEvent> {
    for (;;) {
      yield* this.#queue.splice(0);
      if (this.isClosed) return;
      if (this.#failure) throw this.#failure;
      await this.#wake.promise;
      this.#wake = Promise.withResolvers();
    }
  }
}

function setUp() {
  const folder = temporaryFolder();
  const path = fs.realpathSync(folder.path);
  const opened: MadeEvents[] = [];
  const log: string[] = [];
  const watches = new FolderWatches({
    clock: systemClock,
    logger: { log: (_, message) => void log.push(message) },
    open: () => opened[opened.push(new MadeEvents()) - 1]!,
  });
  const told: ChangedPaths[] = [];
  let wake = Promise.withResolvers<void>();
  const noted: string[] = [];
  const listener = {
    tell: (changed: ChangedPaths) => {
      told.push(changed);
      wake.resolve();
      wake = Promise.withResolvers();
    },
    note: (path: string | undefined, isDeep: boolean) =>
      void noted.push(path === undefined ? "?" : isDeep ? `${path}/**` : path),
  };
  const nextTold = async (count: number) => {
    while (told.length < count) await wake.promise;
    return told[count - 1]!;
  };
  return { folder, path, watches, opened, listener, told, noted, nextTold, log };
}

Deno.test("FolderWatches tells of a run of changes once, without reads and landropic's own", async () => {
  const { folder, path, watches, opened, listener, told, nextTold } = setUp();
  using _ = folder;
  using _watches = watches;
  watches.watch(path, listener);
  opened[0]!.push(
    { kind: "create", paths: [`${path}/a`] },
    { kind: "modify", paths: [`${path}/a`] },
    { kind: "access", paths: [`${path}/read`] },
    { kind: "create", paths: [`${path}/.landropic`] },
    { kind: "modify", paths: [`${path}/.landropic/lock`] },
    { kind: "rename", paths: [`${path}/.landropic/tmp/x`, `${path}/d/b`] },
    { kind: "modify", paths: [`${path}-other/c`] },
  );
  assert.deepEqual(await nextTold(1), new Set(["a", "d/b"]));
  opened[0]!.push({ kind: "modify", paths: [`${path}/.landropicignore`] });
  assert.deepEqual(await nextTold(2), new Set([".landropicignore"]));
  assert.equal(told.length, 2);
});

Deno.test("FolderWatches notes what happened at once, and how much may be different", async () => {
  const { folder, path, watches, opened, listener, noted, nextTold } = setUp();
  using _ = folder;
  using _watches = watches;
  watches.watch(path, listener);
  opened[0]!.push(
    { kind: "modify", paths: [`${path}/a`] },
    { kind: "rename", paths: [`${path}/d`] },
    { kind: "access", paths: [`${path}/read`] },
    { kind: "modify", paths: [`${path}/.landropic/lock`] },
    { kind: "any", paths: [], flag: "rescan" },
  );
  await nextTold(1);
  assert.deepEqual(noted, ["a", "d/**", "?"]);
  opened[0]!.fail(new Error("no more of them"));
  while (noted.length < 4) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.deepEqual(noted.slice(3), ["?"]);
});

Deno.test("FolderWatches says that it can't tell when events were lost, or are too many", async () => {
  const { folder, path, watches, opened, listener, nextTold } = setUp();
  using _ = folder;
  using _watches = watches;
  watches.watch(path, listener);
  opened[0]!.push({ kind: "other", paths: [], flag: "rescan" });
  assert.equal(await nextTold(1), "unknown");
  opened[0]!.push({ kind: "remove", paths: [path] });
  assert.equal(await nextTold(2), "unknown");
  const paths = Array.from({ length: CHANGED_PATHS_MAX + 1 }, (_, i) => `${path}/${i}`);
  opened[0]!.push({ kind: "create", paths });
  assert.equal(await nextTold(3), "unknown");
  opened[0]!.push({ kind: "create", paths: [`${path}/x`] });
  assert.deepEqual(await nextTold(4), new Set(["x"]));
});

Deno.test("FolderWatches watches a folder once for all, as long as anybody is interested", () => {
  const { folder, path, watches, opened, listener } = setUp();
  using _ = folder;
  using _watches = watches;
  fs.symlinkSync(path, `${path}/link`);
  const first = watches.watch(path, listener);
  const second = watches.watch(`${path}/link`, listener);
  assert.equal(opened.length, 1);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  assert.equal(opened[0]!.isClosed, false);
  second[Symbol.dispose]();
  assert.equal(opened[0]!.isClosed, true);
  watches.watch(path, listener);
  assert.equal(opened.length, 2);
});

Deno.test("FolderWatches goes on without events where the system has none", async () => {
  const { folder, path, watches, opened, listener, log } = setUp();
  using _ = folder;
  using _watches = watches;
  const interest = watches.watch(path, listener);
  assert.equal(interest.hasEvents, true);
  opened[0]!.fail(new Error("no more of them"));
  while (interest.hasEvents) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.match(log[0]!, /^Cannot watch .*: no more of them$/);
  using refused = new FolderWatches({
    clock: systemClock,
    logger: silentLogger,
    open: () => {
      throw new Error("limit reached");
    },
  });
  assert.equal(refused.watch(path, listener).hasEvents, false);
});

Deno.test("FolderWatches hears the system's own events, in new folders too", async () => {
  using folder = temporaryFolder();
  using watches = new FolderWatches({ clock: systemClock, logger: silentLogger });
  const seen = new Set<string>();
  let wake = Promise.withResolvers<void>();
  const interest = watches.watch(folder.path, {
    tell: (changed) => {
      if (changed !== "unknown") { for (const path of changed) seen.add(path); }
      wake.resolve();
      wake = Promise.withResolvers();
    },
  });
  fs.mkdirSync(`${folder.path}/d`);
  while (!seen.has("d")) await wake.promise;
  interest.add("d");
  fs.writeFileSync(`${folder.path}/d/f`, "x");
  while (!seen.has("d/f")) await wake.promise;
  fs.renameSync(`${folder.path}/d/f`, `${folder.path}/g`);
  while (!seen.has("g")) await wake.promise;
});
