import assert from "node:assert/strict";
import * as fs from "node:fs";
import { runSession, type SessionResult } from "../../support/session_pair.ts";
import { testDevice } from "../../support/test_device.ts";
import { twoFolders } from "../../support/two_folders.ts";
import { assertSameTree, describeTree, temporaryFolder, writeTree } from "../../support/tree.ts";

function setUp() {
  const folders = twoFolders();
  const { a, b, left, right } = folders;
  const sync = (options = {}) => runSession(a, left, b, right, { mode: "two-way", ...options });
  const syncBack = (options = {}) => runSession(b, right, a, left, { mode: "two-way", ...options });
  return { ...folders, sync, syncBack };
}

function lines({ items }: SessionResult): string[] {
  return items.map((i) =>
    `${i.action}${i.direction}${i.type} ${i.from ? `${i.from} -> ` : ""}${i.path}`
  ).sort();
}

let clockMs = 1_700_000_000_000;
/** Writes a file with a time that no other file has. */
function write(path: string, text: string): void {
  fs.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  fs.writeFileSync(path, text);
  clockMs += 1000;
  fs.utimesSync(path, clockMs / 1000, clockMs / 1000);
}

Deno.test("both ways, the first sync unites and deletes nothing; the second does nothing", async () => {
  const { folder, left, right, sync } = setUp();
  using _ = folder;
  writeTree(left, { mine: "1", both: "same", d: { x: "1" } });
  writeTree(right, { yours: "2", both: "same", d: { y: "2" } });
  const first = await sync();
  assert.deepEqual(first.errors, []);
  assertSameTree(left, right);
  assert.deepEqual(fs.readdirSync(left).filter((n) => n !== ".landropic").sort(), [
    "both",
    "d",
    "mine",
    "yours",
  ]);
  assert.deepEqual((await sync()).items, []);
});

Deno.test("changes and deletions travel both ways, whoever starts the sync", async () => {
  const { folder, left, right, sync, syncBack } = setUp();
  using _ = folder;
  writeTree(left, { a: "1", b: "2", c: "3", d: { e: "4", f: "5" } });
  await sync();
  write(`${left}/a`, "changed here");
  fs.rmSync(`${left}/b`);
  write(`${right}/c`, "changed there");
  fs.rmSync(`${right}/d`, { recursive: true });
  const result = await syncBack();
  assert.deepEqual(result.errors, []);
  assertSameTree(left, right);
  assert.equal(fs.readFileSync(`${right}/a`, "utf8"), "changed here");
  assert.equal(fs.readFileSync(`${left}/c`, "utf8"), "changed there");
  assert.ok(!fs.existsSync(`${right}/b`) && !fs.existsSync(`${left}/d`));
  assert.deepEqual((await sync()).items, []);
});

Deno.test("a file that both sides changed is kept twice, once, under a name both compute", async () => {
  const { folder, left, right, sync, syncBack } = setUp();
  using _ = folder;
  writeTree(left, { "notes.txt": "base" });
  await sync();
  write(`${left}/notes.txt`, "left version");
  write(`${right}/notes.txt`, "right version, later");
  const { summary } = await sync();
  assert.equal(summary.conflicts, 1);
  assertSameTree(left, right);
  const names = fs.readdirSync(left).filter((name) => name.startsWith("notes"));
  assert.equal(names.length, 2);
  assert.equal(fs.readFileSync(`${left}/notes.txt`, "utf8"), "right version, later");
  assert.match(
    names.find((name) => name !== "notes.txt")!,
    /^notes\.conflict-A{7}-\d{8}-\d{6}\.txt$/,
  );
  assert.deepEqual((await syncBack()).items, []);
});

