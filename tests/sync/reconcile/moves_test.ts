import assert from "node:assert/strict";
import { Device, lines, picture, planFor, sync, Users } from "./model.ts";

function pair(...files: string[]) {
  const users = new Users();
  const [a, b] = [new Device("a"), new Device("b")];
  for (const path of files) {
    if (path.endsWith("/")) users.mkdir(a, path.slice(0, -1));
    else users.write(a, path);
  }
  sync(a, b);
  return { users, a, b };
}

Deno.test("Reconciler renames a file, and counts no deletion", () => {
  const { users, a, b } = pair("x", "y");
  users.move(a, "x", "z");
  const { plan, failed } = sync(a, b);
  assert.deepEqual(lines(plan), ["R>f x -> z"]);
  assert.deepEqual([failed, plan.deletions.remote, plan.bytesToSend, plan.renames], [[], 0, 0, 1]);
  assert.deepEqual(picture(a), picture(b));
});

Deno.test("Reconciler renames a directory as a whole, without looking into the new one", () => {
  const files = Array.from({ length: 50 }, (_, i) => `d/e/${i}`);
  const { users, a, b } = pair("d/", "d/e/", ...files, "d/l");
  users.move(a, "d", "moved");
  const { plan } = planFor(b, a);
  assert.deepEqual(lines(plan), ["R<d d -> moved"]);
  assert.equal(plan.local.length, 1);
  sync(b, a);
  assert.deepEqual(picture(a), picture(b));
  assert.deepEqual(lines(planFor(a, b).plan), [], "and remembers it");
  users.write(b, "moved/e/7");
  assert.deepEqual(lines(sync(a, b).plan), ["M<f moved/e/7"]);
});

Deno.test("Reconciler moves what it can of a directory that changed on the way", () => {
  const { users, a, b } = pair("d/", "d/same/", "d/same/x", "d/y", "d/z");
  users.move(a, "d", "new");
  users.write(a, "new/z");
  const { plan, failed } = sync(a, b);
  assert.deepEqual(failed, []);
  assert.deepEqual(lines(plan), [
    "->d d",
    "->f d/z",
    "+>d new",
    "R>d d/same -> new/same",
    "R>f d/y -> new/y",
    "+>f new/z",
  ]);
  assert.deepEqual(picture(a), picture(b));
});

Deno.test("Reconciler moves no directory whose contents only look the same", () => {
  const { users, a, b } = pair("d/", "d/x");
  const old = a.nodes.get("d/x");
  assert.ok(old?.kind === "file");
  users.remove(a, "d");
  users.mkdir(a, "new");
  users.write(a, "new/x", old.content.toUpperCase());
  a.nodes.set("new/x", { ...a.nodes.get("new/x")!, mtimeMs: old.mtimeMs } as typeof old);
  const { plan } = sync(a, b);
  assert.deepEqual(lines(plan), ["->d d", "->f d/x", "+>d new", "+>f new/x"]);
  assert.deepEqual(picture(a), picture(b));
});

Deno.test("Reconciler moves no directory under which something is ignored", () => {
  const { users, a, b } = pair("d/", "d/x", "d/y");
  users.write(b, "d/cache");
  b.opaque.add("d/cache");
  users.move(a, "d", "new");
  const { failed } = sync(a, b);
  assert.deepEqual(failed, []);
  assert.deepEqual(b.paths("file"), ["d/cache", "new/x", "new/y"]);
});

Deno.test("Reconciler moves no directory to where something in it would be ignored", () => {
  const { users, a, b } = pair("d/", "d/x", "d/y");
  users.move(a, "d", "new");
  const { plan } = planFor(a, b, { isIgnored: (path) => path === "new/y" });
  assert.deepEqual(lines(plan), ["->d d", "->f d/y", "+>d new", "R>f d/x -> new/x"]);
});

