import assert from "node:assert/strict";
import { TimeBuffer } from "../../src/store/linux/statx.ts";
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

testEach("openFile() refuses fifos and directories without waiting", async (root, path) => {
  const { success } = await new Deno.Command("mkfifo", { args: [`${path}/fifo`] }).output();
  assert.ok(success);
  Deno.mkdirSync(`${path}/dir`);
  for (
    const open of [
      (name: string) => root.openFile(at(name)),
      (name: string) => root.readSmall(at(name), new Uint8Array(4)),
    ]
  ) {
    refuses(["not_regular"], () => open("fifo"));
    refuses(["is_a_directory"], () => open("dir"));
    refuses(["not_found"], () => open("none"));
  }
  assert.equal(root.lstat(at("fifo"))!.kind, "other");
  assert.equal(root.list("").entries.find(({ name }) => name === "fifo")!.kind, "other");
}, { ignore: Deno.build.os === "windows" });

testEach("list() and lstat() agree on every field", (root, path) => {
  Deno.writeTextFileSync(`${path}/file`, "hello");
  Deno.mkdirSync(`${path}/dir`);
  Deno.symlinkSync("file", `${path}/link`);
  for (const { name, rawName, ...listed } of root.list("").entries) {
    assert.equal(rawName, undefined);
    assert.deepEqual(listed, { ...root.lstat(at(name!)) }, name);
  }
  using file = root.openFile(at("file"));
  assert.deepEqual(file.openedStat, root.lstat(at("file")));
  assert.deepEqual(file.stat(), file.openedStat);
});

testEach("lstat() agrees with the system's own tool to the nanosecond", async (root, path) => {
  Deno.writeTextFileSync(`${path}/file`, "hello");
  await new Deno.Command("touch", {
    args: ["-d", "1969-07-20T20:17:40.123456789Z", `${path}/file`],
  }).output();
  const { stdout } = await new Deno.Command("stat", {
    args: ["-c", "%s %a %h %i %b", `${path}/file`],
  }).output();
  const stat = root.lstat(at("file"))!;
  const line = [stat.size, stat.mode.toString(8), stat.nlink, stat.ino, stat.blocks].join(" ");
  assert.equal(line, new TextDecoder().decode(stdout).trim());
  assert.equal(stat.mtimeMs, Date.UTC(1969, 6, 20, 20, 17, 40, 123));
  assert.equal(stat.mtimeNs, 456_789);
}, { only: ["linux", "linux-plain"] });

testEach("lstat() sees nothing below a file or in a missing folder", (root, path) => {
  Deno.writeTextFileSync(`${path}/file`, "");
  for (const name of ["none", "none/below", "file/below", "file/below/more"]) {
    assert.equal(root.lstat(at(name)), undefined, name);
  }
  assert.equal(root.lstat("")!.kind, "dir");
});

testEach("list() says when a directory is gone or is none", (root, path) => {
  Deno.writeTextFileSync(`${path}/file`, "");
  refuses(["not_found"], () => root.list(at("none")));
  refuses(["not_a_directory"], () => root.list(at("file")));
});

testEach("readSmall() tells a file that grew or changed while it was read", (root, path) => {
  Deno.writeTextFileSync(`${path}/a`, "0123");
  // Shorter than the file: what was read is settled, and the state tells that there is more.
  const part = root.readSmall(at("a"), new Uint8Array(2));
  assert.deepEqual([part.length, part.settled, part.stat.size], [2, true, 4]);
  using file = root.openFile(at("a"));
  Deno.writeTextFileSync(`${path}/a`, "56789", { append: true });
  assert.equal(file.size, 4);
  assert.equal(file.stat().size, 9);
  assert.notDeepEqual(file.stat(), file.openedStat);
});

testEach("StagedFile writes anywhere, reads back, and keeps holes", (root) => {
  using file = root.stage();
  file.writeAt(bytes("end"), 1_000_000);
  file.writeAt(bytes("start"), 0);
  assert.equal(file.size, 1_000_003);
  const buffer = new Uint8Array(8);
  assert.equal(file.readAt(buffer, 0), 8);
  assert.deepEqual(buffer, new Uint8Array([...bytes("start"), 0, 0, 0]));
  assert.equal(file.readAt(buffer, 999_999), 4);
  file.truncate(2);
  assert.equal(file.size, 2);
  file.truncate(4);
  assert.equal(file.readAt(buffer, 0), 4);
  assert.deepEqual(buffer.subarray(0, 4), new Uint8Array([...bytes("st"), 0, 0]));
});

