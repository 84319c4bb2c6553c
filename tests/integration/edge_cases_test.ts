/** What bites sync tools, as its user sees it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import type { CliDevice } from "../support/cli_device.ts";
import { CliSite as Site } from "../support/cli_site.ts";
import { assertSameTree, describeTree, Link, writeTree } from "../support/tree.ts";

const LATER_MS = 1_700_000_500_000;
const isLinux = Deno.build.os === "linux";

Deno.test({
  name: "names with newlines, escapes, dashes and marks of direction travel and print harmlessly",
  ignore: !isLinux,
  fn: async () => {
    const names = [
      "-rf",
      "--delete",
      "a\u202Etxt.exe",
      "$(x) `y` 'z'",
      "ü",
      "u\u0308",
      " x ",
      "CON",
      "é:?",
    ];
    await using site = await Site.make(Object.fromEntries(names.map((name) => [name, name])));
    await site.inStep("--push", "-i");
    const result = await site.a.run("sync", "b", site.left, "-n", "--address", site.server.address);
    assert.equal(result.code, 0);
    writeTree(site.left, { "new\u202E": "x" });
    const { stdout } = await site.a.run(
      "sync",
      "b",
      site.left,
      "-n",
      "--address",
      site.server.address,
    );
    assert.ok(!stdout.includes("\u202E"), "a mark of direction is escaped");
  },
});

Deno.test({
  name: "names that can't be synced are listed with their bytes, exit 3, and delete nothing",
  ignore: !isLinux,
  fn: async () => {
    await using site = await Site.make({ keep: "k", d: { inside: "i" } });
    await site.inStep();
    // Not UTF-8, and a control character; the shell makes what Deno can't.
    spawnSync("bash", [
      "-c",
      `cd ${site.left} && echo x > $'d/bad\\xff' && echo y > $'new\\nline'`,
    ]);
    fs.rmSync(`${site.left}/keep`);
    const { code, errors } = await site.sync();
    assert.equal(code, 3);
    const bad = errors.find(({ code }) => code === "name_not_utf8")!;
    assert.equal(
      new TextDecoder("latin1").decode(Uint8Array.fromBase64(bad["pathBase64"] as string)),
      "d/bad\xff",
    );
    assert.equal(errors.length, 2, JSON.stringify(errors));
    assert.ok(fs.existsSync(`${site.right}/d/inside`));
    assert.ok(!fs.existsSync(`${site.right}/keep`), "deletions elsewhere go on");
  },
});

Deno.test({
  name: "fifos, links out of the folder, loops and dangling links neither block nor leave it",
  ignore: !isLinux,
  fn: async () => {
    await using site = await Site.make({
      file: "x",
      loop: new Link("loop"),
      nowhere: new Link("gone"),
      up: { dir: new Link("../file") },
    });
    spawnSync("mkfifo", [`${site.left}/fifo`]);
    assert.equal((await site.sync("--push")).code, 0);
    assert.ok(!fs.existsSync(`${site.right}/fifo`));
    assert.equal(fs.readlinkSync(`${site.right}/loop`), "loop");
    fs.symlinkSync("/etc", `${site.left}/etc`);
    fs.symlinkSync("../..", `${site.left}/out`);
    const { code, errors } = await site.sync("--push");
    assert.equal(code, 3);
    assert.deepEqual(errors.map(({ path }) => path).sort(), ["etc", "out"]);
    assert.ok(!fs.lstatSync(`${site.right}/etc`, { throwIfNoEntry: false }));
  },
});

Deno.test({
  name: "setuid bits stay behind, modes are exact whatever the umask, hard links become two files",
  ignore: !isLinux,
  fn: async () => {
    await using site = await Site.make({ tool: "t", secret: "s", one: "1" });
    fs.chmodSync(`${site.left}/tool`, 0o4777);
    fs.chmodSync(`${site.left}/secret`, 0o600);
    fs.linkSync(`${site.left}/one`, `${site.left}/two`);
    await site.inStep("--push");
    assert.equal(fs.statSync(`${site.right}/tool`).mode & 0o7777, 0o777);
    assert.equal(fs.statSync(`${site.right}/secret`).mode & 0o7777, 0o600);
    assert.equal(fs.statSync(`${site.right}/two`).nlink, 1);
  },
});

Deno.test("a name that changes in case alone is a rename, and both spellings are two files", async () => {
  await using site = await Site.make({ Readme: "r\n".repeat(1000), "a.txt": "1", "A.txt": "2" });
  await site.inStep();
  fs.renameSync(`${site.left}/Readme`, `${site.left}/README`);
  const { code, summary } = await site.sync();
  assert.deepEqual([code, summary["renamed"], summary["bytesSent"]], [0, 1, 0]);
  assertSameTree(site.left, site.right);
});

Deno.test("times of folders arrive with them, and stay when nothing changes", async () => {
  await using site = await Site.make({ d: { e: { f: "x" } }, empty: {} });
  for (const dir of ["d/e", "d", "empty"]) {
    fs.utimesSync(`${site.left}/${dir}`, 1_600_000_000, 1_600_000_000);
  }
  await site.inStep("--push");
  await site.inStep("--push");
  for (const dir of ["d", "d/e", "empty"]) {
    assert.equal(fs.statSync(`${site.right}/${dir}`).mtimeMs, 1_600_000_000_000, dir);
  }
});

Deno.test("times before 1970, far in the future and finer than milliseconds settle at once", async () => {
  await using site = await Site.make({ old: "o", future: "f", fine: "n" });
  fs.utimesSync(`${site.left}/old`, -86_400, -86_400);
  fs.utimesSync(`${site.left}/future`, 4_000_000_000, 4_000_000_000);
  spawnSync("touch", ["-d", "2024-01-01T00:00:00.123456789Z", `${site.left}/fine`]);
  await site.inStep();
  const { events, summary } = await site.sync();
  assert.equal(summary["ok"], true);
  assert.ok(!events.some(({ event }) => event === "item"));
});

Deno.test("a file on one side and a folder on the other: the file moves aside, exit 4", async () => {
  await using site = await Site.make({ keep: "k" });
  await site.inStep();
  writeTree(site.left, { x: "a file" });
  writeTree(site.right, { x: { inside: "in a folder" } });
  const { code } = await site.sync();
  assert.equal(code, 4);
  assertSameTree(site.left, site.right);
  assert.equal(fs.readFileSync(`${site.left}/x/inside`, "utf8"), "in a folder");
  const aside = fs.readdirSync(site.left).find((name) => name.startsWith("x.conflict-"))!;
  assert.equal(fs.readFileSync(`${site.left}/${aside}`, "utf8"), "a file");
});

Deno.test("a conflict copy that is in conflict itself gets a new mark and no longer name", async () => {
  await using site = await Site.make({ "n.txt": "base" });
  await site.inStep();
  writeTree(site.left, { "n.txt": "left" }, LATER_MS);
  writeTree(site.right, { "n.txt": "right" }, LATER_MS + 1000);
  assert.equal((await site.sync()).code, 4);
  const copy = fs.readdirSync(site.left).find((name) => name.includes(".conflict-"))!;
  writeTree(site.left, { [copy]: "left again" }, LATER_MS + 2000);
  writeTree(site.right, { [copy]: "right again" }, LATER_MS + 3000);
  assert.equal((await site.sync()).code, 4);
  assertSameTree(site.left, site.right);
  const copies = fs.readdirSync(site.left).filter((name) => name.includes(".conflict-"));
  assert.equal(copies.length, 2);
  for (const name of copies) assert.equal(name.split(".conflict-").length, 2, name);
});

Deno.test("a folder that was emptied, or whose mark is gone, stops with exit 5 and changes nothing", async () => {
  await using site = await Site.make({ a: "1", b: "2", c: "3" });
  await site.inStep();
  const before = describeTree(site.right);
  for (const name of ["a", "b", "c"]) fs.rmSync(`${site.left}/${name}`);
  assert.equal((await site.sync()).code, 5);
  // As when its disk is not mounted.
  fs.renameSync(`${site.left}/.landropic`, `${site.path}/mark`);
  assert.equal((await site.sync()).code, 5);
  assert.deepEqual(describeTree(site.right), before);
  // Nor is anything sent where it is the served side that has gone.
  fs.renameSync(`${site.path}/mark`, `${site.left}/.landropic`);
  writeTree(site.left, { a: "1", b: "2", c: "3" });
  fs.renameSync(site.right, `${site.path}/unmounted`);
  fs.mkdirSync(site.right);
  const gone = await site.sync();
  assert.equal(gone.code, 5, gone.stderr);
  assert.deepEqual(fs.readdirSync(site.right), []);
  assert.equal(describeTree(site.left).length, 3);
});

/** On many file systems each file gets the inode that it had. */
function restoreInPlace(folder: string): void {
  const backup = `${folder} of yesterday`;
  spawnSync("cp", ["-a", folder, backup]);
  fs.rmSync(folder, { recursive: true });
  spawnSync("cp", ["-a", backup, folder]);
}

