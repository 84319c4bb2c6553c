import assert from "node:assert/strict";
import { join } from "node:path";
import type { Logger } from "../../src/base/log.ts";
import { IdentityError, type IdentityReason } from "../../src/identity/identity_error.ts";
import {
  createPrivateFile,
  movePrivateFile,
  preparePrivateFolder,
  readPrivateFile,
  replacePrivateFile,
  withFolderLock,
} from "../../src/identity/private_folder.ts";
import { modeOf, namesIn, tempFolder } from "./folder_fixture.ts";

const ONE = new TextEncoder().encode("one");
const TWO = new TextEncoder().encode("two");
const isUnix = Deno.build.os !== "windows";

async function assertRejects(promise: Promise<unknown>, reason: IdentityReason): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof IdentityError, String(error));
    assert.equal(error.reason, reason, error.message);
    assert.equal(error.code, "storage");
    return true;
  });
}

Deno.test("preparePrivateFolder() creates the folder and its parents for the owner alone", async () => {
  await using temp = await tempFolder();
  const folder = join(temp.path, "config", "landropic");
  await preparePrivateFolder(folder);
  if (isUnix) assert.equal(await modeOf(folder), 0o700);
  await preparePrivateFolder(folder);
});

Deno.test({
  name: "preparePrivateFolder() closes an open folder that is its own, and no other",
  ignore: !isUnix,
  async fn() {
    await using temp = await tempFolder();
    const folder = async (name: string, files: string[]) => {
      const path = join(temp.path, name);
      await Deno.mkdir(path);
      for (const file of files) await Deno.writeTextFile(join(path, file), "");
      await Deno.chmod(path, 0o755);
      return path;
    };
    for (
      const own of [
        await folder("empty", []),
        await folder("with-key", ["device.pem", "other"]),
        await folder("with-config", ["config.json"]),
        await folder("landropic", ["other"]),
      ]
    ) {
      await preparePrivateFolder(own);
      assert.equal(await modeOf(own), 0o700, own);
    }
    const foreign = await folder("home", ["letters"]);
    await assertRejects(preparePrivateFolder(foreign), "folder_unusable");
    assert.equal(await modeOf(foreign), 0o755);
    const shared = await folder("tmp", []);
    await Deno.chmod(shared, 0o1777);
    await assertRejects(preparePrivateFolder(shared), "folder_unusable");
    assert.equal(await modeOf(shared), 0o1777);
  },
});

Deno.test("preparePrivateFolder() refuses what is no folder or cannot be made one", async () => {
  await using temp = await tempFolder();
  const file = join(temp.path, "file");
  await Deno.writeTextFile(file, "");
  await assertRejects(preparePrivateFolder(file), "folder_unusable");
  await assert.rejects(preparePrivateFolder(join(file, "below")), IdentityError);
});

Deno.test("readPrivateFile() returns undefined for no file, else all bytes", async () => {
  await using temp = await tempFolder();
  const path = join(temp.path, "file");
  assert.equal(await readPrivateFile(path, { bytesMax: 3 }), undefined);
  await replacePrivateFile(path, ONE);
  assert.deepEqual(await readPrivateFile(path, { bytesMax: 3 }), ONE);
  await assertRejects(readPrivateFile(path, { bytesMax: 2 }), "file_unusable");
});

Deno.test({
  name: "readPrivateFile() takes others' permissions away and says so",
  ignore: !isUnix,
  async fn() {
    await using temp = await tempFolder();
    const path = join(temp.path, "file");
    const lines: string[] = [];
    const logger: Logger = { log: (level, message) => lines.push(`${level} ${message}`) };
    for (const mode of [0o644, 0o640, 0o666, 0o601]) {
      await Deno.writeTextFile(path, "x");
      await Deno.chmod(path, mode);
      await readPrivateFile(path, { bytesMax: 10, logger });
      assert.equal(await modeOf(path), 0o600);
    }
    assert.equal(lines.length, 4);
    assert.match(lines[0]!, /^warn .*private file/);
    await Deno.chmod(path, 0o400);
    await readPrivateFile(path, { bytesMax: 10, logger });
    assert.equal(await modeOf(path), 0o400);
    assert.equal(lines.length, 4);
  },
});