Deno.test("Reconciler tells like directories apart by their contents, in one round", () => {
  const dirs = Array.from({ length: 20 }, (_, i) => `d${i}`);
  const { users, a, b } = pair(...dirs.map((dir) => `${dir}/`));
  for (const device of [a, b]) {
    for (const [i, dir] of dirs.entries()) {
      const content = String.fromCharCode(97 + i);
      device.nodes.set(`${dir}/x`, { kind: "file", content, size: 1, mtimeMs: 5, mode: 0o644 });
    }
  }
  sync(a, b);
  for (const dir of dirs) users.move(a, dir, `new-${dir}`);
  const { plan, rounds } = planFor(a, b);
  assert.deepEqual(lines(plan), dirs.map((dir) => `R>d ${dir} -> new-${dir}`).sort(byTarget));
  assert.ok(rounds <= 3, `${rounds} rounds`);
});

Deno.test("Reconciler copies what the target has elsewhere", () => {
  const { users, a, b } = pair("x", "d/", "d/y");
  users.copy(a, "x", "z");
  users.mkdir(a, "e");
  users.copy(a, "d/y", "e/y");
  const { plan, failed } = sync(a, b);
  assert.deepEqual(failed, []);
  assert.deepEqual(lines(plan), ["+>d e", "+>f e/y", "+>f z"]);
  assert.deepEqual(plan.remote.map(({ op }) => op).sort(), ["copy-file", "copy-file", "make-dir"]);
  assert.equal(plan.bytesToSend, 0);
  assert.deepEqual(picture(a), picture(b));
});

Deno.test("Reconciler copies what the target has also where that is replaced, or touched", () => {
  for (const kind of ["push", "pull"] as const) {
    const { users, a, b } = pair("log", "other");
    const [source, target] = kind === "push" ? [a, b] : [b, a];
    const old = source.nodes.get("log")!;
    users.copy(source, "log", "log.1");
    users.write(source, "log", "x".repeat(old.kind === "file" ? old.size : 0));
    users.copy(source, "other", "other.1");
    users.touch(source, "other");
    const { plan, failed } = sync(a, b, { direction: { kind, deletes: true } });
    assert.deepEqual(failed, []);
    const to = kind === "push" ? ">" : "<";
    assert.deepEqual(lines(plan), [
      `M${to}f log`,
      `+${to}f log.1`,
      `m${to}f other`,
      `+${to}f other.1`,
    ]);
    const operations = kind === "push" ? plan.remote : plan.local;
    assert.deepEqual(operations.map(({ op }) => op).sort(), [
      "copy-file",
      "copy-file",
      "set-attributes",
      "write-file",
    ]);
    assert.deepEqual(picture(target), picture(source));
  }
});

Deno.test("Reconciler copies a renamed directory where one way nothing is deleted", () => {
  const { users, a, b } = pair("d/", "d/e/", "d/e/x", "d/y");
  users.move(a, "d", "new");
  const { plan, failed } = sync(a, b, { direction: { kind: "push", deletes: false } });
  assert.deepEqual(failed, []);
  assert.deepEqual(plan.remote.map(({ op }) => op), [
    "make-dir",
    "make-dir",
    "copy-file",
    "copy-file",
  ]);
  assert.deepEqual(b.paths("file"), ["d/e/x", "d/y", "new/e/x", "new/y"]);
});

Deno.test("Reconciler tells very many files of one size and time apart by their contents", () => {
  const { users, a, b } = pair("d/", "e/");
  const names = Array.from({ length: 150 }, (_, i) => `f${String(i).padStart(3, "0")}`);
  for (const device of [a, b]) {
    for (const [i, name] of names.entries()) {
      const content = String(100 + i % 50);
      device.nodes.set(`d/${name}`, { kind: "file", content, size: 3, mtimeMs: 5, mode: 0o644 });
    }
  }
  sync(a, b);
  // Of each content one keeps its name, and one more file appears.
  for (const [i, name] of names.entries()) {
    users.move(a, `d/${name}`, i < 50 ? `e/${name}` : `e/new-${name}`);
    if (i < 50) users.copy(a, `e/${name}`, `e/other-${name}`);
  }
  const { plan, failed } = sync(a, b);
  assert.deepEqual(failed, []);
  assert.deepEqual([plan.bytesToSend, plan.renames, plan.deletions.remote], [0, 150, 0]);
  assert.equal(plan.remote.filter(({ op }) => op === "copy-file").length, 50);
  const kept = names.slice(0, 50).map((name) => `R>f d/${name} -> e/${name}`);
  assert.deepEqual(lines(plan).filter((line) => / -> e\/f/.test(line)), kept);
  assert.deepEqual(picture(a), picture(b));
  assert.deepEqual(lines(planFor(b, a).plan), [], "and remembers it");
});

