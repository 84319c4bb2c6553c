import assert from "node:assert/strict";
import {
  type Change,
  type ChangeResult,
  CommitBatch,
  type CommitOptions,
  type CommitStep,
  type Root,
  StoreError,
  type StoreReason,
} from "../../src/store/mod.ts";
import { at, staged, testEach, tree } from "./support.ts";

async function commit(
  root: Root,
  changes: Change[],
  options: CommitOptions = {},
): Promise<ChangeResult[]> {
  using batch = new CommitBatch(root, options);
  for (const change of changes) batch.add(change);
  return await batch.commit();
}

function outcomes(results: ChangeResult[]): string[] {
  return results.map((result) =>
    result.outcome === "done" ? "done" : `${result.outcome}: ${result.error.reason}`
  );
}

/** What is in the trash of today, by path below the day's folder. */
function trashed(path: string): string[] {
  try {
    return [...Deno.readDirSync(`${path}/.landropic/trash`)]
      .flatMap((day) => tree(`${path}/.landropic/trash/${day.name}`)).sort();
  } catch {
    return [];
  }
}

function leftovers(path: string): string[] {
  try {
    return [...Deno.readDirSync(`${path}/.landropic/tmp`)].map((entry) => entry.name)
      .filter((name) => !name.endsWith(".owner"));
  } catch {
    return [];
  }
}

function file(root: Root, path: string, text: string, expected: Change["expected"] = "absent") {
  return { kind: "file", path: at(path), staged: staged(root, text), expected } as const;
}

testEach("commit() creates directories, files and links in the order added", async (root, path) => {
  const results = await commit(root, [
    { kind: "dir", path: at("d"), mode: 0o750, expected: "absent" },
    { kind: "dir", path: at("d/e"), mode: 0o700, expected: "absent" },
    file(root, "d/e/f", "hello"),
    file(root, "empty", ""),
    { kind: "link", path: at("d/l"), target: "e/f", mtimeMs: 5000, expected: "absent" },
  ]);
  assert.deepEqual(outcomes(results), ["done", "done", "done", "done", "done"]);
  assert.deepEqual(tree(path), ["d", "d/e", "d/e/f", "d/l", "empty"]);
  assert.equal(Deno.readTextFileSync(`${path}/d/l`), "hello");
  assert.equal(root.lstat(at("d"))!.mode, 0o750);
  assert.deepEqual(leftovers(path), []);
});

testEach("commit() reports the state that is then on the disk", async (root) => {
  const results = await commit(root, [
    file(root, "new", "hello"),
    { kind: "link", path: at("l"), target: "x", mtimeMs: 5000, expected: "absent" },
  ]);
  const replaced = await commit(root, [file(root, "new", "other", statOf(root, "new"))]);
  for (const result of [results[1]!, replaced[0]!]) {
    assert.ok(result.outcome === "done");
    assert.deepEqual(result.stat, root.lstat(result.change.path));
  }
});

function statOf(root: Root, path: string) {
  const stat = root.lstat(at(path));
  assert.ok(stat, path);
  return stat;
}