Deno.test({
  name: "readPrivateFile() refuses folders and named pipes instead of waiting for them",
  ignore: !isUnix,
  async fn() {
    await using temp = await tempFolder();
    const pipe = join(temp.path, "pipe");
    await new Deno.Command("mkfifo", { args: [pipe] }).output();
    await assertRejects(readPrivateFile(pipe, { bytesMax: 10 }), "file_unusable");
    await assertRejects(readPrivateFile(temp.path, { bytesMax: 10 }), "file_unusable");
  },
});

Deno.test("replacePrivateFile() replaces whole files with mode 0600 and leaves nothing else", async () => {
  await using temp = await tempFolder();
  const path = join(temp.path, "file");
  for (const bytes of [ONE, TWO, new Uint8Array()]) {
    await replacePrivateFile(path, bytes);
    assert.deepEqual(await Deno.readFile(path), bytes);
    if (isUnix) assert.equal(await modeOf(path), 0o600);
  }
  assert.deepEqual(await namesIn(temp.path), ["file"]);
});

Deno.test("replacePrivateFile() keeps the old file and no temporary one when it fails", async () => {
  await using temp = await tempFolder();
  const path = join(temp.path, "taken");
  await Deno.mkdir(join(path, "below"), { recursive: true });
  await assertRejects(replacePrivateFile(path, ONE), "file_unusable");
  assert.deepEqual(await namesIn(temp.path), ["taken"]);
  await assertRejects(replacePrivateFile(join(temp.path, "none", "file"), ONE), "file_unusable");
});

Deno.test("createPrivateFile() lets one of many win, with its own bytes, without any lock", async () => {
  await using temp = await tempFolder();
  const path = join(temp.path, "file");
  const wins = await Promise.all(
    Array.from({ length: 16 }, (_, i) => createPrivateFile(path, new Uint8Array([i]))),
  );
  const winner = wins.indexOf(true);
  assert.equal(wins.filter((won) => won).length, 1);
  assert.deepEqual(await Deno.readFile(path), new Uint8Array([winner]));
  assert.deepEqual(await namesIn(temp.path), ["file"]);
});

Deno.test("movePrivateFile() puts one file in the place of another", async () => {
  await using temp = await tempFolder();
  const [from, to] = [join(temp.path, "from"), join(temp.path, "to")];
  await replacePrivateFile(from, TWO);
  await replacePrivateFile(to, ONE);
  await movePrivateFile(from, to);
  assert.deepEqual(await Deno.readFile(to), TWO);
  await assertRejects(movePrivateFile(from, to), "file_unusable");
});

Deno.test("withFolderLock() runs one body at a time and lets go after an error", async () => {
  await using temp = await tempFolder();
  let inside = 0;
  let most = 0;
  const runs = Array.from({ length: 6 }, (_, i) =>
    withFolderLock(temp.path, async () => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setTimeout(resolve, 1));
      inside--;
      if (i === 2) throw new Error("body");
      return i;
    }).catch((error) => error.message));
  assert.deepEqual(await Promise.all(runs), [0, 1, "body", 3, 4, 5]);
  assert.equal(most, 1);
});

Deno.test("withFolderLock() sweeps what a dead writer left, and nothing younger or foreign", async () => {
  await using temp = await tempFolder();
  const old = join(temp.path, ".device.pem.0123456789abcdef.tmp");
  const young = join(temp.path, ".device.pem.fedcba9876543210.tmp");
  const foreign = join(temp.path, ".notes.tmp");
  for (const path of [old, young, foreign]) await Deno.writeTextFile(path, "");
  for (const path of [old, foreign]) await Deno.utime(path, 1, 1);
  await withFolderLock(temp.path, async () => {});
  assert.deepEqual(await namesIn(temp.path), [
    ".device.pem.fedcba9876543210.tmp",
    ".notes.tmp",
    "identity.lock",
  ]);
});
