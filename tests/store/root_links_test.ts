import assert from "node:assert/strict";
import type { Root } from "../../src/store/mod.ts";
import { at, refuses, staged, testEach } from "./support.ts";

/** Runs with a folder outside the root that holds `secret` and `dir/`, and must not change. */
function withOutside(run: (outside: string) => void): void {
  const outside = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(`${outside}/secret`, "secret", { mode: 0o600 });
    Deno.mkdirSync(`${outside}/dir`);
    const before = JSON.stringify(snapshot(outside));
    run(outside);
    assert.equal(JSON.stringify(snapshot(outside)), before, "something outside has changed");
  } finally {
    Deno.removeSync(outside, { recursive: true });
  }
}

function snapshot(dir: string): unknown[] {
  return [...Deno.readDirSync(dir)].sort((a, b) => a.name < b.name ? -1 : 1).map((entry) => {
    const { mode, mtime, size } = Deno.lstatSync(`${dir}/${entry.name}`);
    return [entry.name, entry.isDirectory, mode, mtime, size];
  });
}

const OPERATIONS: Record<string, (root: Root) => void> = {
  list: (root) => root.list(at("planted/dir")),
  "list itself": (root) => root.list(at("planted")),
  readLink: (root) => root.readLink(at("planted/secret")),
  openFile: (root) => root.openFile(at("planted/secret")),
  readSmall: (root) => root.readSmall(at("planted/secret"), new Uint8Array(9)),
  makeDir: (root) => root.makeDir(at("planted/new"), 0o755),
  removeDir: (root) => root.removeDir(at("planted/dir")),
  removeFile: (root) => root.removeFile(at("planted/secret")),
  symlink: (root) => root.symlink("x", at("planted/new"), 0),
  chmod: (root) => root.chmod(at("planted/secret"), 0o777),
  setTimes: (root) => root.setTimes(at("planted/secret"), 0),
  "rename out": (root) => root.rename(at("mine"), at("planted/new"), { replace: true }),
  "rename in": (root) => root.rename(at("planted/secret"), at("new"), { replace: false }),
  link: (root) => root.link(at("planted/secret"), at("new")),
  publish: (root) => {
    using file = staged(root, "x");
    root.publish(file, at("planted/new"));
  },
};

for (const [name, operate] of Object.entries(OPERATIONS)) {
  testEach(`${name} refuses a parent that is a symbolic link`, (root, path) => {
    withOutside((outside) => {
      Deno.writeTextFileSync(`${path}/mine`, "mine");
      Deno.symlinkSync(outside, `${path}/planted`);
      refuses(["symlink", "not_a_directory"], () => operate(root));
      assert.equal(Deno.readTextFileSync(`${path}/mine`), "mine");
    });
  });
}

testEach("openFile() refuses a symbolic link, even one to a file in the share", (root, path) => {
  Deno.writeTextFileSync(`${path}/file`, "x");
  Deno.symlinkSync("file", `${path}/link`);
  refuses(["symlink"], () => root.openFile(at("link")));
  refuses(["symlink"], () => root.readSmall(at("link"), new Uint8Array(4)));
});

testEach("lstat() sees nothing beneath a symbolic link", (root, path) => {
  withOutside((outside) => {
    Deno.symlinkSync(outside, `${path}/planted`);
    assert.equal(root.lstat(at("planted/secret")), undefined);
    assert.equal(root.lstat(at("planted"))!.kind, "link");
  });
});

testEach(
  "a directory swapped for a link during a run of changes redirects nothing",
  (root, path) => {
    withOutside((outside) => {
      root.makeDir(at("dir"), 0o755);
      root.beginChanges();
      root.publish(staged(root, "first"), at("dir/first"));
      Deno.renameSync(`${path}/dir`, `${path}/elsewhere`);
      Deno.symlinkSync(outside, `${path}/dir`);
      using second = staged(root, "second");
      try {
        // Into the directory that was meant, wherever it is by now, or not at all.
        root.publish(second, at("dir/second"));
      } catch (error) {
        assert.match(String(error), /symbolic link|not a directory/);
      }
      root.endChanges()[Symbol.dispose]();
    });
  },
);

testEach("stage() refuses when landropic's own folder is a symbolic link", (root, path) => {
  withOutside((outside) => {
    Deno.symlinkSync(outside, `${path}/.landropic`);
    refuses(["symlink", "not_a_directory"], () => root.stage());
  });
});

testEach("stage() refuses when the folder for staged files is a symbolic link", (root, path) => {
  withOutside((outside) => {
    Deno.mkdirSync(`${path}/.landropic`);
    Deno.symlinkSync(outside, `${path}/.landropic/tmp`);
    refuses(["symlink", "not_a_directory"], () => root.stage());
  });
});

testEach(
  "symlink() keeps target and time, and loops and dangling links do no harm",
  (root, path) => {
    const mtimeMs = 1_234_567_890_123;
    for (
      const [name, target] of [["loop", "loop"], ["up", "../.."], ["ä", "dangling/ö"]] as const
    ) {
      root.symlink(target, at(name), mtimeMs);
      assert.equal(root.readLink(at(name)), target);
      assert.equal(root.lstat(at(name))!.mtimeMs, mtimeMs);
      assert.equal(root.lstat(at(name))!.kind, "link");
    }
    assert.equal(root.list("").entries.filter((entry) => entry.kind === "link").length, 3);
    assert.equal(Deno.readLinkSync(`${path}/up`), "../..");
    refuses(["exists"], () => root.symlink("x", at("loop"), 0));
  },
);

testEach("setTimes() sets the time of a link, not of what it leads to", (root, path) => {
  Deno.writeTextFileSync(`${path}/file`, "x");
  const before = root.lstat(at("file"))!.mtimeMs;
  Deno.symlinkSync("file", `${path}/link`);
  root.setTimes(at("link"), 1_000_000_000_001);
  assert.equal(root.lstat(at("link"))!.mtimeMs, 1_000_000_000_001);
  assert.equal(root.lstat(at("file"))!.mtimeMs, before);
});

testEach("chmod() refuses a link and leaves its target alone", (root, path) => {
  Deno.writeTextFileSync(`${path}/file`, "x", { mode: 0o600 });
  Deno.symlinkSync("file", `${path}/link`);
  refuses(["unsupported"], () => root.chmod(at("link"), 0o777));
  assert.equal(root.lstat(at("file"))!.mode, 0o600);
});
