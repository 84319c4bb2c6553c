import assert from "node:assert/strict";
import * as fs from "node:fs";
import { systemClock } from "../../../src/base/clock.ts";
import { verifyFiles, type VerifySums } from "../../../src/sync/mod.ts";
import { runSession } from "../../support/session_pair.ts";
import { openIndexOf, openShareOf, type TestDevice } from "../../support/test_device.ts";
import { twoFolders } from "../../support/two_folders.ts";
import { type TreeSpec, writeTree } from "../../support/tree.ts";

async function verify(device: TestDevice, path: string) {
  const signal = new AbortController().signal;
  await using index = await openIndexOf(device);
  using share = await openShareOf(device, { path, role: "source", index, signal });
  const errors: string[] = [];
  let last: unknown;
  const sums: VerifySums = await verifyFiles({
    root: share.root,
    index: share.index,
    observer: {
      fileError: ({ path, code }) => errors.push(`${code} ${path}`),
      progress: (now) => last = now,
    },
    clock: systemClock,
    signal,
  });
  return { sums, errors, last };
}

async function synced(spec: TreeSpec) {
  const folders = twoFolders();
  const { a, b, left, right } = folders;
  writeTree(left, spec);
  await runSession(a, left, b, right, { mode: "push" });
  return folders;
}

/** Changes a byte and leaves size and time as they are, as a failing disk does. */
function corrupt(path: string): void {
  const { atime, mtime } = fs.statSync(path);
  const bytes = fs.readFileSync(path);
  bytes[bytes.length - 1]! ^= 1;
  fs.writeFileSync(path, bytes);
  fs.utimesSync(path, atime, mtime);
}

Deno.test("verifyFiles() finds every file as it was received", async () => {
  const { folder, b, right } = await synced({ a: "1", empty: "", d: { big: "x".repeat(300_000) } });
  using _ = folder;
  const { sums, errors, last } = await verify(b, right);
  assert.deepEqual(errors, []);
  assert.deepEqual(sums, { files: 3, bytes: 300_001, errors: 0, learned: 0 });
  assert.deepEqual(last, { files: 3, totalFiles: 3, bytes: 300_001, totalBytes: 300_001 });
});

Deno.test("verifyFiles() reports a file that rotted, again and again", async () => {
  const { folder, b, right } = await synced({ a: "some text", d: { b: "other" }, c: "fine" });
  using _ = folder;
  corrupt(`${right}/d/b`);
  for (let run = 0; run < 2; run++) {
    const { sums, errors } = await verify(b, right);
    assert.deepEqual(errors, ["corrupt d/b"]);
    assert.deepEqual([sums.files, sums.errors], [3, 1]);
  }
});

Deno.test("verifyFiles() tells what was changed, touched, removed and replaced apart", async () => {
  const tree = { changed: "1", touched: "2", gone: "3", dir: "4", same: "5" };
  const { folder, b, right } = await synced(tree);
  using _ = folder;
  fs.writeFileSync(`${right}/changed`, "new contents");
  fs.utimesSync(`${right}/touched`, 5, 5);
  fs.rmSync(`${right}/gone`);
  fs.rmSync(`${right}/dir`);
  fs.mkdirSync(`${right}/dir`);
  fs.writeFileSync(`${right}/new`, "not synced yet");
  const { errors } = await verify(b, right);
  assert.deepEqual(errors, ["changed changed", "missing dir", "missing gone"]);
});

Deno.test("verifyFiles() reports what was changed also where no digest is known", async () => {
  const { folder, a, left } = await synced({ edited: "1", touched: "2", same: "3" });
  using _ = folder;
  fs.writeFileSync(`${left}/edited`, "longer");
  fs.utimesSync(`${left}/touched`, 5, 5);
  const { errors, sums } = await verify(a, left);
  assert.deepEqual(errors, ["changed edited", "changed touched"]);
  assert.equal(sums.learned, 1);
});

Deno.test("verifyFiles() reads what it has no digest of, and knows it the next time", async () => {
  const { folder, a, left } = await synced({ a: "1", d: { big: "y".repeat(300_000) } });
  using _ = folder;
  // A device that only sent files has never needed their digests.
  const first = await verify(a, left);
  assert.deepEqual(first.errors, []);
  assert.equal(first.sums.learned, 2);
  const second = await verify(a, left);
  assert.deepEqual([second.sums.learned, second.sums.errors], [0, 0]);
  corrupt(`${left}/a`);
  const third = await verify(a, left);
  assert.deepEqual(third.errors, ["corrupt a"]);
});
