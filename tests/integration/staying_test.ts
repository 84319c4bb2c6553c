/** Commands that stay or only look, through the command line: watching, verifying, measuring. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { ServingDevice, trustingPair } from "../support/cli_device.ts";
import { assertSameTree, describeTree, temporaryFolder, writeTree } from "../support/tree.ts";

async function setUp() {
  const folder = temporaryFolder();
  const [a, b] = await trustingPair(folder.path);
  const [left, right] = [`${folder.path}/left`, `${folder.path}/right`];
  writeTree(left, { a: "1", d: { b: "22" }, big: "x".repeat(300_000) });
  fs.mkdirSync(right);
  return { folder, a, b, left, right };
}

Deno.test("sync --watch syncs each change of either side until Ctrl-C, also after the peer was away", async () => {
  const { folder, a, b, left, right } = await setUp();
  using _ = folder;
  const server = await b.serve(right);
  const args = ["sync", "b", left, "--watch", "--json", "--address", server.address];
  await using watching = new ServingDevice(a.spawn(args));
  const summaries = () => watching.events.filter(({ event }) => event === "summary");
  const rounds = (count: number) => watching.waitFor(() => summaries().length >= count);
  await rounds(1);
  assertSameTree(right, left);
  fs.writeFileSync(`${left}/new`, "from a");
  await rounds(2);
  assertSameTree(right, left);
  fs.writeFileSync(`${right}/other`, "from b");
  await rounds(3);
  assertSameTree(right, left);
  const done = summaries().map(({ sent, received, ok }) => [sent, received, ok]);
  assert.deepEqual(done, [[3, 0, true], [1, 0, true], [0, 1, true]]);
  const { port } = server.events.find(({ event }) => event === "listening")!;
  await server.stop();
  await watching.waitFor(({ event }) => event === "disconnected");
  fs.writeFileSync(`${left}/later`, "meanwhile");
  const again = b.spawn([
    ...["serve", right, "--listen", `127.0.0.1:${port}`, "--no-discovery", "--json"],
  ]);
  await using _server = new ServingDevice(again);
  await rounds(4);
  assertSameTree(right, left);
  const { code } = await watching.stop("SIGINT");
  assert.equal(code, 130);
  const names = watching.events.map(({ event }) => event).filter((name) => name !== "progress");
  assert.equal(names.filter((name) => name === "disconnected").length, 1);
  assert.equal(names.filter((name) => name === "connected").length, 2);
  assert.equal(names.at(-1), "summary");
});

Deno.test("sync --watch keeps up with folders that come, move and go on either side", async () => {
  const { folder, a, b, left, right } = await setUp();
  using _ = folder;
  await using server = await b.serve(right);
  const args = ["sync", "b", left, "--watch", "--json", "--address", server.address];
  await using watching = new ServingDevice(a.spawn(args));
  await watching.waitFor(({ event }) => event === "summary");
  // Long before everything is compared in any case.
  const until = async (condition: () => boolean) => {
    const startMs = performance.now();
    while (!condition()) {
      if (performance.now() - startMs > 40_000) assertSameTree(right, left);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const areSame = () => {
    try {
      return describeTree(left).join() === describeTree(right).join();
    } catch (error) {
      // What was listed has gone since: a sync is at work.
      if ((error as { code?: string }).code === "ENOENT") return false;
      throw error;
    }
  };
  const same = () => until(areSame);
  const there = (path: string) => until(() => fs.existsSync(path)).then(same);
  for (const [here, other] of [[left, right], [right, left]] as const) {
    writeTree(`${here}/new`, { deep: { er: { f: "1" } }, g: "2" });
    await there(`${other}/new/deep/er/f`);
    fs.writeFileSync(`${other}/new/deep/er/back`, "from the other side");
    await there(`${here}/new/deep/er/back`);
    fs.renameSync(`${here}/new/deep`, `${here}/moved`);
    await there(`${other}/moved/er/f`);
    fs.writeFileSync(`${here}/moved/er/f`, "in its new place");
    await same();
    fs.writeFileSync(`${here}/.landropicignore`, "*.tmp\n");
    fs.writeFileSync(`${here}/moved/x.tmp`, "not this one");
    fs.writeFileSync(`${here}/moved/y`, "but this");
    await until(() => fs.existsSync(`${other}/moved/y`));
    assert.ok(!fs.existsSync(`${other}/moved/x.tmp`));
    fs.rmSync(`${here}/moved/x.tmp`);
    fs.rmSync(`${here}/.landropicignore`);
    fs.rmSync(`${other}/moved`, { recursive: true });
    fs.rmSync(`${other}/new`, { recursive: true });
    await until(() => !fs.existsSync(`${here}/moved`));
    await same();
  }
});

Deno.test("verify finds what changed since the last sync, and what differs from a peer, with exit 3", async () => {
  const { folder, a, b, left, right } = await setUp();
  using _ = folder;
  await using server = await b.serve(right);
  const never = await a.run("verify", left);
  assert.equal(never.code, 14, never.stderr);
  await a.succeed("sync", "b", left, "--push", "--address", server.address);
  const first = await a.succeed("verify", left, "--json");
  const { files, learned, ok, errors } = first.events.at(-1)!;
  assert.deepEqual([files, learned, ok, errors], [3, 3, true, 0]);
  const equal = await a.succeed("verify", "b", left, "--json");
  const roots = equal.events.at(-1)!;
  assert.match(roots["root"] as string, /^[0-9a-f]{64}$/);
  assert.equal(roots["root"], roots["peerRoot"]);
  const { mtime } = fs.statSync(`${left}/d/b`);
  fs.writeFileSync(`${left}/d/b`, "33");
  fs.utimesSync(`${left}/d/b`, mtime, mtime);
  const rotten = await a.run("verify", left, "--json");
  assert.equal(rotten.code, 3);
  const [bad] = rotten.events.filter(({ event }) => event === "file-error");
  assert.deepEqual([bad!["path"], bad!["code"]], ["d/b", "corrupt"]);
  const differs = await a.run("verify", "b:default", left);
  assert.equal(differs.code, 3);
  assert.match(differs.stdout, /^This folder: {2}[0-9a-f]{64}\nb:default: {4}[0-9a-f]{64}\n/);
  assert.match(differs.stderr, /^error: d\/b: The contents differ \(differs\)$/m);
  assert.equal(fs.readFileSync(`${right}/d/b`, "utf8"), "22");
  const end = await server.waitFor(({ event, direction }) =>
    event === "session-end" && direction === "compare"
  );
  assert.deepEqual([end["received"], end["bytesReceived"], end["files"]], [0, 0, 3]);
});

Deno.test("bench measures the path; serve says of each session what it moved", async () => {
  const { folder, a, b, left, right } = await setUp();
  using _ = folder;
  await using server = await b.serve(right);
  const address = ["--address", server.address];
  const { events } = await a.succeed("bench", "b", "--duration", "200ms", "--json", ...address);
  const [bench] = events;
  assert.equal(bench!["event"], "bench");
  for (const field of ["handshakeMs", "rttMs", "pathMtu", "uploadRate", "downloadRate"]) {
    assert.ok(bench![field] as number > 0, field);
  }
  await a.succeed("sync", "b", left, "--push", "--no-compress", ...address);
  const end = await server.waitFor(({ event }) => event === "session-end");
  const { received, sent, bytesReceived, files, ok, seconds, wireReceived, wireSent } = end;
  assert.deepEqual([received, sent, bytesReceived, files, ok], [3, 0, 300_003, 3, true]);
  assert.ok(seconds as number > 0 && wireSent as number > 500);
  assert.ok(wireReceived as number > 300_003);
});

Deno.test("serve --versions keeps what a push replaces, and mv brings it back", async () => {
  const { folder, a, b, left, right } = await setUp();
  using _ = folder;
  await using server = await b.serve(right, "--versions", "1");
  const push = () => a.succeed("sync", "b", left, "--push", "--address", server.address);
  for (const text of ["old", "older than it seems", "new"]) {
    fs.writeFileSync(`${left}/d/b`, text);
    await push();
  }
  const versions = `${right}/.landropic/versions/d`;
  const [version, ...more] = fs.readdirSync(versions);
  assert.deepEqual([version!.slice(0, 2), more], ["b~", []]);
  const mv = new Deno.Command("mv", { args: [`${versions}/${version}`, `${right}/d/b`] });
  assert.ok((await mv.output()).success);
  assert.equal(fs.readFileSync(`${right}/d/b`, "utf8"), "older than it seems");
  await a.succeed("sync", "b", left, "--pull");
  assertSameTree(left, right);
});

Deno.test("sync --bwlimit holds both directions to the rate", async () => {
  const { folder, a, b, left, right } = await setUp();
  using _ = folder;
  await using server = await b.serve(right);
  const bytes = new Uint8Array(400_000);
  for (let i = 0; i < bytes.length; i += 50_000) {
    crypto.getRandomValues(bytes.subarray(i, i + 50_000));
  }
  fs.writeFileSync(`${left}/noise`, bytes);
  const limit = ["--bwlimit", "400k", "--address", server.address, "--json"];
  const push = await a.succeed("sync", "b", left, "--push", ...limit);
  const copy = `${folder.path}/copy`;
  const pull = await a.succeed("sync", "b", copy, "--pull", ...limit);
  assertSameTree(copy, left);
  for (const { events } of [push, pull]) {
    const { bytesSent, bytesReceived, seconds } = events.at(-1)!;
    assert.ok((bytesSent as number) + (bytesReceived as number) >= 400_000);
    // A second at 400 kB/s, less the quarter that may be saved up.
    assert.ok(seconds as number >= 0.7, `${seconds} s`);
  }
});
