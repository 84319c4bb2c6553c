import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { RelPath } from "../../../src/base/paths.ts";
import { ProtocolError, type Request } from "../../../src/protocol/mod.ts";
import { openRoot, Recipe, RecipeBuilder, recipeOf, type Root } from "../../../src/store/mod.ts";
import { Lane } from "../../../src/sync/lane/lane.ts";
import { LaneFetcher } from "../../../src/sync/lane/lane_fetcher.ts";
import type { FileReport } from "../../../src/sync/lane/lane_messages.ts";
import { rootRef } from "../../../src/sync/lane/lane_messages.ts";
import type { LinkHandler } from "../../../src/sync/link/peer_link.ts";
import type { DuplexStream } from "../../../src/sync/link/transport.ts";
import { ContentError } from "../../../src/sync/delta/mod.ts";
import { Provider } from "../../../src/sync/transfer/provider.ts";
import { RemoteShare } from "../../../src/sync/transfer/remote_share.ts";
import { openLaneRig } from "../../support/lane_rig.ts";
import { answerFrom, type MemoryFile } from "../../support/memory_provider.ts";

const LINUX = { ignore: Deno.build.os !== "linux" };
const SMALL = Array.from({ length: 300 }, (_, i) => randomBytes(i * 7 % 3000 + 1));
const LARGE = Uint8Array.from(randomBytes(3_000_000));
const FILES = new Map<string, MemoryFile>([
  ...SMALL.map((bytes, i) =>
    [`small-${i}`, { bytes: Uint8Array.from(bytes), mtimeMs: 5 }] as const
  ),
  ["large", { bytes: LARGE, mtimeMs: 5 }],
]);

/** A peer that has some files in memory; `onWrite` may wait or throw. */
function peerWith(
  onWrite: (sent: number, request: Request) => Promise<void> | void = () => {},
): LinkHandler & { asked: Request[] } {
  const asked: Request[] = [];
  return {
    asked,
    handleMessage() {},
    async handleRequest(request: Request, { send }: DuplexStream) {
      asked.push(request);
      let sent = 0;
      await answerFrom(FILES, request, {
        blockBytes: 60_000,
        write: async (bytes) => {
          await onWrite(sent += bytes.length, request);
          await send.write(bytes);
        },
      });
      await send.finish();
    },
  };
}

class Scene implements Disposable {
  readonly path = Deno.makeTempDirSync();
  readonly root: Root = openRoot(this.path);

  [Symbol.dispose](): void {
    this.root[Symbol.dispose]();
    Deno.removeSync(this.path, { recursive: true });
  }
}

const signal = new AbortController().signal;
const version = (path: string) => ({
  path: path as RelPath,
  size: FILES.get(path)!.bytes.length,
  mtimeMs: 5,
});

Deno.test({
  ...LINUX,
  name: "a lane stages whole files, and the session's thread publishes them",
  async fn() {
    using scene = new Scene();
    const { lane, peer, toLane } = await openLaneRig(peerWith());
    const files = SMALL.map((_, i) => ({ ...version(`small-${i}`), mode: 0o640 }));
    const missing = { ...version("small-0"), path: "no-such-file" as RelPath, mode: 0o600 };
    const failures: FileReport[] = [];
    let open = 0;
    let mostOpen = 0;
    const end = await lane.run(
      { kind: "files", root: rootRef(scene.root), session: 1, files: [missing, ...files] },
      {
        signal,
        events: {
          report: async (report) => {
            if ("failure" in report) return void failures.push(report);
            mostOpen = Math.max(mostOpen, ++open);
            using staged = scene.root.takeOver(report.file);
            const { path } = files[report.index - 1]!;
            staged.finish({ mode: 0o640, mtimeMs: 5 });
            scene.root.publish(staged, path);
            assert.deepEqual(report.recipe, recipeOf(FILES.get(path)!.bytes).bytes);
            assert.equal(report.bytes, FILES.get(path)!.bytes.length);
            await Promise.resolve();
            open--;
          },
        },
      },
    );
    assert.deepEqual(end, { kind: "done" });
    for (const { path } of files) {
      assert.deepEqual(Deno.readFileSync(`${scene.path}/${path}`), FILES.get(path)!.bytes);
    }
    assert.equal(failures.length, 1);
    assert.equal(failures[0]!.index, 0);
    // Reports are taken one after the other, and each is accounted for.
    assert.equal(mostOpen, 1);
    const taken = toLane.reduce((sum, m) => m.type === "taken" ? sum + m.count : sum, 0);
    assert.equal(taken, files.length + 1);
    await peer.close();
    await lane.ended;
  },
});

