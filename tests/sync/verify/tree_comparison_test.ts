import assert from "node:assert/strict";
import * as fs from "node:fs";
import fc from "fast-check";
import { utf8 } from "../../../src/base/bytes.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { type Digest, sha256 } from "../../../src/base/digest.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { compareNames, type DirPath, joinPath } from "../../../src/base/paths.ts";
import { encodePage, type Entry, shapeOf } from "../../../src/base/tree.ts";
import { ComparisonSession, PeerLink } from "../../../src/sync/mod.ts";
import { type ComparedDir, TreeComparison } from "../../../src/sync/verify/tree_comparison.ts";
import { memoryTransportPair } from "../../support/memory_transport.ts";
import { serveEnd } from "../../support/served_end.ts";
import { openIndexOf, openShareOf, testDevice } from "../../support/test_device.ts";
import { testHello } from "../../support/test_hello.ts";
import { Link, temporaryFolder, type TreeSpec, writeTree } from "../../support/tree.ts";

/** A tree of texts, with a time that both sides have of their own. */
interface Tree {
  [name: string]: string | Tree;
}

function build(tree: Tree, mtimeMs: number, path: DirPath, into: Map<DirPath, ComparedDir>) {
  const entries = Object.entries(tree).map(([name, value]): Entry => {
    if (typeof value !== "string") {
      return {
        kind: "dir",
        name,
        mode: 0o755,
        shape: build(value, mtimeMs, joinPath(path, name), into),
      };
    }
    if (value.startsWith("->")) return { kind: "link", name, target: value.slice(2), mtimeMs };
    const bytes = utf8(value);
    return {
      kind: "file",
      name,
      mode: 0o644,
      size: bytes.length,
      mtimeMs,
      digest: sha256(bytes),
    };
  }).sort((a, b) => compareNames(a.name, b.name));
  into.set(path, { entries, opaque: [] });
  return shapeOf(encodePage(entries));
}

function compare(a: Tree, b: Tree, times: [number, number]) {
  const [local, remote] = [new Map<DirPath, ComparedDir>(), new Map<DirPath, ComparedDir>()];
  const shapes = { local: build(a, times[0], "", local), remote: build(b, times[1], "", remote) };
  const comparison = new TreeComparison((path) => local.get(path)!, shapes);
  let fetched = 0;
  for (let wanted; (wanted = comparison.pollWanted()).length > 0;) {
    for (const { path } of wanted) {
      fetched++;
      comparison.handleDir(path, remote.get(path)!);
    }
  }
  return { ...comparison.finish(), fetched };
}

/** What the comparison should find, by looking at everything. */
function expected(a: Tree, b: Tree, path = ""): string[] {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort(compareNames);
  return names.flatMap((name) => {
    const [here, there] = [a[name], b[name]];
    const at = path + name;
    if (here === undefined) return [`only_remote ${at}`];
    if (there === undefined) return [`only_local ${at}`];
    if (typeof here === "object" && typeof there === "object") {
      return expected(here, there, `${at}/`);
    }
    return here === there ? [] : [`differs ${at}`];
  });
}

const trees = fc.letrec<{ tree: Tree; node: string | Tree }>((tie) => ({
  node: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom("one", "two", "->a"),
    tie("tree"),
  ),
  tree: fc.dictionary(fc.constantFrom("a", "b", "c"), tie("node"), { maxKeys: 3 }),
})).tree;

Deno.test("TreeComparison finds what a look at everything finds, whatever the times", () => {
  fc.assert(fc.property(trees, trees, fc.constantFrom(0, 5), (a, b, mtimeMs) => {
    const result = compare(a, b, [0, mtimeMs]);
    const found = result.differences.map(({ path, difference }) => `${difference} ${path}`);
    assert.deepEqual(found, expected(a, b));
    assert.equal(hex(result.localRoot) === hex(result.remoteRoot), found.length === 0);
  }));
});

Deno.test("TreeComparison of equal trees fetches nothing, and each root is its side's alone", () => {
  fc.assert(fc.property(trees, trees, (a, b) => {
    const same = compare(a, a, [7, 7]);
    assert.equal(same.fetched, 0);
    const [there, back] = [compare(a, b, [1, 2]), compare(b, a, [3, 4])];
    assert.deepEqual(there.localRoot, same.localRoot);
    assert.deepEqual([there.localRoot, there.remoteRoot], [back.remoteRoot, back.localRoot]);
  }));
});

Deno.test("TreeComparison says of names that one side leaves out that they are", () => {
  const local = new Map<DirPath, ComparedDir>();
  const shape = build({ a: "x", b: "y" }, 0, "", local);
  const comparison = new TreeComparison((path) => local.get(path)!, {
    local: shape,
    remote: new Uint8Array(32),
  });
  comparison.pollWanted();
  comparison.handleDir("", { entries: [], opaque: ["b"] });
  assert.deepEqual(
    comparison.finish().differences.map(({ path, difference }) => `${difference} ${path}`),
    ["only_local a", "left_out b"],
  );
});

async function compareFolders(left: TreeSpec, right: TreeSpec) {
  using folder = temporaryFolder();
  const [a, b] = ["A", "B"].map((name) => testDevice(`${folder.path}/home-${name}`, name));
  const paths = [`${folder.path}/left`, `${folder.path}/right`] as const;
  writeTree(paths[0], left);
  writeTree(paths[1], right, 1_600_000_000_000);
  const common = {
    clock: systemClock,
    logger: silentLogger,
    signal: new AbortController().signal,
  };
  await using indexA = await openIndexOf(a!);
  await using indexB = await openIndexOf(b!);
  const [near, far] = memoryTransportPair();
  await using _responder = await serveEnd(far, {
    device: b!,
    peer: a!,
    shares: [{ name: "docs", path: paths[1], writable: false }],
    openIndex: () => Promise.resolve(indexB),
  });
  const session = new ComparisonSession(1, { share: "docs", peerName: "b", run: "r", ...common });
  await using link = await PeerLink.begin(near, {
    hello: testHello(),
    handler: session,
    ...common,
  });
  using share = await openShareOf(a!, {
    path: paths[0],
    role: "source",
    untouched: true,
    index: indexA,
  });
  const comparison = await session.run(link, share);
  return { ...comparison, listed: fs.readdirSync(paths[0]) };
}

Deno.test("a comparison session tells equal folders by their contents and leaves no trace", async () => {
  const tree = { a: "1", d: { b: "22", e: {} }, l: new Link("a") };
  const { localRoot, remoteRoot, differences, files, bytes, share, listed } = await compareFolders(
    tree,
    tree,
  );
  assert.deepEqual(localRoot, remoteRoot);
  assert.deepEqual([differences, files, bytes, share], [[], 2, 3, "docs"]);
  assert.deepEqual(listed.sort(), ["a", "d", "l"]);
});

Deno.test("a comparison session lists what differs, same sizes and times or not", async () => {
  const { localRoot, remoteRoot, differences } = await compareFolders(
    { same: "x", size: "1", bytes: "ab", mine: "m", d: { x: { y: "deep" } }, l: new Link("same") },
    { same: "x", size: "22", bytes: "ba", d: { x: { y: "deeb" } }, l: new Link("bytes"), z: {} },
  );
  assert.notDeepEqual(localRoot, remoteRoot);
  assert.deepEqual(differences.map(({ path, difference }) => `${difference} ${path}`), [
    "differs bytes",
    "differs d/x/y",
    "differs l",
    "only_local mine",
    "differs size",
    "only_remote z",
  ]);
});

function hex(digest: Digest): string {
  return digest.toHex();
}
