import assert from "node:assert/strict";
import * as fs from "node:fs";
import type { DirPath } from "../../../src/base/paths.ts";
import { StoreError } from "../../../src/store/mod.ts";
import { URGENCY } from "../../../src/sync/link/transport.ts";
import { type MemoryTransport, memoryTransportPair } from "../../support/memory_transport.ts";
import { runSession } from "../../support/session_pair.ts";
import { openIndexOf } from "../../support/test_device.ts";
import { twoFolders } from "../../support/two_folders.ts";
import { assertSameTree, describeTree, Link, writeTree } from "../../support/tree.ts";

function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i += 65_536) crypto.getRandomValues(bytes.subarray(i, i + 65_536));
  return bytes;
}

function sampleTree(path: string): void {
  writeTree(path, {
    "empty file": "",
    "empty folder": {},
    "text": "hello\n".repeat(10_000),
    "big": noise(3_000_000),
    "deep": { a: { b: { c: { "ünï\u{1f600}": "x" } } } },
    "link": new Link("deep/a"),
    "dangling": new Link("nowhere"),
    "-rf": "dash",
    "run.sh": "#!/bin/sh\n",
    "private": "secret",
  });
  fs.chmodSync(`${path}/run.sh`, 0o755);
  fs.chmodSync(`${path}/private`, 0o600);
  fs.chmodSync(`${path}/empty folder`, 0o555);
  fs.utimesSync(`${path}/text`, -5.5, -5.5);
}

for (const mode of ["push", "pull"] as const) {
  Deno.test(`a session copies a whole tree by ${mode}, and then nothing`, async () => {
    const { folder, a, b, left, right } = twoFolders();
    using _ = folder;
    const [source, target] = mode === "push" ? [left, right] : [right, left];
    sampleTree(source);
    const first = await runSession(a, left, b, right, { mode });
    assert.deepEqual(first.errors, []);
    assertSameTree(target, source);
    const moved = mode === "push" ? first.summary.bytesSent : first.summary.bytesReceived;
    assert.equal(moved, 3_000_000 + 60_000 + 1 + 4 + 10 + 6);
    const second = await runSession(a, left, b, right, { mode });
    assert.deepEqual(second.items, []);
    assert.equal(second.summary.bytesSent + second.summary.bytesReceived, 0);
  });
}

Deno.test("a session changes only what changed, and keeps what only the target has", async () => {
  const { folder, a, b, left, right } = twoFolders();
  using _ = folder;
  writeTree(left, { same: "1", changed: "old", mode: "m", d: { gone: "x", kept: "y" } });
  await runSession(a, left, b, right);
  writeTree(left, { changed: "newer" }, 1_700_000_100_000);
  fs.chmodSync(`${left}/mode`, 0o640);
  fs.rmSync(`${left}/d/gone`);
  writeTree(right, { extra: "only here" });
  const { items } = await runSession(a, left, b, right);
  assert.deepEqual(items.map((i) => `${i.action}${i.direction}${i.type} ${i.path}`), [
    "M>f changed",
    "m>f mode",
  ]);
  assert.ok(fs.existsSync(`${right}/extra`) && fs.existsSync(`${right}/d/gone`));
});

Deno.test("a session with deleteExtra makes the target equal, and a dry run says the same lines", async () => {
  const { folder, a, b, left, right } = twoFolders();
  using _ = folder;
  writeTree(left, { keep: "1", d: { f: "2" }, swap: { x: "dir" } });
  writeTree(right, {
    keep: "1",
    extra: { deep: { f: "x" } },
    d: "a file here",
    swap: "file",
    l: new Link("keep"),
  });
  const before = describeTree(right);
  const options = { deleteExtra: true, deleteLimit: { kind: "count", count: 100 } as const };
  const dry = await runSession(a, left, b, right, { ...options, dryRun: true });
  assert.deepEqual(describeTree(right), before);
  const real = await runSession(a, left, b, right, options);
  assert.deepEqual(real.errors, []);
  assertSameTree(right, left);
  const lines = (r: typeof dry) =>
    r.items.map((i) => `${i.action}${i.direction}${i.type} ${i.path}`);
  assert.deepEqual(lines(real), lines(dry));
});

Deno.test("a session carries many small files at once without mixing them", async () => {
  const { folder, a, b, left, right } = twoFolders();
  using _ = folder;
  for (let d = 0; d < 12; d++) {
    const files = Array.from(
      { length: 100 },
      (_, f) => [`f${f}`, noise(3000 + 10 * d + f)] as const,
    );
    writeTree(`${left}/d${d}`, Object.fromEntries(files));
  }
  await runSession(a, left, b, right);
  assertSameTree(right, left);
});

