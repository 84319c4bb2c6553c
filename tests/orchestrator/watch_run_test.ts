/** Watching over QUIC on loopback: both devices in this process, with real files and their events. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { LandropicError } from "../../src/base/errors.ts";
import {
  runSync,
  runWatch,
  type ServedEnd,
  ShareServer,
  type SyncRunSummary,
  type WatchRunOptions,
} from "../../src/orchestrator/mod.ts";
import { UPKEEP_INTERVAL_MS } from "../../src/orchestrator/index_upkeep.ts";
import type { SyncRequest } from "../../src/sync/mod.ts";
import { LOOPBACK, OrchestratedDevice } from "../support/orchestrated_device.ts";
import { SYNC_REQUEST } from "../support/sync_request.ts";
import { UdpRelay } from "../support/udp_relay.ts";
import { assertSameTree, temporaryFolder, type TreeSpec, writeTree } from "../support/tree.ts";

const REQUEST: SyncRequest = { ...SYNC_REQUEST, compress: true };
const PATIENCE_MS = 20_000;

/** Things that happened, and a way to wait for more. */
class Happenings<T> {
  readonly all: T[] = [];
  #wake = Promise.withResolvers<void>();

  readonly add = (happening: T): void => {
    this.all.push(happening);
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  };

  /** The next one from a position on that fits. */
  async find(matches: (happening: T) => boolean, from = 0): Promise<T> {
    const timeout = Promise.withResolvers<never>();
    timeout.promise.catch(() => {});
    const timer = setTimeout(() => {
      timeout.reject(new Error(`it did not happen; what did: ${JSON.stringify(this.all)}`));
    }, PATIENCE_MS);
    try {
      for (;;) {
        const found = this.all.slice(from).find(matches);
        if (found !== undefined) return found;
        await Promise.race([this.#wake.promise, timeout.promise]);
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Two devices that trust each other, a folder each, and what they say. */
class Scene implements AsyncDisposable {
  readonly sessions = new Happenings<ServedEnd>();
  readonly rounds = new Happenings<SyncRunSummary>();
  readonly news = new Happenings<string>();
  readonly stop = new AbortController();
  readonly #stack = new AsyncDisposableStack();
  readonly folder = this.#stack.use(temporaryFolder());
  readonly left = `${this.folder.path}/left`;
  readonly right = `${this.folder.path}/right`;
  a!: OrchestratedDevice;
  b!: OrchestratedDevice;
  #server: ShareServer | undefined;
  port = 0;
  watching: Promise<unknown> | undefined;

  static async make(left: TreeSpec, right: TreeSpec, clock?: Clock): Promise<Scene> {
    const scene = new Scene();
    writeTree(scene.left, left);
    writeTree(scene.right, right);
    const { signal } = scene.stop;
    const { path } = scene.folder;
    const time = clock && { clock };
    scene.a = scene.#stack.use(await OrchestratedDevice.open(path, "a", { signal, ...time }));
    scene.b = await OrchestratedDevice.open(path, "b", time);
    await Promise.all([scene.a.trust(scene.b, "b"), scene.b.trust(scene.a, "a")]);
    await scene.serve();
    return scene;
  }

  async serve(): Promise<void> {
    this.#server = await ShareServer.start(this.b.orchestrator, {
      shares: [{ name: "default", path: this.right, writable: true }],
      allow: [],
      listen: { host: LOOPBACK, port: this.port },
      once: false,
      versionsMax: 0,
      observer: { sessionStart() {}, sessionEnd: (end) => this.sessions.add(end) },
    });
    this.port = this.#server.address.port;
  }

  /** Ends the server, and all that belongs to its command. */
  async stopServing(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    await this.b.orchestrator[Symbol.asyncDispose]();
  }

  async serveAgain(): Promise<void> {
    this.b = await OrchestratedDevice.open(this.folder.path, "b");
    await this.serve();
  }

  /** Starts watching and waits for the first round. */
  async watch(request: Partial<SyncRequest> = {}, more: Partial<WatchRunOptions> = {}) {
    const { trust } = this.a.orchestrator;
    this.watching = runWatch(this.a.orchestrator, trust.resolve("b"), {
      request: { ...REQUEST, ...request },
      dir: this.left,
      address: { host: LOOPBACK, port: this.port },
      retries: 0,
      waitMs: 0,
      signal: this.stop.signal,
      observer: {
        plan: ({ send, receive }) => this.news.add(`plan ${send} ${receive}`),
        item: ({ action, direction, path }) => this.news.add(`${action}${direction} ${path}`),
        conflict: ({ path }) => this.news.add(`conflict ${path}`),
        fileError: ({ path, code }) => this.news.add(`${code} ${path}`),
        progress() {},
        connected: ({ peer }) => this.news.add(`connected ${peer}`),
        disconnected: ({ peer, code }) => this.news.add(`disconnected ${peer} ${code}`),
        round: (summary) => this.rounds.add(summary),
      },
      ...more,
    });
    this.watching.catch(() => {});
    await Promise.race([this.rounds.find(() => true), this.watching]);
  }

  /** Waits until a round has brought the other side what `change` does. */
  async synced(change: () => void): Promise<SyncRunSummary> {
    const from = this.rounds.all.length;
    change();
    return await this.rounds.find(() => true, from);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop.abort(new LandropicError("interrupted", "stopped"));
    await this.watching?.catch(() => {});
    await this.stopServing();
    await this.#stack.disposeAsync();
  }
}

Deno.test("runWatch() syncs what changes on either side, and not what it wrote itself", async () => {
  await using scene = await Scene.make({ a: "1", d: { b: "2" } }, { c: "3" });
  await scene.watch();
  assertSameTree(scene.left, scene.right);
  const first = scene.rounds.all[0]!;
  assert.deepEqual([first.sent, first.received, first.ok], [2, 1, true]);
  assert.ok(first.wireSent > 0 && first.wireReceived > 0);
  const sent = await scene.synced(() => fs.writeFileSync(`${scene.left}/d/new`, "4"));
  assert.deepEqual([sent.sent, sent.received], [1, 0]);
  assertSameTree(scene.left, scene.right);
  const received = await scene.synced(() => fs.writeFileSync(`${scene.right}/other`, "55"));
  assert.deepEqual([received.sent, received.received, received.bytesReceived], [0, 1, 2]);
  await scene.synced(() => fs.renameSync(`${scene.right}/d`, `${scene.right}/e`));
  await scene.synced(() => fs.rmSync(`${scene.left}/e`, { recursive: true }));
  assertSameTree(scene.left, scene.right);
  // Long enough for the events of the last round's own writes to be told of, if they were.
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(scene.sessions.all.length, 5);
  assert.ok(scene.sessions.all.every(({ watch }) => watch));
  assert.equal(scene.news.all.filter((what) => what.startsWith("connected")).length, 1);
});

Deno.test("runWatch() hears of what a third device brings to the share", async () => {
  await using scene = await Scene.make({ a: "1" }, {});
  await scene.watch();
  await using c = await OrchestratedDevice.open(scene.folder.path, "c");
  await Promise.all([c.trust(scene.b, "b"), scene.b.trust(c, "c")]);
  const third = `${scene.folder.path}/third`;
  writeTree(third, { fromC: "x" });
  await scene.synced(() => {
    void runSync(c.orchestrator, c.orchestrator.trust.resolve("b"), {
      request: { ...REQUEST, mode: "push", run: "other" },
      dir: third,
      lockWaitMs: PATIENCE_MS,
      address: { host: LOOPBACK, port: scene.port },
      retries: 5,
      waitMs: 0,
      signal: scene.stop.signal,
      observer: {
        plan() {},
        item() {},
        conflict() {},
        fileError() {},
        progress() {},
        connected() {},
      },
    });
  });
  assert.equal(fs.readFileSync(`${scene.left}/fromC`, "utf8"), "x");
});

Deno.test("runWatch() outlasts the peer's absence, says so once, and goes on", async () => {
  await using scene = await Scene.make({ a: "1" }, {});
  await scene.watch();
  await scene.stopServing();
  await scene.news.find((what) => what.startsWith("disconnected b"));
  fs.writeFileSync(`${scene.left}/mine`, "while it was gone");
  fs.writeFileSync(`${scene.right}/theirs`, "while it was gone, too");
  const summary = await scene.synced(() => void scene.serveAgain());
  assert.deepEqual([summary.sent, summary.received], [1, 1]);
  assertSameTree(scene.left, scene.right);
  const news = scene.news.all.filter((what) => /connected/.test(what));
  assert.deepEqual(news, ["connected b", "disconnected b peer_unreachable", "connected b"]);
  await scene.synced(() => fs.writeFileSync(`${scene.right}/later`, "told of again"));
});

Deno.test("runWatch() finds a peer by another way as soon as its connection is silent", async () => {
  await using scene = await Scene.make({ a: "1" }, {});
  await using relay = await UdpRelay.open(scene.port);
  await scene.watch({}, { address: { host: LOOPBACK, port: relay.port } });
  // Nobody is told: from the outside it is as if the peer had been killed, and were back.
  relay.silence(0);
  const startMs = performance.now();
  const { sent } = await scene.synced(() => fs.writeFileSync(`${scene.left}/new`, "2"));
  assert.equal(sent, 1);
  assert.equal(relay.connections, 2);
  // The pool takes 10 s to call a connection dead that does not answer.
  assert.ok(performance.now() - startMs < 9_000);
  const news = scene.news.all.filter((what) => /connected/.test(what));
  assert.deepEqual(news, ["connected b", "disconnected b peer_unreachable", "connected b"]);
});

Deno.test("runWatch() compares from time to time, and keeps quiet where there is nothing new", async () => {
  await using scene = await Scene.make({ a: "1" }, {});
  await scene.watch({}, { fullCheckMs: 20 });
  await scene.sessions.find(() => scene.sessions.all.length >= 4);
  assert.equal(scene.rounds.all.length, 1);
  assert.deepEqual(scene.news.all.filter((what) => what.startsWith("plan")), ["plan 1 0"]);
});

Deno.test("runWatch() finds by a check of everything what the system did not tell of", async () => {
  const tree = { d: { a: "1" }, e: { b: "1" } };
  await using scene = await Scene.make(tree, tree);
  // Written to by other names, these files change without a word to whoever watches their folders.
  const elsewhere = (side: "left" | "right", path: string) => {
    const name = `${scene.folder.path}/${side}-elsewhere`;
    fs.linkSync(`${scene[side]}/${path}`, name);
    return name;
  };
  const hidden = elsewhere("left", "d/a");
  const hiddenThere = elsewhere("right", "e/b");
  await scene.watch({}, { fullCheckMs: 2_500 });
  fs.writeFileSync(hidden, "changed here");
  fs.writeFileSync(hiddenThere, "changed there");
  await scene.synced(() => fs.writeFileSync(`${scene.left}/told`, "of this one"));
  assert.equal(fs.readFileSync(`${scene.right}/told`, "utf8"), "of this one");
  assert.equal(fs.readFileSync(`${scene.right}/d/a`, "utf8"), "1", "this round read it all");
  const { sent, received } = await scene.synced(() => {});
  assert.deepEqual([sent, received], [1, 1]);
  assertSameTree(scene.left, scene.right);
});

Deno.test("runWatch() reports a file that can't be synced once, and again when that changes", async () => {
  await using scene = await Scene.make({ a: "1" }, {});
  fs.symlinkSync("/etc/passwd", `${scene.left}/out`);
  await scene.watch({}, { fullCheckMs: 20 });
  await scene.sessions.find(() => scene.sessions.all.length >= 3);
  assert.deepEqual(scene.news.all.filter((what) => what.includes("out")), [
    "link_not_portable out",
    "!> out",
  ]);
  await scene.synced(() => fs.symlinkSync("/etc/hosts", `${scene.left}/out2`));
  assert.deepEqual(scene.news.all.filter((what) => what.includes("out")), [
    "link_not_portable out",
    "!> out",
    "link_not_portable out2",
    "!> out2",
  ]);
});

Deno.test("runWatch() and the server it talks to tidy up their indexes in a pause", async () => {
  let aheadMs = 0;
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs };
  await using scene = await Scene.make({ a: "1" }, {}, clock);
  const tidied = new Happenings<string>();
  for (const { orchestrator } of [scene.a, scene.b]) {
    const index = await orchestrator.index();
    const collect = index.collectGarbage.bind(index);
    index.collectGarbage = (options) => {
      tidied.add(orchestrator.deviceName);
      return collect(options);
    };
  }
  await scene.watch();
  await scene.synced(() => fs.writeFileSync(`${scene.left}/b`, "2"));
  assert.deepEqual(tidied.all, []);
  aheadMs = UPKEEP_INTERVAL_MS;
  await scene.synced(() => fs.writeFileSync(`${scene.left}/c`, "3"));
  for (const name of ["a", "b"]) await tidied.find((who) => who === name);
  await scene.synced(() => fs.writeFileSync(`${scene.right}/d`, "4"));
  assert.deepEqual(tidied.all.sort(), ["a", "b"]);
});

Deno.test("runWatch() ends where a safety limit is hit, and nothing is deleted", async () => {
  const many = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`f${i}`, `${i}`]));
  await using scene = await Scene.make({ keep: many }, {});
  await scene.watch();
  fs.rmSync(`${scene.left}/keep`, { recursive: true });
  await assert.rejects(scene.watching!, { code: "safety_limit" });
  assert.equal(fs.readdirSync(`${scene.right}/keep`).length, 30);
});

