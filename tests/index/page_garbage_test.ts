import assert from "node:assert/strict";
import fc from "fast-check";
import type { Digest } from "../../src/base/digest.ts";
import { digestKey } from "../../src/base/digest.ts";
import { compareNames } from "../../src/base/paths.ts";
import { decodePage, encodePage, type Entry, shapeOf } from "../../src/base/tree.ts";
import { Database } from "../../src/index/database.ts";
import type { NamedPage, RootIndex } from "../../src/index/mod.ts";
import { PEER, ROOT, TempIndex } from "./temp_index.ts";

/** A tree of directories: names and subtrees. */
interface Tree {
  readonly [name: string]: Tree | number;
}

const { tree: trees } = fc.letrec<{ tree: Tree; node: Tree | number }>((tie) => ({
  tree: fc.dictionary(fc.constantFrom("a", "b", "c", "d"), tie("node"), {
    maxKeys: 4,
    noNullPrototype: true,
  }),
  node: fc.oneof({ depthSize: "small" }, fc.nat(3), tie("tree")),
}));

/** The pages of a tree, that of its root last. */
function pagesOf(tree: Tree): NamedPage[] {
  const pages: NamedPage[] = [];
  const entries = Object.entries(tree).map(([name, node]): Entry => {
    if (typeof node === "number") {
      return { kind: "file", name, mode: 0o644, size: node, mtimeMs: 0 };
    }
    const below = pagesOf(node);
    pages.push(...below);
    return { kind: "dir", name, mode: 0o755, shape: below.at(-1)!.shape };
  });
  const page = encodePage(entries.sort((a, b) => compareNames(a.name, b.name)));
  return [...pages, { shape: shapeOf(page), page }];
}

/** Reads a whole tree back, and throws if a page of it is missing. */
function readTree(root: RootIndex, shape: Digest): Tree {
  const page = root.getPage(shape);
  assert.ok(page, "a page of an ancestor is missing");
  return Object.fromEntries(
    decodePage(page).map((entry) => [
      entry.name,
      entry.kind === "dir" ? readTree(root, entry.shape) : entry.kind === "file" ? entry.size : -1,
    ]),
  );
}

function record(root: RootIndex, share: string, tree: Tree): Digest {
  const pages = pagesOf(tree);
  const { shape } = pages.at(-1)!;
  root.transaction(() => {
    root.putPages(pages);
    root.setAncestor({ ...PEER, share }, { shape });
  });
  return shape;
}

Deno.test("collectGarbage() keeps every page of every ancestor and deletes all others", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom("/one", "/two"), fc.constantFrom("s", "t"), trees), {
        maxLength: 8,
      }),
      async (records) => {
        for (const { path } of index.roots()) index.forgetRoot(path);
        const expected = new Map<string, { root: RootIndex; tree: Tree; shape: Digest }>();
        for (const [path, share, tree] of records) {
          const root = index.openRoot({ ...ROOT, path });
          expected.set(path + share, { root, tree, shape: record(root, share, tree) });
        }
        const report = await index.collectGarbage({ force: true });
        const live = new Set(
          [...expected.values()].flatMap(({ tree }) =>
            pagesOf(tree).map((p) => digestKey(p.shape))
          ),
        );
        assert.equal(report.kept, live.size);
        assert.equal(index.stats().pages, live.size);
        assert.equal(report.complete, true);
        for (const { root, tree, shape } of expected.values()) {
          assert.deepEqual(readTree(root, shape), tree);
        }
      },
    ),
    { numRuns: 30 },
  );
});

Deno.test("collectGarbage() deletes no more than it may, and says that there is more", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  for (let i = 0; i < 30; i++) record(root, "s", { a: i, b: { c: i } });
  assert.equal(index.stats().pages, 60);
  const first = await index.collectGarbage({ force: true, deleteMax: 50 });
  assert.deepEqual(first, { ran: true, kept: 2, deleted: 50, complete: false });
  const second = await index.collectGarbage({ force: true, deleteMax: 50 });
  assert.deepEqual(second, { ran: true, kept: 2, deleted: 8, complete: true });
  assert.deepEqual(readTree(root, root.ancestors()[0]!.shape), { a: 29, b: { c: 29 } });
});

