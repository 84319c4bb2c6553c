import assert from "node:assert/strict";
import * as fs from "node:fs";
import { runSession } from "../../support/session_pair.ts";
import { memoryTransportPair } from "../../support/memory_transport.ts";
import { testDevice } from "../../support/test_device.ts";
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
      const full = await runSession(a, left, b, right, { fillDisk: true });
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
      const full = await runSession(a, left, b, right, { fillDisk: true });
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

/** Runs with a small disk where the files go: on the right, unless they are pulled. */
async function onSmallDisk(
  size: string,
  files: Record<string, Uint8Array | string>,
  work: (
    sync: (options?: Parameters<typeof runSession>[4]) => ReturnType<typeof runSession>,
    at: { readonly left: string; readonly right: string },
  ) => Promise<void>,
  side: "left" | "right" = "right",
): Promise<void> {
  using temporary = temporaryFolder();
  const { path } = temporary;
  const [left, right] = [`${path}/left`, `${path}/right`];
  const a = testDevice(`${path}/home-a`, "A");
  const b = testDevice(`${path}/home-b`, "B");
  const [source, target] = side === "right" ? [left, right] : [right, left];
  writeTree(source, files);
  fs.mkdirSync(target);
  assert.ok(await run("mount", "-t", "tmpfs", "-o", `size=${size}`, "none", target));
  try {
    await work((options) => runSession(a, left, b, right, options), { left, right });
  } finally {
    assert.ok(await run("umount", target), "a descriptor is still open");
  }
}

const manyOf = (count: number, mib: number) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`f${i}`, noise(mib * MIB, `f${i}`)]),
  );
const synced = (folder: string) =>
  fs.readdirSync(folder).filter((name) => !name.startsWith(".")).sort();

Deno.test({
  name: "files that fill the disk together come as far as they fit one after the other",
  ignore: !mountable,
  fn: async () => {
    await onSmallDisk("42m", { ...manyOf(8, 10), z: "small" }, async (sync, { left, right }) => {
      const first = await sync({ fillDisk: true });
      assert.equal(synced(right).length, 5);
      assert.ok(fs.existsSync(`${right}/z`));
      assert.ok(first.errors.every(({ code }) => code === "no_space"));
      assert.equal(first.errors.length, 4);
      // The same again costs next to nothing, and is no worse.
      const second = await sync({ fillDisk: true });
      assert.deepEqual([synced(right).length, second.errors.length], [5, 4]);
      // What is left there of others is not in the way of what fits now.
      for (const name of synced(left)) {
        if (!fs.existsSync(`${right}/${name}`)) fs.rmSync(`${left}/${name}`);
      }
      for (const name of synced(right).slice(0, 2)) fs.rmSync(`${left}/${name}`);
      writeTree(left, { new: noise(11 * MIB, "new") });
      const third = await sync({ deleteExtra: true });
      assert.deepEqual(third.errors.map(({ path, message }) => `${path}: ${message}`), []);
      assertSameTree(right, left);
    });
  },
});

Deno.test({
  name: "what is left of a file that was too large makes room for one that is not",
  ignore: !mountable,
  fn: async () => {
    await onSmallDisk("30m", { large: noise(60 * MIB, "large") }, async (sync, { left, right }) => {
      const { errors } = await sync({ fillDisk: true });
      assert.deepEqual(errors.map(({ path, code }) => [path, code]), [["large", "no_space"]]);
      assert.ok(partialNames(right).length > 0, "kept, to go on where there is room");
      // Both are wanted: the one that fits gets the room of the one that does not.
      writeTree(left, { fits: noise(20 * MIB, "fits") });
      const both = await sync({ fillDisk: true });
      assert.deepEqual(synced(right), ["fits"]);
      assert.match(both.errors[0]!.message, /It takes 62\.\d MB more, and \d+\.\d MB are free/);
      fs.rmSync(`${left}/large`);
      assert.deepEqual((await sync()).errors, []);
      assertSameTree(right, left);
    });
  },
});

for (const [mode, side] of [["push", "right"], ["pull", "left"]] as const) {
  Deno.test({
    name: `a file that is mostly holes is no larger on the disk than what is in it (${mode})`,
    ignore: !mountable,
    fn: async () => {
      await onSmallDisk("8m", {}, async (sync, { left, right }) => {
        const file = fs.openSync(`${mode === "push" ? left : right}/sparse`, "w");
        fs.writeSync(file, noise(MIB, "front"));
        fs.ftruncateSync(file, 24 * MIB);
        fs.closeSync(file);
        assert.deepEqual((await sync({ mode })).errors, []);
        assertSameTree(right, left);
      }, side);
    },
  });
}

for (
  const [mode, side, disk] of [
    ["push", "right", '"b"'],
    ["pull", "left", "this device"],
    ["two-way", "right", '"b"'],
    ["two-way", "left", "this device"],
  ] as const
) {
  Deno.test({
    name: `files that can't fit on the disk of ${disk} are refused before any moves (${mode})`,
    ignore: !mountable,
    fn: async () => {
      const files = { ...manyOf(3, 4), large: noise(10 * MIB, "large") };
      await onSmallDisk("16m", files, async (sync, { left, right }) => {
        const [source, target] = side === "right" ? [left, right] : [right, left];
        const refused = {
          code: "storage",
          message: new RegExp(
            `^Not enough space on the disk of ${disk}: 23\\.\\d MB are needed, ` +
              "16\\.\\d MB are free, and \\d+ kB of that stay so$",
          ),
        };
        await assert.rejects(sync({ mode, dryRun: true }), refused);
        await assert.rejects(sync({ mode }), refused);
        assert.deepEqual(synced(target), []);
        fs.rmSync(`${source}/large`);
        assert.deepEqual((await sync({ mode })).errors, []);
        assertSameTree(right, left);
      }, side);
    },
  });
}

Deno.test({
  name: "a run goes on with what the one before has left half done, though that fills the disk",
  ignore: !mountable,
  fn: async () => {
    await onSmallDisk("16m", { large: noise(14 * MIB, "large") }, async (sync, { left, right }) => {
      const transports = memoryTransportPair();
      let bytes = 0;
      transports[0].onWrite = ({ length }) => {
        if ((bytes += length) > 10 * MIB) throw new Error("cut");
      };
      await assert.rejects(sync({ transports }));
      assert.ok(partialNames(right).length > 0);
      const { errors, summary } = await sync();
      assert.deepEqual(errors, []);
      assert.ok(summary.bytesSent < 10 * MIB, `${summary.bytesSent} sent`);
      assertSameTree(right, left);
    });
  },
});
