/** The program as its users meet it, once it is unpacked. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { EXECUTABLE, exeTest, hostTool, missing, Sandbox } from "./sandbox.ts";

const linuxOnly = { missing: Deno.build.os === "linux" ? undefined : "needs Linux" };

exeTest("landropic --help prints help without a network, Deno or Node", async () => {
  using box = new Sandbox();
  const { code, stdout, stderr } = await box.run(["--help"], { wrapper: ["unshare", "--net"] });
  assert.equal(stderr, "");
  assert.equal(code, 0);
  assert.match(stdout, /^Usage: landropic <command>/);
}, { missing: await missing("unshare(1) and the right to use it", ["unshare", "--net", "true"]) });

exeTest("landropic --version names the version, the commit and what it runs on", async () => {
  using box = await Sandbox.warm();
  const { code, stdout } = await box.run(["--version"]);
  assert.equal(code, 0);
  const { version } = JSON.parse(readFileSync(new URL("../../deno.json", import.meta.url), "utf8"));
  const [first, second] = stdout.split("\n");
  assert.equal(first, `landropic ${version}`);
  assert.match(
    second!,
    /^commit (unknown|[0-9a-f]{12}(\+changes)?), \w+-(x64|arm64), Deno \d+\.\d+\.\d+, quiche \d+\.\d+\.\d+$/,
  );
});

exeTest("landropic id and peers keep their state below the user's home", async () => {
  using box = await Sandbox.warm();
  using other = await Sandbox.warm();
  const { stdout } = await other.run(["id", "--json"]);
  const { id } = JSON.parse(stdout);
  await box.works();
  assert.equal((await box.run(["peers", "trust", id, "--name", "laptop"])).code, 0);
  const peers = await box.run(["peers", "--json"]);
  const peer = JSON.parse(peers.stdout);
  assert.deepEqual([peer.event, peer.name, peer.id], ["peer", "laptop", id]);
  const config = join(box.home, ".config/landropic");
  assert.equal(Deno.statSync(config).mode! & 0o777, 0o700);
  assert.deepEqual([...Deno.readDirSync(box.home)].map(({ name }) => name).sort(), [
    ".cache",
    ".config",
    ".local",
  ]);
});

exeTest("landropic passes arguments on as they are", async () => {
  using box = await Sandbox.warm();
  for (const word of ["a  b", "*", "$HOME", "'", '"', "\\", "", "ünï"]) {
    const { code, stdout } = await box.run(["--json", word]);
    assert.equal(code, 2);
    assert.equal(JSON.parse(stdout).message, `unknown command "${word}"`);
  }
});

exeTest("landropic passes exit codes on", async () => {
  using box = await Sandbox.warm();
  assert.equal((await box.run(["--help"])).code, 0);
  assert.equal((await box.run(["sync", "nas", "--detele"])).code, 2);
  assert.equal((await box.run(["sync", "nobody", box.path])).code, 11);
  assert.equal((await box.run(["id"], { env: { LANDROPIC_HOME: "/dev/null/x" } })).code, 14);
});

exeTest(
  "landropic works in /dev/shm, which runtimes keep from programs with few rights",
  async () => {
    using box = await Sandbox.warm();
    using stack = new DisposableStack();
    const folder = Deno.makeTempDirSync({ dir: "/dev/shm", prefix: "landropic-test-" });
    stack.defer(() => Deno.removeSync(folder, { recursive: true }));
    const env = { LANDROPIC_HOME: join(folder, "home") };
    assert.equal((await box.run(["id"], { env })).code, 0);
    Deno.mkdirSync(join(folder, "share"));
    const busy = createSocket("udp4");
    stack.defer(() => void busy.close());
    await new Promise<void>((resolve) => busy.bind(0, "127.0.0.1", resolve));
    const address = `127.0.0.1:${busy.address().port}`;
    const args = ["serve", join(folder, "share"), "--no-discovery", "--listen", address];
    // The folder is good; what it ends with is the port.
    const { stderr } = await box.run(args, { env });
    assert.match(stderr, /in use/);
  },
  { missing: existsSync("/dev/shm") ? undefined : "needs /dev/shm" },
);

exeTest("landropic reads stdin, and a first start does not eat any of it", async () => {
  using box = new Sandbox();
  const short = await box.run(["pair", "-"], { stdin: " \n" });
  assert.equal(short.code, 2);
  assert.match(short.stderr, /^landropic: no code and no invitation in stdin\n/);
  const long = await box.run(["pair", "-"], { stdin: "x".repeat(5000) + "\n" });
  assert.equal(long.code, 2);
  assert.match(long.stderr, /^landropic: too long .*stdin/);
});

exeTest(
  "landropic leaves the user's environment alone but for what its runtime obeys",
  async () => {
    using box = await Sandbox.warm();
    await box.works({
      env: {
        DENO_V8_FLAGS: "--jitless",
        DENO_DIR: "/nowhere",
        DENO_CERT: "/nowhere",
        DENO_TLS_CA_STORE: "nonsense",
        DENO_CONDITIONS: "x",
        DENO_PERMISSION_BROKER_PATH: "/nowhere",
        NODE_OPTIONS: "--require=/nowhere.js",
        NODE_CHANNEL_FD: "7",
        OTEL_DENO: "true",
      },
    });
    // Texts that look like what the head reads out of them.
    const row = "-rw------- 1 0 0 1 Jan 1 2020 deno";
    await box.works({
      env: {
        PWNED: `x\n=\n= ${row}\nexport DENO_V8_FLAGS='é`,
        DENO_V8_FLAGS: `--jitless\n=${row}`,
        DENO_: "",
        NODE_OPTIONS: "'$(exit 7)`exit 7`*",
      },
    });
  },
);

exeTest("landropic starts as quickly in a large environment", async () => {
  using box = await Sandbox.warm();
  const msFor = async (env: Record<string, string>) => {
    const startMs = performance.now();
    await box.works({ env });
    return performance.now() - startMs;
  };
  const small = await msFor({});
  const fill = "x=y z ".repeat(20_000);
  const large = await msFor({ A: fill, B: fill, C: fill, NODE_OPTIONS: "--require=/no.js" });
  // 0.6 s each; what grows with the square of the size takes 20.
  assert.ok(large < 3 * small + 2000, `${large} ms instead of ${small}`);
});

exeTest("landropic obeys no file of the home or the current folder that Deno would", async () => {
  using box = await Sandbox.warm();
  Deno.writeFileSync(join(box.home, ".npmrc"), new Uint8Array([0xff, 0xfe]));
  Deno.writeTextFileSync(join(box.home, "package.json"), `{"type":"commonjs"`);
  Deno.writeTextFileSync(join(box.home, "deno.json"), `{"lock":"/nowhere","imports":{"node:os":`);
  Deno.mkdirSync(join(box.home, "node_modules"));
  await box.works({ cwd: box.home });
});

for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  exeTest(`landropic ends with ${code} on ${signal}, in the process that was started`, async () => {
    using box = await Sandbox.warm();
    const child = box.spawn(["pair", "-"], { stdin: "" });
    await catches(child.pid, signal);
    child.kill(signal);
    assert.equal((await child.output()).code, code);
    await child.stdin.close().catch(() => {});
  }, linuxOnly);
}

exeTest("landropic sees the terminal it is started on", async () => {
  using box = await Sandbox.warm();
  const { stdout } = await box.run(["-qec", `${EXECUTABLE} --help`, "/dev/null"], {
    program: hostTool("script"),
    env: { TERM: "xterm", SHELL: "/bin/sh" },
  });
  assert.ok(stdout.includes("\x1b[1mUsage:"), stdout.slice(0, 100));
}, { missing: await missing("script(1)", ["script", "-qec", "true", "/dev/null"]) });

/** Waits until a process handles a signal itself, as Linux tells it. */
async function catches(pid: number, signal: "SIGINT" | "SIGTERM"): Promise<void> {
  const bit = BigInt({ SIGINT: 2, SIGTERM: 15 }[signal] - 1);
  for (let tries = 0; tries < 500; tries++) {
    const status = await Deno.readTextFile(`/proc/${pid}/status`);
    const caught = BigInt("0x" + /^SigCgt:\s*([0-9a-f]+)$/m.exec(status)![1]!);
    // The shell that unpacks handles no signal.
    if (/^Name:\s*deno$/m.test(status) && (caught >> bit & 1n) === 1n) return;
    await new Promise((done) => setTimeout(done, 20));
  }
  assert.fail(`process ${pid} never handled ${signal}`);
}
