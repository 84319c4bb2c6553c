import assert from "node:assert/strict";
import { equalBytes } from "../../../src/base/bytes.ts";
import { type Digest, digestKey } from "../../../src/base/digest.ts";
import {
  decodePage,
  type DirEntry,
  EMPTY_SHAPE,
  encodePage,
  type Entry,
  type FileEntry,
  shapeOf,
} from "../../../src/base/tree.ts";
import { vectorMember } from "../../../src/base/version_vector.ts";
import {
  DIRS_AT_ONCE,
  EMPTY_VIEW,
  QUESTIONS_AT_ONCE,
  ReconcileError,
  type ReconcileOptions,
  Reconciler,
} from "../../../src/sync/reconcile/mod.ts";
import { Device, lines, planFor, sync, Users } from "./model.ts";

const devices = {
  local: { member: vectorMember("a", "1"), shortId: "AAAAAAA" },
  remote: { member: vectorMember("b", "1"), shortId: "BBBBBBB" },
};
const TWO_WAY = { kind: "two-way", conflicts: "keep-both" } as const;
const file = (name: string, mtimeMs = 1): FileEntry => ({
  kind: "file",
  name,
  mode: 0o644,
  size: 1,
  mtimeMs,
});
const shape = (entries: readonly Entry[]): Digest => shapeOf(encodePage(entries));

function reconciler(local: readonly Entry[], remote: Digest, more: Partial<ReconcileOptions> = {}) {
  return new Reconciler({
    local: {
      root: shape(local),
      device: devices.local,
      dir: () => ({ ...EMPTY_VIEW, entries: local }),
    },
    remote: { root: remote, device: devices.remote },
    direction: TWO_WAY,
    ...more,
  });
}

Deno.test("Reconciler is done at once where the roots are equal", () => {
  const walk = reconciler([file("x")], shape([file("x")]));
  assert.deepEqual(walk.pollNeeds(), { dirs: [], digests: [], isDone: true });
  const settled = walk.finish().settle(() => false);
  assert.ok(equalBytes(settled.root, shape([file("x")])));
  assert.deepEqual(settled.adopted, [settled.root]);
});

Deno.test("Reconciler names each need once, and no plan before they are met", () => {
  const remote = [file("x", 2)];
  const walk = reconciler([file("x")], shape(remote));
  assert.deepEqual(walk.pollNeeds().dirs, [{ path: "", shape: shape(remote) }]);
  assert.deepEqual(walk.pollNeeds(), { dirs: [], digests: [], isDone: false });
  assert.throws(() => walk.finish());
  walk.handleDir("", () => ({ ...EMPTY_VIEW, entries: remote }));
  const { digests } = walk.pollNeeds();
  assert.deepEqual(digests.map(({ side, path }) => `${side} ${path}`), ["local x", "remote x"]);
  walk.handleDigest(digests[0]!, new Uint8Array(32));
  assert.equal(walk.pollNeeds().isDone, false);
  walk.handleDigest(digests[1]!, new Uint8Array(32));
  assert.equal(walk.pollNeeds().isDone, true);
  assert.deepEqual(lines(walk.finish()), ["m>f x"].map((line) => line.replace(">", "<")));
});

Deno.test("Reconciler plans a directory at a time, so that a large plan keeps nobody waiting", () => {
  const count = 30;
  const inside = [file("x"), file("y")];
  const top = Array.from(
    { length: count },
    (_, i) => ({ kind: "dir" as const, name: `d${10 + i}`, mode: 0o755, shape: shape(inside) }),
  );
  let looks = 0;
  // Nothing stays at hand, so that each look at a directory is counted.
  const walk = reconciler([], shape(top), { dirsAtHand: 0 });
  for (let needs; !(needs = walk.pollNeeds()).isDone;) {
    for (const { path } of needs.dirs) {
      const entries = path === "" ? top : inside;
      walk.handleDir(path, () => (looks++, { ...EMPTY_VIEW, entries }));
    }
  }
  const steps: number[] = [];
  const planning = walk.planning();
  for (;;) {
    looks = 0;
    const step = planning.next();
    steps.push(looks);
    if (!step.done) continue;
    assert.equal(step.value.local.length, count * 3);
    break;
  }
  assert.equal(steps.length, count + 2, "one for each directory and the root, and the end");
  assert.ok(steps.every((looks) => looks <= 2), `looks in each step: ${steps}`);
});

Deno.test("Reconciler gives up on a tree that names itself into infinity", () => {
  // Each directory holds the one below twice: 2^100 files in 100 pages.
  let entries: readonly Entry[] = [file("x")];
  const pages = new Map<string, readonly Entry[]>();
  for (let depth = 0; depth < 100; depth++) {
    pages.set(digestKey(shape(entries)), entries);
    const below: Omit<DirEntry, "name"> = { kind: "dir", mode: 0o755, shape: shape(entries) };
    entries = [{ ...below, name: "a" }, { ...below, name: "b" }];
  }
  pages.set(digestKey(shape(entries)), entries);
  const walk = reconciler([], shape(entries), { entriesMax: 10_000 });
  assert.throws(() => {
    for (let needs; !(needs = walk.pollNeeds()).isDone;) {
      for (const { path, shape } of needs.dirs) {
        walk.handleDir(path, () => ({ ...EMPTY_VIEW, entries: pages.get(digestKey(shape))! }));
      }
    }
  }, ReconcileError);
});