testEach("StagedFile takes 5 GiB of zeros as a hole, and bytes behind them", (root) => {
  const size = 5 * 1024 ** 3;
  using file = root.stage();
  file.truncate(size);
  file.writeAt(bytes("tail"), size - 4);
  file.finish({ mode: 0o600, mtimeMs: 0 });
  root.publish(file, at("sparse"));
  const stat = root.lstat(at("sparse"))!;
  assert.equal(stat.size, size);
  assert.ok(stat.blocks * 512 < 1024 * 1024, `${stat.blocks} blocks`);
  using opened = root.openFile(at("sparse"));
  const buffer = new Uint8Array(8);
  assert.equal(opened.readAt(buffer, size - 6), 6);
  assert.deepEqual(buffer.subarray(0, 6), new Uint8Array([0, 0, ...bytes("tail")]));
});

testEach("copyRangeFrom() copies small and large ranges to any offset", async (root, path) => {
  const source = new Uint8Array(700_001).map((_, i) => (i * 31 + (i >> 8)) & 0xff);
  Deno.writeFileSync(`${path}/source`, source);
  using from = root.openFile(at("source"));
  using file = root.stage();
  for (const [sourceOffset, length] of [[0, 0], [5, 1], [100, 4096], [0, 700_001]] as const) {
    await file.copyRangeFrom(from, { sourceOffset, offset: 13, length });
    const copied = new Uint8Array(length);
    assert.equal(file.readAt(copied, 13), length);
    assert.deepEqual(copied, source.slice(sourceOffset, sourceOffset + length));
  }
  assert.equal(file.size, 700_014);
  await assert.rejects(
    file.copyRangeFrom(from, { sourceOffset: 699_000, offset: 0, length: 2000 }),
    /shorter than it was/,
  );
  await assert.rejects(
    file.copyRangeFrom(from, { sourceOffset: 300_000, offset: 0, length: 500_000 }),
    /shorter than it was/,
  );
});

testEach("cloneFrom() makes an equal file, or says that it can't", async (root, path) => {
  Deno.writeTextFileSync(`${path}/source`, "hello");
  using from = root.openFile(at("source"));
  using file = root.stage();
  const cloned = await file.cloneFrom(from);
  assert.equal(file.size, cloned ? 5 : 0);
  assert.equal(file.stat().size, file.size);
});

testEach("makeDir() gives the mode asked for and refuses what is there", (root, path) => {
  for (const mode of [0o700, 0o755, 0o777, 0o500, 0o002]) {
    root.makeDir(at(`d${mode}`), mode);
    assert.equal(root.lstat(at(`d${mode}`))!.mode, mode);
  }
  Deno.writeTextFileSync(`${path}/file`, "");
  refuses(["exists"], () => root.makeDir(at("file"), 0o755));
  refuses(["not_found"], () => root.makeDir(at("none/below"), 0o755));
});

testEach("makeDir() and chmod() keep the setgid bit of a shared directory", (root, path) => {
  Deno.chmodSync(path, 0o2775);
  root.makeDir(at("d"), 0o755);
  assert.equal(root.lstat(at("d"))!.mode, 0o2755);
  root.chmod(at("d"), 0o4700);
  assert.equal(root.lstat(at("d"))!.mode, 0o2700);
}, { ignore: Deno.build.os !== "linux" });

testEach("removeDir() removes nothing but an empty directory", (root, path) => {
  Deno.mkdirSync(`${path}/d/e`, { recursive: true });
  Deno.writeTextFileSync(`${path}/file`, "");
  refuses(["not_empty"], () => root.removeDir(at("d")));
  refuses(["not_a_directory"], () => root.removeDir(at("file")));
  root.removeDir(at("d/e"));
  root.removeDir(at("d"));
  assert.deepEqual(tree(path), ["file"]);
});

testEach("rename() overwrites only when told", (root, path) => {
  Deno.writeTextFileSync(`${path}/a`, "a");
  Deno.writeTextFileSync(`${path}/b`, "b");
  refuses(["exists"], () => root.rename(at("a"), at("b"), { replace: false }));
  root.rename(at("a"), at("b"), { replace: true });
  assert.equal(Deno.readTextFileSync(`${path}/b`), "a");
  refuses(["not_found"], () => root.rename(at("none"), at("c"), { replace: false }));
});

testEach("rename() keeps two names of one file apart", (root, path) => {
  Deno.writeTextFileSync(`${path}/a`, "a");
  Deno.linkSync(`${path}/a`, `${path}/A`);
  refuses(["exists"], () => root.rename(at("a"), at("A"), { replace: false }));
  assert.deepEqual(tree(path).length, 2);
}, { ignore: Deno.build.os !== "linux" });