Deno.test({
  ...LINUX,
  name: "a lane gives away no more staged files than the session's thread takes",
  async fn() {
    using scene = new Scene();
    const { lane, peer, fromLane } = await openLaneRig(peerWith());
    const gate = Promise.withResolvers<void>();
    const files = SMALL.map((_, i) => ({ ...version(`small-${i}`), mode: 0o640 }));
    let reports = 0;
    const running = lane.run(
      { kind: "files", root: rootRef(scene.root), session: 1, files },
      {
        signal,
        events: {
          report: async (report) => {
            reports++;
            await gate.promise;
            if ("file" in report) scene.root.takeOver(report.file)[Symbol.dispose]();
          },
        },
      },
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(reports, 1);
    const given = fromLane.reduce(
      (sum, m) => m.type === "reports" ? sum + m.reports.length : sum,
      0,
    );
    assert.ok(given <= 128, `${given} staged files are on their way`);
    gate.resolve();
    assert.deepEqual(await running, { kind: "done" });
    assert.equal(reports, files.length);
    await peer.close();
    await lane.ended;
  },
});

Deno.test({
  ...LINUX,
  name: "a file goes from this thread to a lane and back, and no byte is hashed wrong",
  async fn() {
    using scene = new Scene();
    using staged = scene.root.stage();
    const root = scene.root;
    const builder = new RecipeBuilder(LARGE.length);
    const here = 700_001;
    builder.update(LARGE.subarray(0, here));
    staged.writeAt(LARGE.slice(0, here), 0);
    let front = { bytes: here, chunks: builder.chunksSoFar() };
    let recipe: Recipe | undefined;
    // Each lane breaks off later than the one before.
    for (let cut = 1_500_000; recipe === undefined; cut += 800_000) {
      const { lane, peer } = await openLaneRig(peerWith(async (sent, request) => {
        const from = request.kind === "get-files" ? request.files[0]!.offset : 0;
        if (from + sent > cut) await peer.close();
      }));
      const fetcher = new LaneFetcher({
        lanes: { pickLane: () => lane, hasFreeLane: true },
        session: 1,
        root,
        signal,
      });
      const told: number[] = [];
      const got = await fetcher.getWhole(
        version("large"),
        { staged, front },
        (bytes) => told.push(bytes),
      );
      if (got instanceof Recipe) recipe = got;
      else if (got !== undefined) {
        assert.ok(got.bytes >= front.bytes);
        assert.equal(told.at(-1) ?? front.bytes, got.bytes);
        front = got;
      }
      await peer.close();
      await lane.ended;
    }
    assert.deepEqual(recipe.bytes, recipeOf(LARGE).bytes);
    root.publish(staged, "large" as RelPath);
    assert.deepEqual(Deno.readFileSync(`${scene.path}/large`), LARGE);
  },
});

Deno.test({
  ...LINUX,
  name: "a lane writes only chunks that are what the recipe says",
  async fn() {
    using scene = new Scene();
    using staged = scene.root.stage();
    const { lane, peer } = await openLaneRig(peerWith());
    const recipe = recipeOf(LARGE);
    const other = recipeOf(Uint8Array.from(LARGE, (byte, i) => i > 2_900_000 ? byte ^ 1 : byte));
    assert.notDeepEqual(other.bytes, recipe.bytes);
    const count = other.chunkCount;
    let offset = 0;
    for (let chunk = 0; chunk < 10; chunk++) offset += other.chunkBytes(chunk);
    const run = { firstChunk: 10, chunkCount: count - 10, offset, length: LARGE.length - offset };
    const request = { runs: [run], ranges: [{ offset, length: run.length }] };
    const fetcher = new LaneFetcher({
      lanes: { pickLane: () => lane, hasFreeLane: true },
      session: 1,
      root: scene.root,
      signal,
    });
    const good = new Set<number>();
    let bytes = 0;
    const wrong = await fetcher.getRanges(
      version("large"),
      { recipe: other, request, staged },
      (chunks, came) => {
        for (const chunk of chunks) good.add(chunk);
        bytes += came;
      },
    );
    assert.equal(bytes, run.length);
    assert.ok(wrong! > 0);
    assert.equal(good.size + wrong!, run.chunkCount);
    const written = new Uint8Array(run.length);
    staged.readAt(written, offset);
    let at = offset;
    for (let chunk = 10; chunk < count; chunk++) {
      const end = at + other.chunkBytes(chunk);
      if (good.has(chunk)) {
        assert.deepEqual(written.subarray(at - offset, end - offset), LARGE.subarray(at, end));
      }
      at = end;
    }
    await peer.close();
    await lane.ended;
  },
});

Deno.test({
  ...LINUX,
  name:
    "a job whose lane ends, is called off or finds another folder leaves off, and nothing else fails",
  async fn() {
    using scene = new Scene();
    using staged = scene.root.stage();
    const target = () => scene.root.share(staged)!;
    const front = { bytes: 0, chunks: new Uint8Array() };
    const job = (ino = scene.root.stat.ino) => ({
      kind: "whole" as const,
      root: { ...rootRef(scene.root), ino },
      session: 1,
      file: version("large"),
      target: target(),
      front,
    });
    const started = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const { lane, peer } = await openLaneRig(peerWith(async (sent) => {
      if (sent < 500_000) return;
      started.resolve();
      await gate.promise;
    }));
    const events = {};
    assert.equal((await lane.run(job(1), { signal, events })).kind, "cut");
    const running = lane.run(job(), { signal, events });
    await started.promise;
    assert.equal(lane.jobs, 1);
    lane.callOff();
    assert.equal((await running).kind, "cut");
    // The session's end ends its jobs, with its own reason.
    const stop = new AbortController();
    const stopped = lane.run(job(), { signal: stop.signal, events });
    stop.abort(new Error("the session is over"));
    await assert.rejects(stopped, /the session is over/);
    // A handler that throws ends its job alone.
    const thrown = lane.run(job(), {
      signal,
      events: {
        written: () => {
          throw new Error("no room");
        },
      },
    });
    gate.resolve();
    await assert.rejects(thrown, /no room/);
    await assert.rejects(
      lane.run({ ...job(), file: { ...version("large"), mtimeMs: 6 } }, { signal, events }),
      (error) => error instanceof ContentError && error.reason === "changed",
    );
    await peer.close();
    assert.equal(await lane.ended, undefined);
    assert.equal((await lane.run(job(), { signal, events })).kind, "cut");
    assert.equal(lane.jobs, 0);
  },
});

Deno.test({
  ...LINUX,
  name: "a peer that breaks the protocol on a lane ends it with that error",
  async fn() {
    using scene = new Scene();
    const rig = await openLaneRig({
      handleMessage() {},
      async handleRequest(_request, { send }) {
        await send.write(new Uint8Array(64).fill(9));
        await send.finish();
      },
    });
    const files = [{ ...version("small-0"), mode: 0o600 }];
    await assert.rejects(
      rig.lane.run({ kind: "files", root: rootRef(scene.root), session: 1, files }, {
        signal,
        events: {},
      }),
      ProtocolError,
    );
    assert.ok(await rig.lane.ended instanceof ProtocolError);
    assert.equal(rig.far.closedWith?.code, 3);
  },
});

Deno.test({
  ...LINUX,
  name: "a lane sends what the session grants, also what was moved meanwhile, and nothing else",
  async fn() {
    using scene = new Scene();
    Deno.writeFileSync(`${scene.path}/granted`, LARGE);
    Deno.writeTextFileSync(`${scene.path}/secret`, "not shared");
    Deno.utimeSync(`${scene.path}/granted`, 1, 1);
    let place = "granted" as RelPath;
    let sent = 0;
    const provider = {
      grant: () => ({
        root: rootRef(scene.root),
        compress: true,
        files: [{ size: LARGE.length, mtimeMs: 1000, places: ["granted" as RelPath] }, undefined],
      }),
      find: () => ({ size: LARGE.length, mtimeMs: 1000, places: [place] }),
      countBytes: (bytes: number) => sent += bytes,
      countFile() {},
    };
    const { lane, peer } = await openLaneRig(peerWith(), {
      providerOf: (session) =>
        Promise.resolve(session === 7 ? provider as unknown as Provider : undefined),
    });
    const get = async (session: number) => {
      const got: Uint8Array[] = [];
      const failed: number[] = [];
      await new RemoteShare(peer, session).getFiles(
        [
          { path: "granted" as RelPath, offset: 0, size: LARGE.length, mtimeMs: 1000 },
          { path: "secret" as RelPath, offset: 0, size: 10, mtimeMs: 1000 },
        ],
        {
          begin() {},
          bytes: (_i, piece) => void got.push(piece.slice()),
          end() {},
          fail: (index) => void failed.push(index),
        },
        64,
      );
      assert.deepEqual(failed, [1]);
      return got.reduce((sum, piece) => sum + piece.length, 0);
    };
    assert.equal(await get(7), LARGE.length);
    Deno.renameSync(`${scene.path}/granted`, `${scene.path}/moved`);
    place = "moved" as RelPath;
    assert.equal(await get(7), LARGE.length);
    await assert.rejects(get(8));
    while (lane.load > 0 || sent < 2 * LARGE.length) await new Promise((r) => setTimeout(r, 1));
    assert.equal(sent, 2 * LARGE.length);
    await peer.close();
    await lane.ended;
  },
});

Deno.test("a lane that has ended says nothing more to its thread, which may serve another peer", async () => {
  const provider = Promise.withResolvers<Provider | undefined>();
  const posted: string[] = [];
  const lane = new Lane({
    post: ({ type }) => posted.push(type),
    providers: { providerOf: () => provider.promise },
  });
  const request = { kind: "get-files", session: 1, files: [] } as const;
  lane.handleMessage({ type: "ask", id: 1, request });
  lane.handleMessage({ type: "find", id: 2, session: 1, path: "a" as RelPath });
  lane.handleEnd(undefined);
  provider.resolve({ grant: () => ({}), find: () => ({}) } as unknown as Provider);
  await new Promise((resolve) => setTimeout(resolve, 1));
  await lane.close();
  assert.deepEqual(posted, []);
});