Deno.test("collectGarbage() runs by itself only when enough pages were added", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  root.transaction(() => {
    for (let i = 0; i < 255; i++) root.putPages(pagesOf({ a: i }));
  });
  assert.equal((await index.collectGarbage()).ran, false);
  record(root, "s", { a: 255 });
  assert.deepEqual(await index.collectGarbage(), {
    ran: true,
    kept: 1,
    deleted: 255,
    complete: true,
  });
  assert.equal((await index.collectGarbage()).ran, false);
});

Deno.test("collectGarbage() keeps what is recorded while it runs, by this process or another", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  await using other = await temp.open();
  const root = index.openRoot(ROOT);
  // Garbage that the new ancestors below bring back to life, and enough of it for several turns.
  root.transaction(() => {
    for (let i = 0; i < 600; i++) root.putPages(pagesOf({ a: i, b: { c: i } }));
  });
  record(root, "old", { z: 0 });
  const collected = index.collectGarbage({ force: true });
  let done = false;
  collected.finally(() => done = true);
  const writer = other.openRoot(ROOT);
  const shapes: { shape: Digest; tree: Tree }[] = [];
  for (let i = 0; i < 3 && !done; i++) {
    await new Promise((resolve) => setTimeout(resolve, 0));
    const tree = { a: i, b: { c: 500 - i } };
    shapes.push({ tree, shape: record(writer, `new ${i}`, tree) });
  }
  const report = await collected;
  assert.ok(shapes.length > 0 && report.deleted <= 1200);
  for (const { shape, tree } of shapes) assert.deepEqual(readTree(root, shape), tree);
  await index.collectGarbage({ force: true });
  for (const { shape, tree } of shapes) assert.deepEqual(readTree(root, shape), tree);
  assert.equal(index.stats().pages, 1 + 2 * shapes.length);
});

Deno.test("collectGarbage() stops when told to, and leaves nothing half done", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  root.transaction(() => {
    for (let i = 0; i < 2000; i++) root.putPages(pagesOf({ a: i }));
  });
  const shape = record(root, "s", { last: 1, d: { e: 2 } });
  await assert.rejects(
    index.collectGarbage({ force: true, signal: AbortSignal.abort(new Error("enough")) }),
    /enough/,
  );
  assert.deepEqual(readTree(root, shape), { last: 1, d: { e: 2 } });
  assert.equal((await index.collectGarbage({ force: true })).complete, true);
  assert.equal(index.stats().pages, 2);
});

Deno.test("getPage() gives back pages of every size, compressed or not", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  const sizes = [0, 1, 100, 150, 5000];
  const pages = sizes.map((count) => {
    const page = encodePage(Array.from({ length: count }, (_, i): Entry => ({
      kind: "file",
      name: String(i).padStart(9, "0"),
      mode: 0o644,
      size: i,
      mtimeMs: 1_700_000_000_000,
    })));
    return { shape: shapeOf(page), page };
  });
  root.transaction(() => root.putPages([...pages, ...pages]));
  for (const { shape, page } of pages) assert.deepEqual(root.getPage(shape), page);
  assert.equal(root.getPage(shapeOf(new Uint8Array([1]))), undefined);
  assert.equal(index.stats().pages, sizes.length);
  const raw = pages.reduce((sum, { page }) => sum + page.length, 0);
  using database = new Database(await import("node:sqlite"), temp.path, { busyTimeoutMs: 0 });
  const [stored] = database.get<[number]>("SELECT sum(length(page)) FROM pages")!;
  assert.ok(stored < raw / 2, `${stored} of ${raw} bytes`);
});