for (const keep of ["trash", "versions", "none"] as const) {
  testEach(`commit() replaces a file and keeps the old one: ${keep}`, async (root, path) => {
    Deno.mkdirSync(`${path}/d`);
    Deno.writeTextFileSync(`${path}/d/a`, "old");
    const [result] = await commit(root, [
      { ...file(root, "d/a", "new", statOf(root, "d/a")), keep },
    ]);
    assert.ok(result?.outcome === "done");
    assert.equal(Deno.readTextFileSync(`${path}/d/a`), "new");
    assert.deepEqual(tree(path), ["d", "d/a"]);
    assert.deepEqual(leftovers(path), []);
    if (keep === "none") {
      assert.equal(result.keptAt, undefined);
      assert.deepEqual(trashed(path), []);
    } else {
      assert.match(result.keptAt!, keep === "trash" ? /trash\/[-\d]+\/d\/a$/ : /versions\/d\/a~\d/);
      assert.equal(Deno.readTextFileSync(`${path}/${result.keptAt}`), "old");
    }
  });

  testEach(`commit() deletes files, links and empty directories: ${keep}`, async (root, path) => {
    Deno.mkdirSync(`${path}/d`);
    Deno.writeTextFileSync(`${path}/d/a`, "old");
    Deno.symlinkSync("a", `${path}/d/l`);
    const results = await commit(root, [
      { kind: "remove", path: at("d/a"), expected: statOf(root, "d/a"), keep },
      { kind: "remove", path: at("d/l"), expected: statOf(root, "d/l"), keep },
      { kind: "remove", path: at("d"), expected: statOf(root, "d"), keep },
    ]);
    assert.deepEqual(outcomes(results), ["done", "done", "done"]);
    assert.deepEqual(tree(path), []);
    assert.deepEqual(leftovers(path), []);
    assert.deepEqual(trashed(path), keep === "trash" ? ["d", "d/a", "d/l"] : []);
  });
}

testEach("commit() never overwrites a file that was not expected", async (root, path) => {
  const change = file(root, "a", "ours");
  Deno.writeTextFileSync(`${path}/a`, "theirs");
  Deno.mkdirSync(`${path}/b`);
  Deno.symlinkSync("a", `${path}/l`);
  const results = await commit(root, [
    change,
    file(root, "b", "ours"),
    { kind: "link", path: at("l"), target: "ours", mtimeMs: 0, expected: "absent" },
    file(root, "c", "ours"),
  ]);
  assert.deepEqual(outcomes(results), [
    "changed: changed",
    "changed: changed",
    "changed: changed",
    "done",
  ]);
  assert.equal(Deno.readTextFileSync(`${path}/a`), "theirs");
  assert.equal(Deno.readLinkSync(`${path}/l`), "a");
  assert.deepEqual(leftovers(path), []);
});

const EDITS: Record<string, (path: string) => void> = {
  "edited in place": (path) => Deno.writeTextFileSync(`${path}/a`, "theirs!"),
  "same size, other time": (path) => Deno.utimeSync(`${path}/a`, 1, 1),
  "replaced by a file of the same size and time": (path) => {
    const { mtime } = Deno.statSync(`${path}/a`);
    Deno.writeTextFileSync(`${path}/x`, "xxx");
    Deno.utimeSync(`${path}/x`, mtime!, mtime!);
    Deno.renameSync(`${path}/x`, `${path}/a`);
  },
  "deleted": (path) => Deno.removeSync(`${path}/a`),
  "now a directory": (path) => {
    Deno.removeSync(`${path}/a`);
    Deno.mkdirSync(`${path}/a`);
  },
  "now a link": (path) => {
    Deno.removeSync(`${path}/a`);
    Deno.symlinkSync("/etc/passwd", `${path}/a`);
  },
};

for (const [what, edit] of Object.entries(EDITS)) {
  for (const late of [false, true]) {
    const when = late ? "right after the check" : "since the scan";
    testEach(`commit() leaves a path alone that was ${what} ${when}`, async (root, path) => {
      Deno.writeTextFileSync(`${path}/a`, "old");
      Deno.utimeSync(`${path}/a`, 1_600_000_000, 1_600_000_000);
      const expected = statOf(root, "a");
      if (!late) edit(path);
      const before = late ? undefined : JSON.stringify(root.lstat(at("a")));
      const onStep = (step: CommitStep) => step === "checked" && late && edit(path);
      const results = await commit(root, [
        file(root, "a", "ours", expected),
        file(root, "other", "ours"),
      ], { onStep: (step, of) => of === "a" && onStep(step) });
      assert.deepEqual(outcomes(results), ["changed: changed", "done"]);
      if (before !== undefined) assert.equal(JSON.stringify(root.lstat(at("a"))), before);
      else assert.notEqual(root.lstat(at("a"))?.size, "ours".length);
      assert.deepEqual(leftovers(path), []);
      assert.deepEqual(trashed(path), []);
    });
  }
}

