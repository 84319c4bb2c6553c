import assert from "node:assert/strict";
import * as fs from "node:fs";
import { runSession } from "../../support/session_pair.ts";
import { memoryTransportPair } from "../../support/memory_transport.ts";
import { canMount, SmallDisk } from "../../support/small_disk.ts";
import { twoFolders } from "../../support/two_folders.ts";
import { assertSameTree, writeTree } from "../../support/tree.ts";
import { noise, partialNames } from "./support.ts";

const MIB = 2 ** 20;

if (!canMount) console.warn("skipped: a test that mounts a file system needs root on Linux");

/** Runs with a small disk where the files go: on the right, unless they are pulled. */
async function onSmallDisk(
  size: string,
  files: Record<string, Uint8Array | string>,
  work: (
    sync: (options?: Parameters<typeof runSession>[4]) => ReturnType<typeof runSession>,
    at: { readonly left: string; readonly right: string; readonly disk: SmallDisk },
  ) => Promise<void>,
  side: "left" | "right" = "right",
): Promise<void> {
  const { folder, a, b, left, right } = twoFolders();
  using _ = folder;
  const [source, target] = side === "right" ? [left, right] : [right, left];
  writeTree(source, files);
  await using disk = await SmallDisk.mount(target, `size=${size}`);
  await work((options) => runSession(a, left, b, right, options), { left, right, disk });
}

const manyOf = (count: number, mib: number) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`f${i}`, noise(mib * MIB, `f${i}`)]),
  );
const synced = (folder: string) =>
  fs.readdirSync(folder).filter((name) => !name.startsWith(".")).sort();

Deno.test({
  name: "what a full disk had no room for is not in the way of less the next time",
  ignore: !canMount,
  fn: async () => {
    await onSmallDisk("14m", manyOf(6, 4), async (sync, { left, right }) => {
      const full = await sync({ fillDisk: true });
      assert.ok(full.errors.some(({ code }) => code === "no_space"));
      assert.deepEqual(partialNames(right), []);
      for (const name of synced(left).slice(3)) fs.rmSync(`${left}/${name}`);
      const { errors } = await sync({ deleteExtra: true });
      assert.deepEqual(errors, []);
      assertSameTree(right, left);
    });
  },
});

Deno.test({
  name: "a session that fills the disk keeps what came, and goes on where there is room",
  ignore: !canMount,
  fn: async () => {
    const files = { large: noise(24 * MIB, "large"), tiny: "tiny" };
    await onSmallDisk("14m", files, async (sync, { left, right, disk }) => {
      const full = await sync({ fillDisk: true });
      assert.ok(full.errors.some(({ path, code }) => path === "large" && code === "no_space"));
      assert.equal(partialNames(right).filter((name) => name.endsWith(".part")).length, 1);
      assert.equal(fs.existsSync(`${right}/large`), false);
      await disk.remount("size=64m");
      const { summary, errors } = await sync();
      assert.deepEqual(errors, []);
      assertSameTree(right, left);
      assert.ok(summary.bytesSent < 14 * MIB, `${summary.bytesSent} sent`);
      assert.deepEqual(partialNames(right), []);
    });
  },
});

Deno.test({
  name: "files that fill the disk together come as far as they fit one after the other",
  ignore: !canMount,
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
  ignore: !canMount,
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
    ignore: !canMount,
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
    ignore: !canMount,
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
  ignore: !canMount,
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
