/**
 * Plans a session over a large tree that is made up as it is asked for, settles it, and prints what it
 * took: run by a test as a process of its own, with a limit to its heap.
 *
 * Arguments: what happened to the files (new, modified, touched, moved one by one, deleted), and how many
 * there are.
 */
import type { Digest } from "../../../src/base/digest.ts";
import type { DirPath } from "../../../src/base/paths.ts";
import { decodePage, encodePage, type Entry, shapeOf } from "../../../src/base/tree.ts";
import { vectorMember } from "../../../src/base/version_vector.ts";
import {
  type DigestQuestion,
  type DirView,
  EMPTY_VIEW,
  Reconciler,
} from "../../../src/sync/reconcile/mod.ts";

const FILES_IN_DIR = 250;
const member = vectorMember("a", "1");
const VERSIONS = [1, 2].map((counter) => [{ member, counter }]);

const [kind, count] = [Deno.args[0]!, Number(Deno.args[1])];
const DIRS = Math.ceil(count / FILES_IN_DIR);
const old = treeOf((dir, i) => ({ name: nameOf(dir, i), mtimeMs: numberOf(dir, i) }));
const tree = treeOf((dir, i) => {
  if (kind !== "moved") return { name: nameOf(dir, i), mtimeMs: numberOf(dir, i) + count };
  // From the next directory, and under another name.
  return { name: `moved-${nameOf(dir, i)}`, mtimeMs: numberOf((dir + 1) % DIRS, i) };
});
const empty = shapeOf(encodePage([]));
let walked = 0;
const plan = reconcile();
const planned = collected();
const operations = plan.local.length + plan.remote.length;
const lines = plan.items.length;
const { pages } = plan.settle(() => true);
const bytes = { walked, planned, settled: collected() };
let settled = 0;
for (const page of pages.values()) settled += decodePage(page.unpack()).length;
console.log(JSON.stringify({ operations, lines, settled, bytes }));

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
      reconciler.handleDigest(question, digestOf(question));
    }
  }
  walked = collected();
  return reconciler.finish();
}

/** A tree of which only the shapes of its directories are kept. */
function treeOf(fileAt: (dir: number, i: number) => { name: string; mtimeMs: number }) {
  const dirs = Array.from({ length: DIRS }, (_, dir) => `d${String(dir).padStart(4, "0")}`);
  const filesOf = (dir: number): Entry[] =>
    Array.from(
      { length: FILES_IN_DIR },
      (_, i) => ({ kind: "file", mode: 0o644, size: 1000, ...fileAt(dir, i) }),
    );
  const shapes = dirs.map((_, dir) => shapeOf(encodePage(filesOf(dir))));
  const byShape = new Map(shapes.map((shape, dir) => [shape.join(), dir]));
  const top = dirs.map((name, dir): Entry => ({
    kind: "dir",
    name,
    mode: 0o755,
    shape: shapes[dir]!,
  }));
  const root = shapeOf(encodePage(top));
  return {
    root,
    view: (path: DirPath): DirView => {
      const entries = path === "" ? top : filesOf(dirs.indexOf(path));
      const versions = new Map(
        entries.map((entry) => [entry.name, VERSIONS[isLater(entry) ? 1 : 0]!]),
      );
      return { ...EMPTY_VIEW, entries, versions };
    },
    entries: (shape: Digest) =>
      shape.join() === root.join() ? top : filesOf(byShape.get(shape.join())!),
  };
}

function isLater(entry: Entry): boolean {
  return entry.kind === "file" && entry.mtimeMs > count;
}

function nameOf(dir: number, i: number): string {
  return `file-d${dir}-${String(i).padStart(3, "0")}.dat`;
}

function numberOf(dir: number, i: number): number {
  return dir * FILES_IN_DIR + i + 1;
}

/** What moved or was touched has the contents it had; what was modified has others. */
function digestOf({ entry, side }: DigestQuestion): Digest {
  const number = entry.kind === "file" ? entry.mtimeMs % count : 0;
  const digest = new Uint8Array(32).fill(kind === "modified" && side === "local" ? 1 : 2);
  new DataView(digest.buffer).setUint32(0, Math.imul(number, 0x9e3779b1) >>> 0);
  return digest;
}

/** Bytes in use, without garbage. */
function collected(): number {
  (globalThis as unknown as { gc(): void }).gc();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}
