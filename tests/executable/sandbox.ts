/** The executable under test, in surroundings where nothing helps it. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { packExecutable } from "../../scripts/packaging/executable.ts";
import { hostTarget } from "../../scripts/packaging/target.ts";

const given = Deno.env.get("LANDROPIC_EXE");

/** The absolute path of the executable under test. */
export const EXECUTABLE = given === undefined ? "" : resolve(given);

/** What a test needs beyond the executable. */
export interface Needs {
  /** A reason why it can't run here; undefined if it can. */
  readonly missing?: string | undefined;
}

/** A test of the executable. Without one, or without what it needs, it is skipped and says so. */
export function exeTest(name: string, fn: () => Promise<void>, { missing }: Needs = {}): void {
  const reason = given === undefined
    ? "LANDROPIC_EXE names no executable, such as dist/landropic"
    : missing;
  if (reason === undefined) Deno.test(name, fn);
  else Deno.test({ name: `${name} (skipped: ${reason})`, ignore: true, fn });
}

/** How one command ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Differences from a plain run in a sandbox. */
export interface RunOptions {
  /** Variables besides PATH and HOME; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly stdin?: string;
  /** What to start in place of the executable. */
  readonly program?: string;
  /** A command that starts another, such as `ip netns exec NAME`. */
  readonly wrapper?: readonly string[];
}

/**
 * A folder with an empty home, and a PATH of nothing but the few tools that the executable says it needs:
 * no Deno, no Node.
 */
export class Sandbox implements Disposable {
  readonly path: string;
  readonly home: string;
  readonly bin: string;

  constructor() {
    this.path = Deno.makeTempDirSync({ prefix: "landropic-exe-" });
    this.home = this.folder("home");
    this.bin = this.folder("bin");
    for (const tool of TOOLS) Deno.symlinkSync(hostTool(tool), join(this.bin, tool));
  }

  /** A sandbox in which the executable was started before, as cheap as the second of its kind can be. */
  static async warm(): Promise<Sandbox> {
    const box = new Sandbox();
    const { home, unpacked } = await firstStarted();
    const folder = box.folder(join("home", relative(home, unpacked)));
    for (const path of [box.cache, folder]) Deno.chmodSync(path, 0o700);
    for (const { name, isFile } of Deno.readDirSync(unpacked)) {
      // What nobody writes to can be the same file.
      const give = name === ".used" ? Deno.copyFileSync : Deno.linkSync;
      if (isFile) give(join(unpacked, name), join(folder, name));
    }
    return box;
  }

  /** Makes an empty folder in the sandbox. */
  folder(name: string): string {
    const path = join(this.path, name);
    Deno.mkdirSync(path, { recursive: true });
    return path;
  }

  /** Where versions are unpacked. */
  get cache(): string {
    return join(this.home, ".cache/landropic");
  }

  /** The folder of the version under test; there must be just one version. */
  get unpacked(): string {
    const names = [...Deno.readDirSync(this.cache)].map(({ name }) => name);
    assert.equal(names.length, 1, `not one folder in the cache: ${names}`);
    return join(this.cache, names[0]!);
  }

  /** Runs one command to its end. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    const child = this.spawn(args, options);
    if (options.stdin !== undefined) {
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(options.stdin));
      await writer.close();
    }
    const { code, stdout, stderr } = await child.output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  /** Starts one command; its stdin is empty unless the options have one. */
  spawn(args: readonly string[], options: RunOptions = {}): Deno.ChildProcess {
    const { program = EXECUTABLE, wrapper = [], stdin, cwd = this.path } = options;
    const [command, ...rest] = [
      ...wrapper.slice(0, 1).map(hostTool),
      ...wrapper.slice(1),
      program,
      ...args,
    ];
    const env = Object.entries({ HOME: this.home, PATH: this.bin, ...options.env })
      .filter((entry): entry is [string, string] => entry[1] !== undefined);
    return new Deno.Command(command!, {
      args: rest,
      cwd,
      clearEnv: true,
      env: Object.fromEntries(env),
      stdin: stdin === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }

  /** Asserts that a command works and prints the device's id. */
  async works(options: RunOptions = {}): Promise<void> {
    const { code, stdout, stderr } = await this.run(["id", "--json"], options);
    assert.equal(stderr, "");
    assert.equal(code, 0);
    assert.match(stdout, /^\{"event":"id",.*"id":"[A-Z2-7]{7}-/);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

let first: Promise<Sandbox> | undefined;

/** Where the executable was started once, for all tests of a file. */
function firstStarted(): Promise<Sandbox> {
  return first ??= (async () => {
    const box = new Sandbox();
    addEventListener("unload", () => box[Symbol.dispose]());
    await box.run(["--version"]);
    return box;
  })();
}

let light: Promise<string> | undefined;

/**
 * The path of an executable put together as the one under test is, of the same files but for one: in place of
 * the runtime a script that becomes it. Its first start takes a tenth of the time, and works in the same way.
 */
export function lightExecutable(): Promise<string> {
  return light ??= (async () => {
    const { path, unpacked } = await firstStarted();
    const modules = [...Deno.readDirSync(unpacked)].map(({ name }) => name)
      .filter((name) => name.endsWith(".mjs"))
      .map((name) => [name, Deno.readTextFileSync(join(unpacked, name))] as const);
    const bytes = await packExecutable({
      version: "light",
      target: hostTarget()!,
      modules: new Map(modules),
      runtime: new TextEncoder().encode(`#!/bin/sh\nexec '${unpacked}/deno' "$@"\n`),
      addon: Deno.readFileSync(join(unpacked, "quic.node")),
    });
    const executable = join(path, "light");
    Deno.writeFileSync(executable, bytes, { mode: 0o755 });
    return executable;
  })();
}

/** The absolute path of a tool of this system. */
export function hostTool(name: string): string {
  const folders = ["/bin", "/usr/bin", "/sbin", "/usr/sbin"];
  const found = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  assert.ok(found, `this system has no ${name}`);
  return found;
}

/** Waits until `check` returns true. */
export async function eventually(
  what: string,
  check: () => boolean | Promise<boolean>,
): Promise<void> {
  for (let tries = 0; tries < 1200; tries++) {
    if (await check()) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  assert.fail(`waited in vain until ${what}`);
}

/** Why a command that the tests need can't be carried out here; undefined if it can. */
export async function missing(
  what: string,
  command: readonly string[],
): Promise<string | undefined> {
  try {
    const [name, ...args] = command;
    const options = { args, stdout: "null", stderr: "null" } as const;
    const { success } = await new Deno.Command(name!, options).output();
    return success ? undefined : `needs ${what}`;
  } catch {
    return `needs ${what}`;
  }
}

/** What the executable's head says it needs, with a tool that knows SHA-256. */
const TOOLS = [
  ...["tar", "gzip", "tail", "ls", "mv", "mkdir", "chmod", "rm", "uname", "mktemp", "mkfifo"],
  ...["find", "printf", Deno.build.os === "darwin" ? "shasum" : "sha256sum"],
];