for (
  const [what, lose] of [
    ["the index is lost", (site: Site) => {
      for (const name of fs.readdirSync(site.a.home)) {
        if (name.startsWith("index.db")) fs.rmSync(`${site.a.home}/${name}`);
      }
    }],
    ["the folder is restored from a backup", (site: Site) => restoreInPlace(site.left)],
    ["the served folder is restored from a backup", (site: Site) => restoreInPlace(site.right)],
  ] as const
) {
  Deno.test(`when ${what}, both sides are united and nothing is deleted`, async () => {
    await using site = await Site.make({ a: "1", b: "2", d: { c: "3" } });
    await site.inStep();
    lose(site);
    fs.rmSync(`${site.left}/a`);
    fs.rmSync(`${site.right}/d`, { recursive: true });
    const { code, stderr, summary } = await site.sync();
    assert.deepEqual([code, summary["deleted"]], [0, 0]);
    // Of an index that is gone nobody knows.
    const isSaid = stderr.includes("both sides are united, and nothing is deleted");
    assert.equal(isSaid, what.includes("restored"), stderr);
    assertSameTree(site.left, site.right);
    assert.equal(describeTree(site.left).length, 4);
  });
}

Deno.test("a folder that was only looked at is itself when it is synced", async () => {
  await using site = await Site.make({ a: "1", d: { b: "2" } });
  const { address } = site.server;
  const compared = await site.a.run("verify", "b", site.left, "--address", address);
  assert.equal(compared.code, 3, compared.stderr);
  assert.equal((await site.sync("--dry-run")).code, 0);
  assert.ok(!fs.existsSync(`${site.left}/.landropic`), "a dry run leaves no mark");
  const { code, stderr, summary } = await site.sync();
  assert.deepEqual([code, stderr, summary["sent"]], [0, "", 2]);
  assertSameTree(site.left, site.right);
});

