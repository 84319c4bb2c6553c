/** How the executable unpacks itself: once, safely, and with a word where it can't. */
import assert from "node:assert/strict";
import { join } from "node:path";
import {
  eventually,
  EXECUTABLE,
  exeTest,
  hostTool,
  lightExecutable,
  missing,
  Sandbox,
} from "./sandbox.ts";

const mounts = {
  missing: await missing("root and mount namespaces", [
    ...["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"],
  ]),
};
const root = {
  missing: Deno.build.os !== "windows" && Deno.uid() === 0 ? undefined : "needs root",
};

exeTest(
  "the first start unpacks into a private folder, and later ones change nothing there",
  async () => {
    using box = new Sandbox();
    await box.works();
    const folder = box.unpacked;
    for (const path of [box.cache, folder]) assert.equal(Deno.statSync(path).mode! & 0o777, 0o700);
    const describe = () =>
      [...Deno.readDirSync(folder)].filter(({ isFile }) => isFile).map(({ name }) => {
        const { ino, size, mode } = Deno.statSync(join(folder, name));
        assert.equal(mode! & 0o077, 0, `${name} is open to others`);
        return [name, ino, size];
      });
    const before = describe();
    await box.works();
    assert.deepEqual(describe(), before);
  },
);

exeTest("first starts at once all work and leave one folder", async () => {
  using box = new Sandbox();
  await Promise.all(Array.from({ length: 4 }, () => box.works()));
  assert.ok(Deno.statSync(join(box.unpacked, "deno")).isFile);
});

exeTest("a first start that is killed leaves nothing that a later one trips over", async () => {
  using box = new Sandbox();
  const child = box.spawn(["id"]);
  await eventually("it unpacks", () => exists(box.cache) && entries(box.cache).length === 2);
  child.kill("SIGKILL");
  await child.output();
  await box.works();
});

exeTest("what killed first starts left is removed after an hour", async () => {
  using box = await Sandbox.warm();
  const folder = box.unpacked;
  const [fresh, stale] = ["fresh", "stale"].map((name) => join(box.cache, `.new.${name}`));
  for (const path of [fresh!, stale!]) Deno.mkdirSync(path);
  const ago = new Date(Date.now() - 2 * HOUR_MS);
  Deno.utimeSync(stale!, ago, ago);
  await box.works();
  assert.deepEqual(entries(box.cache), [".new.fresh", folder.slice(box.cache.length + 1)]);
});

exeTest("versions that were not started for two weeks are removed unless they run", async () => {
  using box = await Sandbox.warm();
  const version = (id: string, days: number) => {
    const folder = join(box.cache, id);
    Deno.mkdirSync(folder);
    Deno.writeTextFileSync(join(folder, ".used"), "");
    const ago = new Date(Date.now() - days * 24 * HOUR_MS);
    Deno.utimeSync(join(folder, ".used"), ago, ago);
    return folder;
  };
  const stale = version("0000000000000001", 20);
  const running = version("0000000000000002", 20);
  const recent = version("0000000000000003", 5);
  Deno.copyFileSync(Deno.realPathSync(hostTool("sleep")), join(running, "deno"));
  const foreign = join(box.cache, "not-our-business");
  Deno.mkdirSync(foreign);
  const old = new Deno.Command(join(running, "deno"), { args: ["60"] }).spawn();
  try {
    await box.works();
    assert.deepEqual([stale, running, recent, foreign].map(exists), [false, true, true, true]);
  } finally {
    old.kill("SIGKILL");
    await old.status;
  }
  await box.works();
  assert.deepEqual([running, recent].map(exists), [false, true]);
}, { missing: Deno.build.os === "linux" ? undefined : "needs Linux" });

exeTest("after a look in vain for what is old, the next is an hour later", async () => {
  using box = await Sandbox.warm();
  const unpacked = box.unpacked;
  Deno.symlinkSync(hostTool("touch"), join(box.bin, "touch"));
  const other = join(box.cache, "0000000000000001");
  const setDays = (days: number) => {
    Deno.mkdirSync(other, { recursive: true });
    Deno.writeTextFileSync(join(other, ".used"), "");
    const ago = new Date(Date.now() - days * 24 * HOUR_MS);
    Deno.utimeSync(join(other, ".used"), ago, ago);
  };
  const look = join(box.cache, ".look");
  setDays(5);
  await box.works();
  const inMs = Deno.statSync(look).mtime!.getTime() - Date.now();
  assert.ok(inMs > 0.9 * HOUR_MS && inMs <= HOUR_MS, `${inMs}`);
  setDays(20);
  await box.works();
  assert.ok(exists(other), "it looked again");
  const soon = new Date(Date.now() - 1000);
  Deno.utimeSync(look, soon, soon);
  await box.works();
  assert.ok(!exists(other));
  // A first start looks whatever the time is said to be.
  setDays(20);
  const later = new Date(Date.now() + HOUR_MS);
  Deno.writeTextFileSync(look, "");
  Deno.utimeSync(look, later, later);
  Deno.removeSync(unpacked, { recursive: true });
  await box.works();
  assert.ok(!exists(other));
}, {
  missing: await missing("a touch(1) that knows `+1 hour`", [
    ...["touch", "-c", "-d", "+1 hour", "/nonexistent"],
  ]),
});

