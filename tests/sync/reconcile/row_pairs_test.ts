import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, utf8 } from "../../../src/base/bytes.ts";
import { PageRows } from "../../../src/base/page_rows.ts";
import { encodePage, type Entry } from "../../../src/base/tree.ts";
import {
  bumpVector,
  EMPTY_VECTOR,
  vectorMember,
  type VersionVector,
} from "../../../src/base/version_vector.ts";
import { PageView } from "../../../src/sync/reconcile/page_view.ts";
import { type Paired, pairNames } from "../../../src/sync/reconcile/pairing.ts";
import { joinRows } from "../../../src/sync/reconcile/row_pairs.ts";
import { isSame, ListedSame } from "../../../src/sync/reconcile/same_entries.ts";

const file = (name: string, size: number): Entry => ({
  kind: "file",
  name,
  mode: 0o644,
  size,
  mtimeMs: 1,
});

/** Few names and kinds, so that most are in several listings. */
const listing = fc.uniqueArray(
  fc.record({ name: fc.integer({ min: 10, max: 40 }).map(String), what: fc.nat(5) }),
  { selector: ({ name }) => name, maxLength: 30 },
).map((drafts) =>
  drafts.sort((a, b) => a.name < b.name ? -1 : 1).map(({ name, what }): Entry => {
    if (what === 0) return { kind: "dir", name, mode: 0o755, shape: new Uint8Array(32) };
    if (what === 1) return { kind: "link", name, target: "x", mtimeMs: 1 };
    return file(name, what === 2 ? 9 : 1);
  })
);

const rowsOf = (entries: readonly Entry[]) => new PageRows(encodePage(entries));

Deno.test("joinRows() finds the pairs of pairNames(), each at its place", () => {
  fc.assert(
    fc.property(listing, listing, fc.option(listing), (local, remote, ancestor) => {
      const pairs = pairNames(local, remote, ancestor ?? [], { traits: { local: {}, remote: {} } });
      const joined = joinRows(
        { local: rowsOf(local), remote: rowsOf(remote) },
        ancestor === null ? undefined : rowsOf(ancestor),
      );
      assert.equal(joined.pairs.length, pairs.length);
      assert.deepEqual(pairs.map((_, i) => joined.pairs.at(i)), pairs);
      assert.equal(joined.pairs.at(pairs.length), undefined);
      const indexed = pairs.map((pair, index) => ({ index, pair }));
      const rows = ({ local: mine, remote: theirs }: Paired) => ({
        local: mine === undefined ? -1 : local.indexOf(mine),
        remote: theirs === undefined ? -1 : remote.indexOf(theirs),
      });
      const others = indexed.filter(({ pair }) => !isSame(pair));
      assert.deepEqual(
        joined.others,
        others.map(({ index, pair }) => ({ index, pair, rows: rows(pair) })),
      );
      const same = indexed.filter(({ pair }) => isSame(pair))
        .map(({ index, pair }) => ({ index, entry: pair.local }));
      assert.deepEqual([...joined.same], same);
      assert.equal(joined.same.length, same.length);
      assert.equal(joined.same.hasFiles, same.some(({ entry }) => entry?.kind === "file"));
    }),
    { numRuns: 500 },
  );
});

Deno.test("joinRows() takes numbers that are longer than need be for the same", () => {
  const entries = [file("a", 1), file("b", 2), file("c", 3)];
  const long = concat([
    new Uint8Array([3]),
    rowBytes(entries, 0),
    // Size 2 in two bytes.
    concat([new Uint8Array([1, 1]), utf8("b"), new Uint8Array([0x41, 0xa4, 0x40, 2, 2])]),
    rowBytes(entries, 2),
  ]);
  const local = rowsOf(entries);
  const remote = PageRows.checked(long, local);
  assert.notDeepEqual(local.page, remote.page);
  for (const ancestor of [undefined, local, remote]) {
    const { same, others } = joinRows({ local, remote }, ancestor);
    assert.deepEqual([...same].map(({ entry }) => entry), entries);
    assert.deepEqual(others, []);
  }
});

Deno.test("same entries make objects of wanted files alone, by rows as by names", () => {
  fc.assert(fc.property(listing, fc.nat(3), fc.nat(3), (entries, sizes, times) => {
    const rows = rowsOf(entries);
    const { same } = joinRows({ local: rows, remote: rowsOf(entries) });
    const isWanted = (size: number, mtimeMs: number) => size % 4 <= sizes && mtimeMs % 4 <= times;
    const wanted = [...same].filter(({ entry }) =>
      entry.kind === "file" && isWanted(entry.size, entry.mtimeMs)
    );
    assert.deepEqual([...same.filesOf(isWanted)], wanted);
    assert.deepEqual([...new ListedSame([...same]).filesOf(isWanted)], wanted);
  }));
});

Deno.test("same entries tell which of them have different histories, by rows as by names", () => {
  const histories = fc.array(fc.nat(2), { minLength: 40, maxLength: 40 });
  const vectors: (VersionVector | undefined)[] = [
    undefined,
    bumpVector(EMPTY_VECTOR, vectorMember("a", "1")),
    bumpVector(EMPTY_VECTOR, vectorMember("b", "1")),
  ];
  fc.assert(fc.property(listing, listing, histories, histories, (local, remote, mine, yours) => {
    const views = { local: viewOf(local, mine), remote: viewOf(remote, yours) };
    const { same } = joinRows({ local: views.local.rows.page, remote: views.remote.rows.page });
    assert.deepEqual([...same.unlike(views)], [...new ListedSame([...same]).unlike(views)]);
  }));

  function viewOf(entries: readonly Entry[], history: readonly number[]): PageView {
    return new PageView({
      rows: rowsOf(entries),
      opaque: new Set(),
      isIncomplete: false,
      versionAt: (row) => vectors[history[row]!],
      // Of a peer that is not to be trusted: the name is there.
      tombstones: new Map(entries.slice(0, 1).map(({ name }) => [name, vectors[2]!])),
    });
  }
});

function rowBytes(entries: readonly Entry[], row: number): Uint8Array {
  const rows = rowsOf(entries);
  return rows.page.subarray(rows.start(row), rows.start(row + 1));
}
