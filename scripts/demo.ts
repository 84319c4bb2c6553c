/**
 * `deno task demo [DIR]`: the main job on real files. Makes two devices in a temporary folder, lets them
 * trust each other, serves, syncs a real folder, verifies every byte, changes a few files, syncs again,
 * and says in plain words what travelled. Leaves nothing behind.
 */
import * as fs from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type CommandResult, trustingPair } from "../tests/support/cli_device.ts";
import { describeTree } from "../tests/support/tree.ts";

/** Files of the dependencies' cache that are copied beside the project's own. */
const CACHE_FILES_MAX = 4_000;
/** Larger ones of them, such as compiled addons, are left out. */
const CACHE_FILE_BYTES_MAX = 1_000_000;

const { positionals } = parseArgs({ args: Deno.args, allowPositionals: true });
const work = Deno.makeTempDirSync({ prefix: "landropic-demo-" });
let failed = false;
try {
  await demo(positionals[0]);
} catch (error) {
  failed = true;
  console.error(`\nThe demo failed: ${error instanceof Error ? error.message : error}`);
} finally {
  Deno.removeSync(work, { recursive: true });
}
Deno.exit(failed ? 1 : 0);

async function demo(dir: string | undefined): Promise<void> {
  const source = join(work, "laptop-files");
  const target = join(work, "nas-files");
  fs.mkdirSync(target);
  if (dir === undefined) gatherFiles(source);
  else {fs.cpSync(resolve(dir), source, {
      recursive: true,
      verbatimSymlinks: true,
      preserveTimestamps: true,
    });}
  say(`Folder to sync: ${describe(source)}.`);

  const [laptop, nas] = await trustingPair(work);
  say("Two devices made, each with a key of its own; each now trusts the other's id:");
  console.log(`  laptop ${await laptop.id()}\n  nas    ${await nas.id()}`);

  await using server = await nas.serve(target);
  say(`nas serves an empty folder at ${server.address}; laptop pushes to it.`);
  const args = ["sync", "b", source, "--push", "--delete", "--address", server.address, "--json"];
  report("First sync", await laptop.succeed(...args));
  verify(source, target);

  report("Nothing changed, synced again", await laptop.succeed(...args));

  const changed = changeSomeFiles(source);
  say(`Changed on laptop: ${changed}.`);
  report("Synced again", await laptop.succeed(...args));
  verify(source, target);

  const { code } = await server.stop();
  say(`nas stopped by Ctrl-C (exit ${code}). Nothing is left behind.`);
}

/** The project's own tree, and part of the cache of what it depends on. */
function gatherFiles(into: string): void {
  const project = new URL("..", import.meta.url).pathname;
  for (const name of ["src", "tests", "scripts", "docs", "deno.json", "README.md"]) {
    const from = join(project, name);
    if (fs.existsSync(from)) {
      fs.cpSync(from, join(into, name), { recursive: true, preserveTimestamps: true });
    }
  }
  const cache = cacheFolder();
  let left = CACHE_FILES_MAX;
  const copy = (from: string, to: string): void => {
    for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
      if (left <= 0) return;
      const source = join(from, entry.name);
      const target = join(to, entry.name);
      if (entry.isDirectory()) copy(source, target);
      else if (entry.isFile() && fs.statSync(source).size <= CACHE_FILE_BYTES_MAX) {
        fs.mkdirSync(to, { recursive: true });
        fs.copyFileSync(source, target);
        const { atime, mtime } = fs.statSync(source);
        fs.utimesSync(target, atime, mtime);
        left--;
      }
    }
  };
  if (cache !== undefined) copy(cache, join(into, "dependencies"));
}

/** Where Deno keeps npm packages. */
function cacheFolder(): string | undefined {
  const base = Deno.env.get("DENO_DIR") ?? join(Deno.env.get("HOME") ?? "/", ".cache", "deno");
  const folder = join(base, "npm");
  return fs.existsSync(folder) ? folder : undefined;
}

function changeSomeFiles(source: string): string {
  const files = describeTree(source).flatMap((line) =>
    /^(.*) \d+ -?\d+ \d+ [0-9a-f]{16}$/.exec(line)?.[1] ?? []
  );
  const edited = files[Math.floor(files.length / 2)]!;
  const removed = files[Math.floor(files.length / 3)]!;
  fs.appendFileSync(join(source, edited), "one more line\n");
  fs.rmSync(join(source, removed));
  fs.mkdirSync(join(source, "new folder"));
  fs.writeFileSync(join(source, "new folder", "note.txt"), "made for the demo\n");
  return "one file edited, one removed, one new folder with a file in it";
}

function verify(source: string, target: string): void {
  const expected = describeTree(source);
  const actual = describeTree(target);
  const wrong = expected.filter((line, i) => line !== actual[i]);
  if (wrong.length > 0 || actual.length !== expected.length) {
    throw new Error(`the folders differ, first at: ${wrong[0] ?? actual[expected.length]}`);
  }
  say(`Verified: ${expected.length} entries equal on both sides, every byte, mode and time.`);
}

function report(what: string, { events }: CommandResult): void {
  const sum = events.at(-1)!;
  const number = (name: string) => sum[name] as number;
  const wire = number("wireSent") + number("wireReceived");
  say(
    `${what}: ${number("sent")} files sent and ${number("deleted")} deleted in ${
      number("seconds").toFixed(2)
    } s; ` +
      `${bytes(number("bytesSent"))} of file contents, ${bytes(wire)} over the network.`,
  );
}

function describe(folder: string): string {
  let files = 0;
  let size = 0;
  for (const entry of fs.readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    files++;
    size += fs.lstatSync(join(entry.parentPath, entry.name)).size;
  }
  return `${files} files, ${bytes(size)}`;
}

function bytes(count: number): string {
  if (count < 10_000) return `${count} bytes`;
  return count < 10_000_000 ? `${(count / 1e3).toFixed(0)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

function say(text: string): void {
  console.log(`- ${text}`);
}
