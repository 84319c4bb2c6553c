import assert from "node:assert/strict";
import type { DeviceId } from "../../src/base/ids.ts";
import type { DirPath } from "../../src/base/paths.ts";
import { type Index, type PeerFolder, UNMARKED } from "../../src/index/mod.ts";
import { digestOf, dirRecord, fileRecord, PEER, ROOT, TempIndex } from "./temp_index.ts";

/** Remembers something of every kind under a root. */
function fill(index: Index, path = ROOT.path, dirs = 3, folderId = ROOT.folderId): void {
  const root = index.openRoot({ path, folderId });
  for (let i = 0; i < dirs; i++) root.putDir(`d${i}` as DirPath, dirRecord(fileRecord("a")));
  root.patchDir("d0" as DirPath, { ...dirRecord(fileRecord("b")), removed: [] });
  root.putRecipe(digestOf(path), new Uint8Array(9), [digestOf("group")]);
  root.transaction(() => root.setAncestor(PEER, { shape: digestOf("shape") }));
}

/** Everything the index says of a root, but its epoch. */
function contents(index: Index, identity: { path: string; folderId: string; marker?: string }) {
  const root = index.openRoot(identity);
  const info = index.stats().roots.find(({ path }) => path === identity.path)!;
  const { dirs, entries, recipes, ancestors } = info;
  return { voided: root.voided, dirs, entries, recipes, ancestors: ancestors.length };
}

const FULL = { voided: undefined, dirs: 3, entries: 4, recipes: 1, ancestors: 1 };
const EMPTY = { dirs: 0, entries: 0, recipes: 0, ancestors: 0 };

Deno.test("openRoot() of an unchanged root writes nothing to the disk", async () => {
  using temp = new TempIndex();
  (await temp.open()).openRoot(ROOT);
  await using index = await temp.open();
  const before = Deno.statSync(`${temp.path}-wal`).size;
  assert.equal(index.openRoot(ROOT).voided, undefined);
  index.openRoot(ROOT).commit();
  assert.equal(Deno.statSync(`${temp.path}-wal`).size, before);
});

Deno.test("openRoot() gives every root an epoch of its own, and keeps it", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const a = index.openRoot(ROOT);
  const b = index.openRoot({ ...ROOT, path: "/a copy" });
  assert.equal(a.voided, "new");
  assert.equal(b.voided, "new");
  assert.match(a.epoch, /^[0-9a-f]{32}$/);
  assert.notEqual(a.epoch, b.epoch);
  assert.equal(index.openRoot(ROOT).epoch, a.epoch);
  assert.equal(a.path, ROOT.path);
  assert.equal(a.folderId, ROOT.folderId);
});

Deno.test("openRoot() of another folder at the same path remembers nothing", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  fill(index);
  const { epoch } = index.openRoot(ROOT);
  assert.deepEqual(contents(index, ROOT), FULL);
  const other = { ...ROOT, folderId: "another" };
  const root = index.openRoot(other);
  assert.equal(root.voided, "folder_replaced");
  assert.notEqual(root.epoch, epoch);
  assert.equal(root.getDir("d0" as DirPath), undefined);
  assert.equal(root.ancestor(PEER), undefined);
  assert.equal(root.getRecipe(digestOf(ROOT.path)), undefined);
  assert.deepEqual(root.filesWithGroup(digestOf("group")), []);
  assert.deepEqual(contents(index, other), { ...EMPTY, voided: undefined });
  // Nor does it come back with the first folder.
  assert.equal(index.openRoot(ROOT).voided, "folder_replaced");
  assert.deepEqual(contents(index, ROOT), { ...EMPTY, voided: undefined });
});

Deno.test("openRoot() of a copy or a restored backup of the folder remembers nothing", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  fill(index);
  // The first marker seen is taken over, one left out says nothing.
  assert.deepEqual(contents(index, { ...ROOT, marker: "inode 5" }), FULL);
  assert.deepEqual(contents(index, ROOT), FULL);
  assert.deepEqual(contents(index, { ...ROOT, marker: "inode 5" }), FULL);
  // So is what the system can tell of it later, and again not.
  assert.deepEqual(contents(index, { ...ROOT, marker: "inode 5 of today" }), FULL);
  assert.deepEqual(contents(index, { ...ROOT, marker: "inode 5" }), FULL);
  const voided = "folder_copied";
  assert.deepEqual(contents(index, { ...ROOT, marker: "inode 5 of now" }), { ...EMPTY, voided });
  fill(index);
  assert.deepEqual(contents(index, { ...ROOT, marker: "inode 55" }), { ...EMPTY, voided });
});