exeTest("a version stays as long as it is started now and then", async () => {
  using box = await Sandbox.warm();
  const used = join(box.unpacked, ".used");
  const ago = new Date(Date.now() - 20 * 24 * HOUR_MS);
  Deno.utimeSync(used, ago, ago);
  await box.works();
  assert.ok(Deno.statSync(used).mtime!.getTime() > ago.getTime() + HOUR_MS);
});

exeTest("files that are cut short, links or open to others are replaced", async () => {
  using box = new Sandbox();
  const program = await lightExecutable();
  await box.works({ program });
  const folder = box.unpacked;
  const module = join(folder, "program.mjs");
  const { size } = Deno.statSync(module);
  Deno.truncateSync(module, 10);
  await box.works({ program });
  assert.equal(Deno.statSync(module).size, size);
  const addon = join(folder, "quic.node");
  Deno.removeSync(addon);
  Deno.symlinkSync("/bin/true", addon);
  await box.works({ program });
  assert.ok(Deno.lstatSync(addon).isFile);
  Deno.chmodSync(module, 0o666);
  await box.works({ program });
  assert.equal(Deno.statSync(module).mode! & 0o777, 0o600);
  for (const path of [folder, box.cache]) {
    Deno.chmodSync(path, 0o777);
    await box.works({ program });
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o700);
  }
});

exeTest("a damaged or cut executable is not started: exit 1, and it says so", async () => {
  using box = new Sandbox();
  const bytes = Deno.readFileSync(EXECUTABLE);
  const broken = join(box.path, "broken");
  const cases: [string, Uint8Array][] = [["cut", bytes.subarray(0, bytes.length / 5)]];
  const flipped = bytes.slice();
  flipped[bytes.length >> 1]! ^= 1;
  cases.push(["flipped", flipped]);
  for (const [name, content] of cases) {
    Deno.writeFileSync(broken, content, { mode: 0o755 });
    const { code, stdout, stderr } = await box.run(["id"], { program: broken });
    assert.equal(code, 1, name);
    assert.equal(stdout, "");
    assert.equal(
      stderr,
      `landropic: ${broken} is damaged: its checksum does not match\nhint: download it again\n`,
    );
  }
  assert.ok(!exists(box.cache));
});

exeTest("the executable starts from any path and by any way of naming it", async () => {
  using box = new Sandbox();
  const folder = box.folder("with space's");
  const copy = join(folder, "land ropic");
  Deno.copyFileSync(await lightExecutable(), copy);
  Deno.chmodSync(copy, 0o755);
  const home = box.folder("my $home");
  await box.works({ program: copy, env: { HOME: home } });
  await box.works({ program: "./land ropic", cwd: folder, env: { HOME: box.folder("home 2") } });
  const link = join(box.path, "link");
  Deno.symlinkSync(copy, link);
  await box.works({ program: link, env: { HOME: box.folder("home 3") } });
  const byPath = { wrapper: ["env"], program: "land ropic" };
  await box.works({ ...byPath, env: { PATH: `${folder}:${box.bin}`, HOME: box.folder("home 4") } });
});

for (
  const [shell, ...flags] of [
    ...[["dash"], ["bash", "--posix"], ["busybox", "sh"], ["mksh"], ["yash"]],
    ["zsh", "--emulate", "sh"],
  ] as [string, ...string[]][]
) {
  const command = [shell, ...flags];
  exeTest(`the executable's head runs under ${shell}`, async () => {
    using box = new Sandbox();
    const program = await lightExecutable();
    await box.works({ program, wrapper: command });
    await box.works({ program, wrapper: command });
    assert.ok(exists(box.unpacked));
    const state = join(box.path, "state");
    const env = { HOME: "/dev/null", TMPDIR: box.folder("tmp"), LANDROPIC_HOME: state };
    await box.works({ program, wrapper: command, env });
  }, { missing: await missing(shell, [...command, "-c", "true"]) });
}

for (
  const [what, home] of [
    ["no HOME", undefined],
    ["an empty HOME", ""],
    ["a HOME that cannot be written to", "/proc"],
    ["a HOME that is no folder", "/dev/null"],
  ] as const
) {
  exeTest(`with ${what} the program runs from a folder of that run alone`, async () => {
    using box = new Sandbox();
    const program = await lightExecutable();
    const temporary = box.folder("tmp");
    const env = { HOME: home, TMPDIR: temporary, LANDROPIC_HOME: join(box.path, "state") };
    await box.works({ program, env });
    await eventually("it is removed", () => entries(temporary).length === 0);
    const { code, stderr } = await box.run(["--nonsense"], { program, env });
    assert.deepEqual([code, stderr.split("\n").length], [2, 3], stderr);
  });
}

