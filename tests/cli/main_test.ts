import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function command(args: string[], options: Deno.CommandOptions = {}): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "main.ts", ...args],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...options,
  });
}

async function landropic(args: string[], options?: Deno.CommandOptions): Promise<Ran> {
  const { code, stdout, stderr } = await command(args, options).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test("landropic --help prints help to stdout and exits with 0", async () => {
  const { code, stdout, stderr } = await landropic(["--help"]);
  assert.equal(code, 0);
  assert.match(stdout, /^Usage: landropic <command>/);
  assert.ok(!stdout.includes("\x1b"));
  assert.equal(stderr, "");
});

Deno.test("landropic exits with 2 on an unknown flag and suggests the right one", async () => {
  const { code, stdout, stderr } = await landropic(["sync", "nas", "--detele"]);
  assert.equal(code, 2);
  assert.equal(stdout, "");
  assert.equal(
    stderr,
    "landropic: unknown option --detele (did you mean --delete?)\n" +
      "hint: `landropic sync --help` lists what there is\n",
  );
});

Deno.test("landropic --json puts the error on stdout as one event", async () => {
  const { code, stdout, stderr } = await landropic(["--json", "sync", "nas", "--retry", "often"]);
  assert.equal(code, 2);
  assert.equal(stderr, "");
  const event = JSON.parse(stdout);
  assert.deepEqual(Object.keys(event), ["event", "time", "run", "code", "message", "hint"]);
  assert.match(event.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.match(event.run, /^[0-9a-f]{16}$/);
  assert.deepEqual([event.event, event.code], ["error", "usage"]);
});

Deno.test("landropic without a command exits with 2", async () => {
  const { code, stderr } = await landropic([]);
  assert.equal(code, 2);
  assert.match(stderr, /^landropic: no command given\n/);
});

Deno.test({
  name: "landropic ends quietly when its reader goes away",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const child = command(["completions", "bash"]).spawn();
    await child.stdout.cancel();
    const { code } = await child.status;
    assert.equal(code, 0);
    assert.equal(await new Response(child.stderr).text(), "");
  },
});

Deno.test({
  name: "landropic stops cleanly with exit code 130 when it is interrupted while it waits",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const home = await Deno.makeTempDir();
    await using child = command(["pair", "-"], {
      stdin: "piped",
      env: { LANDROPIC_HOME: home },
    }).spawn();
    while (!await catches(child.pid, SIGINT)) await new Promise((done) => setTimeout(done, 20));
    child.kill("SIGINT");
    const { code } = await child.status;
    assert.equal(code, 130);
    assert.equal(await new Response(child.stderr).text(), "landropic: stopped by SIGINT\n");
    assert.equal(await new Response(child.stdout).text(), "");
    await Deno.remove(home, { recursive: true });
  },
});

const SIGINT = 2;

/** Whether a process handles a signal itself, as Linux tells it. */
async function catches(pid: number, signal: number): Promise<boolean> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const caught = BigInt("0x" + /^SigCgt:\s*([0-9a-f]+)$/m.exec(status)![1]!);
  return (caught >> BigInt(signal - 1) & 1n) === 1n;
}

Deno.test("main.ts loads the command line alone before it knows the command", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "main.ts"],
    cwd: ROOT,
    stderr: "null",
  }).output();
  const graph = JSON.parse(new TextDecoder().decode(stdout)) as ModuleGraph;
  const loaded = staticallyLoaded(graph);
  assert.ok(loaded.includes("main.ts") && loaded.includes("src/cli/program.ts"));
  // The fs wrapper of node: alone takes a fifth of the time --help may take.
  const allowed =
    /^(main\.ts|deno\.json|src\/(cli|base)\/[^ ]*|node:path|npm:[^ ]*commander[^ ]*)$/;
  assert.deepEqual(loaded.filter((specifier) => !allowed.test(specifier)), []);
});

interface ModuleGraph {
  readonly roots: string[];
  readonly redirects: Record<string, string>;
  readonly modules: {
    readonly specifier: string;
    readonly dependencies?: {
      readonly isDynamic?: boolean;
      readonly code?: { readonly specifier: string };
    }[];
  }[];
}

/** What is loaded at start: all that static imports reach. */
function staticallyLoaded({ roots, redirects, modules }: ModuleGraph): string[] {
  const byName = new Map(modules.map((module) => [module.specifier, module]));
  const reached = new Set<string>();
  const pending = [...roots];
  for (let name; (name = pending.pop()) !== undefined;) {
    name = redirects[name] ?? name;
    if (reached.has(name)) continue;
    reached.add(name);
    for (const { isDynamic, code } of byName.get(name)?.dependencies ?? []) {
      if (isDynamic !== true && code !== undefined) pending.push(code.specifier);
    }
  }
  return [...reached].map((name) => name.startsWith("file:") ? fileURLToPath(name) : name)
    .map((name) => name.startsWith(ROOT) ? name.slice(ROOT.length) : name);
}