testEach("commit() puts back a file that changed while it was deleted", async (root, path) => {
  Deno.writeTextFileSync(`${path}/a`, "old");
  const expected = statOf(root, "a");
  const results = await commit(root, [{ kind: "remove", path: at("a"), expected }], {
    onStep: (step) => step === "checked" && Deno.writeTextFileSync(`${path}/a`, "edited"),
  });
  assert.deepEqual(outcomes(results), ["changed: changed"]);
  assert.equal(Deno.readTextFileSync(`${path}/a`), "edited");
  assert.deepEqual(trashed(path), []);
});

testEach("commit() turns any kind into any other, the old one kept", async (root, path) => {
  const make: Record<string, (name: string) => void> = {
    file: (name) => Deno.writeTextFileSync(`${path}/${name}`, "old"),
    dir: (name) => Deno.mkdirSync(`${path}/${name}`),
    link: (name) => Deno.symlinkSync("old", `${path}/${name}`),
  };
  const into: Record<string, (name: string) => Change> = {
    file: (name) => file(root, name, "new", statOf(root, name)),
    dir: (name) => ({ kind: "dir", path: at(name), mode: 0o755, expected: statOf(root, name) }),
    link: (name) => ({
      kind: "link",
      path: at(name),
      target: "new",
      mtimeMs: 7000,
      expected: statOf(root, name),
    }),
  };
  const changes: Change[] = [];
  for (const from of Object.keys(make)) {
    for (const to of Object.keys(into)) {
      make[from]!(`${from}-${to}`);
      changes.push(into[to]!(`${from}-${to}`));
    }
  }
  const results = await commit(root, changes);
  assert.deepEqual(new Set(outcomes(results)), new Set(["done"]));
  for (const { change } of results) {
    const to = change.path.split("-")[1];
    assert.equal(root.lstat(change.path)!.kind, to, change.path);
  }
  assert.deepEqual(trashed(path), [
    "file-dir",
    "file-file",
    "file-link",
    "link-dir",
    "link-file",
    "link-link",
  ]);
  assert.deepEqual(leftovers(path), []);
});

testEach("commit() keeps a directory with something in it", async (root, path) => {
  for (const name of ["removed", "to-file", "to-link"]) {
    Deno.mkdirSync(`${path}/${name}`);
    Deno.writeTextFileSync(`${path}/${name}/ignored`, "precious");
  }
  const results = await commit(root, [
    { kind: "remove", path: at("removed"), expected: statOf(root, "removed") },
    file(root, "to-file", "new", statOf(root, "to-file")),
    {
      kind: "link",
      path: at("to-link"),
      target: "x",
      mtimeMs: 0,
      expected: statOf(root, "to-link"),
    },
  ]);
  assert.deepEqual(new Set(outcomes(results)), new Set(["failed: not_empty"]));
  for (const name of ["removed", "to-file", "to-link"]) {
    assert.equal(Deno.readTextFileSync(`${path}/${name}/ignored`), "precious");
  }
  assert.deepEqual(leftovers(path), []);
});

testEach("commit() strips setuid, setgid and sticky bits of files", async (root) => {
  const special = root.stage();
  special.finish({ mode: 0o6755, mtimeMs: 0 });
  const direct = root.stage(0o6755);
  direct.finish({ mode: 0o7755, mtimeMs: 0 });
  await commit(root, [
    { kind: "file", path: at("a"), staged: special, expected: "absent" },
    { kind: "file", path: at("b"), staged: direct, expected: "absent" },
    { kind: "dir", path: at("d"), mode: 0o7777, expected: "absent" },
  ]);
  assert.equal(statOf(root, "a").mode, 0o755);
  assert.equal(statOf(root, "b").mode, 0o755);
  assert.equal(statOf(root, "d").mode, 0o777);
  await commit(root, [
    { kind: "attributes", path: at("a"), mode: 0o4711, expected: statOf(root, "a") },
  ]);
  assert.equal(statOf(root, "a").mode, 0o711);
});