Deno.test("Reconciler asks for many digests and directories in portions, each once", () => {
  const count = QUESTIONS_AT_ONCE + 10;
  const names = Array.from({ length: count }, (_, i) => `f${String(i).padStart(6, "0")}`);
  const files = (mtimeMs: number) => names.map((name) => ({ ...file(name), mtimeMs }));
  const walk = reconciler(files(1), shape(files(2)));
  walk.pollNeeds();
  walk.handleDir("", () => ({ ...EMPTY_VIEW, entries: files(2) }));
  const asked = new Set<string>();
  const portions: number[] = [];
  for (let needs; !(needs = walk.pollNeeds()).isDone;) {
    portions.push(needs.digests.length);
    for (const question of needs.digests) {
      const key = `${question.side} ${question.path}`;
      assert.ok(!asked.has(key), `${key} asked for twice`);
      asked.add(key);
      walk.handleDigest(question, new Uint8Array(32));
    }
  }
  assert.deepEqual(portions, [QUESTIONS_AT_ONCE, QUESTIONS_AT_ONCE, 20]);
  assert.equal(asked.size, count * 2);
  const folders = (shape: Digest) =>
    names.map((name) => ({ kind: "dir" as const, name, mode: 0o755, shape }));
  const inside = shape([file("x")]);
  const dirs = reconciler([], shape(folders(inside)));
  dirs.pollNeeds();
  dirs.handleDir("", () => ({ ...EMPTY_VIEW, entries: folders(inside) }));
  const fetched: number[] = [];
  for (let needs; !(needs = dirs.pollNeeds()).isDone;) {
    fetched.push(needs.dirs.length);
    for (const { path } of needs.dirs) {
      dirs.handleDir(path, () => ({ ...EMPTY_VIEW, entries: [file("x")] }));
    }
  }
  assert.deepEqual(fetched, [DIRS_AT_ONCE, count - DIRS_AT_ONCE]);
  assert.equal(dirs.finish().local.length, count * 2);
});

Deno.test("Reconciler takes a lost page of the ancestor for no ancestor: a union, and no deletes", () => {
  const walk = reconciler([file("a")], shape([file("b")]), {
    ancestor: { root: shape([file("a"), file("b")]), entries: () => undefined },
  });
  walk.pollNeeds();
  walk.handleDir("", () => ({ ...EMPTY_VIEW, entries: [file("b")] }));
  for (const question of walk.pollNeeds().digests) walk.handleDigest(question, undefined);
  walk.pollNeeds();
  assert.deepEqual(lines(walk.finish()), ["+>f a", "+<f b"]);
});

Deno.test("Plan.settle() remembers what is done, and what was before of what is not", () => {
  const users = new Users();
  const [a, b] = [new Device("a"), new Device("b")];
  users.mkdir(a, "d");
  users.write(a, "d/x");
  users.write(a, "d/y");
  users.write(a, "gone");
  sync(a, b);
  const before = [...b.nodes.keys()];
  users.write(a, "d/x");
  users.write(a, "d/new");
  users.remove(a, "gone");
  const { plan } = planFor(a, b);
  const nothing = plan.settle(() => false);
  assert.ok(equalBytes(nothing.root, a.ancestors.get("b")!), "the old ancestor");
  assert.equal(nothing.pages.size, 0);
  assert.equal(nothing.stamps.local.length + nothing.stamps.remote.length, 0);
  const some = plan.settle((_, index) => {
    const operation = plan.remote[index]!;
    return operation.path === "d/new" || operation.path === "gone";
  });
  const root = decodePage(some.pages.get(digestKey(some.root))!.unpack());
  assert.deepEqual(root.map(({ name }) => name), ["d"]);
  const inside = decodePage(
    some.pages.get(digestKey((root[0] as DirEntry).shape))!.unpack(),
  );
  assert.deepEqual(inside.map(({ name }) => name), ["new", "x", "y"]);
  const x = b.nodes.get("d/x");
  assert.ok(x?.kind === "file");
  assert.equal((inside[1] as FileEntry).mtimeMs, x.mtimeMs, "the old version of x");
  assert.deepEqual([...b.nodes.keys()], before, "planning changes nothing");
});

Deno.test("Plan.settle() ends at the shape of both sides after an undisturbed session", () => {
  const users = new Users();
  const [a, b] = [new Device("a"), new Device("b")];
  users.mkdir(a, "d");
  users.write(a, "d/x");
  users.write(b, "y");
  users.link(b, "l", "y");
  sync(a, b);
  assert.ok(equalBytes(a.ancestors.get("b")!, a.scan().root));
  assert.ok(equalBytes(b.ancestors.get("a")!, b.scan().root));
  users.remove(b, "d");
  users.remove(a, "y");
  users.remove(a, "l");
  sync(a, b);
  assert.ok(equalBytes(a.ancestors.get("b")!, EMPTY_SHAPE));
});

Deno.test("Plan.settle() adopts subtrees that both sides had alike, and names their roots alone", () => {
  const users = new Users();
  const [a, b] = [new Device("a"), new Device("b")];
  for (const device of [a, b]) {
    users.mkdir(device, "d");
    users.mkdir(device, "d/e");
    device.nodes.set("d/e/x", { kind: "file", content: "same", size: 4, mtimeMs: 7, mode: 0o644 });
  }
  users.write(a, "y");
  const { plan, scans } = planFor(a, b);
  const { adopted } = plan.settle(() => true);
  const d = scans.local.views.get("")!.entries.find(({ name }) => name === "d") as DirEntry;
  assert.deepEqual(adopted, [d.shape]);
});
