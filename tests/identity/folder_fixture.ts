import { join } from "node:path";

/** A new folder with mode 0700, removed with all it holds when the block ends. */
export async function tempFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await Deno.makeTempDir({ prefix: "landropic-identity-" });
  return {
    path,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** Permission bits of a path. */
export async function modeOf(path: string): Promise<number> {
  return (await Deno.stat(path)).mode! & 0o7777;
}

/** Names in a folder, sorted. */
export async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(folder)) names.push(name);
  return names.sort();
}

/** A clock that stands still until it is set. */
export class TestClock {
  constructor(public ms = Date.UTC(2026, 10, 22, 20, 0, 0)) {}
  wallMs(): number {
    return this.ms;
  }
}

/** Starts a process that runs the module text; its stdout lines come back when it ended. */
export async function runProcess(folder: string, source: string): Promise<string[]> {
  const script = join(folder, `script-${crypto.randomUUID()}.ts`);
  await Deno.writeTextFile(script, source);
  const root = new URL("../../", import.meta.url).pathname;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", `--config=${root}deno.json`, script],
    cwd: root,
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  if (code !== 0) throw new Error(decoder.decode(stderr));
  return decoder.decode(stdout).trim().split("\n");
}
