/** Bundles of a program that is small enough to see through. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { bundleProgram } from "../../scripts/packaging/bundle.ts";
import { TUNABLES } from "../../scripts/packaging/preludes.ts";
import { temporaryFolder, type TreeSpec, writeTree } from "../support/tree.ts";
import { exeTest } from "./sandbox.ts";

const FACTS = { version: "1.2.3", commit: "0123456789ab" };

const PROGRAM: TreeSpec = {
  "deno.json": "{}",
  "main.ts": `
    import { join } from "node:path";
    if (Deno.args.length > 0) await import("./src/lanes/rare.ts");
    const { start } = await import("./src/lanes/start.ts");
    console.log(join("a", "..", "b"), await start(), Deno.env.get("HOME"), Deno.env.get("DENO_DIR"),
      Deno.env.get("GLIBC_TUNABLES"));
    Deno.exit(0);`,
  src: {
    quic: { "native_packed.ts": "export default 1;" },
    base: { "shared.ts": `export const double = (value: number) => value * 2;` },
    lanes: {
      "rare.ts": `console.log("rare");`,
      "start.ts": `
        import { BUILD } from "#build";
        import { double } from "../base/shared.ts";
        export function start(): Promise<string> {
          const url = new URL("../workers/lane_worker.ts", import.meta.url);
          const worker = new Worker(url, { type: "module" });
          worker.postMessage(double(10));
          return new Promise((resolve) => worker.onmessage = ({ data }) => resolve(BUILD.version + " " + data));
        }`,
    },
    workers: {
      "lane_worker.ts": `
        /// <reference lib="deno.worker" />
        import { double } from "../base/shared.ts";
        self.onmessage = ({ data }) => self.postMessage(double(data));`,
    },
  },
};

exeTest("bundleProgram() makes a bundle of each worker, started by its URL", async () => {
  using folder = temporaryFolder();
  const root = join(folder.path, "checkout");
  writeTree(root, PROGRAM);
  const { modules, sources } = await bundleProgram(root, FACTS);
  assert.ok(modules.has("lane_worker.mjs") && modules.has("start.mjs"));
  assert.ok(sources.includes(join(root, "src/workers/lane_worker.ts")));
  const target = join(folder.path, "bundle");
  writeTree(target, Object.fromEntries(modules));
  assert.deepEqual(await run(folder.path, target), {
    stdout: "b 1.2.3 40 /users/the caller undefined undefined\n",
    stderr: "",
  });
});

exeTest("a bundled program disposes of whatever its sources declare by using", async () => {
  using folder = temporaryFolder();
  const root = join(folder.path, "checkout");
  writeTree(root, {
    ...PROGRAM,
    "main.ts": `
      import { held, asyncHeld } from "./src/base/held.ts";
      async function once() {
        const room = held("once");
        using _ = room;
        if (room === undefined) return;
        await console.log("work");
      }
      async function returned() {
        const file = await asyncHeld("returned");
        await using _ = file;
        return await file.name;
      }
      async function twice() {
        using a = held("twice");
        await a;
        console.log(a.name);
      }
      await once();
      console.log(await returned());
      await twice();
      if (Deno.args.length > 9) console.log(new Worker(new URL("./src/workers/lane_worker.ts", import.meta.url)));`,
    src: {
      ...PROGRAM["src"] as TreeSpec,
      base: {
        "shared.ts": `export const double = (value: number) => value * 2;`,
        "held.ts": `
          export const held = (name: string) => ({ name, [Symbol.dispose]: () => console.log("end", name) });
          export const asyncHeld = (name: string) =>
            Promise.resolve({ name, [Symbol.asyncDispose]: async () => console.log("end", name) });`,
      },
    },
  });
  const { modules } = await bundleProgram(root, FACTS);
  const target = join(folder.path, "bundle");
  writeTree(target, Object.fromEntries(modules));
  const { stdout } = await run(folder.path, target);
  assert.deepEqual(stdout.trim().split("\n"), [
    ...["work", "end once", "end returned", "returned", "twice", "end twice"],
  ]);
});

exeTest("a bundled program opens no module before it reaches its import", async () => {
  using folder = temporaryFolder();
  const root = join(folder.path, "checkout");
  writeTree(root, PROGRAM);
  const { modules } = await bundleProgram(root, FACTS);
  const target = join(folder.path, "bundle");
  writeTree(target, Object.fromEntries([...modules].filter(([name]) => name !== "rare.mjs")));
  assert.match((await run(folder.path, target)).stdout, /^b 1\.2\.3 40 /);
  assert.match((await run(folder.path, target, "rare")).stderr, /Module not found.*rare\.mjs/);
});

exeTest("a bundled program leaves nothing in the logs of the runtime's databases", async () => {
  using folder = temporaryFolder();
  const root = join(folder.path, "checkout");
  writeTree(root, PROGRAM);
  const { modules } = await bundleProgram(root, FACTS);
  const target = join(folder.path, "bundle");
  writeTree(target, Object.fromEntries(modules));
  for (const _ of [1, 2]) {
    assert.equal((await run(folder.path, target)).stderr, "");
    const sizes = new Map([...Deno.readDirSync(join(folder.path, "deno"))].map((
      { name },
    ) => [name, Deno.statSync(join(folder.path, "deno", name)).size]));
    const logs = [...sizes].filter(([name]) => name.endsWith("-wal"));
    assert.ok(logs.length > 0, "this runtime keeps no logs: is what empties them still needed?");
    for (const [name, size] of logs) {
      assert.equal(size, 0, name);
      // An empty database has one page.
      assert.ok(sizes.get(name.replace("-wal", ""))! > 4096, `${name} was not moved`);
    }
  }
});

exeTest("bundleProgram() refuses a worker that nothing starts", async () => {
  using folder = temporaryFolder();
  const src = PROGRAM["src"] as TreeSpec;
  writeTree(folder.path, { ...PROGRAM, src: { ...src, "idle_worker.ts": "self.close();" } });
  await assert.rejects(bundleProgram(folder.path, FACTS), /no module starts idle_worker\.ts/);
});

exeTest("bundleProgram() refuses a bundle with a path of this machine in it", async () => {
  using folder = temporaryFolder();
  const main = `${PROGRAM["main.ts"]}\nconsole.log("${folder.path}/x");`;
  writeTree(folder.path, { ...PROGRAM, "main.ts": main });
  await assert.rejects(bundleProgram(folder.path, FACTS), /the bundle program\.mjs names/);
});

exeTest("bundleProgram() refuses a program of which the minifier drops a disposal", async () => {
  using folder = temporaryFolder();
  const take = (declared: string) => `
    const take = (): Disposable | undefined => ({ [Symbol.dispose]: () => console.log("over") });
    export function work(): void {
      ${declared}
      if (room === undefined) return;
      console.log("at work");
    }
    work();`;
  const withMore = (more: string) => ({ ...PROGRAM, "main.ts": PROGRAM["main.ts"] + more });
  writeTree(join(folder.path, "bad"), withMore(take("using room = take();")));
  await assert.rejects(bundleProgram(join(folder.path, "bad"), FACTS), /dropped 1 of 1 `using`/);
  writeTree(join(folder.path, "good"), withMore(take("const room = take(); using _ = room;")));
  await bundleProgram(join(folder.path, "good"), FACTS);
});

/** Runs a bundle that lies in `target`, with its runtime's cache in `folder`. */
async function run(folder: string, target: string, ...args: string[]) {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-config", "--cached-only", "-A", join(target, "main.mjs"), ...args],
    env: {
      LANDROPIC_CALLER_HOME: "/users/the caller",
      DENO_DIR: join(folder, "deno"),
      GLIBC_TUNABLES: TUNABLES,
      NO_COLOR: "1",
    },
  }).output();
  const decoder = new TextDecoder();
  return { stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