testEach("commit() gives exactly the mode asked for, whatever the umask", async (root) => {
  const modes = [0o777, 0o666, 0o644, 0o600, 0o400, 0o000, 0o1, 0o755];
  const results = await commit(
    root,
    modes.map((mode) => {
      const each = root.stage(mode);
      each.finish({ mode, mtimeMs: 0 });
      return { kind: "file", path: at(`m${mode}`), staged: each, expected: "absent" };
    }),
  );
  assert.deepEqual(
    results.map((result) => result.outcome === "done" ? result.stat!.mode : undefined),
    modes,
  );
});

testEach("commit() keeps times to the millisecond, before 1970 and far ahead", async (root) => {
  const times = [
    0,
    1,
    999,
    1000,
    -1,
    -1000,
    -1001,
    -86_400_123,
    1_700_000_000_999,
    4_102_444_800_001,
  ];
  const results = await commit(
    root,
    times.map((mtimeMs) => ({
      kind: "file",
      path: at(`t${mtimeMs}`),
      staged: staged(root, "x", { mtimeMs }),
      expected: "absent",
    })),
  );
  assert.deepEqual(
    results.map((result) => result.outcome === "done" ? result.stat!.mtimeMs : undefined),
    times,
  );
  assert.deepEqual(times.map((mtimeMs) => statOf(root, `t${mtimeMs}`).mtimeMs), times);
});

testEach(
  "commit() sets mode and time alone, if the file is the one expected",
  async (root, path) => {
    Deno.writeTextFileSync(`${path}/a`, "x", { mode: 0o600 });
    const expected = statOf(root, "a");
    const results = await commit(root, [
      { kind: "attributes", path: at("a"), expected, mode: 0o640, mtimeMs: 123_456 },
      { kind: "attributes", path: at("a"), expected, mode: 0o777 },
    ]);
    assert.deepEqual(outcomes(results), ["done", "changed: changed"]);
    assert.deepEqual([statOf(root, "a").mode, statOf(root, "a").mtimeMs], [0o640, 123_456]);
  },
);

testEach("commit() moves files and directories where nothing is", async (root, path) => {
  Deno.mkdirSync(`${path}/d`);
  Deno.writeTextFileSync(`${path}/d/a`, "x");
  Deno.writeTextFileSync(`${path}/taken`, "y");
  const results = await commit(root, [
    { kind: "move", from: at("d"), path: at("e"), expected: statOf(root, "d") },
    { kind: "move", from: at("e/a"), path: at("taken"), expected: statOf(root, "d/a") },
    { kind: "move", from: at("e/a"), path: at("b"), expected: statOf(root, "d/a") },
  ]);
  assert.deepEqual(outcomes(results), ["done", "changed: changed", "done"]);
  assert.deepEqual(tree(path), ["b", "e", "taken"]);
  assert.equal(Deno.readTextFileSync(`${path}/taken`), "y");
});

testEach("commit() goes on after a failure that concerns one path", async (root, path) => {
  Deno.writeTextFileSync(`${path}/file`, "x");
  const results = await commit(root, [
    file(root, "file/below", "x"),
    file(root, "missing/below", "x"),
    file(root, "n".repeat(256), "x"),
    file(root, "good", "x"),
  ]);
  assert.deepEqual(outcomes(results), [
    "failed: not_a_directory",
    "failed: not_found",
    "failed: name_too_long",
    "done",
  ]);
});

testEach("commit() breaks a hard link instead of writing through it", async (root, path) => {
  Deno.writeTextFileSync(`${path}/a`, "old");
  Deno.linkSync(`${path}/a`, `${path}/twin`);
  await commit(root, [file(root, "a", "new", statOf(root, "a"))]);
  assert.equal(Deno.readTextFileSync(`${path}/twin`), "old");
});

