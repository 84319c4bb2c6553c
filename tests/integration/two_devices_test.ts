import assert from "node:assert/strict";
import * as fs from "node:fs";
import { CliDevice, trustingPair } from "../support/cli_device.ts";
import { noise } from "../support/sync_scene.ts";
import { assertSameTree, describeTree, Link, temporaryFolder, writeTree } from "../support/tree.ts";

async function setUp() {
  const folder = temporaryFolder();
  const [a, b] = await trustingPair(folder.path);
  const left = `${folder.path}/left`;
  const right = `${folder.path}/right`;
  writeTree(left, {
    "read me.txt": "hello\n".repeat(1000),
    empty: "",
    folder: { inner: { "ünï": "x" }, none: {} },
    link: new Link("folder/inner"),
    script: "#!/bin/sh\n",
  });
  fs.chmodSync(`${left}/script`, 0o755);
  fs.mkdirSync(right);
  return { folder, a, b, left, right };
}

Deno.test("sync --push copies a folder to a serving peer, and the second run moves nothing", async () => {
  const { folder, a, b, left, right } = await setUp();
  using _ = folder;
  await using server = await b.serve(right);
  const first = await a.succeed("sync", "b", left, "--push", "--address", server.address, "--json");
  assertSameTree(right, left);
  const names = first.events.map(({ event }) => event);
  assert.equal(names.at(-1), "summary");
  assert.ok(names.includes("connected") && names.includes("plan"));
  assert.equal(new Set(first.events.map(({ run }) => run)).size, 1);
  const second = await a.succeed("sync", "b", left, "--push", "--json");
  const summary = second.events.at(-1)!;
  assert.deepEqual([summary["sent"], summary["bytesSent"], summary["ok"]], [0, 0, true]);
  const served = await server.waitFor(({ event, run }) =>
    event === "session-end" && run === second.events[0]!["run"]
  );
  assert.equal(served["peer"], "a");
});

Deno.test("sync --pull fetches a share into a folder that does not exist yet", async () => {
  const { folder, a, b, left } = await setUp();
  using _ = folder;
  await using server = await b.serve("--share", `docs=${left}:ro`);
  const target = `${folder.path}/new/target`;
  await a.succeed("sync", "b:docs", target, "--pull", "--address", server.address);
  assertSameTree(target, left);
});

Deno.test("sync --delete deletes, its dry run only says so, and both print the same lines", async () => {
  const { folder, a, b, left, right } = await setUp();
  using _ = folder;
  writeTree(right, { extra: "only here", folder: { inner: { old: "x" } } });
  await using server = await b.serve(right);
  const args = ["sync", "b", left, "--push", "--delete", "-i", "--address", server.address];
  const before = describeTree(right);
  const dry = await a.succeed(...args, "--dry-run");
  assert.deepEqual(describeTree(right), before);
  const real = await a.succeed(...args);
  assertSameTree(right, left);
  const items = (text: string) =>
    text.split("\n").filter((line) => /^[+MmR!sC-][<>][fdl] /.test(line));
  assert.ok(
    items(dry.stdout).includes("->f 0 extra") ||
      items(dry.stdout).some((l) => /^->f .* extra$/.test(l)),
  );
  assert.deepEqual(items(real.stdout), items(dry.stdout));
});

Deno.test("sync --connections 4 moves many bytes over four connections, and few over one", async () => {
  const { folder, a, b, left, right } = await setUp();
  using _ = folder;
  for (let i = 0; i < 6; i++) fs.writeFileSync(`${left}/noise${i}`, noise(5_000_000, i + 1));
  await using server = await b.serve(right);
  const args = ["sync", "b", left, "--push", "--connections", "4", "--bwlimit", "30M", "--json"];
  const first = await a.succeed(...args, "--address", server.address);
  assertSameTree(right, left);
  const summary = first.events.at(-1)!;
  assert.deepEqual([summary["connections"], summary["ok"]], [4, true]);
  assert.ok(summary["wireSent"] as number > 30_000_000);
  const second = (await a.succeed(...args)).events.at(-1)!;
  assert.equal(second["connections"], 1);
  const wire = (second["wireSent"] as number) + (second["wireReceived"] as number);
  // The first datagram of each side is padded to 1200 bytes; on a busy machine one comes twice.
  assert.ok(wire > 3600, `${wire} bytes are not all there were`);
  assert.ok(wire < 8192, `${wire} bytes for nothing`);
  const ends = server.events.filter(({ event }) => event === "session-end");
  assert.deepEqual(ends.map(({ connections }) => connections), [4, 1]);
});

Deno.test("a read-only share can't be pushed to: exit 13, and nothing changes", async () => {
  const { folder, a, b, left, right } = await setUp();
  using _ = folder;
  await using server = await b.serve("--share", `docs=${right}:ro`);
  const { code, stderr } = await a.run(
    "sync",
    "b:docs",
    left,
    "--push",
    "--address",
    server.address,
  );
  assert.equal(code, 13);
  assert.match(stderr, /^landropic: .*read-only/m);
  assert.deepEqual(describeTree(right), []);
});

