import assert from "node:assert/strict";
import fc from "fast-check";
import type { DirPath } from "../../src/base/paths.ts";
import { type Index, IndexError } from "../../src/index/mod.ts";
import { pageOfState } from "./state_page.ts";
import { dirRecord, fileRecord, PEER, ROOT, TempIndex } from "./temp_index.ts";

const WRITER = new URL("writer_process.ts", import.meta.url).href;

function startWriter(temp: TempIndex, rootPath: string, count: number): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", WRITER, temp.path, rootPath, String(count)],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** The numbered state a root is in, after making sure that every part of it is of the same state. */
function stateOf(index: Index, path = ROOT.path): number {
  const root = index.openRoot({ ...ROOT, path });
  const a = root.getDir("a" as DirPath);
  const b = root.getDir("b" as DirPath);
  assert.deepEqual(a, b);
  const state = a?.scannedAtMs ?? 0;
  const ancestor = root.ancestor(PEER);
  if (state === 0) {
    assert.equal(ancestor, undefined);
    return 0;
  }
  const { shape, page } = pageOfState(state);
  assert.equal(a!.entries[0]!.size, state);
  assert.deepEqual(ancestor?.shape, shape);
  assert.deepEqual(root.getPage(shape), page);
  return state;
}

Deno.test("two processes that write at once lose nothing of each other", async () => {
  using temp = new TempIndex();
  (await temp.open()).close();
  const count = 150;
  const writers = ["/one", "/two"].map((path) => startWriter(temp, path, count));
  await using index = await temp.open();
  const own = index.openRoot({ ...ROOT, path: "/three" });
  for (let i = 1; i <= count; i++) {
    own.transaction(() => own.putDir("" as DirPath, { ...dirRecord(), scannedAtMs: i }));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  for (const writer of writers) {
    const { code, stderr } = await writer.output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
  }
  assert.equal(stateOf(index, "/one"), count);
  assert.equal(stateOf(index, "/two"), count);
  assert.equal(own.getDir("")?.scannedAtMs, count);
  assert.deepEqual((await index.collectGarbage({ force: true })).kept, 1);
});

Deno.test("after kill -9 the index holds one whole state, and none it had reported is lost", async () => {
  using temp = new TempIndex();
  let reportedBefore = 0;
  for (const linesToRead of [1, 4, 9]) {
    const writer = startWriter(temp, ROOT.path, 100_000);
    let text = "";
    for await (const chunk of writer.stdout.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (text.split("\n").length > linesToRead) {
        // It goes on committing meanwhile, so this falls anywhere in a commit.
        writer.kill("SIGKILL");
        break;
      }
    }
    await writer.status;
    await writer.stderr.cancel();
    const reported = Number(text.split("\n").at(-2));
    assert.ok(reported > reportedBefore);
    await using index = await temp.open();
    const state = stateOf(index);
    assert.ok(state >= reported, `state ${state} after ${reported} was reported`);
    reportedBefore = state;
    assert.deepEqual(temp.logger.lines, []);
  }
});

Deno.test("a log cut or scrambled anywhere leaves one whole state or is found damaged", async () => {
  using temp = new TempIndex();
  const states = 8;
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  for (let state = 1; state <= states; state++) {
    const record = { ...dirRecord(fileRecord("f", { size: state })), scannedAtMs: state };
    const page = pageOfState(state);
    root.transaction(() => {
      root.putDir("a" as DirPath, record);
      root.putDir("b" as DirPath, record);
      root.putPages([page]);
      root.setAncestor(PEER, { shape: page.shape });
    });
  }
  const main = Deno.readFileSync(temp.path);
  const log = Deno.readFileSync(`${temp.path}-wal`);
  const seen = new Set<number>();
  await fc.assert(
    fc.asyncProperty(fc.nat(log.length), fc.boolean(), async (at, scramble) => {
      const torn = scramble ? log.slice() : log.slice(0, at);
      if (scramble) torn.fill(0xa5, at, at + 512);
      using copy = new TempIndex();
      Deno.writeFileSync(copy.path, main);
      Deno.writeFileSync(`${copy.path}-wal`, torn);
      try {
        await using index = await copy.open();
        const state = stateOf(index);
        seen.add(state);
        if (!scramble && at === log.length) assert.equal(state, states);
      } catch (error) {
        assert.ok(error instanceof IndexError && error.reason === "corrupt", String(error));
      }
    }),
    { numRuns: 60, examples: [[log.length, false], [0, false]] },
  );
  assert.ok(seen.size > 3, `only states ${[...seen]} came up`);
});
