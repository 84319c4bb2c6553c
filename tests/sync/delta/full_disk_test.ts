import assert from "node:assert/strict";
import * as fs from "node:fs";
import { runSession, testDevice } from "../../support/session_pair.ts";
import { assertSameTree, temporaryFolder, writeTree } from "../../support/tree.ts";
import { noise, partialNames } from "./support.ts";

const MIB = 2 ** 20;

async function run(command: string, ...args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args, stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}

/** Whether file systems can be mounted here: as root on Linux, outside most containers. */
async function canMount(): Promise<boolean> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
  const dir = Deno.makeTempDirSync();
  const mounted = await run("mount", "-t", "tmpfs", "-o", "size=64k", "none", dir);
  if (mounted) await run("umount", dir);
  Deno.removeSync(dir);
  return mounted;
}

const mountable = await canMount();
if (!mountable) console.warn("skipped: a test that mounts a file system needs root on Linux");

Deno.test({
  name: "what a full disk had no room for is not in the way of less the next time",
  ignore: !mountable,
  fn: async () => {
    using temporary = temporaryFolder();
    const { path } = temporary;
    const [left, right] = [`${path}/left`, `${path}/right`];
    const a = testDevice(`${path}/home-a`, "A");
    const b = testDevice(`${path}/home-b`, "B");
    const six = Array.from({ length: 6 }, (_, i) => [`f${i}`, noise(4 * MIB, `f${i}`)]);
    writeTree(left, Object.fromEntries(six));
    fs.mkdirSync(right);
    assert.ok(await run("mount", "-t", "tmpfs", "-o", "size=14m", "none", right));
    try {
      const full = await runSession(a, left, b, right);
      assert.ok(full.errors.some(({ code }) => code === "no_space"));
      assert.deepEqual(partialNames(right), []);
      for (const [name] of six.slice(3)) fs.rmSync(`${left}/${name}`);
      const { errors } = await runSession(a, left, b, right, { deleteExtra: true });
      assert.deepEqual(errors, []);
      assertSameTree(right, left);
    } finally {
      assert.ok(await run("umount", right), "a descriptor is still open");
    }
  },
});

Deno.test({
  name: "a session that fills the disk keeps what came, and goes on where there is room",
  ignore: !mountable,
  fn: async () => {
    using temporary = temporaryFolder();
    const { path } = temporary;
    const [left, right] = [`${path}/left`, `${path}/right`];
    const a = testDevice(`${path}/home-a`, "A");
    const b = testDevice(`${path}/home-b`, "B");
    writeTree(left, { large: noise(24 * MIB, "large"), tiny: "tiny" });
    fs.mkdirSync(right);
    assert.ok(await run("mount", "-t", "tmpfs", "-o", "size=14m", "none", right));
    try {
      const full = await runSession(a, left, b, right);
      assert.ok(full.errors.some(({ path, code }) => path === "large" && code === "no_space"));
      assert.equal(partialNames(right).filter((name) => name.endsWith(".part")).length, 1);
      assert.equal(fs.existsSync(`${right}/large`), false);
      assert.ok(await run("mount", "-o", "remount,size=64m", right));
      const { summary, errors } = await runSession(a, left, b, right);
      assert.deepEqual(errors, []);
      assertSameTree(right, left);
      assert.ok(summary.bytesSent < 14 * MIB, `${summary.bytesSent} sent`);
      assert.deepEqual(partialNames(right), []);
    } finally {
      assert.ok(await run("umount", right), "a descriptor is still open");
    }
  },
});
