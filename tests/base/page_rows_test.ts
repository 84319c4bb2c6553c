import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeUtf8 } from "../../src/base/bytes.ts";
import { PageRows } from "../../src/base/page_rows.ts";
import { decodePage, encodePage, type Entry, PageError } from "../../src/base/tree.ts";
import { entries } from "./arbitraries.ts";

Deno.test("PageRows finds every entry and its name", () => {
  fc.assert(fc.property(entries, (entries) => {
    const page = encodePage(entries);
    const rows = new PageRows(page);
    assert.equal(rows.count, entries.length);
    for (const [i, entry] of entries.entries()) {
      const name = decodeUtf8(page.subarray(rows.nameStarts[i]!, rows.nameEnds[i]!));
      assert.equal(name, entry.name);
      const alone = encodePage([entry]).subarray(1);
      assert.deepEqual(page.subarray(rows.starts[i]!, rows.starts[i + 1]!), alone);
    }
    assert.equal(rows.starts[entries.length], page.length);
  }));
});

Deno.test("PageRows refuses lengths that do not add up", () => {
  fc.assert(fc.property(entries, fc.nat(), (entries, cut) => {
    const page = encodePage(entries);
    assert.throws(() => new PageRows(page.subarray(0, cut % page.length)), PageError);
  }));
  assert.throws(() => new PageRows(new Uint8Array([0xbf, 0xff, 0xff, 0xff])), PageError);
});

Deno.test("decodePage() gives the same with a model, and takes its objects for equal rows", () => {
  fc.assert(fc.property(entries, fc.infiniteStream(fc.nat(3)), (entries, fates) => {
    // Some entries are not in the model, and some are different there.
    const others = entries.flatMap((entry): Entry[] => {
      const fate = fates.next().value;
      if (fate === 0) return [];
      return [fate === 1 && entry.kind === "file" ? { ...entry, size: entry.size + 1 } : entry];
    });
    const own = encodePage(others);
    const model = { rows: new PageRows(own), entries: decodePage(own) };
    const page = encodePage(entries);
    const decoded = decodePage(page, model);
    assert.deepEqual(decoded, decodePage(page));
    const equal = entries.filter((entry) => others.includes(entry)).length;
    assert.equal(decoded.filter((entry) => model.entries.includes(entry)).length, equal);
  }));
});

Deno.test("decodePage() with a model refuses what it refuses without one", () => {
  fc.assert(fc.property(entries, fc.nat(), fc.nat(255), (entries, at, byte) => {
    const own = encodePage(entries);
    const model = { rows: new PageRows(own), entries: decodePage(own) };
    const broken = own.slice();
    broken[at % own.length] = byte;
    const decode = (model?: Parameters<typeof decodePage>[1]) => {
      try {
        return decodePage(broken, model);
      } catch (error) {
        assert.ok(error instanceof PageError);
        return undefined;
      }
    };
    assert.deepEqual(decode(model), decode());
  }));
});