Deno.test("runWatch() ends when the peer stops trusting this device", async () => {
  await using scene = await Scene.make({ a: "1" }, {});
  await scene.watch();
  await scene.b.orchestrator.trust.remove("a");
  await scene.b.orchestrator.guard.review();
  await assert.rejects(scene.watching!, { code: "peer_untrusted" });
});

Deno.test("runWatch() waits while another run works on the folder", async () => {
  await using scene = await Scene.make({ a: "1" }, {});
  await scene.watch();
  const { openOwnFolder } = await import("../../src/orchestrator/peer_call.ts");
  const share = await openOwnFolder(scene.a.orchestrator, {
    dir: scene.left,
    role: "both",
    activity: "another run",
    lockWaitMs: PATIENCE_MS,
    signal: scene.stop.signal,
  });
  fs.writeFileSync(`${scene.left}/b`, "2");
  // The peer's side of the round that found the folder locked.
  await scene.sessions.find(() => scene.sessions.all.length >= 2);
  assert.ok(!fs.existsSync(`${scene.right}/b`));
  await scene.synced(() => share[Symbol.dispose]());
  assertSameTree(scene.left, scene.right);
});

Deno.test("runWatch() fails at once where the peer can't be reached at first", async () => {
  await using scene = await Scene.make({ a: "1" }, {});
  await scene.stopServing();
  await assert.rejects(scene.watch({}, { timeoutMs: 200 }), { code: "timed_out" });
});