Deno.test("an edit beats a deletion, on either side", async () => {
  const { folder, left, right, sync } = setUp();
  using _ = folder;
  writeTree(left, { f: "base", g: "base" });
  await sync();
  fs.rmSync(`${left}/f`);
  write(`${right}/f`, "edited");
  write(`${left}/g`, "edited");
  fs.rmSync(`${right}/g`);
  await sync();
  assertSameTree(left, right);
  assert.deepEqual(fs.readdirSync(left).filter((n) => n !== ".landropic").sort(), ["f", "g"]);
});

Deno.test("a renamed folder is a rename on the other side, and nothing travels", async () => {
  const { folder, left, right, sync } = setUp();
  using _ = folder;
  const files = Object.fromEntries(
    Array.from({ length: 50 }, (_, i) => [`f${i}`, `contents ${i}`.repeat(100)]),
  );
  writeTree(left, { old: files, keep: "1" });
  await sync();
  fs.renameSync(`${left}/old`, `${left}/new`);
  const result = await sync();
  assert.deepEqual(lines(result), ["R>d old -> new"]);
  assert.equal(result.summary.bytesSent, 0);
  assertSameTree(left, right);
  assert.deepEqual((await sync()).items, []);
});

Deno.test("what a two-way run replaces or deletes is in the trash", async () => {
  const { folder, left, right, sync } = setUp();
  using _ = folder;
  writeTree(left, { gone: "precious", changed: "old" });
  await sync();
  fs.rmSync(`${left}/gone`);
  write(`${left}/changed`, "new");
  await sync();
  const trash = `${right}/.landropic/trash`;
  const [day] = fs.readdirSync(trash);
  assert.equal(fs.readFileSync(`${trash}/${day}/gone`, "utf8"), "precious");
  assert.equal(fs.readFileSync(`${trash}/${day}/changed`, "utf8"), "old");
});

Deno.test("lost memory on either side unites and deletes nothing", async () => {
  for (const who of ["home-a", "home-b"]) {
    const { folder, left, right, sync } = setUp();
    using _ = folder;
    writeTree(left, { a: "1", b: "2" });
    await sync();
    fs.rmSync(`${left}/a`);
    for (const name of fs.readdirSync(`${folder.path}/${who}`)) {
      if (name.startsWith("index.db")) fs.rmSync(`${folder.path}/${who}/${name}`);
    }
    await sync();
    assert.ok(fs.existsSync(`${left}/a`) && fs.existsSync(`${right}/a`), who);
    assertSameTree(left, right);
  }
});

Deno.test("a folder that lost its mark stops a two-way sync before anything changes", async () => {
  const { folder, left, right, sync } = setUp();
  using _ = folder;
  writeTree(left, { a: "1", b: "2", c: "3" });
  await sync();
  // What an unmounted disk looks like.
  fs.rmSync(left, { recursive: true });
  fs.mkdirSync(left);
  const before = describeTree(right);
  await assert.rejects(sync(), { code: "safety_limit" });
  assert.deepEqual(describeTree(right), before);
});