exeTest("the folder of one run is removed when the program is killed", async () => {
  using box = new Sandbox();
  const temporary = box.folder("tmp");
  const env = { HOME: undefined, TMPDIR: temporary, LANDROPIC_HOME: join(box.path, "state") };
  const child = box.spawn(["pair", "-"], { env, stdin: "" });
  const isRunning = () =>
    Deno.readTextFileSync(`/proc/${child.pid}/status`).startsWith("Name:\tdeno\n");
  await eventually("the program runs", isRunning);
  child.kill("SIGKILL");
  await child.status;
  await eventually("it is removed", () => entries(temporary).length === 0);
  await child.stdout.cancel();
  await child.stderr.cancel();
}, { missing: Deno.build.os === "linux" ? undefined : "needs Linux" });

exeTest("where nothing can be unpacked: exit 14, the reasons, and what to do", async () => {
  using box = new Sandbox();
  const small = box.folder("small");
  // Copied first: the checkout itself may lie in one of the folders that are mounted over.
  const script = `cp "$1" /mnt/landropic || exit 99
  for folder in ${small} /tmp /var/tmp /dev/shm; do
    mount -t tmpfs -o size=20m none $folder || exit 99
  done
  HOME=${small} XDG_CACHE_HOME=${small}/cache TMPDIR=${small} exec /mnt/landropic id`;
  const { code, stdout, stderr } = await inMounts(script);
  assert.equal(code, 14, stderr);
  assert.equal(stdout, "");
  const [error, hint, ...rest] = stderr.split("\n");
  assert.match(
    error!,
    new RegExp(
      `^landropic: Cannot unpack: ${small}/cache/landropic: there is no room for \\d+ MB; ` +
        `${small}: there is no room for \\d+ MB; /tmp: .*; /var/tmp: .*; /dev/shm: .*no room`,
    ),
  );
  assert.match(hint!, /^hint: set XDG_CACHE_HOME to a folder with \d+ MB free/);
  assert.deepEqual(rest, [""]);
}, mounts);

for (
  const [what, options] of [["is full", "size=20m"], [
    "forbids programs (noexec)",
    "noexec",
  ]] as const
) {
  exeTest(`where the disk of the home ${what} the program runs from elsewhere`, async () => {
    using box = new Sandbox();
    const temporary = box.folder("tmp");
    const script = `mount -t tmpfs -o ${options} none ${box.home} || exit 99
      cp "$1" /mnt/landropic
      HOME=${box.home} TMPDIR=${temporary} /mnt/landropic id --json || exit
      ls -A ${box.home}/.cache/landropic`;
    const { code, stdout, stderr } = await inMounts(script);
    assert.equal(code, 0, stderr);
    assert.equal(stderr, "");
    assert.match(stdout, /^\{"event":"id",/);
    assert.doesNotMatch(stdout, /^\.new\./m, "half of it was left there");
    await eventually("it is removed", () => entries(temporary).length === 0);
  }, mounts);
}

exeTest(
  "root leaves nothing in the home of someone else, and starts nothing from there",
  async () => {
    using box = new Sandbox();
    const program = await lightExecutable();
    const nobody = 12345;
    Deno.chmodSync(box.path, 0o755);
    Deno.chownSync(box.home, nobody, nobody);
    const env = { TMPDIR: box.folder("tmp"), LANDROPIC_HOME: join(box.path, "state") };
    await box.works({ program, env });
    assert.deepEqual(entries(box.home), []);
    const trap = join(box.home, ".cache/landropic", await idOf(program));
    Deno.mkdirSync(trap, { recursive: true, mode: 0o700 });
    Deno.writeTextFileSync(join(trap, "deno"), "#!/bin/sh\necho trapped\n", { mode: 0o700 });
    for (const path of [join(trap, "deno"), trap, join(trap, ".."), join(trap, "../..")]) {
      Deno.chownSync(path, nobody, nobody);
    }
    await box.works({ program, env });
  },
  root,
);

/** Runs a shell script that may mount what it likes, with an empty disk under /mnt. */
async function inMounts(script: string) {
  const { code, stdout, stderr } = await new Deno.Command("unshare", {
    args: ["--mount", "sh", "-c", `mount -t tmpfs none /mnt\n${script}`, "sh", EXECUTABLE],
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** The name of the folder that an executable unpacks to. */
async function idOf(executable: string): Promise<string> {
  using file = await Deno.open(executable);
  const head = new Uint8Array(1024);
  await file.read(head);
  return /\bid=([0-9a-f]{16})\b/.exec(new TextDecoder().decode(head))![1]!;
}

function entries(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

const HOUR_MS = 3_600_000;
