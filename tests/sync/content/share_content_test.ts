import assert from "node:assert/strict";
import * as fs from "node:fs";
import type { RelPath } from "../../../src/base/paths.ts";
import { nextTurn } from "../../../src/base/turn.ts";
import { recipeOf } from "../../../src/store/mod.ts";
import { ShareContent } from "../../../src/sync/content/share_content.ts";
import { getterFixture, noise } from "../delta/support.ts";

Deno.test("ShareContent reads each of many files once, whatever the order of questions", async () => {
  const files = Object.fromEntries(
    Array.from({ length: 12 }, (_, i) => [`f${i}`, noise(200_000, `content ${i}`)]),
  );
  await using fixture = await getterFixture(files);
  // Written just now, so that no record is believed.
  const now = Date.now() / 1000;
  for (const name of Object.keys(files)) fs.utimesSync(`${fixture.folder}/${name}`, now, now);
  const { root, index } = fixture.share;
  const content = new ShareContent(root, index, fixture.abort.signal);
  for (let round = 0; round < 3; round++) {
    await Promise.all(
      Object.entries(files).map(async ([name, bytes]) => {
        const recipe = await content.recipe(name as RelPath, root.lstat(name as RelPath)!);
        assert.ok(typeof recipe === "object");
        assert.deepEqual(recipe.digest, recipeOf(bytes).digest);
      }),
    );
  }
  assert.equal(content.hashedBytes, 12 * 200_000);
});

Deno.test("ShareContent reads a file whose stored recipe is damaged", async () => {
  const bytes = noise(400_000, "damaged");
  await using fixture = await getterFixture({ f: bytes });
  const { root, index } = fixture.share;
  const stored = index.getRecipe(recipeOf(bytes).digest)!;
  const content = new ShareContent(
    root,
    new Proxy(index, {
      get(target, name) {
        if (name === "getRecipe") return () => stored.slice(0, -1);
        const value = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    }),
    fixture.abort.signal,
  );
  const recipe = await content.recipe("f" as RelPath, root.lstat("f" as RelPath)!);
  assert.ok(typeof recipe === "object");
  assert.deepEqual(recipe.bytes, stored);
});

Deno.test("ShareContent stops reading when whoever asked gives up", async () => {
  await using fixture = await getterFixture();
  fs.writeFileSync(`${fixture.folder}/f`, noise(20 * 2 ** 20, "long"));
  const { root, index } = fixture.share;
  const content = new ShareContent(root, index, fixture.abort.signal);
  const stop = new AbortController();
  const asked = content.recipe("f" as RelPath, root.lstat("f" as RelPath)!, stop.signal);
  stop.abort(new Error("given up"));
  await assert.rejects(asked, /given up/);
  assert.equal(content.hashedBytes, 0);
});

Deno.test("ShareContent learns the digests of a directory at the cost of one look at it", async () => {
  const names = Array.from({ length: 50 }, (_, i) => `f${String(i).padStart(2, "0")}`);
  await using fixture = await getterFixture();
  for (const name of names) fs.writeFileSync(`${fixture.folder}/${name}`, name.repeat(9));
  const old = Date.now() / 1000 - 3600;
  for (const name of names) fs.utimesSync(`${fixture.folder}/${name}`, old, old);
  await fixture.share.scan({ checksum: false, filters: [] });
  const { root, index } = fixture.share;
  let looks = 0;
  const counting = new Proxy(index, {
    get(target, name) {
      if (name === "lookInto") looks++;
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const content = new ShareContent(root, counting, fixture.abort.signal);
  const ask = async (name: string) => {
    const stat = root.lstat(name as RelPath)!;
    assert.ok(stat.kind === "file");
    return await content.digestOf(name as RelPath, { ...stat, kind: "file", name });
  };
  for (const name of names) {
    const answer = await ask(name);
    assert.ok(typeof answer === "object");
    assert.deepEqual(answer.digest, recipeOf(new TextEncoder().encode(name.repeat(9))).digest);
  }
  assert.equal(content.hashedBytes, names.length * 27);
  // Once more, from what was learnt.
  for (const name of names) assert.equal(typeof await ask(name), "object");
  assert.equal(content.hashedBytes, names.length * 27);
  assert.equal(looks, 1);
});

Deno.test("ShareContent lets others have their turn before it reads, and between many files", async () => {
  const files = Object.fromEntries(
    Array.from({ length: 150 }, (_, i) => [`f${i}`, noise(100, `turns ${i}`)]),
  );
  await using fixture = await getterFixture(files);
  const now = Date.now() / 1000;
  for (const name of Object.keys(files)) fs.utimesSync(`${fixture.folder}/${name}`, now, now);
  const { root, index } = fixture.share;
  const content = new ShareContent(root, index, fixture.abort.signal);
  const all = Promise.all(
    Object.keys(files).map((name) => content.recipe(name as RelPath, root.lstat(name as RelPath)!)),
  );
  const readInTurn: number[] = [];
  while (content.hashedBytes < 150 * 100) {
    readInTurn.push(content.hashedBytes);
    await nextTurn();
  }
  await all;
  assert.equal(readInTurn[0], 0);
  assert.ok(readInTurn.length > 2, String(readInTurn));
});