Deno.test("openRoot() of a folder that has got its mark remembers what was known without it", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  fill(index, undefined, 3, UNMARKED);
  const { epoch } = index.openRoot({ ...ROOT, folderId: UNMARKED });
  const marked = { ...ROOT, marker: "inode 5" };
  const root = index.openRoot({ ...marked, isNewlyMarked: true });
  assert.deepEqual([root.voided, root.folderId, root.epoch], [undefined, ROOT.folderId, epoch]);
  assert.deepEqual(contents(index, marked), FULL);
  assert.equal(index.openRoot({ ...marked, marker: "inode 6" }).voided, "folder_copied");
});

Deno.test("openRoot() of a folder that comes with a mark remembers nothing of one without", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  fill(index, undefined, 3, UNMARKED);
  assert.deepEqual(contents(index, ROOT), { ...EMPTY, voided: "new" });
  // One that had another mark before is another folder, however new its mark.
  const other = index.openRoot({ ...ROOT, folderId: "another", isNewlyMarked: true });
  assert.equal(other.voided, "folder_replaced");
});

Deno.test("openRoot() of a folder that was moved remembers what was known at its old path", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  fill(index);
  const marker = "inode 5";
  const { epoch } = index.openRoot({ ...ROOT, marker });
  const asked: string[] = [];
  const moved = {
    ...ROOT,
    path: "/home/me/pictures",
    marker,
    isStillAt: (path: string) => asked.push(path) < 2,
  };
  assert.equal(index.openRoot({ ...moved, marker: "inode 6" }).voided, "new");
  assert.deepEqual(asked, []);
  // A second mount of it, or a snapshot.
  assert.notEqual(index.openRoot(moved).epoch, epoch);
  assert.deepEqual(asked, [ROOT.path]);
  // Other than that, what was seen at the new path has no say.
  assert.deepEqual(contents(index, { ...moved, path: "/home/me/snaps" }), FULL);
  assert.equal(index.openRoot({ ...moved, path: "/home/me/snaps" }).epoch, epoch);
  assert.equal(index.openRoot({ ...ROOT, marker }).voided, "new", "nothing is left behind");
});

Deno.test("openIndex() as another device remembers nothing", async () => {
  using temp = new TempIndex();
  let epoch: string;
  {
    await using index = await temp.open();
    fill(index);
    fill(index, "/second");
    epoch = index.openRoot(ROOT).epoch;
  }
  for (const deviceId of ["DEVICE-NEW", "DEVICE-ONE"] as DeviceId[]) {
    await using index = await temp.open({ deviceId });
    assert.deepEqual(index.roots(), []);
    const root = index.openRoot(ROOT);
    assert.notEqual(root.epoch, epoch);
    assert.equal(root.ancestor(PEER), undefined);
    assert.deepEqual(contents(index, ROOT), { ...EMPTY, voided: undefined });
  }
});

Deno.test("openIndex() under the key that was announced remembers everything", async () => {
  using temp = new TempIndex();
  const nextDeviceId = "DEVICE-NEW" as DeviceId;
  let epoch: string;
  {
    await using index = await temp.open();
    fill(index);
    epoch = index.openRoot(ROOT).epoch;
  }
  const before = await temp.open({ nextDeviceId });
  const known = contents(before, ROOT);
  await before[Symbol.asyncDispose]();
  for (let times = 0; times < 2; times++) {
    await using index = await temp.open({ deviceId: nextDeviceId });
    assert.equal(index.openRoot(ROOT).epoch, epoch);
    assert.ok(index.openRoot(ROOT).ancestor(PEER));
    assert.deepEqual(contents(index, ROOT), known);
  }
  // Nobody goes back to the old key.
  await using old = await temp.open();
  assert.deepEqual(old.roots(), []);
});

Deno.test("openIndex() takes back the announcement of a key", async () => {
  using temp = new TempIndex();
  const nextDeviceId = "DEVICE-NEW" as DeviceId;
  {
    await using index = await temp.open({ nextDeviceId });
    fill(index);
  }
  await (await temp.open())[Symbol.asyncDispose]();
  await using other = await temp.open({ deviceId: nextDeviceId });
  assert.deepEqual(other.roots(), []);
});

Deno.test("inheritPeer() keeps what is newer, and nothing under the old id", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  fill(index);
  const root = index.openRoot(ROOT);
  const moved = { ...PEER, peer: "DEVICE-MOVED" as DeviceId };
  const old = root.ancestor(PEER)!;
  index.inheritPeer(PEER.peer, moved.peer);
  assert.deepEqual(root.ancestor(moved), old);
  assert.equal(root.ancestor(PEER), undefined);
  root.transaction(() => root.setAncestor(PEER, { shape: digestOf(99) }));
  index.inheritPeer(PEER.peer, moved.peer);
  assert.deepEqual(root.ancestor(moved), old);
  assert.equal(root.ancestor(PEER), undefined);
});

