/**
 * Plans a session over a large tree that is made up as it is asked for, settles it, and prints what it
 * took: run by a test as a process of its own, with a limit to its heap.
 *
 * Arguments: what happened to the files (new, modified, deleted), and how many there are.
 */
import type { Digest } from "../../../src/base/digest.ts";
import type { DirPath } from "../../../src/base/paths.ts";
import { decodePage, encodePage, type Entry, shapeOf } from "../../../src/base/tree.ts";
import { vectorMember } from "../../../src/base/version_vector.ts";
import { type DirView, EMPTY_VIEW, Reconciler } from "../../../src/sync/reconcile/mod.ts";

const FILES_IN_DIR = 250;
const member = vectorMember("a", "1");

const [kind, count] = [Deno.args[0]!, Number(Deno.args[1])];
const tree = treeOf(2);
const old = treeOf(1);
const empty = shapeOf(encodePage([]));
const plan = reconcile();
const after = collected();
const operations = plan.local.length + plan.remote.length;
const lines = plan.items.length;
let settled = 0;
for (const page of plan.settle(() => true).pages.values()) settled += decodePage(page).length;
console.log(JSON.stringify({ operations, lines, settled, bytes: after }));

function reconcile() {
  const reconciler = new Reconciler({
    local: {
      root: kind === "deleted" ? empty : tree.root,
      device: { member, shortId: "AAAAAAA" },
      dir: (path) => kind === "deleted" ? EMPTY_VIEW : tree.view(path),
    },
    remote: {
      root: kind === "new" ? empty : old.root,
      device: { member: vectorMember("b", "1"), shortId: "BBBBBBB" },
    },
    ...(kind !== "new" && { ancestor: { root: old.root, entries: old.entries } }),
    direction: { kind: "two-way", conflicts: "keep-both" },
  });
  for (let needs; !(needs = reconciler.pollNeeds()).isDone;) {
    for (const { path, isGone } of needs.dirs) {
      reconciler.handleDir(path, () => kind === "new" || isGone ? EMPTY_VIEW : old.view(path));
    }
    for (const question of needs.digests) {
      const digest = new Uint8Array(32).fill(question.side === "local" ? 1 : 2);
      reconciler.handleDigest(question, digest);
    }
  }
  return reconciler.finish();
}

/** A tree of which only the shapes of its directories are kept. */
function treeOf(mtimeMs: number) {
  const version = [{ member, counter: mtimeMs }];
  const dirs = Array.from({ length: Math.ceil(count / FILES_IN_DIR) }, (_, i) => `d${i}`).sort();
  const filesOf = (dir: string): Entry[] =>
    Array.from({ length: FILES_IN_DIR }, (_, i) => ({
      kind: "file",
      name: `file-${dir}-${String(i).padStart(3, "0")}.dat`,
      mode: 0o644,
      size: 1000,
      mtimeMs,
    }));
  const shapes = new Map(dirs.map((name) => [name, shapeOf(encodePage(filesOf(name)))]));
  const byShape = new Map([...shapes].map(([name, shape]) => [shape.join(), name]));
  const top = dirs.map((name): Entry => ({
    kind: "dir",
    name,
    mode: 0o755,
    shape: shapes.get(name)!,
  }));
  const root = shapeOf(encodePage(top));
  const listOf = (path: DirPath) => path === "" ? top : filesOf(path);
  return {
    root,
    view: (path: DirPath): DirView => {
      const entries = listOf(path);
      const versions = new Map(entries.map(({ name }) => [name, version]));
      return { ...EMPTY_VIEW, entries, versions };
    },
    entries: (shape: Digest) =>
      shape.join() === root.join() ? top : filesOf(byShape.get(shape.join())!),
  };
}

/** Bytes in use, without garbage. */
function collected(): number {
  (globalThis as unknown as { gc(): void }).gc();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}
