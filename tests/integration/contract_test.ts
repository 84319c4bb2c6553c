import assert from "node:assert/strict";
import * as fs from "node:fs";
import { CliDevice, trustingPair } from "../support/cli_device.ts";
import { noise } from "../support/sync_scene.ts";
import { temporaryFolder, writeTree } from "../support/tree.ts";

Deno.test("sync tells that its folder is missing without waiting for the peer", async () => {
  using temporary = temporaryFolder();
  const [a] = await trustingPair(temporary.path);
  fs.writeFileSync(`${temporary.path}/file`, "");
  // Nobody answers there.
  const args = ["sync", "b", "--address", "127.0.0.1:9", "--timeout", "20s"];
  for (const direction of [[], ["--push"], ["--watch"]]) {
    const missing = await a.run(...args, `${temporary.path}/missing`, ...direction);
    assert.equal(missing.code, 14, missing.stderr);
    assert.match(missing.stderr, /missing": it does not exist/);
  }
  const file = await a.run(...args, `${temporary.path}/file`, "--pull");
  assert.equal(file.code, 14, file.stderr);
  assert.match(file.stderr, /not a directory/);
});

Deno.test({
  name: "what is left out has its itemize line, dry or real, and its item event",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    using temporary = temporaryFolder();
    const { path } = temporary;
    const [a, b] = await trustingPair(path);
    const [left, right] = [`${path}/left`, `${path}/right`];
    writeTree(left, { plain: "p" });
    fs.mkdirSync(right);
    await new Deno.Command("mkfifo", { args: [`${left}/fifo`] }).output();
    fs.writeFileSync(`${left}/a\nb`, "");
    await using server = await b.serve(right);
    const args = ["sync", "b", left, "--address", server.address];
    const dry = await a.run(...args, "-n", "-i");
    const real = await a.run(...args, "-i");
    assert.deepEqual([dry.code, real.code], [3, 3]);
    for (const { stdout } of [dry, real]) {
      const lines = stdout.split("\n").filter((line) => /^[^ ][<>][fdl] /.test(line));
      assert.deepEqual(lines, [
        "!>f 0 a\\nb (Its name can't be synced (control_character))",
        "s>f 0 fifo (It is a device, fifo or socket)",
        "+>f 1 plain",
      ]);
    }
    const { events } = await a.run(...args, "--json");
    const items = events.filter(({ event }) => event === "item");
    assert.deepEqual(items.map(({ action, path }) => [action, path]), [["!", "a\nb"], [
      "s",
      "fifo",
    ]]);
    assert.equal(events.at(-1)!["errors"], 1, "what is left out on purpose is no error");
  },
});

Deno.test("a share that lost its mark says so on both devices", async () => {
  using temporary = temporaryFolder();
  const { path } = temporary;
  const [a, b] = await trustingPair(path);
  const [left, right] = [`${path}/left`, `${path}/right`];
  writeTree(left, { f: "f" });
  fs.mkdirSync(right);
  const server = await b.serve(right);
  await a.succeed("sync", "b", left, "--address", server.address);
  fs.rmSync(`${right}/.landropic`, { recursive: true });
  const { code, stderr } = await a.run("sync", "b", left, "--address", server.address);
  assert.equal(code, 5);
  assert.match(stderr, /"b" says: .*its "\.landropic" is gone\nhint: .*disk may not be mounted/);
  const { stderr: told } = await server.stop();
  assert.match(told, /^warn: share "default": .*its "\.landropic" is gone hint=/m);
});

Deno.test("another device than the one expected is refused in one plain line", async () => {
  using temporary = temporaryFolder();
  const { path } = temporary;
  const [a, b] = await trustingPair(path);
  const c = new CliDevice("c", `${path}/home-c`);
  await a.trust(c, "c");
  for (const name of ["left", "right"]) fs.mkdirSync(`${path}/${name}`);
  await using server = await b.serve(`${path}/right`);
  const { code, stderr } = await a.run("sync", "c", `${path}/left`, "--address", server.address);
  assert.equal(code, 11);
  assert.match(
    stderr,
    /^landropic: Refused 127\.0\.0\.1:\d+: another device answered: [A-Z2-7-]+\n/,
  );
});

Deno.test("the group of the peers commands shows examples as every command does", async () => {
  using temporary = temporaryFolder();
  const { stdout } = await new CliDevice("a", temporary.path).succeed("peers", "--help");
  assert.match(stdout, /Examples:\n {2}landropic peers\n/);
});

