import assert from "node:assert/strict";
import fc from "fast-check";
import { compareNames, nameFault } from "../../src/base/paths.ts";
import { at, bytes, refuses, staged, testEach } from "./support.ts";

const onLinux = Deno.build.os === "linux";

/** Creates a file whose name is these bytes, which JavaScript can't. */
async function createRaw(dir: string, octal: string): Promise<void> {
  const { success } = await new Deno.Command("sh", {
    args: ["-c", `printf x > "$1/$(printf '${octal}')"`, "sh", dir],
  }).output();
  assert.ok(success);
}

testEach("list() gives a name of 255 bytes, and 256 are refused", (root) => {
  const longest = "ä".repeat(127) + "x";
  root.publish(staged(root, "x"), at(longest));
  assert.ok(root.list("").entries.some((entry) => entry.name === longest));
  assert.equal(root.lstat(at(longest))!.size, 1);
  using file = staged(root, "x");
  refuses(["name_too_long"], () => root.publish(file, at(longest + "y")));
});

testEach("list() and openFile() take names with newlines, spaces and dashes in front", (root) => {
  const names = ["two\nlines", " leading", "-rf", "tab\there", "quote\"'", "\u202eright", "a\\b"];
  for (const name of names) root.publish(staged(root, name), at(name));
  const listed = root.list("").entries.map((entry) => entry.name!).filter((name) =>
    name !== ".landropic"
  );
  assert.deepEqual(listed.sort(compareNames), names.sort(compareNames));
  for (const name of names) {
    const into = new Uint8Array(64);
    assert.equal(root.readSmall(at(name), into).length, bytes(name).length);
  }
});

testEach("list() gives a name that is not UTF-8 as bytes, without a name", async (root, path) => {
  await createRaw(path, "bad\\377name");
  Deno.writeTextFileSync(`${path}/good`, "");
  const { entries } = root.list("");
  assert.equal(entries.length, 2);
  const bad = entries.find((entry) => entry.name === undefined)!;
  assert.equal(bad.kind, "file");
  assert.equal(bad.size, 1);
  assert.deepEqual(bad.rawName, new Uint8Array([...bytes("bad"), 0xff, ...bytes("name")]));
}, { only: ["linux", "linux-plain"] });

testEach("list() never takes a name that is not UTF-8 for another", async (root, path) => {
  await createRaw(path, "bad\\377name");
  const { entries } = root.list("");
  assert.deepEqual(entries.map((entry) => entry.name), [undefined]);
  assert.ok(entries[0]!.rawName!.length > 0);
}, { ignore: !onLinux });

testEach("list() tells a real U+FFFD from broken bytes", (root, path) => {
  Deno.writeTextFileSync(`${path}/odd\ufffd`, "");
  const { entries } = root.list("");
  assert.deepEqual(entries.map((entry) => entry.name), ["odd\ufffd"]);
});

testEach("list() gives both names of a pair that differs by normal form or case", (root, path) => {
  const twins = ["caf\u00e9", "cafe\u0301", "Caf\u00e9"];
  for (const name of twins) Deno.writeTextFileSync(`${path}/${name}`, "");
  const listed = root.list("").entries.map((entry) => entry.name!);
  assert.deepEqual(listed.sort(compareNames), twins.sort(compareNames));
}, { ignore: !onLinux });

testEach("list() gives every name that may be in a share, byte for byte", (root, path) => {
  let round = 0;
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }), {
        maxLength: 20,
      }),
      (candidates) => {
        const names = candidates.filter((name) => nameFault(name) === undefined);
        const dir = at(`round${round++}`);
        root.makeDir(dir, 0o755);
        for (const name of names) root.publish(staged(root, ""), at(`${dir}/${name}`));
        const listed = root.list(dir).entries.map((entry) => entry.name!);
        assert.deepEqual(listed.sort(compareNames), names.sort(compareNames));
      },
    ),
    { numRuns: 25 },
  );
  assert.ok(path);
}, { ignore: !onLinux });

testEach("a path of 4095 bytes and 128 names works from end to end", (root) => {
  let dir = "";
  for (let i = 0; i < 127; i++) {
    dir = dir === "" ? "d".repeat(31) : `${dir}/${"d".repeat(31)}`;
    root.makeDir(at(dir), 0o755);
  }
  const path = at(`${dir}/${"f".repeat(4095 - dir.length - 1)}`);
  root.publish(staged(root, "deep"), path);
  assert.equal(root.lstat(path)!.size, 4);
  assert.equal(root.list(at(dir)).entries.length, 1);
  assert.equal(root.readSmall(path, new Uint8Array(8)).length, 4);
  root.removeFile(path);
  assert.equal(root.lstat(path), undefined);
}, { only: ["linux", "linux-plain"] });

testEach("a path longer than the kernel takes at once is walked in pieces", (root) => {
  const name = "n".repeat(250);
  let dir = "";
  for (let i = 0; i < 20; i++) {
    dir = dir === "" ? name : `${dir}/${name}`;
    root.makeDir(at(dir), 0o755);
  }
  root.publish(staged(root, "deep"), at(`${dir}/file`));
  root.rename(at(`${dir}/file`), at(`${dir}/moved`), { replace: false });
  using file = root.openFile(at(`${dir}/moved`));
  assert.equal(file.size, 4);
}, { only: ["linux", "linux-plain"] });

testEach("rename() changes the case of a name", (root) => {
  root.publish(staged(root, "x"), at("Foo"));
  root.rename(at("Foo"), at("foo"), { replace: false });
  assert.deepEqual(
    root.list("").entries.map((entry) => entry.name).filter((name) => name !== ".landropic"),
    ["foo"],
  );
});
