import assert from "node:assert/strict";
import fc from "fast-check";
import { type Digest, digestKey } from "../../src/base/digest.ts";
import { RECIPE_GRACE_MS } from "../../src/index/mod.ts";
import { digestOf, dirRecord, fileRecord, ROOT, TempIndex } from "./temp_index.ts";

Deno.test("recipes are found by file and by group, before and after the commit", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const other = index.openRoot({ ...ROOT, path: "/other" });
  let runs = 0;
  fc.assert(
    fc.property(
      fc.uniqueArray(
        fc.record({
          file: fc.nat(20),
          recipe: fc.uint8Array({ minLength: 1, maxLength: 20 }),
          groups: fc.array(fc.nat(6), { maxLength: 4 }),
          commit: fc.boolean(),
        }),
        { selector: ({ file }) => file, maxLength: 12 },
      ),
      (files) => {
        const root = index.openRoot({ ...ROOT, path: `/run ${++runs}` });
        for (const { file, recipe, groups, commit } of files) {
          root.putRecipe(digestOf(file), recipe, groups.map((group) => digestOf(`group ${group}`)));
          // The first one stays.
          root.putRecipe(digestOf(file), new Uint8Array(0));
          if (commit) root.commit();
        }
        const check = () => {
          for (const { file, recipe } of files) {
            assert.deepEqual(new Uint8Array(root.getRecipe(digestOf(file))!), recipe);
            assert.equal(other.getRecipe(digestOf(file)), undefined);
          }
          assert.equal(root.getRecipe(digestOf("none")), undefined);
          for (let group = 0; group <= 7; group++) {
            const digest = digestOf(`group ${group}`);
            const having = files.filter(({ groups }) => groups.includes(group))
              .map(({ file }) => digestKey(digestOf(file)));
            const found = root.filesWithGroup(digest).map(digestKey);
            assert.equal(new Set(found).size, Math.min(4, having.length), `group ${group}`);
            for (const key of found) assert.ok(having.includes(key));
            assert.deepEqual(other.filesWithGroup(digest), []);
          }
        };
        check();
        assert.deepEqual(
          new Map([...root.recipes()].map(({ digest, recipe }) => [
            digestKey(digest),
            new Uint8Array(recipe),
          ])),
          new Map(files.map(({ file, recipe }) => [digestKey(digestOf(file)), recipe])),
        );
        check();
        assert.deepEqual([...other.recipes()], []);
      },
    ),
    { numRuns: 40 },
  );
});

Deno.test("recipes() lists more than one read holds, each once, also while some are swept", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  for (let i = 0; i < 700; i++) root.putRecipe(digestOf(i), new Uint8Array([i % 256]));
  assert.equal(new Set([...root.recipes()].map(({ digest }) => digestKey(digest))).size, 700);
  temp.clock.ms += RECIPE_GRACE_MS + 1;
  const seen: Digest[] = [];
  for (const { digest } of root.recipes()) {
    seen.push(digest);
    if (seen.length === 10) await index.collectGarbage({ force: true });
  }
  assert.equal(seen.length, 10);
});

Deno.test("collectGarbage() forgets old recipes of files that are held nowhere, and their groups", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  const groups = [digestOf("group 1"), digestOf("group 2")];
  for (const name of ["held", "gone", "patched"]) {
    root.putRecipe(digestOf(name), new Uint8Array(3), groups);
  }
  root.putDir(
    "",
    dirRecord(
      fileRecord("a", { digest: digestOf("held") }),
      fileRecord("b", { digest: digestOf("gone") }),
    ),
  );
  root.patchDir("", {
    ...dirRecord(fileRecord("c", { digest: digestOf("patched") })),
    removed: ["b"],
  });
  // The map of digests still has "gone" from the record beneath the patch.
  root.pathsOfDigest(digestOf("held"));
  root.putDir("", root.getDir("")!);
  root.commit();

  await index.collectGarbage({ force: true });
  assert.ok(root.getRecipe(digestOf("gone")), "younger than a day");
  temp.clock.ms += RECIPE_GRACE_MS + 1;
  root.putRecipe(digestOf("on its way"), new Uint8Array(3), groups);
  root.commit();
  await index.collectGarbage({ force: true });
  assert.equal(root.getRecipe(digestOf("gone")), undefined);
  assert.deepEqual(
    root.filesWithGroup(groups[0]!).map(digestKey).sort(),
    ["held", "patched", "on its way"].map((name) => digestKey(digestOf(name))).sort(),
  );
  // Swept for good: a new file of the same contents is found again.
  root.putRecipe(digestOf("gone"), new Uint8Array(4), groups);
  root.commit();
  assert.equal(root.filesWithGroup(groups[1]!).length, 4);
});

Deno.test("collectGarbage() looks for recipes to forget once a day, however many there are", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  const count = () => [...root.recipes()].length;
  await index.collectGarbage();
  for (let i = 0; i < 1200; i++) root.putRecipe(digestOf(i), new Uint8Array(1), [digestOf("g")]);
  root.putDir("", dirRecord(fileRecord("held", { digest: digestOf(7) })));
  root.commit();
  await index.collectGarbage();
  assert.equal(count(), 1200, "all are young");
  temp.clock.ms += RECIPE_GRACE_MS + 1;
  await index.collectGarbage();
  assert.deepEqual([...root.recipes()].map(({ digest }) => digestKey(digest)), [
    digestKey(digestOf(7)),
  ]);
  root.putRecipe(digestOf("late"), new Uint8Array(1));
  root.commit();
  temp.clock.ms += RECIPE_GRACE_MS - 1;
  await index.collectGarbage();
  assert.equal(count(), 2, "looked a day ago");
});