Deno.test("the summary of a sync that was refused tells what went over the network", async () => {
  using temporary = temporaryFolder();
  const { path } = temporary;
  const [a, b] = await trustingPair(path);
  const [left, right] = [`${path}/left`, `${path}/right`];
  writeTree(left, { f: "f" });
  writeTree(right, { f: "f", extra: "e" });
  await using server = await b.serve(right);
  const address = ["--address", server.address];
  for (const more of [[], ["--watch"]]) {
    const args = ["--push", "--delete", "--max-delete", "0", "--json", ...more];
    const { code, events } = await a.run("sync", "b", left, ...address, ...args);
    assert.equal(code, 5);
    const [error, summary] = events.slice(-2);
    assert.deepEqual([error!["event"], error!["code"]], ["error", "safety_limit"]);
    const { event, ok, files, connections, wireSent, wireReceived } = summary!;
    assert.deepEqual([event, ok, files, connections], ["summary", false, 1, 1]);
    assert.ok(wireSent as number > 0 && wireReceived as number > 0);
  }
});

Deno.test("what a peer can't or may not do comes with a hint at what helps", async () => {
  using temporary = temporaryFolder();
  const { path } = temporary;
  const [a, b] = await trustingPair(path);
  const [left, right] = [`${path}/left`, `${path}/right`];
  writeTree(left, { f: "f" });
  fs.mkdirSync(right);
  fs.mkdirSync(`${path}/gone`);
  const shares = ["--share", `ro=${right}:ro`, "--share", `gone=${path}/gone`];
  await using server = await b.serve(...shares);
  fs.rmdirSync(`${path}/gone`);
  const sync = (share: string) =>
    a.run("sync", `b:${share}`, left, "--push", "--address", server.address);
  const refused = await sync("ro");
  assert.equal(refused.code, 13);
  assert.match(refused.stderr, /read-only for you\nhint: take its files with --pull/);
  const gone = await sync("gone");
  assert.equal(gone.code, 14);
  assert.match(gone.stderr, /does not exist .*\nhint: see to that folder on "b"/);
});

Deno.test("verify of a name that is neither a peer's nor a folder's says so", async () => {
  using temporary = temporaryFolder();
  const [a] = await trustingPair(temporary.path);
  const { code, stderr } = await a.run("verify", "photos");
  assert.equal(code, 11);
  assert.match(stderr, /No trusted peer is called "photos", and there is no such folder\nhint: /);
});

Deno.test({
  name:
    "a sync that can't fit on the peer's disk is exit 14 with the numbers, and --fill-disk goes on",
  ignore: Deno.build.os !== "linux" || Deno.uid() !== 0,
  fn: async () => {
    using temporary = temporaryFolder();
    const [left, right] = [`${temporary.path}/left`, `${temporary.path}/right`];
    const [a, b] = await trustingPair(temporary.path);
    writeTree(left, { small: "s", large: noise(9_000_000) });
    fs.mkdirSync(right);
    const mount = ["-t", "tmpfs", "-o", "size=8m", "none", right];
    if (!(await new Deno.Command("mount", { args: mount, stderr: "null" }).output()).success) {
      return;
    }
    try {
      await using server = await b.serve(right);
      const args = ["sync", "b", left, "--address", server.address];
      const refused = await a.run(...args, "--json");
      assert.equal(refused.code, 14, refused.stderr);
      const error = refused.events.find(({ event }) => event === "error")!;
      assert.equal(error["code"], "storage");
      assert.match(String(error["message"]), /of "b": 9\.00 MB are needed, 8\.\d+ MB are free/);
      assert.match(String(error["hint"]), /--fill-disk/);
      assert.equal(refused.events.at(-1)!["event"], "summary");
      assert.ok(!fs.existsSync(`${right}/small`));
      const filled = await a.run(...args, "--fill-disk");
      assert.equal(filled.code, 3, filled.stderr);
      assert.ok(fs.existsSync(`${right}/small`));
    } finally {
      await new Deno.Command("umount", { args: [right] }).output();
    }
  },
});

Deno.test({
  name: "a disk that is full, or read-only, beneath landropic's own files comes with a hint",
  ignore: Deno.build.os !== "linux" || Deno.uid() !== 0,
  fn: async () => {
    using temporary = temporaryFolder();
    const home = `${temporary.path}/home-a`;
    const [a] = await trustingPair(temporary.path);
    await a.succeed("id");
    const mount = (...args: string[]) =>
      new Deno.Command("mount", { args: [...args, home], stderr: "null" }).output();
    const kept = `${temporary.path}/kept`;
    fs.cpSync(home, kept, { recursive: true });
    if (!(await mount("-t", "tmpfs", "-o", "size=400k,mode=700", "none")).success) return;
    try {
      fs.cpSync(kept, home, { recursive: true });
      for (const name of fs.readdirSync(home)) fs.chmodSync(`${home}/${name}`, 0o600);
      await mount("-o", "remount,ro");
      const args = ["sync", "b", temporary.path, "--address", "127.0.0.1:9"];
      const left = await a.run(...args, "--timeout", "1s");
      assert.ok([10, 14, 15].includes(left.code), left.stderr);
      const renamed = await a.run("peers", "rename", "b", "c");
      assert.equal(renamed.code, 14, renamed.stderr);
      assert.match(renamed.stderr, /[Rr]ead-only file system.*\nhint: set LANDROPIC_HOME to/);
      await mount("-o", "remount,rw");
      const fill = fs.openSync(`${home}/fill`, "w");
      try {
        for (;;) fs.writeSync(fill, new Uint8Array(4096));
      } catch {
        fs.closeSync(fill);
      }
      const full = await a.run("peers", "rename", "b", "c");
      assert.equal(full.code, 14, full.stderr);
      assert.match(full.stderr, /No space left .*\nhint: free space/);
      const doctor = await a.run("doctor", "--json");
      const found = doctor.events.find(({ name }) => name === "home")!;
      assert.deepEqual([doctor.code, found["ok"]], [1, false]);
    } finally {
      await new Deno.Command("umount", { args: [home] }).output();
    }
  },
});

