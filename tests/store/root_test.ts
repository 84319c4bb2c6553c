import assert from "node:assert/strict";
import { openRoot } from "../../src/store/mod.ts";
import { at, bytes, refuses, staged, testEach, tree } from "./support.ts";

const T = 1_700_000_000_123;

Deno.test("openRoot() tells a missing folder from a file", () => {
  const path = Deno.makeTempDirSync();
  Deno.writeTextFileSync(`${path}/file`, "");
  refuses(["not_found"], () => openRoot(`${path}/none`));
  for (const implementation of ["linux", "portable"] as const) {
    refuses(["not_a_directory"], () => openRoot(`${path}/file`, { implementation }));
    using root = openRoot(`${path}/made/deep`, { create: true, implementation });
    assert.equal(root.stat.kind, "dir");
  }
  Deno.removeSync(path, { recursive: true });
});

testEach("list() gives each entry's kind, size, mode and time", (root, path) => {
  Deno.writeTextFileSync(`${path}/file`, "hello", { mode: 0o640 });
  Deno.utimeSync(`${path}/file`, 5, T / 1000);
  Deno.mkdirSync(`${path}/dir`, { mode: 0o750 });
  Deno.symlinkSync("nowhere", `${path}/link`);
  const { entries, faults, stat } = root.list("");
  assert.deepEqual(faults, []);
  assert.equal(stat.kind, "dir");
  const found = new Map(entries.map((entry) => [entry.name, entry]));
  assert.deepEqual([...found.keys()].sort(), ["dir", "file", "link"]);
  const file = found.get("file")!;
  assert.deepEqual([file.kind, file.size, file.mode, file.mtimeMs, file.nlink], [
    "file",
    5,
    0o640,
    T,
    1,
  ]);
  assert.deepEqual([found.get("dir")!.kind, found.get("dir")!.mode], ["dir", 0o750]);
  assert.deepEqual([found.get("link")!.kind, found.get("link")!.size], ["link", 7]);
  assert.equal(file.dev, stat.dev);
  assert.ok(file.ino > 0);
  assert.equal(file.mountPoint, false);
});

testEach("publish() puts a staged file in place and never over another", (root, path) => {
  {
    using file = staged(root, "hello", { mode: 0o640 });
    root.publish(file, at("a"));
  }
  assert.equal(Deno.readTextFileSync(`${path}/a`), "hello");
  assert.equal(root.lstat(at("a"))!.mtimeMs, T);
  assert.equal(root.lstat(at("a"))!.mode, 0o640);
  using other = staged(root, "other");
  refuses(["exists"], () => root.publish(other, at("a")));
  assert.equal(Deno.readTextFileSync(`${path}/a`), "hello");
});

testEach("stage() leaves nothing behind when disposed", (root, path) => {
  {
    using _ = staged(root, "hello");
  }
  assert.deepEqual(tree(path), []);
  const left = [...Deno.readDirSync(`${path}/.landropic/tmp`)].map((entry) => entry.name);
  assert.deepEqual(left.filter((name) => !name.endsWith(".owner")), []);
});

testEach("readSmall() reads what openFile() reads", (root, path) => {
  Deno.writeTextFileSync(`${path}/a`, "0123456789");
  const buffer = new Uint8Array(16);
  const small = root.readSmall(at("a"), buffer);
  assert.deepEqual([small.length, small.settled, small.stat.size], [10, true, 10]);
  assert.deepEqual(buffer.subarray(0, 10), bytes("0123456789"));
  using file = root.openFile(at("a"));
  const part = new Uint8Array(4);
  assert.equal(file.readAt(part, 8), 2);
  assert.equal(file.readAt(part, 3), 4);
  assert.deepEqual(part, bytes("3456"));
  assert.equal(file.readAt(part, 100), 0);
});
