import assert from "node:assert/strict";
import {
  ensureFolderId,
  lockRoot,
  openRoot,
  ORPHAN_AGE_MS,
  readFolderId,
  reasonOf,
  sweepTemporary,
} from "../../src/store/mod.ts";
import { at, bytes, refuses, staged, testEach } from "./support.ts";

testEach("ensureFolderId() makes the mark once", async (root, path) => {
  assert.equal(readFolderId(root), undefined);
  const [one, other] = await Promise.all([ensureFolderId(root), ensureFolderId(root)]);
  const { folderId } = one;
  assert.match(folderId, /^[0-9a-f]{32}$/);
  assert.equal(other.folderId, folderId);
  assert.notEqual(one.isNew, other.isNew);
  assert.deepEqual(await ensureFolderId(root), { folderId, isNew: false });
  assert.equal(readFolderId(root), folderId);
  assert.equal(Deno.statSync(`${path}/.landropic`).mode! & 0o777, 0o700);
});

testEach("readFolderId() refuses a damaged mark and one that is no file", (root, path) => {
  Deno.mkdirSync(`${path}/.landropic`);
  for (const text of ["", "abc", "g".repeat(32), "a".repeat(33)]) {
    Deno.writeTextFileSync(`${path}/.landropic/folder-id`, text);
    refuses(["io"], () => readFolderId(root));
  }
  Deno.removeSync(`${path}/.landropic/folder-id`);
  Deno.symlinkSync("/etc/hostname", `${path}/.landropic/folder-id`);
  refuses(["symlink"], () => readFolderId(root));
});

testEach("sweepTemporary() removes what the dead left and spares the living", (root, path) => {
  const other = openRoot(path, { implementation: root.implementation });
  const theirs = other.temporaryPath();
  other.publish(staged(other, "theirs"), theirs);
  const mine = root.temporaryPath();
  root.publish(staged(root, "mine"), mine);
  const tmp = `${path}/.landropic/tmp`;
  Deno.writeTextFileSync(`${tmp}/0123456789ab.owner`, "");
  Deno.writeTextFileSync(`${tmp}/0123456789ab-0`, "dead");
  Deno.mkdirSync(`${tmp}/0123456789ab-1/below`, { recursive: true });
  Deno.writeTextFileSync(`${tmp}/ffffffffffff-0`, "unknown");
  assert.equal(sweepTemporary(root, Date.now()), 3);
  assert.deepEqual([root.lstat(mine)?.size, root.lstat(theirs)?.size], [4, 6]);
  assert.equal(sweepTemporary(root, Date.now()), 0);
  assert.equal(sweepTemporary(root, Date.now() + ORPHAN_AGE_MS + 60_000), 1);
  assert.deepEqual([root.lstat(mine)?.size, root.lstat(theirs)?.size], [4, 6]);
  other[Symbol.dispose]();
  assert.equal(sweepTemporary(root, Date.now() + ORPHAN_AGE_MS + 60_000), 1);
});

testEach("lockRoot() names who holds the lock", async (root, path) => {
  const first = await lockRoot(root, { mode: "exclusive", activity: "sync\nwith laptop" });
  await assert.rejects(
    lockRoot(root, { mode: "exclusive", activity: "second" }),
    (error: Error) => {
      assert.equal(reasonOf(error), "locked");
      assert.match(
        error.message,
        new RegExp(`process ${Deno.pid} holds it \\(sync with laptop\\)`),
      );
      return true;
    },
  );
  first[Symbol.dispose]();
  using again = await lockRoot(root, { mode: "exclusive", activity: "again" });
  assert.ok(again.held);
  Deno.removeSync(`${path}/.landropic/lock`);
  Deno.symlinkSync("/etc/hostname", `${path}/.landropic/lock`);
  await assert.rejects(lockRoot(root, { mode: "shared", activity: "x" }), /not a regular file/);
});

testEach("what is written to landropic's own folder is for the owner alone", (root, path) => {
  const staging = root.temporaryPath();
  root.publish(staged(root, "x", { mode: 0o600 }), staging);
  using file = root.stage();
  file.writeAt(bytes("secret"), 0);
  assert.equal(file.stat().mode, 0o600);
  for (const folder of [".landropic", ".landropic/tmp"]) {
    assert.equal(Deno.statSync(`${path}/${folder}`).mode! & 0o777, 0o700);
  }
  assert.equal(root.lstat(at(".landropic"))!.kind, "dir");
});