Deno.test("a peer whose index can't be opened says so, and serves again once it can", async () => {
  using temporary = temporaryFolder();
  const { path } = temporary;
  const [a, b] = await trustingPair(path);
  const [left, right] = [`${path}/left`, `${path}/right`];
  writeTree(left, { f: "f" });
  fs.mkdirSync(right);
  fs.mkdirSync(`${b.home}/index.db`);
  await using server = await b.serve(right);
  const args = ["sync", "b", left, "--push", "--address", server.address];
  const refused = await a.run(...args);
  assert.equal(refused.code, 14, refused.stderr);
  assert.match(refused.stderr, /"b" says: Cannot (open|use) index/);
  fs.rmdirSync(`${b.home}/index.db`);
  await a.succeed(...args);
  assert.equal(fs.readFileSync(`${right}/f`, "utf8"), "f");
});

Deno.test("serve listens at a name of this machine, and says what to do where it can't listen", async () => {
  using temporary = temporaryFolder();
  const [, b] = await trustingPair(temporary.path);
  const serve = ["serve", temporary.path, "--listen"];
  const named = b.start([...serve, "localhost:0"]);
  const { address } = await named.waitFor(({ event }) => event === "listening");
  assert.match(String(address), /^(127\.|::1$)/);
  await named.stop();
  for (
    const [listen, code, hint] of [
      ["203.0.113.9:0", 1, /on all of them/],
      ["no-such-host.invalid:0", 2, /an address of this machine/],
    ] as const
  ) {
    const refused = await b.run(...serve, listen);
    assert.equal(refused.code, code, refused.stderr);
    assert.match(refused.stderr, /^landropic: Cannot listen on /);
    assert.match(refused.stderr, hint);
  }
});

Deno.test("a device's own state is never synced, whatever rules and peers ask for", async () => {
  using temporary = temporaryFolder();
  const { path } = temporary;
  const [left, right] = [`${path}/left`, `${path}/right`];
  const homeOf = (folder: string) => `${folder}/.config/landropic [1]`;
  const a = new CliDevice("a", homeOf(left));
  const b = new CliDevice("b", homeOf(right));
  await a.trust(b, "b");
  await b.trust(a, "a");
  writeTree(left, { f: "f", ".landropicignore": "!.config\n!landropic*\n!device.pem\n" });
  const keys = () => [a, b].map(({ home }) => fs.readFileSync(`${home}/device.pem`, "utf8"));
  const before = keys();
  await using server = await b.serve(right);
  const address = ["--address", server.address];
  const include = ["--include", "landropic*", "--include", "device.pem"];
  const { stdout } = await a.succeed("sync", "b", left, ...address, ...include, "-i");
  assert.doesNotMatch(stdout, /device\.pem|peers\.json|index\.db/);
  assert.equal(fs.readFileSync(`${right}/f`, "utf8"), "f");
  // The peer's list of peers is in its share, and out of reach.
  for (const mode of [["--push", "--delete"], ["--pull", "--delete"]]) {
    await a.succeed("sync", "b", left, ...address, ...mode);
  }
  assert.deepEqual(keys(), before);
  const own = await a.run("sync", "b", a.home, ...address);
  assert.equal(own.code, 5, own.stderr);
  assert.match(own.stderr, /holds the keys of this device/);
});

Deno.test("a folder that another run holds is exit 6, and the hint says how to wait for it", async () => {
  using temporary = temporaryFolder();
  const { path } = temporary;
  const [a, b] = await trustingPair(path);
  const [left, right] = [`${path}/left`, `${path}/right`];
  writeTree(left, { f: noise(8_000_000, 1) });
  fs.mkdirSync(right);
  await using server = await b.serve(right);
  const args = ["sync", "b", left, "--push", "--address", server.address];
  await using first = a.start([...args, "--bwlimit", "200K"]);
  await first.waitFor(({ event }) => event === "plan");
  const second = await a.run(...args);
  assert.equal(second.code, 6, second.stderr);
  assert.match(second.stderr, /process \d+ holds it.*\nhint: .*--lock-wait/);
});
