import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { decodeUtf8 } from "../../src/base/bytes.ts";
import { compareNames } from "../../src/base/paths.ts";
import { PageRows } from "../../src/base/page_rows.ts";
import { decodePage, encodePage, type Entry, PageError } from "../../src/base/tree.ts";
import { entries } from "./arbitraries.ts";

Deno.test("PageRows finds every entry and its name", () => {
  fc.assert(fc.property(entries, (entries) => {
    const page = encodePage(entries);
    const rows = new PageRows(page);
    assert.equal(rows.count, entries.length);
    for (const [i, entry] of entries.entries()) {
      const name = decodeUtf8(page.subarray(rows.nameStart(i), rows.nameEnd(i)));
      assert.equal(name, entry.name);
      const alone = encodePage([entry]).subarray(1);
      assert.deepEqual(page.subarray(rows.start(i), rows.start(i + 1)), alone);
    }
    assert.equal(rows.start(entries.length), page.length);
  }));
});

Deno.test("PageRows refuses lengths that do not add up", () => {
  fc.assert(fc.property(entries, fc.nat(), (entries, cut) => {
    const page = encodePage(entries);
    assert.throws(() => new PageRows(page.subarray(0, cut % page.length)), PageError);
  }));
  assert.throws(() => new PageRows(new Uint8Array([0xbf, 0xff, 0xff, 0xff])), PageError);
});

Deno.test("PageRows makes the entries of decodePage(), and finds them by name", () => {
  fc.assert(fc.property(entries, fc.string(), (entries, other) => {
    const rows = new PageRows(encodePage(entries));
    for (const [i, entry] of entries.entries()) {
      assert.deepEqual(rows.entry(i), entry);
      assert.equal(rows.name(i), entry.name);
      assert.equal(rows.find(entry.name), i);
      assert.equal(rows.isDir(i), entry.kind === "dir");
      assert.equal(rows.isFile(i), entry.kind === "file");
    }
    assert.equal(rows.hasFiles, entries.some(({ kind }) => kind === "file"));
    assert.equal(rows.find(other), entries.findIndex(({ name }) => name === other));
  }));
});

Deno.test("PageRows finds names in any order, and not those that it does not have", () => {
  const looks = fc.array(fc.oneof(fc.nat(), fc.string()), { maxLength: 40 });
  fc.assert(fc.property(entries, looks, (entries, looks) => {
    const rows = new PageRows(encodePage(entries));
    for (const look of looks) {
      const wanted = typeof look === "string" ? look : entries[look % entries.length]?.name ?? "";
      assert.equal(rows.find(wanted), entries.findIndex(({ name }) => name === wanted));
    }
  }));
});

Deno.test("PageRows compares entries of two pages by name and by all bytes", () => {
  fc.assert(fc.property(entries, entries, (mine, yours) => {
    const pages = [mine, yours, mine].map((entries) => new PageRows(encodePage(entries)));
    for (const [own, other] of [[0, 1], [0, 2], [0, 0]] as const) {
      const [ownRows, otherRows] = [pages[own]!, pages[other]!];
      for (let i = 0; i < ownRows.count; i++) {
        for (let j = 0; j < otherRows.count; j++) {
          const order = compareNames(ownRows.name(i), otherRows.name(j));
          assert.equal(Math.sign(ownRows.compareName(i, otherRows, j)), Math.sign(order));
          const isAs = isDeepStrictEqual(ownRows.entry(i), otherRows.entry(j));
          assert.equal(ownRows.isAs(i, otherRows, j), isAs);
        }
      }
    }
  }));
});

Deno.test("PageRows.checked() takes what decodePage() takes, with any model and without one", () => {
  fc.assert(
    fc.property(entries, fc.infiniteStream(fc.nat(3)), damage, (entries, fates, damage) => {
      // Some entries are not in the model, and some are different there.
      const others = entries.flatMap((entry): Entry[] => {
        const fate = fates.next().value;
        if (fate === 0) return [];
        return [fate === 1 && entry.kind === "file" ? { ...entry, size: entry.size + 1 } : entry];
      });
      const page = encodePage(entries);
      if (damage !== undefined) page[damage.at % page.length] = damage.byte;
      const models = [undefined, encodePage(others), encodePage(entries)];
      const expected = refusable(() => decodePage(page));
      for (const model of models) {
        const rows = refusable(() => PageRows.checked(page, model && new PageRows(model)));
        const checked = rows && Array.from({ length: rows.count }, (_, i) => rows.entry(i));
        assert.deepEqual(checked, expected);
      }
    }),
    { numRuns: 1000 },
  );
});

Deno.test("PageRows.checked() refuses known entries in another order, twice, and cut off", () => {
  const file = (name: string): Entry => ({ kind: "file", name, mode: 0, size: 0, mtimeMs: 0 });
  const [a, b, c] = ["a", "b", "c"].map(file) as [Entry, Entry, Entry];
  const model = new PageRows(encodePage([a, b, c]));
  for (const entries of [[b, a], [a, c, b], [c, a], [a, a], [a, b, b], [a, b, a, c]]) {
    assert.throws(() => PageRows.checked(encodePage(entries), model), PageError);
  }
  const page = encodePage([a, b, c]);
  for (let cut = 0; cut < page.length; cut++) {
    assert.throws(() => PageRows.checked(page.subarray(0, cut), model), PageError);
  }
});

const damage = fc.option(fc.record({ at: fc.nat(), byte: fc.nat(255) }), { nil: undefined });

function refusable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    assert.ok(error instanceof PageError, String(error));
    return undefined;
  }
}