Deno.test("folders that were moved are themselves: deletions and edits travel on", async () => {
  await using site = await Site.make({ a: "1", b: "2", c: "3", d: "4" });
  await site.inStep();
  const [left, right] = [`${site.path}/here`, `${site.path}/there`];
  fs.renameSync(site.left, left);
  fs.renameSync(site.right, right);
  fs.rmSync(`${left}/a`);
  fs.rmSync(`${right}/b`);
  writeTree(left, { c: "edited" }, LATER_MS);
  await using server = await site.b.serve(right);
  const args = ["sync", "b", left, "--address", server.address, "--json"];
  const { code, stderr, events } = await site.a.run(...args);
  assert.deepEqual([code, stderr], [0, ""]);
  const { deleted, conflicts } = events.at(-1)!;
  assert.deepEqual([deleted, conflicts], [2, 0]);
  assertSameTree(left, right);
  assert.equal(fs.readFileSync(`${right}/c`, "utf8"), "edited");
  // A copy is none of them.
  spawnSync("cp", ["-a", left, `${site.path}/copy`]);
  fs.rmSync(`${site.path}/copy/c`);
  const ofCopy = await site.a.run(...args.with(2, `${site.path}/copy`));
  assert.deepEqual([ofCopy.code, ofCopy.events.at(-1)!["deleted"]], [0, 0]);
  assert.ok(fs.existsSync(`${right}/c`));
});

Deno.test("two devices that sync with each other at once both get through, in step", async () => {
  await using site = await Site.make({ a: "1" });
  await site.inStep();
  await using other = await site.a.serve(site.left);
  writeTree(site.left, { left: "l".repeat(300_000) });
  writeTree(site.right, { right: "r".repeat(300_000) });
  const args = ["--lock-wait", "20s", "--json"];
  const back = site.b.run("sync", "a", site.right, "--address", other.address, ...args);
  const [there, andBack] = await Promise.all([site.sync("--lock-wait", "20s"), back]);
  assert.deepEqual([there.code, andBack.code], [0, 0], there.stderr + andBack.stderr);
  assertSameTree(site.left, site.right);
});

Deno.test("a synced folder inside another: its own files are reported, left out, and left alone", async () => {
  await using site = await Site.make({ outer: "o", inner: { f: "i" } });
  writeTree(`${site.left}/inner`, { ".landropic": { "folder-id": "0123" } });
  const { code, errors } = await site.sync("--push");
  assert.equal(code, 3);
  assert.deepEqual(errors.map(({ path }) => path), ["inner/.landropic"]);
  assert.deepEqual(describeTree(site.right).map((line) => line.split(" ")[0]), [
    "inner/",
    "inner/f",
    "outer",
  ]);
});

Deno.test("a name of 255 bytes travels, and its conflict copy fits too", async () => {
  const name = `${"ä".repeat(125)}x.txt`;
  await using site = await Site.make({ [name]: "base" });
  assert.equal(new TextEncoder().encode(name).length, 255);
  await site.inStep();
  writeTree(site.left, { [name]: "left" }, LATER_MS);
  writeTree(site.right, { [name]: "right" }, LATER_MS + 1000);
  assert.equal((await site.sync()).code, 4);
  assertSameTree(site.left, site.right);
  assert.equal(fs.readdirSync(site.left).filter((n) => n !== ".landropic").length, 2);
});

Deno.test({
  name: "another file system mounted in the folder is left alone, and is no deletion",
  ignore: !isLinux || spawnSync("unshare", ["-m", "true"]).status !== 0,
  fn: async () => {
    await using site = await Site.make({ keep: "k", mnt: { below: "b" } });
    await site.inStep();
    // Mounted for one process alone: the mount ends with it.
    const script = 'mount -t tmpfs none "$0" && echo y > "$0/other" && exec "$@"';
    const mounted: CliDevice = Object.assign(
      Object.create(Object.getPrototypeOf(site.a)),
      site.a,
      { within: ["unshare", "-m", "bash", "-c", script, `${site.left}/mnt`] },
    );
    const args = ["sync", "b", site.left, "--address", site.server.address, "--json"];
    const { code, stderr } = await mounted.run(...args);
    assert.equal(code, 0, stderr);
    assert.deepEqual(fs.readdirSync(`${site.right}/mnt`), ["below"]);
    await site.inStep();
  },
});