Deno.test("deleting more than the limit allows is refused before anything changes", async () => {
  const { folder, left, right, sync } = setUp();
  using _ = folder;
  writeTree(left, Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${i}`, `${i}`])));
  await sync();
  for (let i = 0; i < 30; i++) fs.rmSync(`${left}/f${i}`);
  write(`${left}/other`, "x");
  const before = describeTree(right);
  await assert.rejects(sync(), { code: "safety_limit" });
  assert.deepEqual(describeTree(right), before);
  await sync({ deleteLimit: { kind: "count", count: 30 } });
  assertSameTree(left, right);
});

Deno.test("ignored paths are left alone on both sides, and newly ignored ones are not deleted", async () => {
  const { folder, left, right, sync } = setUp();
  using _ = folder;
  writeTree(left, { keep: "1", "x.log": "2" });
  await sync();
  assert.ok(fs.existsSync(`${right}/x.log`));
  write(`${left}/.landropicignore`, "*.log\n");
  write(`${right}/y.log`, "only there");
  await sync();
  await sync();
  assert.ok(fs.existsSync(`${right}/x.log`) && fs.existsSync(`${left}/x.log`));
  assert.ok(fs.existsSync(`${right}/y.log`) && !fs.existsSync(`${left}/y.log`));
});

Deno.test("three devices in a ring converge and do not multiply conflict copies", async () => {
  const { folder, a, b, left, right } = setUp();
  using _ = folder;
  const c = testDevice(`${folder.path}/home-c`, "C");
  const third = `${folder.path}/third`;
  fs.mkdirSync(third);
  const ring = async () => {
    await runSession(a, left, b, right, { mode: "two-way" });
    await runSession(b, right, c, third, { mode: "two-way" });
    await runSession(c, third, a, left, { mode: "two-way" });
  };
  writeTree(left, { f: "base" });
  await ring();
  await ring();
  write(`${left}/f`, "from a");
  write(`${right}/f`, "from b, later");
  write(`${third}/g`, "from c");
  for (let i = 0; i < 4; i++) await ring();
  assertSameTree(left, right);
  assertSameTree(left, third);
  assert.equal(fs.readdirSync(left).filter((name) => name.startsWith("f")).length, 2);
  // An edit made after seeing another's version is no conflict anywhere.
  write(`${right}/f`, "b knows it all");
  for (let i = 0; i < 2; i++) await ring();
  assertSameTree(left, third);
  assert.equal(fs.readdirSync(left).filter((name) => name.startsWith("f")).length, 2);
});

Deno.test("what a push brought and the other side edited comes back without a conflict", async () => {
  for (const before of ["nothing", "a two-way sync"]) {
    const { folder, left, right, sync } = setUp();
    using _ = folder;
    writeTree(left, { f: "base", g: "stays" });
    if (before !== "nothing") await sync();
    write(`${left}/f`, "pushed");
    await sync({ mode: "push" });
    write(`${right}/f`, "edited over there");
    const { summary } = await sync();
    assert.equal(summary.conflicts, 0, `after ${before}`);
    assertSameTree(left, right);
    assert.equal(fs.readFileSync(`${left}/f`, "utf8"), "edited over there");
  }
});

Deno.test("contents that change under the same size and time travel all the same", async () => {
  const { folder, left, right, sync } = setUp();
  using _ = folder;
  writeTree(left, { f: "first" });
  await sync();
  writeTree(left, { f: "other" });
  for (let i = 0; i < 2; i++) await sync({ mode: "push", checksum: i === 1 });
  assertSameTree(left, right);
});

/** Three devices; `a` has synced with both others, which have not met yet. */
async function setUpMesh() {
  const folder = temporaryFolder();
  const members = ["A", "B", "C"].map((letter) => ({
    device: testDevice(`${folder.path}/home-${letter}`, letter),
    path: `${folder.path}/${letter}`,
  }));
  for (const { path } of members) fs.mkdirSync(path);
  const [a, b, c] = members as [typeof members[0], typeof members[0], typeof members[0]];
  const meet = (from: typeof a, to: typeof a) =>
    runSession(from.device, from.path, to.device, to.path, {
      mode: "two-way",
      deleteLimit: { kind: "count", count: 100 },
    });
  writeTree(a.path, { keep: "k", d: { x: "1", e: { y: "2", z: "3" } }, m: { n: { o: "4" } } });
  await meet(a, b);
  await meet(a, c);
  return { folder, a, b, c, meet };
}

for (const planner of ["the third device", "the second device"]) {
  Deno.test(`a folder deleted on one device stays deleted between two others, as ${planner} plans`, async () => {
    const { folder, a, b, c, meet } = await setUpMesh();
    using _ = folder;
    fs.rmSync(`${a.path}/d`, { recursive: true });
    fs.renameSync(`${a.path}/m`, `${a.path}/moved`);
    await meet(a, b);
    const { items } = planner === "the third device" ? await meet(c, b) : await meet(b, c);
    assert.ok(items.length > 0 && items.every(({ action }) => "-R+m".includes(action)));
    assertSameTree(c.path, b.path);
    assert.deepEqual(describeTree(c.path).map((line) => line.split(" ")[0]), [
      "keep",
      "moved/",
      "moved/n/",
      "moved/n/o",
    ]);
  });

  Deno.test(`an edit in a folder deleted elsewhere wins, as ${planner} plans`, async () => {
    const { folder, a, b, c, meet } = await setUpMesh();
    using _ = folder;
    fs.rmSync(`${a.path}/d`, { recursive: true });
    await meet(a, b);
    write(`${c.path}/d/e/y`, "edited on the third");
    write(`${c.path}/d/new`, "made on the third");
    await (planner === "the third device" ? meet(c, b) : meet(b, c));
    assertSameTree(c.path, b.path);
    assert.equal(fs.readFileSync(`${b.path}/d/e/y`, "utf8"), "edited on the third");
    assert.equal(fs.readFileSync(`${b.path}/d/new`, "utf8"), "made on the third");
    assert.ok(!fs.existsSync(`${b.path}/d/x`) && !fs.existsSync(`${b.path}/d/e/z`));
    await meet(a, b);
    assertSameTree(a.path, b.path);
  });
}

Deno.test("what was deleted in a folder that is only out of sight is nobody's business", async () => {
  const { folder, a, b, c, meet } = await setUpMesh();
  using _ = folder;
  fs.rmSync(`${b.path}/d/e`, { recursive: true });
  await meet(a, b);
  // The folder is back, and not for others.
  fs.mkdirSync(`${b.path}/d/e`);
  writeTree(b.path, { ".landropicignore": "/d\n" });
  await meet(c, b);
  assert.ok(fs.existsSync(`${c.path}/d/e/y`), "nothing is deleted by what is ignored");
});

for (
  const [touched, edited, planner] of [
    ["left", "right", "touched"],
    ["left", "right", "edited"],
    ["right", "left", "touched"],
  ] as const
) {
  Deno.test(`an edit on the ${edited} has its way over a touch on the ${touched}, as the ${planner} side plans`, async () => {
    const { folder, sync, syncBack, ...sides } = setUp();
    using _ = folder;
    writeTree(sides.left, { "x.txt": "common", "same size.txt": "common" });
    // Only who received it has read it.
    await sync();
    write(`${sides[edited]}/x.txt`, "the edit of this file");
    write(`${sides[edited]}/same size.txt`, "edited");
    const now = clockMs / 1000 + 60;
    for (const name of ["x.txt", "same size.txt"]) {
      fs.utimesSync(`${sides[touched]}/${name}`, now, now);
    }
    const isLeft = (planner === "touched" ? touched : edited) === "left";
    const { summary } = await (isLeft ? sync() : syncBack());
    assert.deepEqual([summary.conflicts, summary.errors], [0, 0]);
    assertSameTree(sides.left, sides.right);
    assert.equal(fs.readFileSync(`${sides[touched]}/x.txt`, "utf8"), "the edit of this file");
    assert.equal(fs.readFileSync(`${sides[touched]}/same size.txt`, "utf8"), "edited");
    assert.deepEqual((await sync()).items, []);
  });
}

Deno.test("a peer that does not name the feature is not asked for versions that it had", async () => {
  const { folder, sync, left, right } = setUp();
  using _ = folder;
  writeTree(left, { x: "common" });
  await sync();
  // Only the peer has read it, and knows what it was.
  write(`${right}/x`, "the edit of this file");
  const now = clockMs / 1000 + 60;
  fs.utimesSync(`${left}/x`, now, now);
  const { summary, errors } = await sync({ servedFeatures: [] });
  assert.deepEqual([summary.conflicts, errors], [1, []]);
  assertSameTree(left, right);
});