testEach("exchange() swaps a file and a directory", (root, path) => {
  Deno.writeTextFileSync(`${path}/a`, "a");
  Deno.mkdirSync(`${path}/b`);
  if (!root.features().exchange) {
    return refuses(["unsupported"], () => root.exchange(at("a"), at("b")));
  }
  root.exchange(at("a"), at("b"));
  assert.equal(Deno.readTextFileSync(`${path}/b`), "a");
  assert.equal(root.lstat(at("a"))!.kind, "dir");
});

testEach("features() finds out what this file system can do, and leaves nothing", (root, path) => {
  const features = root.features();
  assert.equal(features.caseSensitive, true);
  assert.equal(features.keepsNormalForm, true);
  assert.equal(features.hardLinks, true);
  assert.equal(features.symlinks, true);
  assert.equal(features.modes, true);
  assert.equal(features.exchange, root.implementation === "linux");
  const left = [...Deno.readDirSync(`${path}/.landropic/tmp`)].map((entry) => entry.name);
  assert.deepEqual(left.filter((name) => !name.endsWith(".owner")), []);
}, { ignore: Deno.build.os !== "linux" });

testEach("space() is what df says, about", async (root, path) => {
  const { freeBytes, totalBytes } = root.space();
  const { stdout } = await new Deno.Command("df", {
    args: ["-B1", "--output=size", path],
  }).output();
  assert.equal(totalBytes, Number(new TextDecoder().decode(stdout).trim().split("\n").at(-1)));
  assert.ok(freeBytes > 0 && freeBytes <= totalBytes);
}, { ignore: Deno.build.os !== "linux" });

testEach("beginChanges() can't be nested, and ends cleanly", (root) => {
  root.beginChanges();
  assert.throws(() => root.beginChanges(), /under way/);
  assert.equal(root.endChanges().count, 0);
  root.beginChanges();
  root.makeDir(at("d"), 0o755);
  root.publish(staged(root, "x"), at("d/f"));
  using touched = root.endChanges();
  assert.ok(touched.count >= 2);
});

testEach(
  "a removed and recreated directory is the new one during a run of changes",
  async (root, path) => {
    root.beginChanges();
    root.makeDir(at("d"), 0o755);
    root.publish(staged(root, "1"), at("d/f"));
    root.removeFile(at("d/f"));
    root.removeDir(at("d"));
    root.makeDir(at("d"), 0o755);
    root.publish(staged(root, "2"), at("d/f"));
    root.rename(at("d"), at("e"), { replace: false });
    root.makeDir(at("d"), 0o755);
    root.publish(staged(root, "3"), at("d/f"));
    using touched = root.endChanges();
    await touched.flush();
    assert.equal(Deno.readTextFileSync(`${path}/d/f`), "3");
    assert.equal(Deno.readTextFileSync(`${path}/e/f`), "2");
  },
);

testEach(
  "a run of changes goes back and forth between more directories than it keeps open",
  (root) => {
    const dirs = Array.from({ length: 150 }, (_, i) => `d${i}`);
    for (const dir of dirs) root.makeDir(at(dir), 0o755);
    root.beginChanges();
    for (const name of ["a", "b"]) {
      for (const dir of [...dirs, "d0", "d149", "d0"]) {
        const path = at(`${dir}/${name}`);
        if (root.lstat(path) === undefined) root.symlink(`${dir}-${name}`, path, 0);
        assert.equal(root.readLink(path), `${dir}-${name}`);
      }
    }
    root.rename(at("d0"), at("gone"), { replace: false });
    assert.equal(root.lstat(at("d0/a")), undefined);
    root.makeDir(at("d0"), 0o755);
    assert.equal(root.lstat(at("d0/a")), undefined, "another directory has its path now");
    assert.equal(root.readLink(at("gone/a")), "d0-a");
    root.endChanges()[Symbol.dispose]();
  },
);