Deno.test("Reconciler takes a move for undone whose new mode could not be set", () => {
  const { users, a, b } = pair("x", "y");
  users.move(a, "x", "z");
  const z = a.nodes.get("z")!;
  assert.ok(z.kind === "file");
  a.nodes.set("z", { ...z, mode: 0o600 });
  const { plan } = planFor(a, b);
  assert.deepEqual(plan.remote.map(({ op }) => op), ["move", "set-attributes"]);
  const old = a.ancestors.get("b")!;
  for (const done of [0, 1]) {
    const { root, stamps } = plan.settle((_, index) => index === done);
    assert.deepEqual(root, old);
    assert.equal(stamps.remote.length, 0);
  }
  assert.notDeepEqual(plan.settle(() => true).root, old);
});

Deno.test("Reconciler renames empty files only by their names", () => {
  const { users, a, b } = pair("d/", "d/x", "d/y", "e/");
  for (const device of [a, b]) {
    for (const path of ["d/x", "d/y"]) {
      device.nodes.set(path, { kind: "file", content: "", size: 0, mtimeMs: 5, mode: 0o644 });
    }
  }
  sync(a, b);
  users.move(a, "d/x", "e/x");
  users.move(a, "d/y", "e/other");
  assert.deepEqual(lines(sync(a, b).plan), ["->f d/y", "+>f e/other", "R>f d/x -> e/x"]);
  assert.deepEqual(picture(a), picture(b));
});

Deno.test("Reconciler carries a rename and an edit of the old file on the other side", () => {
  const { users, a, b } = pair("x");
  users.move(a, "x", "y");
  users.write(b, "x");
  const { failed } = sync(a, b);
  assert.deepEqual(failed, []);
  assert.deepEqual(a.paths("file"), ["x", "y"]);
  assert.deepEqual(picture(a), picture(b));
});

Deno.test("Reconciler keeps both names where both sides renamed the same file", () => {
  const { users, a, b } = pair("x");
  users.move(a, "x", "y");
  users.move(b, "x", "z");
  const { plan } = sync(a, b);
  assert.deepEqual(plan.bytesToSend + plan.bytesToReceive, 0, "each is a copy of the other");
  assert.deepEqual(a.paths("file"), ["y", "z"]);
  assert.deepEqual(picture(a), picture(b));
});

Deno.test("Reconciler orders moves before deletions, and copies before what overwrites their source", () => {
  const { users, a, b } = pair("log", "log.1", "d/", "d/keep");
  // Rotation: log.1 gets what log was, and log is new.
  a.nodes.set("log.1", a.nodes.get("log")!);
  users.write(a, "log");
  users.move(a, "d/keep", "kept");
  users.remove(a, "d");
  const { plan, failed } = sync(a, b, { direction: { kind: "push", deletes: true } });
  assert.deepEqual(failed, []);
  const order = plan.remote.map((_, index) => plan.phaseOf({ side: "remote", index }));
  assert.deepEqual([...order], [...order].sort((x, y) => PHASES.indexOf(x) - PHASES.indexOf(y)));
  assert.deepEqual(picture(a), picture(b));
});

const PHASES = [
  "clear",
  "dirs",
  "moves",
  "copies",
  "contents",
  "links",
  "attributes",
  "deletes",
  "dir-attributes",
];

function byTarget(x: string, y: string): number {
  return x.split(" -> ")[1]! < y.split(" -> ")[1]! ? -1 : 1;
}