/** A root that writes down what is asked of it, and fails where told. */
function recorded(
  root: Root,
  log: string[],
  failing?: { call: string; reason: StoreReason },
): Root {
  return new Proxy(root, {
    get(target, key) {
      const value = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      return (...given: unknown[]) => {
        log.push(String(key));
        if (failing?.call === key) throw new StoreError(failing.reason, "Cannot, as told");
        const result = value.apply(target, given);
        if (key !== "endChanges") return result;
        return {
          ...result,
          flush: async () => {
            log.push("flushDirs");
            await result.flush();
          },
        };
      };
    },
  });
}

testEach(
  "commit() makes data durable before names, and names before it returns",
  async (root, path) => {
    Deno.writeTextFileSync(`${path}/a`, "old");
    Deno.writeTextFileSync(`${path}/b`, "old");
    root.features();
    const steps: string[] = [];
    const log: string[] = [];
    const changes: Change[] = [
      file(root, "a", "new", statOf(root, "a")),
      file(root, "new", "new"),
      { kind: "remove", path: at("b"), expected: statOf(root, "b") },
    ];
    await commit(recorded(root, log), changes, {
      onStep: (step, path) => steps.push(path === undefined ? step : `${step} ${path}`),
    });
    assert.deepEqual(steps, [
      "staged a",
      "staged new",
      "flushed",
      "checked a",
      "old_moved a",
      "renamed a",
      "checked new",
      "renamed new",
      "checked b",
      "old_moved b",
      "renamed b",
      "dirs_flushed",
    ]);
    const order = log.filter((call) =>
      ["flushFiles", "publish", "exchange", "rename", "flushDirs"].includes(call)
    );
    assert.equal(order[0], "flushFiles");
    assert.equal(order.indexOf("flushDirs"), order.length - 1);
    assert.ok(order.length >= 5);
  },
);

testEach("commit() changes nothing when the data can't be flushed", async (root, path) => {
  Deno.writeTextFileSync(`${path}/a`, "old");
  const log: string[] = [];
  const failing = recorded(root, log, { call: "flushFiles", reason: "io" });
  const results = await commit(failing, [
    file(root, "a", "new", statOf(root, "a")),
    { kind: "remove", path: at("a"), expected: statOf(root, "a") },
  ]);
  assert.deepEqual(outcomes(results), ["failed: io", "failed: io"]);
  assert.equal(Deno.readTextFileSync(`${path}/a`), "old");
  assert.equal(log.filter((call) => call === "flushFiles").length, 1);
  assert.deepEqual(leftovers(path), []);
});

testEach("commit() stops at a full disk", async (root, path) => {
  const failing = recorded(root, [], { call: "publish", reason: "no_space" });
  const results = await commit(failing, [file(root, "a", "x"), file(root, "b", "x")]);
  assert.deepEqual(outcomes(results), ["failed: no_space", "failed: no_space"]);
  assert.deepEqual(tree(path), []);
});

testEach("commit() without fsync flushes nothing", async (root) => {
  const log: string[] = [];
  await commit(recorded(root, log), [file(root, "a", "x")], { fsync: false });
  assert.ok(!log.includes("flushFiles") && !log.includes("flushDirs"), log.join());
});

testEach("a batch that is not committed leaves nothing behind", (root, path) => {
  {
    using batch = new CommitBatch(root);
    batch.add(file(root, "a", "x"));
    assert.equal(batch.size, 1);
    assert.equal(batch.bytes, 1);
  }
  assert.deepEqual(tree(path), []);
  assert.deepEqual(leftovers(path), []);
});

testEach(
  "commit() handles more files and directories than are flushed one by one",
  async (root, path) => {
    const changes: Change[] = [];
    for (let i = 0; i < 200; i++) {
      changes.push({ kind: "dir", path: at(`d${i}`), mode: 0o755, expected: "absent" });
      changes.push(file(root, `d${i}/f`, `content ${i}`));
    }
    const results = await commit(root, changes);
    assert.deepEqual(new Set(outcomes(results)), new Set(["done"]));
    assert.equal(Deno.readTextFileSync(`${path}/d199/f`), "content 199");
  },
);
