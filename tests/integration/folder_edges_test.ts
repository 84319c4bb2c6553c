/** Folders that are not what they seem to be, as their user meets them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { CliDevice } from "../support/cli_device.ts";
import { CliSite } from "../support/cli_site.ts";
import { assertSameTree, describeTree, temporaryFolder, writeTree } from "../support/tree.ts";

const LATER_MS = 1_700_000_500_000;
const isLinux = Deno.build.os === "linux";

Deno.test("a home folder is synced without the keys and the state of either device", async () => {
  using temporary = temporaryFolder();
  const { path } = temporary;
  const [left, right] = [`${path}/left`, `${path}/right`];
  const a = new CliDevice("a", `${left}/.config/landropic`);
  const b = new CliDevice("b", `${right}/.config/landropic`);
  await a.trust(b, "b");
  await b.trust(a, "a");
  writeTree(left, { ".config": { other: "o" }, notes: "n" });
  const ids = [fs.readFileSync(`${a.home}/device.pem`), fs.readFileSync(`${b.home}/device.pem`)];
  await using server = await b.serve(right);
  const args = ["sync", "b", "--address", server.address, "--json"];
  for (const mode of [[], ["--push", "--delete"], ["--pull", "--delete"]]) {
    const { code, events, stderr } = await a.run(...args, left, ...mode);
    assert.equal(code, 0, stderr);
    const left_out = events.filter(({ path }) => path === ".config/landropic");
    assert.ok(left_out.every(({ action }) => action === "s"));
    assert.deepEqual(
      [fs.readFileSync(`${a.home}/device.pem`), fs.readFileSync(`${b.home}/device.pem`)],
      ids,
    );
  }
  assert.ok(fs.existsSync(`${right}/.config/other`) && fs.existsSync(`${right}/notes`));
  const itself = await a.run(...args, a.home);
  assert.equal(itself.code, 5, itself.stderr);
});

Deno.test({
  name: "a folder is not synced with itself, nor with one that holds it or that it holds",
  ignore: !isLinux,
  fn: async () => {
    await using site = await CliSite.make({}, { f: "1", sub: { g: "2" } });
    const before = () => describeTree(site.right);
    const tree = before();
    for (const mode of [["--push"], ["--pull"], [], ["-n"]]) {
      for (
        const [dir, words] of [
          [`${site.right}/sub`, /lies in the folder that "b" serves/],
          [site.path, /holds the folder that "b" serves/],
        ] as const
      ) {
        const args = ["sync", "b", dir, "--address", site.server.address, ...mode];
        const { code, stderr } = await site.a.run(...args);
        assert.equal(code, 5, `${mode} ${stderr}`);
        assert.match(stderr, words);
        assert.deepEqual(before(), tree);
      }
    }
    fs.symlinkSync(site.right, `${site.path}/alias`);
    const args = ["sync", "b", `${site.path}/alias`, "--address", site.server.address, "--push"];
    assert.match((await site.a.run(...args)).stderr, /is the very folder that "b" serves/);
  },
});

Deno.test("nothing is put where a disk is not mounted, by push or by pull", async () => {
  await using site = await CliSite.make({ a: "1", b: "2" });
  await site.inStep();
  for (const side of ["right", "left"] as const) {
    const folder = site[side];
    fs.renameSync(folder, `${site.path}/disk`);
    fs.mkdirSync(folder);
    const mode = side === "right" ? "--push" : "--pull";
    const { code, stderr } = await site.sync(mode);
    assert.equal(code, 5, stderr);
    assert.deepEqual(fs.readdirSync(folder), []);
    fs.rmdirSync(folder);
    if (side === "left") {
      assert.equal((await site.sync(mode)).code, 5, "a mount point that is gone");
      assert.ok(!fs.existsSync(folder));
    }
    fs.renameSync(`${site.path}/disk`, folder);
    await site.inStep(mode);
  }
  // What the hint says.
  fs.rmSync(site.left, { recursive: true });
  fs.mkdirSync(`${site.left}/.landropic`, { recursive: true });
  await site.inStep("--pull");
});

/** Sets a device and its folder back as an image of their disk does: with the inodes that they had. */
class DiskImage {
  readonly #kept: string;