Deno.test("a device that is not trusted gets exit 11, and no share is touched", async () => {
  const { folder, b, left, right } = await setUp();
  using _ = folder;
  const stranger = new CliDevice("c", `${folder.path}/home-c`);
  await stranger.trust(b, "b");
  await using server = await b.serve(right);
  const { code, stderr } = await stranger.run(
    "sync",
    "b",
    left,
    "--push",
    "--address",
    server.address,
  );
  assert.equal(code, 11, stderr);
  assert.match(stderr, /hint: .*peers trust/);
  assert.deepEqual(fs.readdirSync(right), []);
  assert.ok(!server.events.some(({ event }) => event === "session-start"));
});

Deno.test("a trusted device that answers in another's place is refused with exit 11", async () => {
  const { folder, a, b, left, right } = await setUp();
  using _ = folder;
  const other = new CliDevice("d", `${folder.path}/home-d`);
  await a.trust(other, "other");
  await using server = await b.serve(right);
  const { code } = await a.run("sync", "other", left, "--push", "--address", server.address);
  assert.equal(code, 11);
  assert.deepEqual(fs.readdirSync(right), []);
});

Deno.test("a peer that is removed while it serves nobody can't connect any more", async () => {
  const { folder, a, b, left, right } = await setUp();
  using _ = folder;
  await using server = await b.serve(right);
  await a.succeed("sync", "b", left, "--push", "--address", server.address);
  await b.succeed("peers", "remove", "a");
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const { code } = await a.run("sync", "b", left, "--push");
  assert.equal(code, 11);
});

for (
  const [what, args, code] of [
    ["an unknown flag", ["sync", "b", "--detele"], 2],
    ["an unknown peer", ["sync", "nobody", "/tmp", "--push"], 11],
    ["a missing folder", ["sync", "b", "/no/such/folder", "--push"], 14],
    ["a share that is not served", ["sync", "b:other", "TARGET", "--pull"], 13],
  ] as const
) {
  Deno.test(`${what} ends with exit ${code} and one line that says why`, async () => {
    const { folder, a, b, left } = await setUp();
    using _ = folder;
    await using server = await b.serve(left);
    const address = code === 2 || args[1] === "nobody" ? [] : ["--address", server.address];
    const target = `${folder.path}/target`;
    const result = await a.run(...args.map((arg) => arg === "TARGET" ? target : arg), ...address);
    assert.equal(result.code, code, result.stderr);
    assert.ok(!fs.existsSync(target), "nothing is created for a session that is refused");
    assert.match(result.stderr, /^landropic: /);
    assert.doesNotMatch(result.stderr, /\n\s+at /);
  });
}

Deno.test({
  name: "a terminal that is gone ends serve in good order with 129, but not under nohup",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    using temporary = temporaryFolder();
    const { path } = temporary;
    const [a, b] = await trustingPair(path);
    for (const side of ["left", "right"]) fs.mkdirSync(`${path}/${side}`);
    const server = await b.serve(`${path}/right`);
    const watch = a.start(["sync", "b", `${path}/left`, "--address", server.address, "--watch"]);
    await watch.waitFor(({ event }) => event === "summary");
    assert.equal((await server.stop("SIGHUP")).code, 129);
    // It was told: silence would take a minute.
    await watch.waitFor(({ event }) => event === "disconnected", 10_000);
    assert.equal((await watch.stop("SIGHUP")).code, 129);
    const sheltered = new CliDevice("b", b.home, ["sh", "-c", 'trap "" HUP; exec "$@"', "sh"]);
    await using kept = await sheltered.serve(`${path}/right`);
    Deno.kill(kept.pid, "SIGHUP");
    await a.succeed("sync", "b", `${path}/left`, "--address", kept.address);
  },
});

Deno.test("serve --once ends with exit 0 after one session, and SIGTERM ends serve with 143", async () => {
  const { folder, a, b, left, right } = await setUp();
  using _ = folder;
  const once = await b.serve(right, "--once");
  await a.succeed("sync", "b", left, "--push", "--address", once.address);
  assert.equal((await once.stop("SIGCONT")).code, 0);
  const server = await b.serve(right);
  assert.equal((await server.stop("SIGTERM")).code, 143);
});

Deno.test("a sync that was killed does not keep the next one of the same device out", async () => {
  const { folder, a, b, left, right } = await setUp();
  using _ = folder;
  fs.writeFileSync(`${left}/large`, new Uint8Array(60_000_000).fill(7));
  await using server = await b.serve(right);
  const args = [
    "sync",
    "b",
    left,
    "--push",
    "--no-compress",
    "--bwlimit",
    "20M",
    "--address",
    server.address,
  ];
  const killed = a.spawn([...args, "--json"]);
  await server.waitFor(({ event }) => event === "session-start");
  await new Promise((resolve) => setTimeout(resolve, 500));
  killed.kill("SIGKILL");
  await killed.output();
  await a.succeed(...args.slice(0, 5), "--address", server.address);
  assertSameTree(right, left);
});
