import assert from "node:assert/strict";
import fc from "fast-check";
import { compareNames } from "../../../src/base/paths.ts";
import type { Entry } from "../../../src/base/tree.ts";
import { type PairingRules, pairNames } from "../../../src/sync/reconcile/pairing.ts";

const file = (name: string): Entry => ({ kind: "file", name, mode: 0o644, size: 1, mtimeMs: 1 });
const dir = (name: string): Entry => ({
  kind: "dir",
  name,
  mode: 0o755,
  shape: new Uint8Array(32),
});
const PLAIN: PairingRules = { traits: { local: {}, remote: {} } };
const folds = (side: "local" | "remote", traits: object): PairingRules => ({
  traits: { local: {}, remote: {}, [side]: traits },
});

function shown(rules: PairingRules, ...lists: [Entry[], Entry[], Entry[]]): string[] {
  for (const list of lists) list.sort((a, b) => compareNames(a.name, b.name));
  return pairNames(...lists, rules).map((pair) =>
    [pair.local, pair.remote, pair.ancestor].map((entry) => entry?.name ?? "-").join(" ") +
    (pair.respelled ? ` respell ${pair.respelled}` : "")
  );
}

const nfc = "\u00e9";
const nfd = "e\u0301";

Deno.test("pairNames() joins three listings by the bytes of their names", () => {
  assert.deepEqual(
    shown(PLAIN, [file("a"), file("b")], [file("b"), file("c")], [file("a"), file("c")]),
    ["a - a", "b b -", "- c c"],
  );
  assert.deepEqual(shown(PLAIN, [file(nfc)], [file(nfd)], []), [`- ${nfd} -`, `${nfc} - -`]);
});

Deno.test("pairNames() pairs Unicode forms where a side can't tell them apart", () => {
  const rules = folds("remote", { foldsUnicode: true });
  assert.deepEqual(shown(rules, [file(nfc)], [file(nfd)], [file(nfc)]), [`${nfc} ${nfd} ${nfc}`]);
  assert.deepEqual(shown(rules, [file(nfc)], [], [file(nfd)]), [`${nfc} - ${nfd}`]);
});

Deno.test("pairNames() leaves Unicode forms alone where one side has both", () => {
  const rules = folds("remote", { foldsUnicode: true });
  assert.deepEqual(shown(rules, [file(nfc), file(nfd)], [file(nfd)], []), [
    `${nfd} ${nfd} -`,
    `${nfc} - -`,
  ]);
});

Deno.test("pairNames() respells on the folding side what the ancestor shows to be the old spelling", () => {
  const rules = folds("remote", { foldsCase: true });
  assert.deepEqual(shown(rules, [file("foo")], [file("Foo")], [file("Foo")]), [
    "foo Foo Foo respell remote",
  ]);
  assert.deepEqual(shown(rules, [dir("foo")], [dir("Foo")], [dir("Foo")]), [
    "foo Foo Foo respell remote",
  ]);
});

Deno.test("pairNames() pairs no names of different case without an ancestor that tells which is new", () => {
  const rules = folds("remote", { foldsCase: true });
  for (const ancestor of [[], [file("foo")], [dir("Foo")]]) {
    assert.equal(shown(rules, [file("foo")], [file("Foo")], ancestor).length, 2);
  }
  assert.equal(shown(rules, [dir("foo")], [file("Foo")], [file("Foo")]).length, 2);
  assert.equal(shown(PLAIN, [file("foo")], [file("Foo")], [file("Foo")]).length, 2);
});

Deno.test("pairNames() takes a one-way source's spelling for the new one", () => {
  const rules = { ...folds("remote", { foldsCase: true }), newSpelling: "local" } as const;
  assert.deepEqual(shown(rules, [file("foo")], [file("Foo")], []), ["foo Foo - respell remote"]);
  const back = { ...folds("remote", { foldsCase: true }), newSpelling: "remote" } as const;
  assert.equal(shown(back, [file("foo")], [file("Foo")], []).length, 2);
});

Deno.test("pairNames() names every entry of every listing exactly once, whatever folds", () => {
  const names = fc.uniqueArray(fc.constantFrom("a", "A", "b", "B", nfc, nfd, "É", "x"), {
    maxLength: 6,
  });
  const traits = fc.record({ foldsCase: fc.boolean(), foldsUnicode: fc.boolean() });
  fc.assert(
    fc.property(names, names, names, traits, traits, (l, r, a, local, remote) => {
      const [left, right, old] = [l, r, a].map((list) =>
        list.map(file).sort((x, y) => compareNames(x.name, y.name))
      );
      const pairs = pairNames(left!, right!, old!, { traits: { local, remote } });
      const of = (key: "local" | "remote" | "ancestor") =>
        pairs.flatMap((pair) => pair[key]?.name ?? []).sort();
      assert.deepEqual(of("local"), l.toSorted());
      assert.deepEqual(of("remote"), r.toSorted());
      assert.deepEqual(of("ancestor"), a.toSorted());
      for (const { local, remote, ancestor } of pairs) assert.ok(local ?? remote ?? ancestor);
    }),
  );
});