  constructor(readonly folders: readonly string[], kept: string) {
    this.#kept = kept;
    fs.mkdirSync(kept);
    folders.forEach((folder, i) => fs.cpSync(folder, `${kept}/${i}`, COPY));
  }

  restore(): void {
    this.folders.forEach((folder, i) => {
      for (const name of fs.readdirSync(folder)) {
        if (name !== ".landropic") fs.rmSync(`${folder}/${name}`, { recursive: true });
      }
      for (const name of fs.readdirSync(`${this.#kept}/${i}`)) {
        if (name !== ".landropic") {
          fs.cpSync(`${this.#kept}/${i}/${name}`, `${folder}/${name}`, COPY);
        }
      }
    });
  }
}

const COPY = { recursive: true, preserveTimestamps: true } as const;

for (const [what, isRestoredFirst] of [["other", false], ["restored", true]] as const) {
  Deno.test(`a disk that was set back to an earlier day deletes nothing, as the ${what} side starts`, async () => {
    await using site = await CliSite.make({ keep: "k", f: "v0", gone: "g" });
    await site.inStep();
    const image = new DiskImage([site.a.home, site.left], `${site.path}/image`);
    writeTree(site.left, { made: "after the image", f: "v1" }, LATER_MS);
    await site.inStep();
    fs.rmSync(`${site.left}/gone`);
    await site.inStep();
    image.restore();
    writeTree(site.left, { f: "v2 after all that" }, LATER_MS + 1000);
    let result;
    if (isRestoredFirst) result = await site.sync();
    else {
      await site.server.stop();
      await using server = await site.a.serve(site.left);
      const args = ["sync", "a", site.right, "--address", server.address, "--json"];
      result = await site.b.run(...args);
    }
    assert.equal(result.code, 4, result.stderr);
    assert.match(result.stderr, /remember different states.*nothing is deleted/);
    assert.equal(result.events.at(-1)!["deleted"], 0);
    assertSameTree(site.left, site.right);
    const texts = fs.readdirSync(site.left).filter((name) => name.startsWith("f"))
      .map((name) => fs.readFileSync(`${site.left}/${name}`, "utf8"));
    assert.deepEqual(texts.sort(), ["v1", "v2 after all that"]);
    assert.ok(fs.existsSync(`${site.right}/made`) && fs.existsSync(`${site.right}/gone`));
  });
}

Deno.test({
  name: "what the other side can't read is listed here, with exit 3, and deletes nothing",
  ignore: !isLinux,
  fn: async () => {
    await using site = await CliSite.make({}, { d: { ok: "o" } });
    spawnSync("bash", ["-c", `cd ${site.right} && echo x > $'d/bad\\xff' && mkfifo fifo`]);
    for (const mode of [["--pull"], ["--pull"], [], ["-n"]]) {
      const { code, errors, events, summary } = await site.sync(...mode);
      assert.equal(code, 3, mode.join());
      assert.deepEqual(errors.map(({ code }) => code), ["name_not_utf8"]);
      assert.match(errors[0]!["message"] as string, /^On "b": /);
      const bytes = Uint8Array.fromBase64(errors[0]!["pathBase64"] as string);
      assert.equal(new TextDecoder("latin1").decode(bytes), "d/bad\xff");
      assert.equal(summary["errors"], 1);
      const lines = events.filter(({ event }) => event === "item").map((item) =>
        `${item["action"]} ${item["path"]}`
      );
      assert.ok(lines.includes("s fifo"), lines.join());
    }
    assert.equal((await site.sync("--push")).code, 0, "nothing is wanted of it");
  },
});

Deno.test({
  name: "what can't be put in place for what is there is listed, with exit 3",
  ignore: !isLinux,
  fn: async () => {
    await using site = await CliSite.make({ x: "a file", pipe: "p", plain: "1" }, {
      x: { inside: "i" },
    });
    spawnSync("mkfifo", [`${site.right}/pipe`]);
    const { code, errors } = await site.sync("--push");
    assert.equal(code, 3);
    assert.deepEqual(errors.map(({ path, code }) => [path, code]).sort(), [
      ["pipe", "in_the_way"],
      ["x", "in_the_way"],
    ]);
    assert.ok(fs.existsSync(`${site.right}/x/inside`) && fs.existsSync(`${site.right}/plain`));
    fs.rmSync(`${site.right}/pipe`);
    await site.inStep("--push", "--delete");
  },
});