Deno.test("a push remembers what it read to find a moved folder, and does not read it again", async () => {
  const { folder, a, b, left, right } = twoFolders();
  using _ = folder;
  writeTree(left, { d: { x: "1", y: "22" } });
  await runSession(a, left, b, right);
  fs.renameSync(`${left}/d`, `${left}/moved`);
  const { summary } = await runSession(a, left, b, right, { deleteExtra: true });
  assert.equal(summary.renamed, 1);
  await using index = await openIndexOf(a);
  const [row] = index.roots();
  const { entries } = index.openRoot(row!).getDir("moved" as DirPath)!;
  assert.deepEqual(entries.map(({ name, digest }) => [name, digest?.length]), [["x", 32], [
    "y",
    32,
  ]]);
});

Deno.test("a push of changes asks its peer for all it needs at once, however deep they lie", async () => {
  const { folder, a, b, left, right } = twoFolders();
  using _ = folder;
  const tree = (text: string) => ({
    a: { b: { c: { d: { x: text, touched: "the same" } } }, y: text },
    other: { z: "z" },
  });
  writeTree(left, tree("old"));
  await runSession(a, left, b, right);
  // The files are read for the digests that the next push compares with.
  writeTree(left, tree("abc"), 1_700_000_100_000);
  {
    const transports = memoryTransportPair();
    const requests = countRequests(transports[0]);
    const { summary } = await runSession(a, left, b, right, { transports });
    assertSameTree(right, left);
    assert.deepEqual([summary.bytesSent, summary.adjusted], [6, 2]);
    // Directories and digests, both before there is an answer, then the plan.
    assert.equal(requests.count, 3);
  }
  for (const [round, text] of ["def", "ghi"].entries()) {
    writeTree(left, tree(text), 1_700_000_200_000 + round * 100_000);
    const transports = memoryTransportPair();
    const requests = countRequests(transports[0]);
    const { summary, items } = await runSession(a, left, b, right, { transports });
    assertSameTree(right, left);
    assert.equal(summary.bytesSent, 6);
    assert.deepEqual(items.map(({ action, path }) => `${action} ${path}`), [
      "m a/b/c/d/touched",
      "M a/b/c/d/x",
      "M a/y",
      "m other/z",
    ]);
    // Directories, then the plan: what the files were is known here.
    assert.equal(requests.count, 2);
  }
  // Not where the peer's folder is another than it was left.
  writeTree(right, { a: { more: "there" } });
  writeTree(left, tree("jkl"), 1_700_000_900_000);
  const transports = memoryTransportPair();
  const requests = countRequests(transports[0]);
  await runSession(a, left, b, right, { transports, deleteExtra: true });
  assertSameTree(right, left);
  assert.ok(requests.count > 5);
});

/** Counts the requests that one end of a connection makes from now on. */
function countRequests(transport: MemoryTransport): { count: number } {
  const requests = { count: 0 };
  const open = transport.openBidi.bind(transport);
  transport.openBidi = () => {
    requests.count++;
    return open();
  };
  return requests;
}

Deno.test("a read-only share refuses a push, be it a dry run, and allows a pull", async () => {
  const { folder, a, b, left, right } = twoFolders();
  using _ = folder;
  writeTree(right, { f: "1" });
  for (const dryRun of [true, false]) {
    await assert.rejects(runSession(a, left, b, right, { writable: false, dryRun }), {
      code: "share_unavailable",
    });
  }
  await runSession(a, left, b, right, { writable: false, mode: "pull" });
  assertSameTree(left, right);
});

Deno.test("what fails on the served side is said on both sides, there not without end", async () => {
  const { folder, a, b, left, right } = twoFolders();
  using _ = folder;
  writeTree(left, Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`f${i}`, "x"])));
  const said: string[] = [];
  const { errors } = await runSession(a, left, b, right, {
    logger: { log: (level, message) => said.push(`${level} ${message}`) },
    onStep: (step) => {
      if (step === "renamed") throw new StoreError("denied", "Cannot create it");
    },
  });
  assert.deepEqual(errors.map(({ code }) => code), Array(30).fill("denied"));
  assert.match(errors[0]!.message, /^On "b": Cannot create it/);
  assert.equal(said.length, 20);
  assert.match(said[0]!, /^warn share "default": f\d+: Cannot create it/);
  assert.match(said.at(-1)!, /; of what else fails the peer tells$/);
});

Deno.test("a share that does not exist is refused without saying what exists", async () => {
  const { folder, a, b, left, right } = twoFolders();
  using _ = folder;
  await assert.rejects(runSession(a, left, b, right, { share: "other" }), {
    code: "share_unavailable",
  });
});

Deno.test("a push sends many small files ahead of large ones, and the plan ahead of both", async () => {
  const { folder, a, b, left, right } = twoFolders();
  using _ = folder;
  writeTree(left, { small: "x", other: "y".repeat(1000), large: noise(3_000_000) });
  const transports = memoryTransportPair();
  await runSession(a, left, b, right, { transports });
  // Of the answers: the pushing side asks for nothing but the plan.
  const { control, plan, smallFiles, largeFiles } = URGENCY;
  assert.deepEqual([...transports[0].urgencies].sort((x, y) => x - y), [
    control,
    plan,
    smallFiles,
    largeFiles,
  ]);
});