Deno.test("forgetRoot() forgets that root, however large, and no other", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  fill(index, ROOT.path, 4500);
  fill(index, "/second");
  assert.equal(index.forgetRoot(ROOT.path), true);
  assert.equal(index.forgetRoot(ROOT.path), false);
  assert.deepEqual(index.roots().map(({ path }) => path), ["/second"]);
  assert.deepEqual(contents(index, { ...ROOT, path: "/second" }), FULL);
  assert.deepEqual(contents(index, ROOT), { ...EMPTY, voided: "new" });
  index.forgetRoot(ROOT.path);
  index.forgetRoot("/second");
  assert.deepEqual(index.stats().roots, []);
});

Deno.test("ancestor() counts for exactly the folders, devices and epochs it was recorded for", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  const shape = digestOf("shape");
  root.transaction(() => root.setAncestor(PEER, { shape }));
  assert.deepEqual(root.ancestor(PEER), { shape, atMs: temp.clock.ms, unsafe: false });

  const others: PeerFolder[] = [
    { ...PEER, peer: "DEVICE-THREE" as DeviceId },
    { ...PEER, share: "music" },
    { ...PEER, folderId: "their other folder" },
    { ...PEER, epoch: "their next epoch" },
  ];
  for (const other of others) assert.equal(root.ancestor(other), undefined);
  assert.equal(index.openRoot({ ...ROOT, path: "/copy" }).ancestor(PEER), undefined);
});

Deno.test("ancestor() does not count when its row was written in another epoch or by another device", async () => {
  using temp = new TempIndex();
  {
    await using index = await temp.open();
    const root = index.openRoot(ROOT);
    root.transaction(() => root.setAncestor(PEER, { shape: digestOf("shape") }));
  }
  const { DatabaseSync } = await import("node:sqlite");
  for (const column of ["epoch", "device"]) {
    const raw = new DatabaseSync(temp.path);
    const { was } = raw.prepare(`SELECT ${column} AS was FROM ancestors`).get() as { was: string };
    raw.prepare(`UPDATE ancestors SET ${column} = 'other'`).run();
    {
      await using index = await temp.open();
      assert.equal(index.openRoot(ROOT).ancestor(PEER), undefined, column);
    }
    raw.prepare(`UPDATE ancestors SET ${column} = ?`).run(was);
    raw.close();
    await using index = await temp.open();
    assert.ok(index.openRoot(ROOT).ancestor(PEER), column);
  }
});

Deno.test("setAncestor() replaces the one before, also of another epoch, and keeps the unsafe mark", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  root.transaction(() => root.setAncestor(PEER, { shape: digestOf(1), unsafe: true }));
  assert.equal(root.ancestor(PEER)?.unsafe, true);
  const next = { ...PEER, epoch: "their next epoch" };
  temp.clock.ms += 5;
  root.transaction(() => root.setAncestor(next, { shape: digestOf(2) }));
  assert.equal(root.ancestor(PEER), undefined);
  assert.deepEqual(root.ancestors(), [{
    peer: PEER.peer,
    share: PEER.share,
    epoch: next.epoch,
    shape: digestOf(2),
    atMs: temp.clock.ms,
    unsafe: false,
  }]);
});

Deno.test("setAncestor() and putPages() belong into a transaction", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  const other = index.openRoot({ ...ROOT, path: "/other" });
  assert.throws(() => root.setAncestor(PEER, { shape: digestOf(1) }), /transaction/);
  assert.throws(() => root.putPages([]), /transaction/);
  assert.throws(
    () => other.transaction(() => root.setAncestor(PEER, { shape: digestOf(1) })),
    /transaction/,
  );
});

Deno.test("removeAncestors() removes those of one share or of a whole peer", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  root.transaction(() => {
    for (const share of ["a", "b", "c"]) {
      root.setAncestor({ ...PEER, share }, { shape: digestOf(1) });
    }
    root.setAncestor({ ...PEER, peer: "DEVICE-THREE" as DeviceId }, { shape: digestOf(1) });
  });
  assert.equal(root.removeAncestors(PEER.peer, "a"), 1);
  assert.deepEqual(root.ancestors().map(({ share }) => share), ["photos", "b", "c"]);
  assert.equal(root.removeAncestors(PEER.peer), 2);
  assert.deepEqual(root.ancestors().map(({ peer }) => peer), ["DEVICE-THREE"]);
});

Deno.test("stats() counts what is there", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  fill(index);
  const stats = index.stats();
  assert.equal(stats.path, temp.path);
  assert.ok(stats.bytes > 10_000);
  assert.equal(stats.pages, 0);
  assert.equal(stats.roots.length, 1);
  assert.equal(stats.roots[0]!.entries, 4);
  assert.equal(stats.roots[0]!.createdAtMs, temp.clock.ms);
});