testEach("a root keeps no descriptor open", (root) => {
  const open = () => [...Deno.readDirSync("/proc/self/fd")].length;
  root.publish(staged(root, "x"), at("warm"));
  const before = open();
  for (let i = 0; i < 20; i++) {
    root.beginChanges();
    root.makeDir(at(`d${i}`), 0o755);
    using file = staged(root, "x");
    root.publish(file, at(`d${i}/f`));
    root.endChanges()[Symbol.dispose]();
    root.lstat(at(`d${i}/f`));
    root.readSmall(at(`d${i}/f`), new Uint8Array(4));
    root.list(at(`d${i}`));
    using _ = root.openFile(at(`d${i}/f`));
    refuses(["not_found"], () => root.openFile(at("none")));
    refuses(["is_a_directory"], () => root.openFile(at(`d${i}`)));
    refuses(["not_found"], () => root.rename(at("none/x"), at("y/z"), { replace: false }));
    refuses(["not_found"], () => root.chmod(at("none"), 0));
  }
  assert.equal(open(), before);
}, { ignore: Deno.build.os !== "linux" });

for (const implementation of ["linux", "linux-plain"] as const) {
  Deno.test({
    name: `a root that was disposed refuses, whoever has its descriptor now [${implementation}]`,
    ignore: Deno.build.os !== "linux",
    fn: async () => {
      const path = Deno.makeTempDirSync();
      const elsewhere = Deno.makeTempDirSync();
      Deno.writeTextFileSync(`${path}/file`, "hello");
      Deno.writeTextFileSync(`${elsewhere}/file`, "somebody else's");
      const root = openRoot(path, { implementation });
      const file = root.openFile(at("file"));
      const staged = root.stage();
      file[Symbol.dispose]();
      root[Symbol.dispose]();
      root[Symbol.dispose]();
      // It takes the number that is free now.
      using other = openRoot(elsewhere, { implementation });
      refuses(["closed"], () => root.list(""));
      refuses(["closed"], () => root.lstat(""));
      refuses(["closed"], () => root.lstat(at("file")));
      refuses(["closed"], () => root.openFile(at("file")));
      refuses(["closed"], () => root.removeFile(at("file")));
      refuses(["closed"], () => root.rename(at("file"), at("moved"), { replace: false }));
      refuses(["closed"], () => root.chmod("", 0o700));
      refuses(["closed"], () => root.space());
      refuses(["closed"], () => root.stage());
      refuses(["closed"], () => root.publish(staged, at("new")));
      refuses(["closed"], () => file.readAt(new Uint8Array(5), 0));
      staged[Symbol.dispose]();
      refuses(["closed"], () => staged.writeAt(bytes("x"), 0));
      await assert.rejects(root.flushFiles(Array(100).fill(staged)), { reason: "closed" });
      assert.deepEqual(other.list("").entries.map(({ name }) => name), ["file"]);
      Deno.removeSync(path, { recursive: true });
      Deno.removeSync(elsewhere, { recursive: true });
    },
  });
}

testEach(
  "handOver() gives a staged file to another handle of the root, where it can",
  (root, path) => {
    using other = openRoot(path, { implementation: root.implementation });
    const file = staged(root, "hello", { mode: 0o640 });
    const handed = root.handOver(file);
    assert.equal(handed !== undefined, root.implementation !== "portable");
    if (handed === undefined) return file[Symbol.dispose]();
    // The handle is closed: nothing is removed with it.
    file[Symbol.dispose]();
    using taken = other.takeOver(handed);
    taken.writeAt(bytes("J"), 0);
    other.publish(taken, at("a"));
    assert.equal(Deno.readTextFileSync(`${path}/a`), "Jello");
    assert.equal(root.lstat(at("a"))!.mode, 0o640);
    // What is taken over and not published leaves nothing.
    other.takeOver(root.handOver(staged(root, "gone"))!)[Symbol.dispose]();
    assert.deepEqual(tree(path).filter((name) => !name.startsWith(".landropic")), ["a"]);
  },
);

testEach("share() lets another handle write to a staged file, and no more", (root, path) => {
  using other = openRoot(path, { implementation: root.implementation });
  using file = staged(root, "hello");
  const handed = root.share(file);
  if (handed === undefined) return assert.equal(root.implementation, "portable");
  {
    using shared = other.takeOver(handed);
    shared.writeAt(bytes("J"), 0);
  }
  root.publish(file, at("a"));
  assert.equal(Deno.readTextFileSync(`${path}/a`), "Jello");
});

Deno.test("TimeBuffer sets both times, since some file systems do nothing for one alone", () => {
  const times = new TimeBuffer();
  const before = Math.floor(Date.now() / 1000);
  times.set(-1500);
  const [atime, atimeNs, mtime, mtimeNs] = new BigInt64Array(times.bytes.buffer.slice(0, 32));
  assert.ok(Number(atime) >= before && Number(atimeNs) < 1e9);
  assert.deepEqual([mtime, mtimeNs], [-2n, 500_000_000n]);
});
